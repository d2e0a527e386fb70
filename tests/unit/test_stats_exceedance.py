"""How few others lie within the middle half of a set."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.exceedance import crowding_p_value


def test_all_arrangements_of_three_and_four_by_hand() -> None:
    """Of the 35 ways to place three members among seven, as many have so few others between the first and the last as the p-value says."""
    between = [max(places) - min(places) - 2 for places in combinations(range(7), 3)]
    for wanted in range(5):
        members = np.array([0.0, wanted + 1.5, wanted + 2.0])
        others = np.concatenate([np.arange(wanted) + 0.5, 100.0 + np.arange(4 - wanted)])
        assert crowding_p_value([(members, others)]) == pytest.approx(np.mean([count <= wanted for count in between]))


def test_seven_members_are_asked_by_their_second_and_sixth() -> None:
    members = np.arange(7.0)
    inside, outside = np.array([3.5]), np.array([0.5])
    # one other lies in each of the eight gaps alike, and four of them are asked
    assert crowding_p_value([(members, outside)]) == pytest.approx(0.5)
    assert crowding_p_value([(members, inside)]) == pytest.approx(1.0)


def test_samples_add_up() -> None:
    members, far = np.arange(3.0), np.array([9.0])
    # each alone: half of the gaps; both: a quarter
    assert crowding_p_value([(members, far), (members, far)]) == pytest.approx(0.25)
    assert crowding_p_value([(members, far), (np.arange(2.0), far), (members, np.zeros(0))]) == pytest.approx(0.5)


def test_a_tie_counts_as_between() -> None:
    members = np.array([1.0, 1.0, 2.0])
    assert crowding_p_value([(members, np.array([2.0]))]) == pytest.approx(1.0)


def test_hundreds_of_others_stay_exact_in_floating_point() -> None:
    members = np.linspace(0, 1, 60)
    p_value = crowding_p_value([(members, np.linspace(2, 3, 4_000))])
    assert 0 < p_value < 1e-17


@pytest.mark.parametrize("samples", [[], [([1.0, 2.0], [3.0])], [([1.0, 2.0, 3.0], [])]])
def test_samples_that_say_nothing_are_an_error(samples: list[tuple[list[float], list[float]]]) -> None:
    with pytest.raises(TooFewSamplesError):
        crowding_p_value(samples)
