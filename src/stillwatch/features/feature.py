"""What a feature is, and the few expressions that all features are built from. Nothing here runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

ACCOUNT_COLUMN = "accounts."
"""Prefix of a needed column that comes from the accounts table instead of the exchanges."""

HOUR_MICROSECONDS = 3_600_000_000
DAY_MICROSECONDS = 24 * HOUR_MICROSECONDS

FEW_EXCHANGES = 20
"""Below this many exchanges, statistics of spread and of change are left null: they would be noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The tables that parts are built from, as Ibis tables.

    Attributes:
        exchanges: columns of SKETCHED, and entity_id.
        all_exchanges: the whole log, whichever entities are asked about.
        accounts: the side table; None: there is none.
        wording: entity_id, fingerprint, c: the rows of `repetition.wording_counts`, where they are counted already.
        phases: entity_id, early_end, order_first: where each entity's early phase ends, where that is known already.
    """

    exchanges: Any
    all_exchanges: Any
    accounts: Any
    wording: Any = None
    phases: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One narrow pass over the exchanges.

    Attributes:
        name: unique among the parts.
        build: gives a table with entity_id, at most one row per entity, and the columns `gives`.
        gives: names unique over all parts; features are expressed in them.
        many: whether it groups by so many different values that entities are better named by integers meanwhile. Such parts come under
            an entity_id of integers, and what `Inputs` knows already under the same.
    """

    name: str
    build: Callable[[Inputs], Any]
    gives: tuple[str, ...]
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One number per entity.

    Attributes:
        name: the column it fills.
        family: which question it belongs to.
        version: rises whenever the number's meaning changes, so that stored numbers are never mixed.
        unit: of the number.
        when_null: in words, when an entity has no such number (besides a source without the columns).
        parts: names of the parts whose columns `express` reads.
        express: gives the number from one row of the joined parts.
        columns: needed columns of SKETCHED, and of ACCOUNTS with the prefix `accounts.`; all must be available.
        any_of: at least one of these must be available as well; empty: no such demand.
    """

    name: str
    family: str
    version: int
    unit: str
    when_null: str
    parts: tuple[str, ...]
    express: Callable[[Any], Any]
    columns: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()

    def possible(self, available: frozenset[str]) -> bool:
        """Whether a source that fills the `available` columns can give this feature."""
        return available.issuperset(self.columns) and (not self.any_of or not available.isdisjoint(self.any_of))


@cache
def _unix_micros() -> Callable[[Any], Any]:
    import ibis

    @ibis.udf.scalar.builtin(name="unix_micros", signature=((ibis.dtype("timestamp('UTC')"),), ibis.dtype("int64")))
    def unix_micros(instant):  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]
        ...

    return unix_micros


def micros(instant: Any) -> Any:
    """A timestamp as whole microseconds since 1970 UTC: engines disagree about every other way of subtracting instants."""
    return _unix_micros()(instant.cast("timestamp('UTC')"))


def ratio(part: Any, whole: Any) -> Any:
    """`part` / `whole` as a double; null where either is null or the whole is 0."""
    return part.cast("float64") / whole.cast("float64").nullif(0.0)


def total(condition: Any) -> Any:
    """How many rows of a group meet the condition; an unknown condition is not met."""
    return condition.ifelse(1, 0).sum()


def larger(value: Any, least: Any) -> Any:
    """`value`, or `least` where that is larger; null stays null, on which engines' own `greatest` disagree."""
    return (value < least).ifelse(least, value)


def smaller(value: Any, most: Any) -> Any:
    """`value`, or `most` where that is smaller; null stays null."""
    return (value > most).ifelse(most, value)


def pairs(count: Any) -> Any:
    """Ordered pairs among `count` things, as a double: an integer would overflow at three thousand million."""
    return count.cast("float64") * (count.cast("float64") - 1.0)


def collision(same: Any, count: Any) -> Any:
    """The chance that two different exchanges agree: sum c(c-1) / (n(n-1)), unbiased whatever n; null below two.

    Source: Simpson 1949, Measurement of diversity.
    """
    return ratio(same, pairs(count))


def effective(same: Any, count: Any, *, cap: float | None = None) -> Any:
    """How many equally used values would collide as often: the inverse of `collision`, at most `cap`.

    Without a single collision it is n(n-1), the largest value that so many exchanges can speak for.
    Source: Hill 1973, Diversity and evenness, number of order 2.
    """
    number = pairs(count).nullif(0.0) / larger(same.cast("float64"), 1.0)
    return number if cap is None else smaller(number, cap)


def deviation_over_mean(sum_: Any, sum_of_squares: Any, count: Any) -> Any:
    """Population standard deviation over mean, from exact integer sums, so that the order of rows cannot change it."""
    size = count.cast("float64").nullif(0.0)
    mean = sum_.cast("float64") / size
    variance = larger(sum_of_squares.cast("float64") / size - mean * mean, 0.0)
    return variance.sqrt() / mean.nullif(0.0)


def counted(table: Any, *values: str) -> Any:
    """One row per entity and combination of `values` that are all known, with their number of rows in `c`."""
    known = table.select("entity_id", *values).drop_null(list(values))
    return known.group_by(["entity_id", *values]).aggregate(c=known.count())


def spread(table: Any, value: str, prefix: str) -> Any:
    """Per entity, how one value is spread: `<prefix>_distinct`, `_top`, `_known` (rows) and `_same` (sum of c(c-1))."""
    groups = counted(table, value)
    return groups.group_by("entity_id").aggregate(
        **{
            f"{prefix}_distinct": groups.count(),
            f"{prefix}_top": groups.c.max(),
            f"{prefix}_known": groups.c.sum(),
            f"{prefix}_same": (groups.c * (groups.c - 1)).sum(),
        }
    )


def spread_names(prefix: str) -> tuple[str, ...]:
    """The columns that `spread` gives."""
    return (f"{prefix}_distinct", f"{prefix}_top", f"{prefix}_known", f"{prefix}_same")
