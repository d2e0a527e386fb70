"""The numbers behind pictures show habits, not the accident of which days a log holds."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect.pictures import week_shares
from stillwatch.link.profiles import HOUR_US

MONDAY = 1_788_739_200_000_000  # 2026-09-07, midnight UTC


def test_a_steady_entity_has_a_level_week_however_many_days_it_was_there() -> None:
    for days in (7, 8, 12, 14):
        shares = np.array(week_shares(np.full(24 * days, 5), MONDAY))
        assert shares == pytest.approx(np.full(168, 1 / 168)), days


def test_days_before_the_first_and_after_the_last_exchange_are_no_idle_ones() -> None:
    hours = np.zeros(24 * 14, np.int64)
    hours[24 * 5 : 24 * 13] = 3  # Saturday to Saturday
    assert np.array(week_shares(hours, MONDAY)) == pytest.approx(np.full(168, 1 / 168))


def test_a_log_that_begins_in_the_middle_of_a_week_is_placed_by_its_weekday() -> None:
    hours = np.zeros(24 * 7, np.int64)
    hours[2] = 9
    shares = week_shares(hours, MONDAY + 3 * 24 * HOUR_US)
    assert shares[3 * 24 + 2] == 1.0
    assert sum(shares) == 1.0


def test_no_exchange_is_no_share() -> None:
    assert week_shares(np.zeros(24, np.int64), MONDAY) == (0.0,) * 168
