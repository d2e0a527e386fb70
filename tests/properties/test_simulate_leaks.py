"""Nothing but behaviour tells a campaign from customers, unless a knob says so: one attribute alone guesses no better than chance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from scipy.stats import rankdata

from stillwatch.simulate import CampaignSettings, Tactic, WorldSettings, simulate
from stillwatch.stats.seeds import generator

pytestmark = pytest.mark.slow

ACCOUNTS = {
    Tactic.FIXED_PROMPT: 50,
    Tactic.DEALT_LIST: 30,
    Tactic.REASONING_ELICITATION: 20,
    Tactic.RELAY: 20,
    Tactic.STORE_AND_REPLAY: 15,
    Tactic.GRADING_AND_CLEANING: 10,
    Tactic.HEAVY_ACCOUNT: 1,
    Tactic.PROBE_THEN_SCALE: 14,
}
COLUMNS = ["account_id", "client_ip", "asn", "user_agent", "tls_fingerprint", "prompt_text", "response_text", "session_id"]
COLUMNS += ["model_requested", "temperature", "tools_count", "max_tokens", "stream", "end_user_id", "org_id"]
Rows = list[dict[str, Any]]


class Sample:
    """Accounts that sent something: their rows, their side-table row, and whether a campaign runs them."""

    def __init__(self, out: Path, shared_infrastructure: float) -> None:
        campaigns = tuple(
            CampaignSettings(
                tactic=tactic,
                campaign_id=tactic.value,
                accounts=accounts,
                requests_per_account_per_day=5,
                end_day=5,
                shared_infrastructure=shared_infrastructure,
            )
            for tactic, accounts in ACCOUNTS.items()
        )
        settings = WorldSettings(seed=23, start=datetime(2026, 9, 1, tzinfo=UTC), days=5, honest_accounts=440, campaigns=campaigns)
        result = simulate(settings, out=out)
        rows: dict[str, Rows] = defaultdict(list)
        for row in pq.read_table(result.logs, columns=COLUMNS).to_pylist():
            rows[row["account_id"]].append(row)
        self.ids = sorted(rows)
        self.rows = rows
        self.accounts = {row["account_id"]: row for row in pq.read_table(result.accounts).to_pylist()}
        campaign = dict(zip(*(pq.read_table(result.truth)[name].to_pylist() for name in ("account_id", "campaign_id")), strict=True))
        self.hostile = np.array([campaign[account] is not None for account in self.ids])

    def usual(self, column: str) -> list[Any]:
        """Each account's most frequent value."""
        return [Counter(row[column] for row in self.rows[account]).most_common(1)[0][0] for account in self.ids]

    def mean_bytes(self, column: str) -> list[float]:
        """Each account's mean length of a text."""
        return [float(np.mean([len((row[column] or "").encode()) for row in self.rows[account]])) for account in self.ids]


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("apart"), 0.0)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("together"), 1.0)


def area_under_curve(scores: Sequence[float] | npt.NDArray[np.float64], hostile: npt.NDArray[np.bool_]) -> float:
    """Chance that a hostile account scores above an honest one, ties half."""
    ranks, many, few = rankdata(scores), int(hostile.sum()), int((~hostile).sum())
    return float((ranks[hostile].sum() - many * (many + 1) / 2) / many / few)


def learnt(values: Sequence[Any], hostile: npt.NDArray[np.bool_]) -> float:
    """The same for a categorical value, scored by its hostile share in the other half of the accounts; mean over both halves."""
    half = generator(1, "halves").permutation(len(values)) % 2
    areas: list[float] = []
    for tested in (0, 1):
        train = half != tested
        seen = Counter(value for value, kept in zip(values, train, strict=True) if kept)
        bad = Counter(value for value, kept, is_bad in zip(values, train, hostile, strict=True) if kept and is_bad)
        base = float(hostile[train].mean())
        scores = [(bad[value] + 2 * base) / (seen[value] + 2) for value, kept in zip(values, train, strict=True) if not kept]
        areas.append(area_under_curve(scores, hostile[~train]))
    return float(np.mean(areas))


def network(address: str) -> str:
    """The /24 or the /48."""
    return ":".join(address.split(":")[:3]) if ":" in address else address.rsplit(".", 1)[0]


LEARNT: dict[str, Callable[[Sample], Sequence[Any]]] = {
    **{name: (lambda sample, name=name: sample.usual(name)) for name in ("user_agent", "asn", "tls_fingerprint", "model_requested")},
    **{name: (lambda sample, name=name: sample.usual(name)) for name in ("temperature", "tools_count", "max_tokens", "stream")},
    "network": lambda sample: [network(address) for address in sample.usual("client_ip")],
    **{name: (lambda sample, name=name: [sample.accounts[account][name] for account in sample.ids]) for name in ("plan", "email_domain")},
    "payment": lambda sample: [sample.accounts[account]["payment_fingerprint"] for account in sample.ids],
    "has session": lambda sample: [value is None for value in sample.usual("session_id")],
    "has end user": lambda sample: [value is None for value in sample.usual("end_user_id")],
    "has organisation": lambda sample: [value is None for value in sample.usual("org_id")],
}


@pytest.mark.parametrize("name", list(LEARNT))
def test_no_attribute_alone_tells_a_campaign_from_customers(apart: Sample, name: str) -> None:
    # what was learnt on one half is a guess on the other: below a half it guesses worse than chance, which is chance
    assert learnt(LEARNT[name](apart), apart.hostile) <= 0.58


@pytest.mark.parametrize("column", ["prompt_text", "response_text"])
def test_length_alone_does_not_tell_a_campaign_from_customers(apart: Sample, column: str) -> None:
    assert 0.42 <= area_under_curve(apart.mean_bytes(column), apart.hostile) <= 0.58


def test_age_of_the_account_does_not_tell_a_campaign_from_customers(apart: Sample) -> None:
    ages = [apart.accounts[account]["created_at"].timestamp() for account in apart.ids]
    assert 0.42 <= area_under_curve(ages, apart.hostile) <= 0.58


@pytest.mark.parametrize("name", ["network", "payment", "tls_fingerprint"])
def test_shared_infrastructure_does_tell(together: Sample, name: str) -> None:
    assert learnt(LEARNT[name](together), together.hostile) > 0.9


def test_honest_traffic_does_not_change_with_the_campaigns(apart: Sample, together: Sample) -> None:
    assert honest_rows(apart) == honest_rows(together)


def honest_rows(sample: Sample) -> list[Rows]:
    return [sample.rows[account] for account, bad in zip(sample.ids, sample.hostile, strict=True) if not bad]
