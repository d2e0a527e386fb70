"""Every feature and every kind of trace gives the same rows on every engine."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from stillwatch.engines.base import Engine
from stillwatch.features import CATALOGUE, features
from stillwatch.features.traces import TRACE_KINDS, TraceKind, activity, subjects, traces
from stillwatch.records.tables import ACCOUNTS, SKETCHED

pytestmark = pytest.mark.spark

AVAILABLE = frozenset(SKETCHED.names)
KEYS = [("account_id", "ascending"), ("kind", "ascending"), ("trace", "ascending")]


def _features(engine: Engine, log: pa.Table, accounts: pa.Table) -> pa.Table:
    exchanges: Any = engine.table(log, "feature_log")
    exchanges = exchanges.mutate(entity_id=exchanges.account_id)
    return engine.arrow(features(exchanges, engine.table(accounts, "feature_accounts"), AVAILABLE)).sort_by("entity_id")


@pytest.fixture(scope="module")
def both_features(duck: Engine, spark: Engine, log: pa.Table, accounts: pa.Table) -> tuple[pa.Table, pa.Table]:
    return _features(duck, log, accounts), _features(spark, log, accounts)


def test_engines_agree_on_the_entities(both_features: tuple[pa.Table, pa.Table]) -> None:
    first, second = both_features
    assert first.column("entity_id").to_pylist() == second.column("entity_id").to_pylist()
    assert first.schema.types == second.schema.types


@pytest.mark.parametrize("name", [feature.name for feature in CATALOGUE])
def test_engines_agree_on_a_feature(both_features: tuple[pa.Table, pa.Table], name: str) -> None:
    first, second = (table.column(name).to_pylist() for table in both_features)
    assert any(value is not None for value in first), "the generated log should exercise the feature"
    assert [value is None for value in first] == [value is None for value in second]
    assert second == [None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9) for value in first]


def _traces(engine: Engine, log: pa.Table, accounts: pa.Table, kind: TraceKind) -> list[dict[str, Any]]:
    expression = kind.express(engine.table(log, "trace_log"), engine.table(accounts, "trace_accounts"))
    return engine.arrow(expression).sort_by(KEYS).to_pylist()


@pytest.mark.parametrize("kind", TRACE_KINDS, ids=lambda kind: kind.name)
def test_engines_agree_on_a_kind_of_trace(duck: Engine, spark: Engine, log: pa.Table, accounts: pa.Table, kind: TraceKind) -> None:
    first = _traces(duck, log, accounts, kind)
    assert first, "the generated log should exercise the kind"
    assert first == _traces(spark, log, accounts, kind)


def test_engines_agree_on_all_traces_at_once(duck: Engine, spark: Engine, log: pa.Table, accounts: pa.Table) -> None:
    results: list[pa.Table] = []
    for engine in (duck, spark):
        expression = traces(engine.table(log, "all_log"), engine.table(accounts, "all_accounts"), AVAILABLE)
        results.append(engine.arrow(expression).sort_by(KEYS))
    assert results[0].schema.types == results[1].schema.types
    assert results[0].to_pylist() == results[1].to_pylist()
    assert set(results[0].column("kind").to_pylist()) == {kind.name for kind in TRACE_KINDS}


def test_engines_agree_on_activity_and_subjects(duck: Engine, spark: Engine, log: pa.Table) -> None:
    results: list[list[list[dict[str, Any]]]] = []
    for engine in (duck, spark):
        table = engine.table(log, "activity_log")
        buckets = engine.arrow(activity(table, 60)).sort_by([("account_id", "ascending"), ("bucket", "ascending")])
        cells = engine.arrow(subjects(table)).sort_by([("account_id", "ascending"), ("subject", "ascending")])
        results.append([buckets.to_pylist(), cells.to_pylist()])
    assert results[0] == results[1]
    assert sum(row["count"] for row in results[0][0]) == log.num_rows


def test_engines_agree_when_columns_are_missing(duck: Engine, spark: Engine, log: pa.Table, accounts: pa.Table) -> None:
    available = frozenset({"started_at", "account_id", "input_tokens"})
    assert ACCOUNTS.names
    rows: list[list[dict[str, Any]]] = []
    for engine in (duck, spark):
        exchanges: Any = engine.table(log, "sparse_log")
        expression = features(exchanges.mutate(entity_id=exchanges.account_id), None, available)
        rows.append(engine.arrow(expression).sort_by("entity_id").to_pylist())
    assert [list(row) for row in rows[0]] == [list(row) for row in rows[1]]
    assert all(row["output_tokens"] is None and row["plan_to_usage"] is None for row in (*rows[0], *rows[1]))
    assert [row["input_tokens"] for row in rows[0]] == [row["input_tokens"] for row in rows[1]]
