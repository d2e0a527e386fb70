"""What entities drew, by model and by capability: the sums of the harvest tally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir

UNKNOWN_MODEL = "unknown"


def model_use(exchanges: ir.Table) -> ir.Table:
    """(entity_id, model, exchanges, input_tokens, output_tokens); the model served, else the one requested."""
    import ibis

    table: Any = exchanges
    named = table.mutate(model=ibis.coalesce(table.model_served, table.model_requested, ibis.literal(UNKNOWN_MODEL)))
    return named.group_by("entity_id", "model").agg(
        exchanges=named.count(), input_tokens=named.input_tokens.sum(), output_tokens=named.output_tokens.sum()
    )


def capability_use(exchanges: ir.Table) -> ir.Table:
    """(entity_id, task, exchanges) over the exchanges that have text."""
    table: Any = exchanges
    known = table.filter(table.task.notnull())
    return known.group_by("entity_id", "task").agg(exchanges=known.count())


def membership(exchanges: ir.Table, members: ir.Table) -> ir.Table:
    """The exchanges of accounts in `members` (account_id, entity_id), each with its entity_id."""
    joined = exchanges.inner_join(members, "account_id")
    # a projection ends the chain of joins, so that what is built on it may join the same table again
    return joined.select(*exchanges.columns, "entity_id")


def alone(exchanges: ir.Table) -> ir.Table:
    """Every account as its own entity."""
    return exchanges.mutate(entity_id=exchanges.account_id)
