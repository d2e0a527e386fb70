"""Features against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest

from stillwatch.engines.duckdb import DuckEngine
from stillwatch.engines.schema import arrow_schema
from stillwatch.features import CATALOGUE, features
from stillwatch.records.tables import ACCOUNTS, SKETCHED

pytestmark = pytest.mark.slow

START = datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
Row = dict[str, Any]
Measure = Callable[..., dict[str, dict[str, float | None]]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckEngine]:
    with DuckEngine(tmp_path_factory.mktemp("engine"), threads=1, memory_limit="300MB") as opened:
        yield opened


@pytest.fixture
def measure(engine: DuckEngine) -> Measure:
    """Features by entity; rows default to one account `a` and one exchange per hour, sources to the columns they name."""

    def run(
        rows: list[Row], *, accounts: list[Row] | None = None, available: frozenset[str] | None = None
    ) -> dict[str, dict[str, float | None]]:
        exchanges: Any = engine.table(_table(rows), "exchanges")
        # Only the passes that a test asks for: all of them take a second to compile.
        named = frozenset({"started_at", *(name for row in rows for name in row)})
        side = None
        if accounts is not None:
            side = engine.table(pa.Table.from_pylist(accounts, schema=arrow_schema(ACCOUNTS)), "accounts")
        expression = features(exchanges.mutate(entity_id=exchanges.account_id), side, available or named)
        return {row.pop("entity_id"): row for row in engine.arrow(expression).to_pylist()}

    return run


def _table(rows: list[Row]) -> pa.Table:
    base = {"source": "test", "text_state": "full", "account_id": "a"}
    filled = [{**base, "exchange_id": str(number), "started_at": START + number * HOUR, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, schema=arrow_schema(SKETCHED))


def test_volume_counts_exchanges_days_and_tokens(measure: Measure) -> None:
    rows: list[Row] = [
        {"started_at": START, "input_tokens": 10, "output_tokens": 5, "sampling_rate": 0.25},
        {"started_at": START + 26 * HOUR, "input_tokens": 30, "output_tokens": None, "prompt_key": 1},
        {"started_at": START + 27 * HOUR, "input_tokens": None, "output_tokens": 8, "prompt_chars": 7},
    ]
    row = measure(rows)["a"]
    assert (row["exchanges"], row["scaled_exchanges"], row["text_exchanges"]) == (3, 6, 1)
    assert (row["active_days"], row["exchanges_per_active_day"]) == (2, 1.5)
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (40, 13, None)
    assert (row["first_at"], row["last_at"]) == (START.timestamp(), (START + 27 * HOUR).timestamp())
    assert (row["mean_prompt_chars"], row["mean_response_chars"]) == (7, None)
    assert row["output_yield"] == 0.5


def test_shares_leave_out_what_the_source_does_not_say(measure: Measure) -> None:
    rows: list[Row] = [
        {"turns": 1, "elicits": 1 | 8, "tools_count": 2, "n": 4, "logprobs": True, "temperature": 0.0},
        {"turns": 2, "system_key": 5, "elicits": 2, "n": 1, "top_logprobs": 3, "temperature": 1.0},
        {"turns": 2, "elicits": 4, "seed": 9, "logit_bias_size": 3, "session_rule": "none"},
        {"elicits": None, "logprobs": False, "session_rule": "first_words"},
    ]
    row = measure(rows)["a"]
    assert row["single_turn_share"] == pytest.approx(2 / 3)
    assert row["turns_mean"] == pytest.approx(5 / 3)
    for name in ("reasoning_elicitation_share", "evasion_share", "grading_share", "cleaning_share"):
        assert row[name] == pytest.approx(1 / 3), name
    assert (row["tools_share"], row["multiple_samples_share"], row["logprobs_share"]) == (0.25, 0.25, 0.5)
    assert (row["seeded_share"], row["logit_bias_share"]) == (0.25, 0.25)
    assert (row["temperature_spread"], row["derived_session_share"]) == (0.5, 0.5)


def test_fixed_wording_is_the_share_of_the_most_carried_fingerprint(measure: Measure) -> None:
    rows: list[Row] = [
        {"prompt_key": 1, "wording": [11, 12], "system_key": 3},
        {"prompt_key": 2, "wording": [11]},
        {"prompt_key": 2, "wording": [12, 11]},
        {"prompt_key": 3, "wording": []},
        {"prompt_key": None, "wording": None, "system_key": 3},
    ]
    row = measure(rows)["a"]
    assert (row["fixed_wording_share"], row["fixed_system_share"], row["distinct_prompt_share"]) == (0.75, 0.25, 0.75)


def test_repeat_probability_counts_pairs_without_bias(measure: Measure) -> None:
    rows: list[Row] = [{"prompt_bucket": bucket} for bucket in (1, 1, 1, 2, None)]
    assert measure(rows)["a"]["prompt_repeat_probability"] == pytest.approx(6 / 12)
    assert measure([{"prompt_bucket": 1}])["a"]["prompt_repeat_probability"] is None


def test_subjects_are_judged_from_twenty_texts_on(measure: Measure) -> None:
    rows: list[Row] = [{"prompt_key": number, "subject": number % 2} for number in range(20)]
    row = measure(rows)["a"]
    assert row["subject_effective"] == pytest.approx(20 * 19 / (2 * 10 * 9))
    assert row["subject_top_share"] == 0.5
    assert measure(rows[:19])["a"]["subject_effective"] is None


def test_addresses_and_keys(measure: Measure) -> None:
    rows: list[Row] = [
        {"client_ip": "10.0.0.1", "key_id": "k", "user_agent": "x"},
        {"client_ip": "10.0.0.1", "key_id": "k", "user_agent": "y"},
        {"client_ip": "10.0.0.2", "key_id": "k"},
        {"client_ip": "10.0.0.3", "key_id": "l"},
        {"client_ip": None, "key_id": "k"},
    ]
    row = measure(rows)["a"]
    assert row["addresses_effective"] == pytest.approx(4 * 3 / 2)
    assert (row["addresses_per_active_day"], row["agents_distinct"], row["key_addresses"]) == (3, 2, 2)


def test_sessions_and_tasks(measure: Measure) -> None:
    rows: list[Row] = [{"session_id": name, "task": task} for name, task in (("s", 1), ("s", 1), ("t", 2), (None, None))]
    row = measure(rows)["a"]
    assert row["session_exchanges_mean"] == 1.5
    assert row["task_top_share"] == pytest.approx(2 / 3)


def test_a_machine_that_never_sleeps_uses_all_hours(measure: Measure) -> None:
    clockwork: list[Row] = [{} for _ in range(24 * 10)]
    row = measure(clockwork)["a"]
    assert row["hour_effective"] == pytest.approx(24)
    assert (row["longest_quiet_hours"], row["cadence_variation"], row["daily_variation"]) == (1, 0, 0)
    assert row["quiet_share"] == pytest.approx(1 / 239)
    assert row["ramp"] == pytest.approx(24 / 240 * 239 / 24)


def test_office_hours_leave_the_night_quiet(measure: Measure) -> None:
    rows: list[Row] = [{"started_at": START + timedelta(days=day, hours=hour)} for day in (0, 1, 3) for hour in (9, 10, 11, 12, 13, 14, 15)]
    row = measure(rows)["a"]
    assert row["hour_effective"] == pytest.approx(21 * 20 / (7 * 3 * 2))
    assert row["longest_quiet_hours"] == 42
    assert row["daily_variation"] == pytest.approx(((3 * (7 - 5.25) ** 2 + 5.25**2) / 4) ** 0.5 / 5.25)


def test_gaps_do_not_depend_on_fractions_of_a_second(measure: Measure) -> None:
    rows: list[Row] = [
        {"started_at": START + timedelta(microseconds=999_999)},
        {"started_at": START + timedelta(seconds=10, microseconds=1)},
        {"started_at": START + timedelta(seconds=10, microseconds=1)},
    ]
    row = measure(rows)["a"]
    assert row["longest_quiet_hours"] == pytest.approx(9_000_002 / 3.6e9, rel=1e-12)
    assert row["cadence_variation"] == 1
    assert row["quiet_share"] == 1


def _probing(late_hours: float) -> list[Row]:
    """Ten early exchanges an hour apart, eight of them refused, then forty that are served."""
    early = [{"started_at": START + number * HOUR, "status": 400 if number < 8 else 200, "wording": [1]} for number in range(10)]
    late = [{"started_at": START + 9 * HOUR + (number + 1) * late_hours * HOUR, "status": 200, "wording": [number]} for number in range(40)]
    return [*early, *late]


def test_probing_then_scaling_shows_in_both_factors(measure: Measure) -> None:
    row = measure(_probing(late_hours=0.1))["a"]
    assert (row["early_refused_share"], row["late_refused_share"]) == (0.8, 0)
    assert (row["early_repeat_probability"], row["late_repeat_probability"]) == (1, 0)
    assert row["probe_then_scale"] == pytest.approx(0.8 * (1 - (10 / 9) / (40 / 4)))


def test_refusals_without_growth_are_not_probing(measure: Measure) -> None:
    assert measure(_probing(late_hours=2.0))["a"]["probe_then_scale"] == 0
    assert measure(_probing(late_hours=0.1)[:19])["a"]["probe_then_scale"] is None


def test_a_content_filter_counts_as_a_refusal(measure: Measure) -> None:
    rows: list[Row] = [{"finish_reason": "content_filter" if number < 5 else "stop"} for number in range(30)]
    assert measure(rows)["a"]["early_refused_share"] == 0.5


def test_only_a_model_that_appears_late_is_a_release(measure: Measure) -> None:
    old: list[Row] = [{"model_served": "old", "account_id": "a"} for _ in range(30)]
    assert measure(old)["a"]["new_model_share"] is None
    new: list[Row] = [
        {"model_requested": "new", "account_id": "b", "started_at": START + timedelta(days=2, hours=hours)} for hours in (0, 23, 24, 30)
    ]
    by_entity = measure([*old, *new])
    assert (by_entity["a"]["new_model_share"], by_entity["b"]["new_model_share"]) == (0, 0.5)


def test_plan_to_usage_scales_to_thirty_days(measure: Measure) -> None:
    rows: list[Row] = [
        {"started_at": START, "input_tokens": 100},
        {"started_at": START + timedelta(days=3), "output_tokens": 200},
        {"account_id": "b", "input_tokens": 5},
    ]
    quota = [{"account_id": "a", "monthly_quota_tokens": 1000}, {"account_id": "b", "monthly_quota_tokens": None}]
    by_entity = measure(rows, accounts=quota)
    assert by_entity["a"]["plan_to_usage"] == pytest.approx(300 * 10 / 1000)
    assert by_entity["b"]["plan_to_usage"] is None
    assert measure(rows)["a"]["plan_to_usage"] is None


def test_a_feature_without_its_columns_is_null_and_the_others_are_not(measure: Measure) -> None:
    row = measure([{"input_tokens": 3, "prompt_key": 4, "status": 400}], available=frozenset({"input_tokens"}))["a"]
    assert (row["exchanges"], row["input_tokens"], row["text_exchanges"]) == (1, 3, None)
    assert list(row) == [feature.name for feature in CATALOGUE]


def test_an_entity_of_two_accounts_adds_their_quotas(engine: DuckEngine) -> None:
    rows: list[Row] = [
        {"account_id": "a", "input_tokens": 100, "started_at": START},
        {"account_id": "b", "output_tokens": 300, "started_at": START + timedelta(days=30)},
    ]
    exchanges: Any = engine.table(_table(rows), "pooled").mutate(entity_id=ibis.literal("group"))
    quotas = [{"account_id": name, "monthly_quota_tokens": 400} for name in ("a", "b")]
    side = engine.table(pa.Table.from_pylist(quotas, schema=arrow_schema(ACCOUNTS)), "quotas")
    result = engine.arrow(features(exchanges, side, frozenset({"started_at", "input_tokens", "output_tokens"}))).to_pylist()
    assert [(row["entity_id"], row["exchanges"], row["plan_to_usage"]) for row in result] == [("group", 2, 0.5)]
