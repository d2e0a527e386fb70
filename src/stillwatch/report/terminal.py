"""What the terminal shows: the table of findings, one finding explained, and both as JSON. Log text is shown, never obeyed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stillwatch.records.findings import Axis, EntityKind, Finding, LinkEdge, Report, Severity, Verdict
from stillwatch.report import words
from stillwatch.report.codec import to_plain
from stillwatch.report.text import visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_COLOURS = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_VERDICTS = {Verdict.YES: "bold", Verdict.UNCLEAR: "italic", Verdict.NO: "dim"}
_FEW_SIGNALS = 3
_FEW_MEMBERS = 8
_FEW_TRACES = 8
_FEW_EXHIBITS = 2
_NAMED_ACCOUNTS = 4


def summary_table(report: Report) -> RenderableType:
    """Findings by rank, the error rate of the list, and what the run could have found."""
    from rich.console import Group

    power = _line(("What this run could have found: ", "bold"), (report.run.power.words, ""))
    if not report.findings:
        return Group(
            _line(
                (f"{words.nothing_found(report.run.power)}. ", "bold"),
                (f"{report.run.judged:,} of {report.run.entities:,} entities had enough exchanges to be judged.", ""),
            ),
            power,
        )
    table = _table("Severity", "Finding", "Exchanges", "Pooled", "Harvest", "q", numbers=(2, 5))
    for finding in words.ranked(report.findings):
        table.add_row(
            _text(finding.severity.value, _COLOURS[finding.severity]),
            _line((visible(finding.title, limit=160), ""), (f"\n{visible(finding.entity_id, limit=60)}", "dim"), _suppressed(finding)),
            words.count(finding.tally.exchanges),
            _text(finding.pooling.value, _VERDICTS[finding.pooling]),
            _text(finding.harvest.value, _VERDICTS[finding.harvest]),
            words.probability(finding.q_value),
        )
    said = (words.suppressed_findings(report.findings), words.expected_false(report), words.other_findings(report.findings))
    return Group(table, _text(" ".join(sentence for sentence in said if sentence)), power)


def _suppressed(finding: Finding) -> tuple[str, str]:
    held = finding.suppressed
    return ("", "") if held is None else (f"\nsuppressed until {held.until:%Y-%m-%d} by {visible(held.case, limit=40)}", "italic")


def explain_text(finding: Finding, *, everything: bool = False) -> RenderableType:
    """The chain behind one finding: its verdicts, members, links, exchanges and signals, and what speaks against it.

    Args:
        finding: what is explained.
        everything: all of each; else the first few, with a count of what is left out.
    """
    from rich.console import Group

    def few(most: int) -> int | None:
        return None if everything else most

    parts: list[RenderableType] = [*_claim(finding), *_signals(finding, few(_FEW_SIGNALS)), *_members(finding, few(_FEW_MEMBERS))]
    parts += [*_links(finding, few(_FEW_TRACES)), *_exhibits(finding, few(_FEW_EXHIBITS)), *_doubts(finding)]
    return Group(*parts)


def summary_json(report: Report) -> dict[str, Any]:
    """The summary for `--json`: counts of the run, its power, and one short object per finding, by rank."""
    run = report.run
    return {
        "version": run.version,
        "first_at": to_plain(run.first_at),
        "last_at": to_plain(run.last_at),
        "exchanges": run.rows_out,
        "quarantined": run.quarantined,
        "accounts": run.accounts,
        "groups": run.groups,
        "entities": run.entities,
        "judged": run.judged,
        "expected_false": words.expected_false(report),
        "power": to_plain(run.power),
        "severities": {severity.value: amount for severity, amount in words.severities(report.findings)},
        "left_aside": to_plain(run.left_aside),
        "notes": list(run.notes),
        "findings": [_brief(finding) for finding in words.ranked(report.findings)],
    }


def _brief(finding: Finding) -> dict[str, Any]:
    names = (
        "uid", "entity_id", "kind", "title", "severity", "pooling", "harvest", "strength", "p_value", "q_value", "pooling_p_value",
        "expected_false", "first_at", "last_at", "next_step",
    )  # fmt: skip
    brief: dict[str, Any] = {name: to_plain(getattr(finding, name)) for name in names}
    taken = finding.tally
    brief |= {"accounts": len(finding.members), "exchanges": taken.exchanges, "output_tokens": taken.output_tokens}
    brief |= {"suppressed": to_plain(finding.suppressed)}
    brief |= {"list_price": taken.list_price, "currency": taken.currency}
    return brief | {"techniques": [technique for technique, _ in finding.techniques]}


def _claim(finding: Finding) -> Iterator[RenderableType]:
    yield _line((f" {finding.severity.value} ", _COLOURS[finding.severity]), (f"  {visible(finding.title, limit=160)}", "bold"))
    yield _text(f"{finding.kind.value} {visible(finding.entity_id, limit=120)}, {words.period(finding.first_at, finding.last_at)}", "dim")
    if finding.suppressed is not None:
        yield _text(words.suppressed(finding), "italic")
    yield _text(f"\n{finding.summary}")
    for axis, verdict in ((Axis.POOLING, finding.pooling), (Axis.HARVEST, finding.harvest)):
        yield _line((f"\n{axis.value}: ", "bold"), (verdict.value, _VERDICTS[verdict]), (f". {words.meaning(axis, verdict)}", ""))
    yield _text(f"\n{words.certainty(finding)}")
    taken = finding.tally
    price = "no list price" if taken.list_price is None else f"list price {words.money(taken.list_price, taken.currency)}"
    yield _line(
        ("\ntaken: ", "bold"),
        (f"{words.plural(taken.exchanges, 'exchange')}, {words.count(taken.output_tokens)} output tokens, {price}", ""),
    )


def _left_out(amount: int, what: str) -> Iterator[RenderableType]:
    if amount > 0:
        yield _text(f"and {words.plural(amount, f'more {what}')}; --all shows the rest", "dim")


def _signals(finding: Finding, most: int | None) -> Iterator[RenderableType]:
    yield _heading("Signals", f"strength {words.number(finding.strength)} nats")
    readings = words.ordered(finding.readings)
    shown = [reading for axis in (Axis.HARVEST, Axis.POOLING) for reading in [each for each in readings if each.axis is axis][:most]]
    for reading in shown:
        measured = f"{words.number(reading.value)} {visible(reading.unit, limit=60)}"
        if reading.baseline_median is not None:
            low = reading.baseline_high is not None and reading.baseline_high < reading.baseline_median
            measured += f"; baseline median {words.number(reading.baseline_median)}, "
            measured += f"{'5th percentile (low is rare)' if low else '95th percentile'} {words.number(reading.baseline_high)}"
        name = f"{visible(reading.signal, limit=60)} ({reading.axis.value})"
        yield _line((f"{words.signed(reading.contribution):>7}  {name}", "bold"))
        yield _aside(f"{measured}, p {words.probability(reading.p_value)}", "dim")
        yield _aside(reading.sentence, "")
        yield _aside(f"Ordinary explanation: {reading.ordinary}", "dim")
    yield from _left_out(len(readings) - len(shown), "signal")


def _members(finding: Finding, most: int | None) -> Iterator[RenderableType]:
    yield _heading("Accounts", words.plural(len(finding.members), "account"))
    for member in finding.members[:most]:
        seen = f"{words.plural(member.exchanges, 'exchange')}, {words.period(member.first_at, member.last_at)}"
        yield _line((visible(member.account_id, limit=60), "bold"), (f"  membership {member.membership:.2f}, {seen}", ""))
        if member.reasons:
            yield _aside("; ".join(member.reasons[:6]), "dim")
    yield from _left_out(len(finding.members[most:] if most else ()), "account")


def _links(finding: Finding, most: int | None) -> Iterator[RenderableType]:
    if not finding.pictures.edges:
        if finding.kind is EntityKind.GROUP:
            yield _text("\nNo link was kept as a sample; all of them stand in links.parquet.", "dim")
        return
    traces = _by_trace(finding.pictures.edges)
    sample = len({edge.account_id for edge in finding.pictures.edges})
    said = f"a sample: {words.plural(len(traces), 'trace')} and {words.plural(sample, 'account')}, those with most ties first"
    yield _heading("Links", said)
    for edges in traces[:most]:
        first = edges[0]
        accounts = ", ".join(visible(edge.account_id, limit=40) for edge in edges[:_NAMED_ACCOUNTS])
        more = f" and {len(edges) - _NAMED_ACCOUNTS:,} more" if len(edges) > _NAMED_ACCOUNTS else ""
        trace = f"  {visible(first.label, limit=80)} · {visible(first.trace, limit=60)}"
        yield _line((visible(first.kind, limit=40), "bold"), (trace, ""))
        yield _aside(f"shared by {words.count(first.sharing)}, worth {first.weight:.2f} nats: {accounts}{more}", "dim")
    yield from _left_out(len(traces[most:] if most else ()), "trace")


def _by_trace(edges: Sequence[LinkEdge]) -> list[list[LinkEdge]]:
    traces: dict[tuple[str, str], list[LinkEdge]] = {}
    for edge in edges:
        traces.setdefault((edge.kind, edge.trace), []).append(edge)
    return sorted(traces.values(), key=lambda tied: (-sum(edge.weight for edge in tied), tied[0].kind, tied[0].trace))


def _exhibits(finding: Finding, most: int | None) -> Iterator[RenderableType]:
    if not finding.exhibits:
        return
    yield _heading("Exchanges", "examples, masked and cut")
    for exhibit in finding.exhibits[:most]:
        yield _line(
            (
                f"{words.moment(exhibit.started_at)}  {visible(exhibit.account_id, limit=60)}  {visible(exhibit.exchange_id, limit=80)}\n",
                "dim",
            ),
            (f"{visible(exhibit.shows, limit=300)}\n", "bold"),
            (f"  prompt:   {visible(exhibit.prompt, limit=400)}\n", ""),
            (f"  response: {visible(exhibit.response, limit=400)}\n", ""),
        )
    yield from _left_out(len(finding.exhibits[most:] if most else ()), "example")


def _doubts(finding: Finding) -> Iterator[RenderableType]:
    yield _heading("What speaks against it", "")
    for said in finding.ordinary:
        yield _text(f"- {visible(said, limit=600)}")
    for silent in finding.silent:
        yield _line((f"- {visible(silent.signal, limit=60)} could not speak: ", "dim"), (visible(silent.reason, limit=400), "dim"))
    yield _line(("\nNext step: ", "bold"), (visible(finding.next_step, limit=600), ""))


def _aside(said: str, style: str) -> RenderableType:
    """A paragraph set in from the left."""
    from rich.padding import Padding

    return Padding(_text(said, style, limit=600), (0, 0, 0, 9))


def _heading(name: str, aside: str) -> Text:
    return _line((f"\n{name}", "bold underline"), (f"  {aside}", "dim"))


def _line(*parts: tuple[str, str]) -> Text:
    """One Text of styled parts. A Text is shown as it stands: Rich reads no markup in it."""
    from rich.text import Text

    line = Text()
    for part, style in parts:
        line.append(visible(part, limit=4000, multiline=True), style=style or None)
    return line


def _text(said: str, style: str = "", *, limit: int = 2000) -> Text:
    return _line((visible(said, limit=limit, multiline=True), style))


def _table(*names: str, numbers: tuple[int, ...]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    for place, name in enumerate(names):
        number = place in numbers
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table
