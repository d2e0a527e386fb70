"""Runs the expressions: features of accounts and groups, shared traces, profiles, takings. The stages say what; the engine does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.tally import ModelUse
from stillwatch.engines.base import Engine
from stillwatch.engines.schema import arrow_schema
from stillwatch.features import features
from stillwatch.features.repetition import wording_counts
from stillwatch.features.takings import alone, capability_use, membership, model_use
from stillwatch.features.traces import trace_tables
from stillwatch.link.failover import chances, followers
from stillwatch.link.profiles import PROFILE_COLUMNS, Profiles, Watched, build_profiles
from stillwatch.link.validate import Sides
from stillwatch.records.tables import ACCOUNTS, TRACES
from stillwatch.sketch.phrases import TASKS

if TYPE_CHECKING:
    import ibis.expr.types as ir

_FROM_PROMPT = ("prompt_chars", "prompt_key", "prompt_bucket", "wording", "subject", "embedding", "elicits", "task", "language")
_FROM_RESPONSE = ("response_chars", "reasoning_share", "subject", "embedding", "language")


def sketched_columns(filled: Iterable[str]) -> frozenset[str]:
    """Columns of the sketched table that hold something, from the columns that the readers filled."""
    names = set(filled)
    derived: set[str] = set()
    if "prompt_text" in names:
        derived.update(_FROM_PROMPT)
        if "session_id" in names:
            derived.add("session_rule")
    if "system_text" in names:
        derived.add("system_key")
    if "response_text" in names or "reasoning_text" in names:
        derived.update(_FROM_RESPONSE)
    return frozenset(names | derived)


def account_features(
    engine: Engine, exchanges: ir.Table, accounts: ir.Table | None, available: frozenset[str], path: Path, wording_path: Path
) -> int:
    """Write one row of features per account, and how often it carries which wording; returns the number of accounts."""
    own = alone(exchanges)
    engine.write(wording_counts(own), wording_path)
    return engine.write(features(own, accounts, available, wording=engine.read([wording_path]), keep=engine.caches), path)


def group_features(
    engine: Engine, exchanges: ir.Table, accounts: ir.Table | None, available: frozenset[str], members: pa.Table
) -> pa.Table:
    """One row of features per group, over the pooled exchanges of its members (account_id, entity_id)."""
    pooled = membership(exchanges, engine.table(members, "group_members"))
    return engine.arrow(features(pooled, accounts, available, all_exchanges=exchanges, keep=engine.caches))


def shared_traces(
    engine: Engine, exchanges: ir.Table, accounts: ir.Table | None, available: frozenset[str], wording_path: Path
) -> pa.Table:
    """TRACES of every kind that the columns allow; empty where they allow none. `wording_path` is what `account_features` wrote."""
    wording = engine.read([wording_path])
    # kind by kind, so that only one of the large groupings needs memory at a time
    kinds = [table.select(list(TRACES.names)) for table in engine.arrows(trace_tables(exchanges, accounts, available, wording))]
    found = pa.concat_tables([arrow_schema(TRACES).empty_table(), *kinds], promote_options="permissive")
    # an engine gives rows in any order; what is built on them must not depend on it
    return found.sort_by([("kind", "ascending"), ("trace", "ascending"), ("account_id", "ascending")])


def profiles_of(
    engine: Engine,
    exchanges: ir.Table,
    ids: npt.NDArray[np.str_],
    watched: Watched,
    bounds: tuple[int, int],
    cells: int,
    progress: Callable[[int], None],
    *,
    threads: int,
) -> Profiles:
    """The profile pass over the exchanges, batch by batch."""

    def counted() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in engine.batches(exchanges.select(*PROFILE_COLUMNS)):
            yield batch
            done += batch.num_rows
            progress(done)

    return build_profiles(counted(), ids, watched, start_us=bounds[0], stop_us=bounds[1], cells=cells, threads=threads)


def takings(engine: Engine, exchanges: ir.Table, members: pa.Table) -> tuple[dict[str, list[ModelUse]], dict[str, list[tuple[str, int]]]]:
    """Per entity: use by model, and exchanges by capability."""
    pooled = membership(exchanges, engine.table(members, "finding_members"))
    uses: dict[str, list[ModelUse]] = {}
    for row in engine.arrow(model_use(pooled)).to_pylist():
        entity = row.pop("entity_id")
        uses.setdefault(entity, []).append(ModelUse(**row))
    tasks: dict[str, list[tuple[str, int]]] = {}
    for row in engine.arrow(capability_use(pooled)).to_pylist():
        tasks.setdefault(row["entity_id"], []).append((TASKS[row["task"]], row["exchanges"]))
    return uses, tasks


def first_and_stopped(
    features_table: pa.Table, accounts: pa.Table | None, ids: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """[A] microseconds of each account's first exchange, and of its stop (-1: not stopped)."""
    names = pa.array(ids.tolist(), pa.string())
    places = pc.index_in(names, value_set=features_table["entity_id"].combine_chunks())
    first = pc.multiply(features_table["first_at"].combine_chunks().take(places).fill_null(0.0), 1e6)
    stopped = np.full(len(ids), -1, np.int64)
    if accounts is not None:
        ended = accounts.filter(pc.is_in(accounts["status"], value_set=pa.array(["suspended", "limited"])))
        ended = ended.filter(pc.is_valid(ended["status_changed_at"]))
        rows = pc.index_in(ended["account_id"].combine_chunks(), value_set=names)
        known = rows.is_valid()
        when = ended["status_changed_at"].combine_chunks().cast(pa.timestamp("us")).cast(pa.int64())
        stopped[rows.filter(known).to_numpy()] = when.filter(known).to_numpy()
    return first.to_numpy().astype(np.int64), stopped


def sides(features_table: pa.Table, accounts: pa.Table | None, ids: npt.NDArray[np.str_]) -> Sides:
    """What linking reads besides profiles and traces."""
    first, stopped = first_and_stopped(features_table, accounts, ids)
    return Sides(follows=followers(stopped, first), chance=chances(stopped, first), manner=manner(features_table, ids))


MANNER = ("mean_prompt_chars", "mean_response_chars", "single_turn_share", "output_yield", "reasoning_response_share", "tools_share")
"""Features that say how an account uses the model, whatever it asks about."""


def manner(features_table: pa.Table, ids: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """[A, F] the accounts' MANNER; NaN: unknown."""
    places = pc.index_in(pa.array(ids.tolist(), pa.string()), value_set=features_table["entity_id"].combine_chunks())
    columns = [features_table[name].combine_chunks().take(places).cast(pa.float64()).fill_null(float("nan")) for name in MANNER]
    return np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])


def member_table(entities: Sequence[tuple[str, Sequence[str]]]) -> pa.Table:
    """(account_id, entity_id) rows of entities and their accounts."""
    pairs = [(account, entity) for entity, accounts in entities for account in accounts]
    return pa.table(
        {
            "account_id": pa.array([account for account, _ in pairs], pa.string()),
            "entity_id": pa.array([entity for _, entity in pairs], pa.string()),
        }
    )


def accounts_table(engine: Engine, accounts: pa.Table | None) -> ir.Table | None:
    """The accounts side table in the engine."""
    return None if accounts is None else engine.table(accounts.select(list(ACCOUNTS.names)), "accounts")
