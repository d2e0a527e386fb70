from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import OutputError
from stillwatch.records.tables import ACCOUNTS, EXCHANGES, TRUTH
from stillwatch.simulate import CampaignSettings, Kind, Simulated, Tactic, WorldSettings, simulate

START = datetime(2026, 9, 1, tzinfo=UTC)
RATE = 12.0


def small_world(seed: int) -> WorldSettings:
    campaigns = tuple(
        CampaignSettings(
            tactic=tactic, campaign_id=tactic.value, accounts=4, requests_per_account_per_day=RATE, failover=0.5, start_day=1, end_day=6
        )
        for tactic in Tactic
    )
    return WorldSettings(seed=seed, start=START, days=6, honest_accounts=150, campaigns=campaigns)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    result: Simulated
    rows: list[dict[str, Any]]
    accounts: dict[str, dict[str, Any]]
    truth: dict[str, dict[str, Any]]

    def sent_by(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if name in (self.truth[row["account_id"]]["campaign_id"], self.truth[row["account_id"]]["role"])]


def run(settings: WorldSettings, out: Path) -> World:
    result = simulate(settings, out=out)
    tables = [{row["account_id"]: row for row in pq.read_table(path).to_pylist()} for path in (result.accounts, result.truth)]
    return World(result=result, rows=pq.read_table(result.logs).to_pylist(), accounts=tables[0], truth=tables[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return run(small_world(11), tmp_path_factory.mktemp("world"))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    settings = replace(small_world(5), days=2, honest_accounts=40)
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        simulate(replace(settings, seed=seed), out=tmp_path / name)
    first, again, other = (digests(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_tables_hold_exactly_the_declared_columns(world: World) -> None:
    assert pq.read_schema(next(world.result.logs.iterdir())).equals(arrow_schema(EXCHANGES))
    assert pq.read_schema(world.result.accounts).equals(arrow_schema(ACCOUNTS))
    assert pq.read_schema(world.result.truth).equals(arrow_schema(TRUTH))


def test_truth_and_accounts_cover_every_account_in_the_logs(world: World) -> None:
    assert {row["account_id"] for row in world.rows} <= set(world.truth)
    assert set(world.truth) == set(world.accounts)


def test_no_account_is_in_two_campaigns(world: World) -> None:
    table = pq.read_table(world.result.truth)
    assert len(set(table["account_id"].to_pylist())) == table.num_rows


def test_counts_equal_what_was_written(world: World) -> None:
    sent = Counter(world.truth[row["account_id"]]["campaign_id"] or world.truth[row["account_id"]]["role"] for row in world.rows)
    known = Counter(row["campaign_id"] or row["role"] for row in world.truth.values())
    told = {**world.result.kinds, **world.result.campaigns}
    assert world.result.exchanges == len(world.rows)
    assert {name: counts.exchanges for name, counts in told.items()} == {name: sent[name] for name in told}
    assert {name: counts.accounts for name, counts in told.items()} == dict(known)


def test_exchange_ids_are_unique_and_identifiers_name_no_role(world: World) -> None:
    assert len({row["exchange_id"] for row in world.rows}) == len(world.rows)
    roles = {row["role"] for row in world.truth.values()} | {tactic.value for tactic in Tactic} | {"campaign"}
    for row in world.rows[::50]:
        told = " ".join(
            str(row[name]) for name in ("account_id", "exchange_id", "session_id", "key_id", "trace_id", "org_id", "end_user_id")
        )
        assert not any(role in told for role in roles)


def test_the_order_of_accounts_says_nothing_of_their_role(world: World) -> None:
    hostile = [row["campaign_id"] is not None for _, row in sorted(world.truth.items())]
    runs = 1 + sum(first != second for first, second in pairwise(hostile))
    share = sum(hostile) / len(hostile)
    assert runs > len(hostile) * share * (1 - share)


def test_nobody_sends_before_sign_up_or_after_suspension(world: World) -> None:
    for row in world.rows:
        account = world.accounts[row["account_id"]]
        assert row["started_at"] >= account["created_at"]
        if account["status"] == "suspended":
            assert row["started_at"] < account["status_changed_at"]
        assert START <= row["started_at"] < START + timedelta(days=6)
        assert row["ended_at"] > row["started_at"]


@pytest.mark.parametrize("tactic", list(Tactic))
def test_every_tactic_sends_what_its_rate_says(world: World, tactic: Tactic) -> None:
    mean = RATE * 4 * 5
    assert abs(len(world.sent_by(tactic.value)) - mean) < 5 * mean**0.5


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_customer_exists_and_is_benign_in_the_truth(world: World, kind: Kind) -> None:
    members = [row for row in world.truth.values() if row["role"] == kind.value]
    assert all(row["campaign_id"] is None and row["tactic"] is None for row in members)
    assert len(members) == small_world(11).honest_counts()[kind]


def test_suspended_campaign_accounts_are_replaced_within_the_hour(world: World) -> None:
    for tactic in Tactic:
        members = [world.accounts[account] for account, row in world.truth.items() if row["campaign_id"] == tactic.value]
        born = [row["created_at"] for row in members]
        followed = [
            any(timedelta() <= other - row["status_changed_at"] <= timedelta(hours=1) for other in born)
            for row in members
            if row["status_changed_at"]
        ]
        assert sum(followed) >= 2
        assert len(members) == 6


def test_a_fixed_prompt_campaign_opens_every_request_with_the_same_words(world: World) -> None:
    opening = Counter(row["prompt_text"][:90] for row in world.sent_by("fixed_prompt"))
    assert opening.most_common(1)[0][1] == len(world.sent_by("fixed_prompt"))


def test_a_dealt_list_repeats_nothing(world: World) -> None:
    prompts = [row["prompt_text"] for row in world.sent_by("dealt_list")]
    assert len(set(prompts)) == len(prompts)
    assert all(row["turns"] == 1 for row in world.sent_by("dealt_list"))


def test_a_relay_carries_a_conversation_over_several_accounts(world: World) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for row in world.sent_by("relay"):
        if row["session_id"]:
            owners[row["session_id"]].add(row["account_id"])
    assert sum(len(accounts) > 1 for accounts in owners.values()) >= 5


def test_a_replay_sends_long_histories_in_single_requests(world: World) -> None:
    rows = world.sent_by("store_and_replay")
    assert min(row["turns"] for row in rows) >= 5
    assert all(row["input_tokens"] > 2 * len(row["prompt_text"].encode()) / 4 for row in rows)


def test_probing_is_mostly_refused_until_it_scales(world: World) -> None:
    rows = world.sent_by("probe_then_scale")
    refused = [
        (row["started_at"] < START + timedelta(days=4), row["status"] in (400, 403) or row["finish_reason"] == "content_filter")
        for row in rows
    ]
    early = [stopped for probing, stopped in refused if probing]
    late = [stopped for probing, stopped in refused if not probing]
    assert sum(early) / len(early) > 0.6
    assert sum(late) / len(late) < 0.15


def test_the_new_model_appears_only_after_its_release(world: World) -> None:
    first = min(row["started_at"] for row in world.rows if row["model_requested"] == "m-next")
    assert first >= START + timedelta(days=3, hours=9)


def test_a_company_shares_its_address_and_a_reseller_has_many(world: World) -> None:
    assert len({row["client_ip"] for row in world.sent_by("company")}) == 1
    assert len({row["client_ip"] for row in world.sent_by("reseller")}) > 5


def test_logs_that_are_there_already_are_not_overwritten(world: World) -> None:
    with pytest.raises(OutputError, match="empty --out"):
        simulate(small_world(1), out=world.result.logs.parent)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        simulate(small_world(1), out=tmp_path / "file")


def test_progress_is_told_day_by_day(tmp_path: Path) -> None:
    told: list[int] = []
    settings = WorldSettings(seed=2, start=START, days=3, honest_accounts=5)
    written = simulate(settings, out=tmp_path, progress=told.append)
    assert len(told) == 3
    assert told == sorted(told)
    assert told[-1] == written.exchanges


def test_reasoning_tokens_are_part_of_the_output(world: World) -> None:
    reasoned = [row for row in world.rows if row["reasoning_tokens"]]
    assert reasoned
    assert all(row["reasoning_tokens"] < row["output_tokens"] for row in reasoned)
