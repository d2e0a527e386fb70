"""Each knob of a campaign moves what its name says, and nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillwatch.simulate import CampaignSettings, Paraphrase, Tactic, WorldSettings, simulate

pytestmark = pytest.mark.slow

START = datetime(2026, 9, 1, tzinfo=UTC)


def sent(
    out: Path, *, tactic: Tactic = Tactic.FIXED_PROMPT, accounts: int = 12, rate: float = 15.0, seed: int = 8, **knobs: Any
) -> list[dict[str, Any]]:
    """What one campaign sends in four days."""
    campaign = CampaignSettings(tactic=tactic, campaign_id="one", accounts=accounts, requests_per_account_per_day=rate, end_day=4, **knobs)
    result = simulate(WorldSettings(seed=8, start=START, days=4, honest_accounts=0, campaigns=(campaign,)), out=out)
    return pq.read_table(result.logs).to_pylist()


def openings(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["prompt_text"][:60] for row in rows)


@pytest.mark.parametrize("dilution", [0.0, 0.3, 0.8])
def test_dilution_is_the_share_of_ordinary_requests(tmp_path: Path, dilution: float) -> None:
    rows = sent(tmp_path, dilution=dilution)
    fixed = openings(rows).most_common(1)[0][1]
    assert abs(fixed / len(rows) - (1 - dilution)) < 0.07


@pytest.mark.parametrize("dilution", [0.0, 0.5])
@pytest.mark.parametrize("rate", [4.0, 30.0])
def test_requests_per_account_per_day_keep_to_the_knob_whatever_is_mixed_in(tmp_path: Path, rate: float, dilution: float) -> None:
    rows = sent(tmp_path, rate=rate, dilution=dilution)
    counts = Counter((row["account_id"], row["started_at"].date()) for row in rows)
    mean = 12 * 4 * rate
    assert abs(len(rows) - mean) < 5 * mean**0.5
    assert max(counts.values()) < rate + 6 * rate**0.5 + 4


def near_another_account(rows: list[dict[str, Any]]) -> float:
    """Share of requests that come within five seconds of another account's."""
    order = sorted((row["started_at"].timestamp(), row["account_id"]) for row in rows)
    close = [second[0] - first[0] < 5 and first[1] != second[1] for first, second in pairwise(order)]
    return float(np.mean(close))


def test_jitter_zero_is_lockstep_and_jitter_one_is_not(tmp_path: Path) -> None:
    shares = [near_another_account(sent(tmp_path / str(jitter), jitter=jitter)) for jitter in (0.0, 0.5, 1.0)]
    assert shares[0] > 0.6
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.1


def test_paraphrase_rewords_by_account_or_by_request(tmp_path: Path) -> None:
    fixed, light, heavy = (sent(tmp_path / paraphrase, paraphrase=paraphrase) for paraphrase in Paraphrase)
    assert len(openings(fixed)) == 1
    assert 1 < len(openings(light)) <= 12
    assert len(openings(heavy)) > 12
    by_account = Counter((row["account_id"], row["prompt_text"][:60]) for row in light)
    assert len(by_account) == len({row["account_id"] for row in light})


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_shared_infrastructure_is_the_share_of_accounts_in_one_network(tmp_path: Path, share: float) -> None:
    rows = sent(tmp_path, accounts=20, rate=6.0, shared_infrastructure=share)
    first = {row["account_id"]: row["client_ip"].rsplit(":" if ":" in row["client_ip"] else ".", 1)[0] for row in rows}
    largest = Counter(first.values()).most_common(1)[0][1]
    assert abs(largest - max(1, 20 * share)) <= 1


@pytest.mark.parametrize("tactic", list(Tactic))
def test_text_never_shows_a_place_that_was_not_filled(tmp_path: Path, tactic: Tactic) -> None:
    rows = sent(tmp_path, tactic=tactic, accounts=5, rate=20.0, paraphrase=Paraphrase.HEAVY)
    texts = [row[name] for row in rows for name in ("prompt_text", "response_text") if row[name] is not None]
    assert not [text for text in texts if "%s" in text or "~" in text or "{a" in text or "  " in text.replace("\n    ", "")]
