"""What the terminal shows: progress by stage with rows per second, and tables. Log text is printed as text, never as markup."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from stillwatch.app.progress import Progress, Quiet

if TYPE_CHECKING:
    from stillwatch.app.demo import Demo
    from stillwatch.app.dry_run import DryRun
    from stillwatch.detect.signal import Signal


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


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(plain(value) for value in row))
    return table


def demo_table(demo: Demo) -> RenderableType:
    """The simulated campaigns beside what was found of them."""
    rows = [(campaign.campaign_id, campaign.tactic, campaign.accounts, campaign.found, campaign.pooled) for campaign in demo.campaigns]
    table = _table("Against the truth", ("campaign", "tactic", "accounts", "in harvest findings", "in groups"), rows)
    kinds = ", ".join(f"{count} {role}" for role, count in demo.roles) or "none"
    return Group(table, Text(f"Honest accounts in harvest findings: {demo.accused} of {demo.honest:,} ({kinds})"))


def dry_run_table(found: DryRun) -> RenderableType:
    """Files and formats, missing columns, silent signals."""
    files = [(file.name, file.format, file.compression, f"{file.bytes:,}") for file in (*found.plan.files, *found.plan.access_logs)]
    parts: list[RenderableType] = [_table("Would be read", ("file", "format", "compression", "bytes"), files)]
    if found.plan.ignored:
        parts.append(_table("Left aside", ("path", "reason"), found.plan.ignored))
    parts.append(Text("Columns that no file fills: " + (", ".join(found.missing) or "none")))
    silent = [(silent.signal, silent.reason) for silent in found.silent]
    parts.append(_table("Signals that would be silent", ("signal", "why"), silent) if silent else Text("Every signal can speak."))
    return Group(*parts)


def link_table(links: Sequence[dict[str, Any]], most: int = 20) -> RenderableType:
    """Account-to-trace links."""
    rows = [(row["account_id"], row["kind"], row["trace"], row["count"], row["sharing"], f"{row['weight']:.2f}") for row in links[:most]]
    title = f"Links ({min(most, len(links))} of {len(links):,}; all in links.parquet)"
    return _table(title, ("account", "kind", "trace", "exchanges", "accounts sharing", "worth (nats)"), rows)


def exchange_table(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """Exchanges behind a finding."""
    shown = [
        (row["exchange_id"], row["account_id"], row["started_at"].isoformat(), row["model_served"], row["output_tokens"]) for row in rows
    ]
    return _table("Exchanges (all in exchanges/)", ("exchange", "account", "started", "model", "output tokens"), shown)


def signal_table(signals: Sequence[Signal]) -> RenderableType:
    """The catalogue of signals."""
    rows = [
        (signal.id, signal.axis.value, signal.unit, ", ".join(signal.columns), signal.ordinary, signal.blind_spot) for signal in signals
    ]
    return _table(f"{len(signals)} signals", ("signal", "question", "unit", "needs", "ordinary explanation", "blind spot"), rows)
