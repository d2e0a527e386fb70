"""Numbers, computed again from the rows that a case holds. Exact arithmetic, or decimal of 60 digits; no floating point. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from stillwatch.errors import StillwatchError
from stillwatch.records.cases import Rule
from stillwatch.sealing.logarithms import holm, log_mean

MOST_WORK = 5_000_000
"""Times that rows are read for all numbers of a case together, so that no file keeps a verifier busy."""

_POWER_WORK = 100
"""A power is worth so many reads."""

DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?", re.ASCII)
"""Decimal text, of numbers and of cells of decimal columns."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
NUMBER = re.compile(f"{DECIMAL.pattern}|{_TIME.pattern}", re.ASCII)
"""What a number is claimed to be."""

_TAKES: Mapping[str, frozenset[str]] = {
    Rule.STATED: frozenset(),
    Rule.RATIO: frozenset({"of"}),
    Rule.COUNT: frozenset({"exhibit"}),
    Rule.SHARE: frozenset({"exhibit"}),
    Rule.Q_VALUE: frozenset({"exhibit", "column", "by", "of"}),
}
"""What a number of each rule names; those that are not here name an exhibit and a column."""

_OF: Mapping[str, int] = {Rule.RATIO: 2, Rule.Q_VALUE: 1}


class _Withheld:
    """What stands in a cell whose value the recipient does not see."""


WITHHELD = _Withheld()
Row = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What is to be seen of an exhibit.

    Attributes:
        columns: name to place.
        rows: values; WITHHELD where one is not seen, a pseudonym where the value names somebody.
    """

    columns: Mapping[str, int]
    rows: Sequence[Row]


class NotComputableError(StillwatchError):
    """A rule cannot be applied; the message says why, and whoever asked says of which number."""


def misfit(number: Mapping[str, Any]) -> tuple[str, str] | None:
    """(expected, got) where a number names what its rule does not take, or lacks what it takes; so none looks better founded than it is."""
    rule = number["rule"]
    wanted = set(_TAKES.get(rule, {"exhibit", "column"}))
    found = {name for name in ("exhibit", "column", "by", "of", "where") if number[name] not in (None, [], ())}
    allowed = wanted | ({"where"} if "exhibit" in wanted else set()) | ({"by"} if rule == Rule.SUM else set())
    if wanted <= found <= allowed and len(number["of"]) == _OF.get(rule, 0):
        return None
    told = ", ".join(sorted(wanted)) or "nothing"
    return (f"{told} (of: {_OF[rule]})" if rule in _OF else told), ", ".join(sorted(found)) or "nothing"


def work(number: Mapping[str, Any], rows: int) -> int:
    """How many reads of rows a number costs over an exhibit of so many."""
    return rows * (1 + len(number["where"])) * (_POWER_WORK if number["rule"] == Rule.LOG_MEAN else 1)


def decimal(text: Any) -> Fraction:
    """The exact value of decimal text, or of a whole number. Raises NotComputableError for anything else."""
    if type(text) is int:
        return Fraction(text)
    if not isinstance(text, str) or DECIMAL.fullmatch(text) is None:
        raise NotComputableError(f"{ascii(text)[:40]} is no number")
    return Fraction(text)


def rounded(value: Fraction, like: str) -> str:
    """The value as decimal text with as many places as `like` has, half to even."""
    places = len(like.partition(".")[2])
    whole = round(value * 10**places)
    digits = str(abs(whole)).rjust(places + 1, "0")
    sign = "-" if whole < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def recomputed(number: Mapping[str, Any], table: Table | None, earlier: Mapping[str, str]) -> str | None:
    """What the number's rule gives, to as many places as are claimed; None: it rests on what is withheld, or is merely stated.

    Args:
        number: as the statement holds it, seen to be no `misfit`.
        table: of its exhibit; None: the whole exhibit is withheld, or it names none.
        earlier: values of the numbers before it, by uid, for ratios and q-values.

    Raises NotComputableError where the rule does not fit the rows.
    """
    rule = number["rule"]
    if rule == Rule.RATIO:
        return rounded(_ratio(number["of"], earlier), number["value"])
    rows = None if table is None or rule == Rule.STATED else _chosen(table, number["where"])
    if table is None or rows is None:
        return None
    if rule in (Rule.COUNT, Rule.SHARE):
        whole = len(table.rows) if rule == Rule.SHARE else 1
        if whole == 0:
            raise NotComputableError("a share of no rows")
        return rounded(Fraction(len(rows), whole), number["value"])
    found = _cells(table, rows, [number["column"], *([number["by"]] if number["by"] else [])])
    if found is None:
        return None
    if rule in (Rule.MIN, Rule.MAX) and _TIME.fullmatch(number["value"]):
        return _extreme(rule, [values[0] for values in found])
    return rounded(_over(rule, found, [earlier.get(uid) for uid in number["of"]]), number["value"])


def _ratio(of: Sequence[str], earlier: Mapping[str, str]) -> Fraction:
    if any(uid not in earlier for uid in of):
        raise NotComputableError("a ratio names two earlier numbers")
    upper, lower = (decimal(earlier[uid]) for uid in of)
    if lower == 0:
        raise NotComputableError("a ratio to nothing")
    return upper / lower


def _chosen(table: Table, conditions: Iterable[Mapping[str, Any]]) -> list[Row] | None:
    """Rows that meet all conditions; None where a cell that decides it is withheld."""
    rows: list[Row] = list(table.rows)
    for condition in conditions:
        place = _place(table, condition["column"])
        if any(row[place] is WITHHELD for row in rows):
            return None
        wanted = condition["equals"]
        rows = [row for row in rows if type(row[place]) is type(wanted) and row[place] == wanted]
    return rows


def _cells(table: Table, rows: Iterable[Row], columns: Sequence[str]) -> list[list[Any]] | None:
    """The columns' values of each row in which none of them is null; None where one is withheld."""
    places = [_place(table, column) for column in columns]
    found = [[row[place] for place in places] for row in rows]
    if any(value is WITHHELD for values in found for value in values):
        return None
    return [values for values in found if None not in values]


