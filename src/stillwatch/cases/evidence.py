"""A case's exhibits as a sealed case holds them: rows under typed columns that say whom they name and which are private text."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from stillwatch.cases.columns import escaped
from stillwatch.cases.tables import ContentRow, ExhibitRow, MemberRow, TieRow
from stillwatch.cases.texts import TEXT_TABLE
from stillwatch.ledger.entries import time_text
from stillwatch.records.cases import CaseExhibit, Column, ColumnType, ExhibitKind, Identifies, Value
from stillwatch.records.findings import Finding
from stillwatch.records.verdicts import Verdict
from stillwatch.report.codec import from_plain

PLACES = 6
"""Decimal places of shares and weights."""

_INTEGER, _DECIMAL, _TIME = ColumnType.INTEGER, ColumnType.DECIMAL, ColumnType.TIME
_MEMBERS = (
    Column(name="account_id", identifies=Identifies.ACCOUNT),
    Column(name="membership", type=_DECIMAL),
    Column(name="exchanges", type=_INTEGER),
    Column(name="first_at", type=_TIME),
    Column(name="last_at", type=_TIME),
)
_TIES = (
    Column(name="kind"),
    Column(name="trace", identifies=Identifies.TRACE),
    Column(name="infrastructure", type=ColumnType.BOOLEAN),
    Column(name="accounts", type=_INTEGER),
    Column(name="sharing", type=_INTEGER),
    Column(name="nats", type=_DECIMAL),
)
_SIGNALS = (
    Column(name="signal"),
    Column(name="question"),
    Column(name="value", type=_DECIMAL),
    Column(name="unit"),
    Column(name="median_elsewhere", type=_DECIMAL),
    Column(name="high_elsewhere", type=_DECIMAL),
    Column(name="p_value", type=_DECIMAL),
    Column(name="nats", type=_DECIMAL),
    Column(name="sentence"),
    Column(name="ordinary"),
)
_TAKEN = (
    Column(name="model"),
    Column(name="side"),
    Column(name="tokens", type=_INTEGER),
    Column(name="price", type=_DECIMAL),
)
_TESTS = (Column(name="p_value", type=_DECIMAL), Column(name="tests", type=_INTEGER))
_RESULTS = (
    Column(name="test"),
    Column(name="key", identifies=Identifies.ACCOUNT),
    Column(name="statistic"),
    Column(name="value", type=_DECIMAL),
    Column(name="sample", type=_INTEGER),
    Column(name="log10_p", type=_DECIMAL),
    Column(name="log10_adjusted", type=_DECIMAL),
    Column(name="log10_e", type=_DECIMAL),
    Column(name="shows"),
    Column(name="does_not_show"),
)
_EXAMPLES = (
    Column(name="exchange_id", identifies=Identifies.EXCHANGE),
    Column(name="account_id", identifies=Identifies.ACCOUNT),
    Column(name="started_at", type=_TIME),
    Column(name="shows"),
    Column(name="prompt", text=True),
    Column(name="response", text=True),
)
_FILE = (Column(name="name"), Column(name="media_type"), Column(name="bytes", type=_INTEGER), Column(name="sha256"))
_NOTE = (Column(name="by"), Column(name="at", type=_TIME), Column(name="words"))
_NAMES = {"account_id": Identifies.ACCOUNT, "entity_id": Identifies.GROUP, "trace": Identifies.TRACE}
_TEXTS = frozenset({"head", "detail", "reasons", "file"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A stored exhibit with its content, and what belongs to its claim where it is one's."""

    row: ExhibitRow
    content: ContentRow
    data: bytes
    members: Sequence[MemberRow] = ()
    ties: Sequence[TieRow] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])


