"""What a run could have found, so that finding nothing means something."""

from __future__ import annotations

from typing import Any

import pytest

from stillwatch.detect.power import SMALLEST_GROUP, power
from stillwatch.detect.settings import DetectSettings

PLENTY: dict[str, Any] = {
    "reference": 900,
    "groups": 12,
    "accounts": 800,
    "able": 850,
    "draws": 999,
    "settings": DetectSettings(),
    "pooling_level": 0.01,
}


def test_with_plenty_of_traffic_the_smallest_campaign_has_a_size() -> None:
    found = power(**PLENTY)
    assert found.accounts == SMALLEST_GROUP
    assert found.exchanges_per_account is not None
    assert found.accounts * found.exchanges_per_account >= DetectSettings().least_exchanges
    assert found.single_account_exchanges == DetectSettings().least_account_exchanges
    assert "random pools" in found.words
    assert "could not have been seen" in found.words


@pytest.mark.parametrize(
    "lacking", [{"reference": 0}, {"accounts": 0}, {"able": 0}, {"able": 3}, {"able": 20}, {"draws": 0}, {"draws": 50}]
)
def test_too_little_traffic_says_that_nothing_could_have_been_found(lacking: dict[str, Any]) -> None:
    found = power(**PLENTY | lacking)
    assert (found.accounts, found.exchanges_per_account, found.single_account_exchanges) == (None, None, None)
    assert "That nothing was found here says nothing" in found.words


@pytest.mark.parametrize("able", [12, 14, 20, 50, 5000])
def test_more_accounts_to_compare_with_never_raise_the_smallest_campaign(able: int) -> None:
    fewer, more = power(**PLENTY | {"able": able}), power(**PLENTY | {"able": 2 * able})
    assert more.accounts is not None
    assert fewer.accounts is None or more.accounts <= fewer.accounts


def test_a_stricter_rate_needs_a_smaller_p() -> None:
    strict = power(**PLENTY | {"settings": DetectSettings(level=0.001)})
    assert "p-value of 6.3e-07 or less" in strict.words
    assert "p-value of 3.1e-05 or less" in power(**PLENTY).words
