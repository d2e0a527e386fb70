"""What the terminal shows: progress by stage with rows per second, and tables. Log text is printed as text, never as markup."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from stillwatch.app.progress import Progress, Quiet

if TYPE_CHECKING:
    from stillwatch.app.demo import Demo
    from stillwatch.app.dry_run import DryRun
    from stillwatch.detect.signal import Signal
    from stillwatch.records.verdicts import Verdict


class Drawn:
    """Progress bars, one per stage; on a terminal that is no terminal, one line per finished stage."""

    def __init__(self, console: Console, bars: Bars) -> None:
        self._console = console
        self._bars = bars
        self._task: TaskID | None = None
        self._name = ""

    def begin(self, stage: str, total: int | None) -> None:
        """A new bar."""
        self._name = stage
        self._task = self._bars.add_task(stage, total=total, speed="")

    def advance(self, rows: int) -> None:
        """Move the bar."""
        if self._task is not None:
            task = self._bars.tasks[self._task]
            elapsed = task.elapsed or 0.0
            self._bars.update(self._task, completed=rows, speed=f"{rows / elapsed:,.0f} rows/s" if elapsed > 0.2 else "")

    def end(self, rows: int, seconds: float, *, resumed: bool) -> None:
        """Fill the bar, and say how fast it went."""
        speed = "done before" if resumed else (f"{rows / seconds:,.0f} rows/s" if seconds > 0 else "")
        if self._task is not None:
            self._bars.update(self._task, total=rows, completed=rows, speed=speed)
        if not self._console.is_terminal:
            self._console.print(f"{self._name}: {rows:,} rows, {seconds:.1f} s {speed}", markup=False)

    def note(self, sentence: str) -> None:
        """One line, above the bars."""
        self._console.print(sentence, markup=False, soft_wrap=True)


@contextmanager
def progress(console: Console, *, quiet: bool) -> Generator[Progress]:
    """Progress on the console's error stream; nothing at all where `quiet`."""
    if quiet:
        yield Quiet()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        yield Drawn(console, bars)


def plain(value: object) -> Text:
    """Text without control characters, whoever wrote it."""
    return Text("".join(letter if letter.isprintable() else "�" for letter in str(value)))


def text_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, whole: Sequence[str] = ()) -> Table:
    """A table whose cells are shown as text, whoever wrote them; cells of the columns `whole` are not broken over lines."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in whole)
    for row in rows:
        table.add_row(*(plain(value) for value in row))
    return table


def demo_table(demo: Demo) -> RenderableType:
    """The simulated campaigns beside what was found of them, and how; where harvest was missed, why that is no surprise."""
    table = text_table("Against the truth: the campaigns that are hidden in the log", ("campaign", "accounts", "found", "as"), ())
    for campaign in demo.campaigns:
        how = "harvest" if campaign.found else "pooled only" if campaign.pooled else "not found"
        said = plain(f"{how}. {campaign.why}" if campaign.why else f"{how}, pooled: {campaign.pooled}" if campaign.pooled else how)
        name = plain(f"{campaign.campaign_id} ({campaign.tactic})")
        table.add_row(name, str(campaign.accounts), str(campaign.found or campaign.pooled), said)
    kinds = ", ".join(f"{count} {role}" for role, count in demo.roles) or "none"
    return Group(table, Text(f"Honest accounts in harvest findings: {demo.accused} of {demo.honest:,} ({kinds})"))


def dry_run_table(found: DryRun) -> RenderableType:
    """Files and formats, missing columns, silent signals."""
    files = [(file.name, file.format, file.compression, f"{file.bytes:,}") for file in (*found.plan.files, *found.plan.access_logs)]
    parts: list[RenderableType] = [text_table("Would be read", ("file", "format", "compression", "bytes"), files)]
    if found.plan.left_aside():
        parts.append(text_table("Left aside", ("path", "reason"), found.plan.left_aside()))
    if found.accounts_known is not None:
        from stillwatch.app.noting import accounts_words

        parts.append(Text(accounts_words(found.accounts_known, found.accounts_seen, of="accounts in the first records")))
    parts.append(Text("Columns that no file fills: " + (", ".join(found.missing) or "none")))
    silent = [(silent.signal, silent.reason) for silent in found.silent]
    parts.append(text_table("Signals that would be silent", ("signal", "why"), silent) if silent else Text("Every signal can speak."))
    return Group(*parts)


def link_table(links: Sequence[dict[str, Any]]) -> RenderableType:
    """Account-to-trace links, all of them."""
    rows = [(row["account_id"], row["kind"], row["trace"], row["count"], row["sharing"], f"{row['weight']:.2f}") for row in links]
    return text_table(f"Links ({len(links):,})", ("account", "kind", "trace", "exchanges", "sharing", "nats"), rows)


def exchange_table(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """Exchanges behind a finding; times are UTC."""
    shown = [
        (row["exchange_id"], row["account_id"], f"{row['started_at']:%Y-%m-%d %H:%M}", row["model_served"] or "–", row["output_tokens"])
        for row in rows
    ]
    return text_table("Exchanges (all in exchanges/)", ("exchange", "account", "started", "model", "tokens"), shown)


def verdict_table(verdict: Verdict) -> RenderableType:
    """A verdict: its headline, a row per test and key, its sentences, what would have been seen, and ranks as what they are."""
    from stillwatch.report.verdict_page import p_value, reach_words

    rows = [
        (
            judged.name,
            judged.key,
            f"{judged.result.sample:,}",
            p_value(judged.result.log10_p),
            p_value(judged.log10_adjusted),
            "yes" if judged.reaches else "no",
        )
        for judged in verdict.results
    ]
    rows += [(each.name, each.key, f"{each.got:,} of {each.needed:,}", "1", "1", "not judged") for each in verdict.unjudged]
    columns = ("test", "key", "sample", "p", "adjusted p", f"reaches {verdict.level:g}")
    reaches = [f"{judged.name}, {judged.key}: {reach_words(judged.result)}" for judged in verdict.results if not judged.reaches]
    sentences = (*verdict.sentences, *reaches, *(rank.says for rank in verdict.corroborations))
    return Group(
        Text.assemble((plain(verdict.headline).plain, "bold")), text_table("", columns, rows), *(plain(line) for line in sentences)
    )


_QUESTIONS = {"pooling": "do these accounts act as one?", "harvest": "is this traffic becoming training data?"}


def signal_list(signals: Sequence[Signal]) -> RenderableType:
    """The catalogue of signals, by question: what each needs and says, and what to know before trusting it."""
    parts: list[RenderableType] = [
        Text(f"{len(signals)} signals. In their sentences X is the value; M and H are median and 95th percentile.")
    ]
    for axis in dict.fromkeys(signal.axis for signal in signals):
        mine = [signal for signal in signals if signal.axis is axis]
        parts.append(Text(f"\n{axis.value.capitalize()}: {_QUESTIONS[axis.value]} ({len(mine)})", style="bold underline"))
        for signal in mine:
            parts.append(Text.assemble((f"\n{signal.id}", "bold"), f"  family {signal.family}; {signal.unit}"))
            facts = (
                ("needs", ", ".join(need.replace("|", " or ") for need in signal.columns)),
                ("says", signal.says.format(value="X", median="M", high="H")),
                ("ordinary explanation", signal.ordinary),
                ("blind spot", signal.blind_spot),
            )
            parts += [Padding(Text.assemble((f"{name}: ", "dim"), said), (0, 0, 0, 2)) for name, said in facts]
    return Group(*parts)