def _place(table: Table, column: str) -> int:
    if column not in table.columns:
        raise NotComputableError(f"the exhibit has no column {ascii(column)[:40]}")
    return table.columns[column]


def _extreme(rule: str, values: Sequence[Any]) -> Any:
    """The smallest or the largest of what can be ordered. Times are texts of one form, so that their order is that of the times."""
    if not values:
        raise NotComputableError(f"a {rule} of no values")
    for value in values:
        if not isinstance(value, Fraction) and (not isinstance(value, str) or not _is_time(value)):
            raise NotComputableError(f"{ascii(value)[:40]} is no time to the microsecond, UTC")
    return min(values) if rule == Rule.MIN else max(values)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return _TIME.fullmatch(text) is not None


def _over(rule: str, rows: Sequence[Sequence[Any]], of: Sequence[str | None]) -> Fraction:
    if rule == Rule.DISTINCT:
        return Fraction(len({(type(value), value) for value, *_ in rows}))
    exact = [[decimal(value) for value in values] for values in rows]
    if rule == Rule.SUM:
        return sum((value * (by[0] if by else 1) for value, *by in exact), Fraction(0))
    if rule == Rule.Q_VALUE:
        return _q_value(exact, decimal(of[0]))
    values = [value for value, *_ in exact]
    if rule in (Rule.MIN, Rule.MAX):
        return _extreme(rule, values)
    found = None if not values else holm(values) if rule == Rule.HOLM else log_mean(values)
    if found is None:
        raise NotComputableError(f"a {rule} of nothing, or of what is no logarithm of p-values or e-values")
    return found


def _q_value(tests: Sequence[Sequence[Fraction]], p_value: Fraction) -> Fraction:
    """Twice the Benjamini-Hochberg q-value of a p-value among (p-value, how many tests have it); at most 1.

    Twice, since groups and accounts are two families at half the level each (`stats.multiplicity.split_families`).
    Source: Benjamini, Hochberg 1995, section 3.1.
    """
    if any(count.denominator != 1 or count < 1 for _, count in tests) or p_value not in [value for value, _ in tests]:
        raise NotComputableError("a q_value of a p-value that is not among the tests, or of tests that are not counted")
    whole, below, best = sum(count for _, count in tests), Fraction(0), Fraction(1, 2)
    counts: dict[Fraction, Fraction] = {}
    for value, count in tests:
        counts[value] = counts.get(value, Fraction(0)) + count
    for value in sorted(counts):
        below += counts[value]
        if value >= p_value:
            best = min(best, value * whole / below)
    return 2 * best
