from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stillwatch.errors import UsageError
from stillwatch.simulate import CampaignSettings, Kind, Tactic, WorldSettings, default_world

START = datetime(2026, 9, 1, tzinfo=UTC)
CAMPAIGN = CampaignSettings(tactic=Tactic.DEALT_LIST, campaign_id="one", accounts=3, requests_per_account_per_day=5)


def test_honest_counts_add_up_whatever_the_number() -> None:
    for accounts in (0, 1, 7, 100, 1200):
        counts = WorldSettings(seed=1, start=START, honest_accounts=accounts).honest_counts()
        assert sum(counts.values()) == accounts
        assert min(counts.values()) >= 0


def test_twelve_hundred_accounts_hold_a_company_a_class_and_a_popular_framework() -> None:
    counts = WorldSettings(seed=1, start=START).honest_counts()
    assert counts[Kind.COMPANY] == 40
    assert counts[Kind.CLASS] == 30
    assert counts[Kind.FRAMEWORK] >= 290
    assert all(counts[kind] for kind in Kind)


def test_shares_can_be_overridden() -> None:
    counts = WorldSettings(seed=1, start=START, honest_accounts=10, honest_shares={Kind.CI: 1.0, Kind.CHAT: 4.0}).honest_counts()
    assert counts == {Kind.CI: 2, Kind.CHAT: 8}


def test_the_demo_holds_every_tactic_and_about_fifteen_hundred_accounts() -> None:
    world = default_world(3, START)
    assert {campaign.tactic for campaign in world.campaigns} == set(Tactic)
    assert 1400 <= world.honest_accounts + sum(campaign.accounts for campaign in world.campaigns) <= 1600


def test_scale_multiplies_accounts_and_leaves_rates_alone() -> None:
    whole, tenth = default_world(3, START), default_world(3, START, 0.1)
    assert tenth.honest_accounts == round(whole.honest_accounts * 0.1)
    for large, small in zip(whole.campaigns, tenth.campaigns, strict=True):
        assert small.accounts == max(1, round(large.accounts * 0.1))
        assert small.requests_per_account_per_day == large.requests_per_account_per_day


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"campaign_id": "Bad Name"}, "lower-case"),
        ({"dilution": 1.5}, "dilution"),
        ({"shared_infrastructure": -0.1}, "shared_infrastructure"),
        ({"jitter": 2}, "jitter"),
        ({"failover": 7}, "failover"),
        ({"accounts": 0}, "account"),
        ({"requests_per_account_per_day": 0}, "rate"),
        ({"start_day": 5, "end_day": 5}, "end after"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_with_the_next_step(change: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        replace(CAMPAIGN, **change)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"start": datetime(2026, 9, 1)}, "time zone"),  # noqa: DTZ001
        ({"days": 0}, "at least one day"),
        ({"honest_accounts": -1}, "negative"),
        ({"honest_shares": {Kind.CI: 0.0}}, "share"),
        ({"campaigns": (CAMPAIGN, CAMPAIGN)}, "its own"),
        ({"campaigns": (replace(CAMPAIGN, start_day=20, end_day=30),)}, "earlier"),
    ],
)
def test_a_world_that_cannot_be_is_refused_with_the_next_step(change: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        replace(WorldSettings(seed=1, start=START), **change)


def test_a_scale_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="scale"):
        default_world(1, START, 0.0)
