"""The numbers of a claim as a sealed case holds them: computed from the case's own rows where those give what was found, else stated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stillwatch.cases.evidence import decimal_text
from stillwatch.cases.tables import ClaimRow
from stillwatch.ledger.entries import time_text
from stillwatch.records.cases import CaseExhibit, CaseNumber, Condition, Rule
from stillwatch.sealing.checking import number_json
from stillwatch.sealing.numbers import NotComputableError, Table, recomputed

_NEAR = 1e-9
"""What is smaller stands as its logarithm: decimal text has twelve places."""

_WHY: Mapping[str, str] = {
    "strength": "It is combined from the signals against reference entities, which the case does not hold.",
    "p_value": "It is a rank among pools of other customers' traffic, which the case does not hold and the recipient may not see.",
    "pooling_p_value": "It is a rank among groups of other accounts drawn by the seed, which the case does not hold.",
    "q_value": "The case holds no list of all p-values of its scan.",
    "list_price": "The case holds no tokens by model and price.",
    "output_tokens": "The case holds no tokens by model.",
}
"""Why a number is merely stated, where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A number as it was found: its name in the claim, in words, its unit, and the rule and rows that may give it.

    `near` is how far what the rows give may be from it: their cells have so many places.
    """

    name: str
    label: str
    unit: str
    value: Any
    rule: Rule = Rule.STATED
    rows: CaseExhibit | None = None
    column: str | None = None
    by: str | None = None
    where: tuple[Condition, ...] = ()
    of: str | None = None
    places: int = 12
    near: float = 0.0


def numbers_of(claim: ClaimRow, exhibits: Sequence[CaseExhibit], how: str, first: int) -> Iterator[CaseNumber]:
    """The claim's numbers, numbered from `first`.

    Args:
        claim: with its numbers as found.
        exhibits: made of the claim's finding or verdict.
        how: by which command and files each is got again.
        first: of the uids.
    """
    given = _of_verdict(claim, exhibits) if claim.kind == "verdict" else _of_finding(claim, exhibits)
    made: dict[str, CaseNumber] = {}
    for found in given:
        number = _number(found, how, f"N{first + len(made)}", made)
        if number is not None:
            made[found.name] = number
    yield from made.values()


def _of_finding(claim: ClaimRow, exhibits: Sequence[CaseExhibit]) -> Iterator[_Found]:
    given = claim.numbers
    members = _with(exhibits, "account_id", "membership")
    if members is not None:
        yield _Found(name="accounts", label="accounts", unit="accounts", value=len(members.rows), rule=Rule.COUNT, rows=members)
    yield _summed("exchanges", "exchanges of those accounts", "exchanges", given, members, "exchanges")
    for name, label, rule in (("first_at", "first exchange seen", Rule.MIN), ("last_at", "last exchange seen", Rule.MAX)):
        yield _Found(name=name, label=label, unit="UTC", value=given.get(name), rule=rule, rows=members, column=name)
    yield from _taken(given, _with(exhibits, "side", "tokens"))
    yield _Found(name="strength", label="combined evidence", unit="nats", value=given.get("strength"))
    yield _Found(name="p_value", label="p-value of the harvest statistic", unit="probability", value=given.get("p_value"))
    yield _Found(
        name="q_value",
        label="q-value among all entities of the scan",
        unit="probability",
        value=given.get("q_value"),
        rule=Rule.Q_VALUE,
        rows=_with(exhibits, "p_value", "tests"),
        column="p_value",
        by="tests",
        of="p_value",
        near=max(_NEAR, 1e-6 * (given.get("q_value") or 0)),
    )
    yield _Found(name="pooling_p_value", label="p-value of the group", unit="probability", value=given.get("pooling_p_value"))


def _taken(given: Mapping[str, Any], rows: CaseExhibit | None) -> Iterator[_Found]:
    answered = (Condition(column="side", equals="output"),)
    yield replace(_summed("output_tokens", "tokens that were answered", "tokens", given, rows, "tokens"), where=answered)
    unit = str(given.get("currency") or "unknown currency")
    yield replace(_summed("list_price", "price of it by the list", unit, given, rows, "tokens"), by="price", places=2, near=0.0101)


def _summed(name: str, label: str, unit: str, given: Mapping[str, Any], rows: CaseExhibit | None, column: str) -> _Found:
    return _Found(name=name, label=label, unit=unit, value=given.get(name), rule=Rule.SUM, rows=rows, column=column)


def _of_verdict(claim: ClaimRow, exhibits: Sequence[CaseExhibit]) -> Iterator[_Found]:
    rows, given = _with(exhibits, "log10_p", "log10_e"), claim.numbers
    adjusted = [found["log10_adjusted"] for found in given.get("results", ()) if found["log10_adjusted"] is not None]
    yield _Found(
        name="log10_holm",
        label="smallest p-value after Holm's correction for all tests and keys, as log10",
        unit="log10",
        value=min(adjusted, default=None),
        rule=Rule.HOLM,
        rows=rows,
        column="log10_p",
        places=6,
        near=1e-6,
    )
    yield _Found(
        name="log10_e",
        label="combined e-value, as log10",
        unit="log10",
        value=given.get("log10_e"),
        rule=_combining(rows, given.get("combination")),
        rows=rows,
        column="log10_e",
        places=6,
        near=1e-6,
    )


def _combining(rows: CaseExhibit | None, combination: Any) -> Rule:
    """A mean over all; a product over tests where each has one key. A product of means has no rule, and is stated."""
    tests = [row[0] for row in rows.rows] if rows else []
    if combination != "e_product" or len(set(tests)) == 1:
        return Rule.LOG_MEAN
    return Rule.SUM if len(set(tests)) == len(tests) else Rule.STATED


def _with(exhibits: Sequence[CaseExhibit], *columns: str) -> CaseExhibit | None:
    """The first exhibit that has these columns."""
    return next((one for one in exhibits if set(columns) <= {column.name for column in one.columns}), None)


def _number(found: _Found, how: str, uid: str, made: Mapping[str, CaseNumber]) -> CaseNumber | None:
    """The number by its rule where its rows give what was found; else stated, with why; None for what was not found."""
    text, as_log = _text(found)
    if text is None:
        return None
    label = f"{found.label}, as log10" if as_log else found.label
    told = f"{_WHY.get(found.name, 'Its rows do not give it.')} {how}"
    stated = CaseNumber(uid=uid, label=label, value=text, unit=found.unit, rule=Rule.STATED, how=told)
    of = made.get(found.of or "")
    if found.rule is Rule.STATED or found.rows is None or as_log or (found.of is not None and of is None):
        return stated
    ruled = replace(stated, rule=found.rule, exhibit=found.rows.uid, column=found.column, by=found.by, where=found.where)
    ruled = replace(ruled, of=(of.uid,) if of else (), how=f"from the rows of {found.rows.uid}")
    columns = {column.name: place for place, column in enumerate(found.rows.columns)}
    try:
        earlier = {one.uid: one.value for one in made.values()}
        given = recomputed(number_json(ruled), Table(columns=columns, rows=found.rows.rows), earlier)
    except NotComputableError:
        return stated
    return replace(ruled, value=given) if given is not None and _near(given, text, found.near) else stated


def _text(found: _Found) -> tuple[str | None, bool]:
    """(value as text, whether it is a logarithm since it is too small for decimal text)."""
    value = found.value
    if isinstance(value, str):
        return time_text(datetime.fromisoformat(value)), False
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None, False
    if 0 < abs(value) < _NEAR:
        return (decimal_text(math.log10(value), 2), True) if value > 0 else (None, False)
    return decimal_text(value, 0 if isinstance(value, int) else found.places), False


def _near(given: str, found: str, near: float) -> bool:
    return given == found or (near > 0 and abs(float(given) - float(found)) <= near)
