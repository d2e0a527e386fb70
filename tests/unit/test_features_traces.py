"""Traces against rows worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.engines.duckdb import DuckEngine
from stillwatch.engines.schema import arrow_schema
from stillwatch.features.traces import TRACE_KINDS, activity, subjects, traces
from stillwatch.records.tables import ACCOUNTS, SKETCHED, TRACES

START = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
Row = dict[str, Any]
Held = Callable[..., set[tuple[str, str, int]]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckEngine]:
    with DuckEngine(tmp_path_factory.mktemp("engine"), threads=1, memory_limit="300MB") as opened:
        yield opened


def _table(rows: list[Row]) -> pa.Table:
    base = {"source": "test", "text_state": "full"}
    filled = [{**base, "exchange_id": str(number), "started_at": START + number * HOUR, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, schema=arrow_schema(SKETCHED))


@pytest.fixture
def held(engine: DuckEngine) -> Held:
    """(account, trace, count) of one kind."""

    def run(name: str, rows: list[Row], accounts: list[Row] | None = None) -> set[tuple[str, str, int]]:
        kind = next(kind for kind in TRACE_KINDS if kind.name == name)
        side = engine.table(pa.Table.from_pylist(accounts or [], schema=arrow_schema(ACCOUNTS)), "accounts")
        result = engine.arrow(kind.express(engine.table(_table(rows), "exchanges"), side)).to_pylist()
        assert {row["kind"] for row in result} <= {name}
        return {(row["account_id"], row["trace"], row["count"]) for row in result}

    return run


def _of(account: str, column: str, *values: object) -> list[Row]:
    return [{"account_id": account, column: value} for value in values]


def test_a_trace_of_a_single_account_is_left_out(held: Held) -> None:
    rows = [*_of("a", "asn", 1, 1, 2, None), *_of("b", "asn", 1, None)]
    assert held("asn", rows) == {("a", "1", 2), ("b", "1", 1)}


def test_of_more_rows_than_the_bound_the_widest_shared_traces_are_kept_whole(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.features.traces.MOST_ROWS", 6)
    wide = [row for account in "abc" for row in _of(account, "session_id", "s-3")]
    pairs = [row for session in ("s-1", "s-2", "s-4") for account in "ab" for row in _of(account, "session_id", session)]
    expected = {("a", "s-3", 1), ("b", "s-3", 1), ("c", "s-3", 1), ("a", "s-1", 1), ("b", "s-1", 1)}
    assert held("session", [*pairs, *wide]) == expected


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("system", "system_key", -3),
        ("prompt", "prompt_bucket", 2**62),
        ("tls", "tls_fingerprint", "t13"),
        ("user_agent", "user_agent", "curl"),
        ("session", "session_id", "s1"),
        ("session_rule", "session_rule", "first_words"),
        ("org", "org_id", "o"),
    ],
)
def test_a_value_of_two_accounts_is_their_trace(held: Held, kind: str, column: str, value: object) -> None:
    rows = [*_of("a", column, value, value), *_of("b", column, value)]
    assert held(kind, rows) == {("a", str(value), 2), ("b", str(value), 1)}


def test_no_rule_is_not_a_shared_rule(held: Held) -> None:
    assert held("session_rule", [*_of("a", "session_rule", "none"), *_of("b", "session_rule", "none")]) == set()


def test_a_long_user_agent_is_cut(held: Held) -> None:
    found = held("user_agent", [*_of("a", "user_agent", "x" * 9000), *_of("b", "user_agent", "x" * 500)])
    assert {len(trace) for _, trace, _ in found} == {200}


def _carriers(account: str, fingerprint: int, *prompts: int) -> list[Row]:
    return [{"account_id": account, "wording": [fingerprint], "prompt_key": prompt} for prompt in prompts]


@pytest.mark.slow
def test_wording_needs_three_exchanges_with_three_different_prompts(held: Held) -> None:
    rows = [*_carriers("a", 7, 1, 2, 3), *_carriers("b", 7, 1, 2, 3, 3)]
    assert held("wording", rows) == {("a", "7", 3), ("b", "7", 4)}
    assert held("wording", [*_carriers("a", 7, 1, 2, 3), *_carriers("b", 7, 1, 2, 2)]) == set()
    assert held("wording", [*_carriers("a", 7, 1, 2, 3), *_carriers("b", 7, 1, 2)]) == set()


@pytest.mark.parametrize(
    ("first", "second", "trace"),
    [
        ("10.1.2.3", "10.1.2.250", "10.1.2.0/24"),
        ("10.1.2.3", "::ffff:10.1.2.4", "10.1.2.0/24"),
        ("2001:db8:7:1::1", "2001:DB8:7:ffff:0:0:0:2", "2001:db8:7::/48"),
        ("2001:db8::1", "2001:db8::2", "2001:db8:0::/48"),
    ],
)
def test_neighbours_share_a_network(held: Held, first: str, second: str, trace: str) -> None:
    rows = [*_of("a", "client_ip", first), *_of("b", "client_ip", second)]
    assert held("network", rows) == {("a", trace, 1), ("b", trace, 1)}


@pytest.mark.parametrize("address", ["", "not an address", "::1", "10.1.2", "10.1.2.3.4.5"])
def test_what_is_no_address_is_no_network(held: Held, address: str) -> None:
    assert held("network", [*_of("a", "client_ip", address), *_of("b", "client_ip", address)]) == set()


def test_parameters_are_one_string_of_what_is_set(held: Held) -> None:
    settings: Row = {"temperature": 0.7, "n": 2, "seed": 5, "logprobs": False, "tools_count": 3}
    rows: list[Row] = [
        {"account_id": "a", **settings},
        {"account_id": "a", **settings, "seed": 6},
        {"account_id": "b", **settings, "tools_count": 1},
        {"account_id": "a"},
        {"account_id": "b", "tools_count": 0},
    ]
    text = "temperature=0.700 n=2 seed logprobs=false tools"
    assert held("parameters", rows) == {("a", text, 2), ("b", text, 1)}


def test_traces_of_the_accounts_table_count_their_exchanges(held: Held) -> None:
    rows = [{"account_id": name} for name in ("a", "a", "b", "c")]
    side = [
        {"account_id": "a", "email_domain": "X.org", "payment_fingerprint": "p", "created_at": START},
        {"account_id": "b", "email_domain": "x.org", "payment_fingerprint": "q", "created_at": START + 0.9 * HOUR},
        {"account_id": "unseen", "payment_fingerprint": "q", "created_at": START + HOUR},
    ]
    assert held("email_domain", rows, side) == {("a", "x.org", 2), ("b", "x.org", 1)}
    assert held("signup", rows, side) == {("a", "2026-05-04 10:00", 2), ("b", "2026-05-04 10:00", 1)}
    assert held("payment", rows, side) == set()


def test_only_the_first_day_of_a_new_model_is_a_trace(held: Held) -> None:
    old = _of("a", "model_served", "old")
    new = [
        {"account_id": name, "model_served": "new", "started_at": START + timedelta(hours=48 + hours)}
        for name, hours in (("a", 0), ("a", 25), ("b", 23), ("c", 24))
    ]
    assert held("release", [*old, *new]) == {("a", "new", 1), ("b", "new", 1)}


def test_all_kinds_together_have_the_columns_of_traces(engine: DuckEngine) -> None:
    rows = [*_of("a", "asn", 5), *_of("b", "asn", 5)]
    expression = traces(engine.table(_table(rows), "together"), None, frozenset({"asn", "org_id"}))
    assert expression is not None
    found = engine.arrow(expression)
    assert found.schema.names == list(TRACES.names)
    assert found.schema.types == arrow_schema(TRACES).types
    assert found.sort_by("account_id").column("first_at").to_pylist() == [START, START + HOUR]
    assert traces(engine.table(_table(rows), "together"), None, frozenset()) is None


def test_activity_and_subjects_count_per_account(engine: DuckEngine) -> None:
    rows = [{"account_id": "a", "subject": 3, "started_at": START + timedelta(minutes=minutes)} for minutes in (0, 14, 15)]
    table = engine.table(_table([*rows, {"account_id": "a", "subject": None, "started_at": START}]), "active")
    first = int(START.timestamp()) // 900
    buckets = {row["bucket"]: row["count"] for row in engine.arrow(activity(table, 15)).to_pylist()}
    assert buckets == {first: 3, first + 1: 1}
    assert engine.arrow(subjects(table)).to_pylist() == [{"account_id": "a", "subject": 3, "count": 3}]
