"""Counts against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaigns.leaks import held_out
from campaigns.metrics import (
    Finding,
    Truth,
    accused,
    average_precision,
    campaign_found,
    false_findings,
    recall_and_precision,
    separation,
    share,
    threshold_at,
)
from campaigns.replay import first_finding
from campaigns.writing import Written

HOSTILE = frozenset("abcd")
TRUTH = Truth(hostile=HOSTILE, kinds=dict.fromkeys("abcd", "campaign") | {"x": "chat", "y": "product", "z": "product"})


def _finding(accounts: str, *, harvest: bool = True, pooling: bool = False, severity: str = "high") -> Finding:
    return Finding(
        entity_id=f"e-{accounts}",
        accounts=frozenset(accounts),
        harvest=harvest,
        pooling=pooling,
        severity=severity,
        strength=float(len(accounts)),
    )


@pytest.mark.parametrize(
    ("accounts", "found"), [("ab", True), ("a", False), ("abx", False), ("abcdx", False), ("abcd", True), ("xyz", False)]
)
def test_a_campaign_is_found_by_half_of_it_nine_tenths_pure(accounts: str, *, found: bool) -> None:
    assert campaign_found([_finding(accounts)], HOSTILE, claim="harvest") is found


def test_only_what_is_reported_and_claimed_accuses() -> None:
    entities = [_finding("ab"), _finding("c", severity="none"), _finding("d", harvest=False, pooling=True)]
    assert accused(entities, claim="harvest") == frozenset("ab")
    assert accused(entities, claim="pooling") == frozenset("d")


def test_recall_and_precision_by_hand() -> None:
    told = recall_and_precision(frozenset("abx"), TRUTH)
    assert told["recall"]["value"] == 0.5
    assert told["precision"]["value"] == pytest.approx(2 / 3)
    assert told["honest_accused_by_kind"] == {"chat": 1}


def test_the_precision_of_nothing_is_none() -> None:
    assert recall_and_precision(frozenset(), TRUTH)["precision"]["value"] is None


def test_an_interval_holds_its_share() -> None:
    value = share(np.arange(40) < 30, "test")
    assert value["low"] < 0.75 < value["high"]
    assert share(np.ones(5, bool), "test")["low"] == pytest.approx(0.478, abs=0.001)


def test_a_false_finding_is_mostly_honest_and_counted_once_by_severity_and_kind() -> None:
    told = false_findings([_finding("abx"), _finding("yz", severity="low"), _finding("x", severity="none")], TRUTH)
    assert told["findings"] == 1
    assert told["by_severity"] == {"low": 1}
    assert told["by_kind"] == {"product": 1}
    assert told["honest_entities"] == 4  # three accounts and one group
    assert told["per_1000"] == 250
    assert told["realised_false_discovery"] == 0.5


def test_average_precision_by_hand_and_ties_gain_nothing() -> None:
    hostile = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), hostile) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), hostile) == 0.5


def test_separation_by_hand() -> None:
    hostile = np.array([True, False, True, False])
    assert separation(np.array([4.0, 3.0, 2.0, 1.0]), hostile) == 0.75
    assert separation(np.zeros(4), hostile) == 0.5


def test_a_threshold_lets_no_more_honest_accounts_through_than_allowed() -> None:
    scores, honest = np.array([9.0, 5.0, 5.0, 1.0, 7.0]), np.array([True, True, True, True, False])
    for allowed, expected in ((0, 9.0), (1, 5.0), (2, 5.0), (3, 1.0), (4, -np.inf)):
        assert threshold_at(scores, honest, allowed) == expected
        assert (scores[honest] > expected).sum() <= allowed


def test_a_check_that_sees_nothing_is_at_chance_and_one_that_sees_all_at_one() -> None:
    hostile = np.arange(40) % 4 == 0
    halves = np.arange(40) < 20
    assert held_out(lambda _learn, _hostile: np.zeros(40), hostile, halves) == 0.5
    assert held_out(lambda _learn, _hostile: hostile.astype(float), hostile, halves) == 1.0


def test_the_replay_stops_at_the_first_prefix_with_a_true_finding(tmp_path: Path) -> None:
    times = pa.array(np.arange(1_000) * 1_000_000, pa.timestamp("us", tz="UTC"))
    ids = [f"x{place}" for place in range(1_000)]
    pq.write_table(pa.table({"exchange_id": ids, "started_at": times}), tmp_path / "log.parquet")
    pq.write_table(pa.table({"exchange_id": ids, "payload": [place >= 500 for place in range(1_000)]}), tmp_path / "payload.parquet")
    written = Written(log=tmp_path / "log.parquet", accounts=tmp_path, truth=tmp_path, payload=tmp_path / "payload.parquet")

    def scan(log: Path, _out: Path) -> list[Finding]:
        return [_finding("xyz"), _finding("abc")] if pq.read_metadata(log).num_rows >= 520 else [_finding("xyz")]

    told = first_finding(written, TRUTH, scan, tmp_path / "replay", claim="harvest", harvest=500)
    known = {"of_exchanges": 500, "held": 1.0, "hostile_accounts": len(TRUTH.hostile)}
    assert told == known | {"leaked": 0.05, "leaked_exchanges": 25, "prefix_exchanges": 525}
    nothing = first_finding(written, TRUTH, lambda _log, _out: [], tmp_path / "replay", claim="harvest", harvest=2_000)
    assert nothing == {
        "of_exchanges": 2_000,
        "held": 0.25,
        "hostile_accounts": len(TRUTH.hostile),
        "leaked": None,
        "prefix_exchanges": 1_000,
    }