def exhibits_of(shown: Shown) -> list[CaseExhibit]:
    """What a stored exhibit is in a sealed case; their uids are given by whoever puts them in order.

    A finding becomes rows of members, ties, signals and examples, and its whole is there by its sha256.
    """
    if shown.row.kind == "finding":
        return _finding(shown)
    if shown.row.kind == "verdict":
        return [*_results(shown), _file(shown, keep=not shown.row.private)]
    if shown.row.kind == "rows":
        return [_rows(shown)]
    if shown.row.kind == "note":
        words = shown.data.decode("utf-8", "replace")
        columns = (*_NOTE[:2], replace(_NOTE[2], text=shown.row.private))
        row = (shown.row.added_by, _time(shown.row.added_at), escaped(words))
        if shown.row.private:
            return [_made(shown, ExhibitKind.ROWS, "A note", columns, [row])]
        return [_made(shown, ExhibitKind.NOTE, "A note", _NOTE, [row])]
    return [_file(shown, keep=not shown.row.private)]


def decimal_text(value: float | None, places: int = PLACES) -> str | None:
    """A number as decimal text, rounded to so many places; None for what is none, or has no place in such text."""
    if value is None or not abs(value) < 1e15:
        return None
    text = f"{Decimal(repr(float(value))):.{places}f}"
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short == "-0" else short


def _finding(shown: Shown) -> list[CaseExhibit]:
    finding = from_plain(Finding, json.loads(shown.data))
    members = [
        (escaped(one.account_id), decimal_text(one.membership), one.exchanges, _time(one.first_at), _time(one.last_at))
        for one in shown.members
    ]
    ties = [
        (escaped(tie.kind), escaped(tie.trace), tie.infrastructure, tie.accounts, tie.sharing, decimal_text(tie.weight))
        for tie in shown.ties
    ]
    made = [_made(shown, ExhibitKind.ROWS, "Accounts of the finding, and how strongly each belongs", _MEMBERS, members)]
    if ties:
        made.append(_made(shown, ExhibitKind.ROWS, "What ties the accounts, and how many of the log carry it", _TIES, ties))
    made.append(
        _made(shown, ExhibitKind.ROWS, "Signals with their numbers, baselines and ordinary explanations", _SIGNALS, _signals(finding))
    )
    if finding.exhibits:
        made.append(_made(shown, ExhibitKind.ROWS, "Examples of exchanges, masked and cut", _EXAMPLES, _examples(finding)))
    return [*made, _file(shown, keep=False), *_further(shown)]


def _further(shown: Shown) -> Iterator[CaseExhibit]:
    """What was taken by model, and the p-values that the finding's was corrected among; a case of an earlier version holds neither."""
    taken = [
        (escaped(one["model"]), one["side"], one["tokens"], decimal_text(one["price"] and one["price"] / 1e6, 12))
        for one in shown.numbers.get("taken", ())
    ]
    tests = [(one["p_value"], one["tests"]) for one in shown.numbers.get("tests", ())]
    if taken:
        told = "What was taken, by model: tokens, and the price of one by the price table; no price where the table has none"
        yield _made(shown, ExhibitKind.ROWS, told, _TAKEN, taken)
    if tests:
        told = "All p-values of the scan among which this one was corrected, and how many entities had each; they name nobody"
        yield _made(shown, ExhibitKind.ROWS, told, _TESTS, tests)


def _results(shown: Shown) -> Iterator[CaseExhibit]:
    """All tests and keys of the plan; what could not be judged counts as p = 1."""
    verdict = from_plain(Verdict, json.loads(shown.data))
    rows: list[tuple[Value, ...]] = [
        (
            *(escaped(one.name), escaped(one.key), escaped(one.result.statistic), decimal_text(one.result.value), one.result.sample),
            *(decimal_text(value, 12) for value in (one.result.log10_p, one.log10_adjusted, one.log10_e)),
            *(escaped(one.result.words.shows), escaped(one.result.words.does_not_show)),
        )
        for one in verdict.results
    ]
    nothing = decimal_text(math.log10(0.5), 12)  # the e-value of p = 1, see provenance.combine.e_values
    rows += [
        (escaped(one.name), escaped(one.key), None, None, one.got, "0", "0", nothing, None, escaped(f"too little: {one.lacked}"))
        for one in verdict.unjudged
    ]
    if rows and all(row[5] is not None and row[7] is not None for row in rows):
        yield _made(shown, ExhibitKind.ROWS, "Every test and key of the plan, with what each gave", _RESULTS, rows)


