"""Numbers, computed again from the rows that a case holds. Exact arithmetic; no floating point. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from stillwatch.errors import StillwatchError
from stillwatch.records.cases import Rule

MOST_WORK = 5_000_000
"""Times that rows are read for all numbers of a case together, so that no file keeps a verifier busy."""

DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?", re.ASCII)
"""Decimal text, of numbers and of cells of decimal columns."""


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
        number: as the statement holds it.
        table: of its exhibit; None: the whole exhibit is withheld, or it names none.
        earlier: values of the numbers before it, by uid, for ratios.

    Raises NotComputableError where the rule does not fit the rows.
    """
    rule = number["rule"]
    if rule == Rule.STATED:
        return None
    if rule == Rule.RATIO:
        return rounded(_ratio(number["of"], earlier), number["value"])
    if table is None:
        return None
    rows = _chosen(table, number["where"])
    if rows is None:
        return None
    if rule in (Rule.COUNT, Rule.SHARE):
        whole = len(table.rows) if rule == Rule.SHARE else 1
        if whole == 0:
            raise NotComputableError("a share of no rows")
        return rounded(Fraction(len(rows), whole), number["value"])
    found = _column(table, rows, number["column"])
    return None if found is None else rounded(_over(rule, found), number["value"])


def _ratio(of: Sequence[str], earlier: Mapping[str, str]) -> Fraction:
    if len(of) != 2 or any(uid not in earlier for uid in of):
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


def _column(table: Table, rows: Iterable[Row], column: str | None) -> list[Any] | None:
    """The column's values but null; None where one is withheld."""
    place = _place(table, column)
    found = [row[place] for row in rows]
    if any(value is WITHHELD for value in found):
        return None
    return [value for value in found if value is not None]


def _place(table: Table, column: str | None) -> int:
    if column is None or column not in table.columns:
        raise NotComputableError(f"the exhibit has no column {ascii(column)[:40]}")
    return table.columns[column]


def _over(rule: str, values: Sequence[Any]) -> Fraction:
    if rule == Rule.DISTINCT:
        return Fraction(len({(type(value), value) for value in values}))
    exact = [decimal(value) for value in values]
    if rule == Rule.SUM:
        return sum(exact, Fraction(0))
    if not exact:
        raise NotComputableError(f"a {rule} of no values")
    return min(exact) if rule == Rule.MIN else max(exact)
