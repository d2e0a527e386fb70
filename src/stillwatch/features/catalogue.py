"""All features, and the one expression that gives them: a row per entity, a column per feature."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stillwatch.features.feature import ACCOUNT_COLUMN, Feature, Inputs, Part
from stillwatch.features.plain import PLAIN, REASONING, SAMPLING, SESSIONS, SHAPE, TASKS, VOLUME
from stillwatch.features.release import QUOTA, RELEASE, RELEASE_PARTS
from stillwatch.features.repetition import (
    ADDRESSES,
    COVERAGE,
    NOVELTY,
    REPETITION_PARTS,
    SESSION_SIZES,
    TASK_SPREAD,
    WORDING,
)
from stillwatch.features.timing import ORDER, PROBING, RHYTHM, TIMING_PARTS, VOLUME_OVER_TIME

if TYPE_CHECKING:
    import ibis.expr.types as ir

CATALOGUE: tuple[Feature, ...] = (
    *VOLUME,
    *VOLUME_OVER_TIME,
    *SHAPE,
    *WORDING,
    *NOVELTY,
    *COVERAGE,
    *REASONING,
    *TASKS,
    *TASK_SPREAD,
    *SAMPLING,
    *RHYTHM,
    *QUOTA,
    *ADDRESSES,
    *PROBING,
    *RELEASE,
    *SESSIONS,
    *SESSION_SIZES,
)
"""Every feature, in the order of the columns of the features table."""

PARTS: tuple[Part, ...] = (PLAIN, *REPETITION_PARTS, *TIMING_PARTS, *RELEASE_PARTS)
"""Every pass over the exchanges; only those that an available feature needs are made."""


def features(
    exchanges: ir.Table,
    accounts: ir.Table | None,
    available: frozenset[str],
    *,
    all_exchanges: ir.Table | None = None,
    wording: ir.Table | None = None,
    keep: Callable[[Iterable[tuple[Any, str]]], list[Any]] | None = None,
) -> ir.Table:
    """One row per entity_id of `exchanges`, one double column per feature of the catalogue, in its order.

    A feature is null in every row when the columns that it needs are not `available`, and in a row when that entity has
    none (`Feature.when_null`). Nothing runs until an engine executes the expression.

    Args:
        exchanges: the columns of SKETCHED, and entity_id; a row stands once per entity that it belongs to.
        accounts: the side table; None: features that need it are null.
        available: the columns of `exchanges` that the source fills.
        all_exchanges: the whole log, to date the models by; None: `exchanges` is the whole log.
        wording: the rows of `repetition.wording_counts` of `exchanges`, where they are counted already; None: they are counted.
        keep: takes parts (a row per entity) with a name for each, and gives them back as tables that an engine holds. The parts are
            then computed one after the other, so that only one needs memory at a time; None: they stay one expression.
    """
    if accounts is not None:
        available |= {f"{ACCOUNT_COLUMN}{name}" for name in accounts.columns}
    inputs = Inputs(
        exchanges=exchanges,
        all_exchanges=exchanges if all_exchanges is None else all_exchanges,
        accounts=accounts,
        wording=wording,
    )
    possible = {feature.name for feature in CATALOGUE if feature.possible(available)}
    needed = {part for feature in CATALOGUE if feature.name in possible for part in feature.parts}
    row = _joined(inputs, needed, keep or (lambda named: [table for table, _name in named]))
    columns = {feature.name: _column(feature, row, known=feature.name in possible) for feature in CATALOGUE}
    return row.select("entity_id", **columns)


def _column(feature: Feature, row: Any, *, known: bool) -> Any:
    import ibis

    return feature.express(row).cast("float64") if known else ibis.null("float64")


def _joined(inputs: Inputs, needed: set[str], keep: Callable[[Iterable[tuple[Any, str]]], list[Any]]) -> Any:
    """The parts side by side. The plain one comes first: it holds every entity."""
    import ibis

    plain = PLAIN.build(inputs)
    (row,) = keep([(plain.mutate(entity_code=ibis.row_number().over(order_by="entity_id").cast("int32")), "part_plain")])
    codes = row.select("entity_code", entity_name="entity_id")
    coded = replace(inputs, exchanges=_coded(inputs.exchanges, codes))
    parts = [part for part in PARTS[1:] if part.name in needed]
    # the order of all exchanges comes first, since others build on it
    parts.sort(key=lambda part: part.name != ORDER)
    first = [part for part in parts if part.name == ORDER]
    tables = keep((part.build(coded), f"part_{part.name}") for part in first)
    coded = replace(coded, phases=tables[0] if tables else None)
    tables += keep((part.build(coded if part.many else inputs), f"part_{part.name}") for part in parts[len(first) :])
    side_by_side = row
    for part, table in zip(parts, tables, strict=True):
        # one chain of joins and no selection in between: to write a query of sixteen selections costs more than to run it
        named = table.rename({f"{part.name}_entity": "entity_id"})
        own = row.entity_code if part.many else row.entity_id
        side_by_side = side_by_side.left_join(named, own == named[f"{part.name}_entity"])
    return side_by_side


def _coded(exchanges: Any, codes: Any) -> Any:
    """The exchanges under an entity_id of 32-bit integers: grouping 40 million rows by it takes half the time of strings."""
    joined = exchanges.join(codes, exchanges.entity_id == codes.entity_name)
    columns = [name for name in exchanges.columns if name != "entity_id"]
    return joined.select(*columns, entity_id=joined.entity_code)