def _signals(finding: Finding) -> list[tuple[Value, ...]]:
    return [
        (
            escaped(reading.signal),
            reading.axis.value,
            decimal_text(reading.value),
            escaped(reading.unit),
            decimal_text(reading.baseline_median),
            decimal_text(reading.baseline_high),
            decimal_text(reading.p_value, 12),
            decimal_text(reading.contribution),
            escaped(reading.sentence),
            escaped(reading.ordinary),
        )
        for reading in finding.readings
    ]


def _examples(finding: Finding) -> list[tuple[Value, ...]]:
    return [
        (
            *(escaped(one.exchange_id), escaped(one.account_id), _time(one.started_at)),
            *(escaped(one.shows), escaped(one.prompt), escaped(one.response)),
        )
        for one in finding.exhibits
    ]


def _rows(shown: Shown) -> CaseExhibit:
    held = json.loads(shown.data)
    texts, of_accounts = held["table"] == TEXT_TABLE, held["table"] == "features"
    columns = _EXAMPLES if texts else tuple(_column(one["name"], one["type"], of_accounts=of_accounts) for one in held["columns"])
    rows = [tuple(_cell(value, column.type) for value, column in zip(row, columns, strict=True)) for row in held["rows"]]
    shows = "Examples of exchanges with their text, masked for secrets and cut" if texts else f"Rows of {held['table']}"
    return _made(shown, ExhibitKind.ROWS, shows, columns, rows)


def _column(name: str, kind: str, *, of_accounts: bool) -> Column:
    types = {"int64": _INTEGER, "int32": _INTEGER, "double": _DECIMAL, "float": _DECIMAL, "bool": ColumnType.BOOLEAN}
    found = _TIME if kind.startswith("timestamp") else types.get(kind, ColumnType.TEXT)
    identifies = Identifies.ACCOUNT if of_accounts and name == "entity_id" else _NAMES.get(name)
    return Column(name=name, type=found, identifies=identifies, text=name in _TEXTS)


def _cell(value: Any, kind: ColumnType) -> Value:
    if value is None:
        return None
    if kind is _DECIMAL:
        return decimal_text(float(value))
    return value if kind in (_INTEGER, ColumnType.BOOLEAN) else escaped(str(value))


def _file(shown: Shown, *, keep: bool) -> CaseExhibit:
    name = str(shown.row.facts.get("file") or shown.row.label)
    row = (escaped(name), shown.content.media_type, len(shown.data), hashlib.sha256(shown.data).hexdigest())
    small = len(shown.data) <= 16 * 1024 * 1024
    made = _made(shown, ExhibitKind.FILE, "A file" if keep else "A file that stays in the house, by its sha256", _FILE, [row])
    return replace(made, data=shown.data if keep and small else None)


def _made(shown: Shown, kind: ExhibitKind, shows: str, columns: tuple[Column, ...], rows: Sequence[tuple[Value, ...]]) -> CaseExhibit:
    facts = shown.row.facts
    origin = (
        f"{facts['file']}, sha256 {facts['sha256']}" if "file" in facts and "sha256" in facts else f"exhibit {shown.row.id} of the case"
    )
    return CaseExhibit(
        uid="",
        kind=kind,
        title=escaped(shown.row.label),
        shows=f"{shows}.",
        origin=escaped(f"{origin}, added by {shown.row.added_by}"),
        columns=columns,
        rows=tuple(rows),
    )


def _time(at: Any) -> str | None:
    return None if at is None else time_text(at)
