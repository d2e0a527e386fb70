"""How few others lie within the middle half of a set, or where half of it stands closest."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.exceedance import _closest_half, _middle_halves, crowding_p_value
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.seeds import generator


def test_three_members_have_one_middle_half_by_hand() -> None:
    """Of the 35 ways to place three members among seven, as many have so few others between the first and the last as the p-value says."""
    between = [max(places) - min(places) - 2 for places in combinations(range(7), 3)]
    for wanted in range(5):
        members = np.array([0.0, wanted + 1.5, wanted + 2.0])
        others = np.concatenate([np.arange(wanted) + 0.5, 100.0 + np.arange(4 - wanted)])
        told = (np.sort(members), np.sort(others))
        assert _middle_halves([told]) == pytest.approx(np.mean([count <= wanted for count in between]))


def test_seven_members_are_asked_by_their_second_and_sixth() -> None:
    members = np.arange(7.0)
    # one other lies in each of the eight gaps alike, and four of them are asked
    assert _middle_halves([(members, np.array([0.5]))]) == pytest.approx(0.5)
    assert _middle_halves([(members, np.array([3.5]))]) == pytest.approx(1.0)


def test_middle_halves_add_up() -> None:
    members, far = np.arange(3.0), np.array([9.0])
    # each alone: half of the gaps; both: a quarter
    assert _middle_halves([(members, far), (members, far)]) == pytest.approx(0.25)


def test_half_of_the_members_may_stand_anywhere() -> None:
    """Twenty stand close together above the middle, and twenty are scattered among the others."""
    draw = generator(3, "crowd")
    scattered, others = draw.uniform(0, 100, 20), draw.uniform(0, 100, 60)
    crowd = np.concatenate([80 + draw.uniform(0, 1, 20), scattered])
    told = (np.sort(crowd), np.sort(others))
    assert _closest_half(*told) < 1e-3 * _middle_halves([told])
    assert crowding_p_value([(crowd, others)]) == pytest.approx(2 * _closest_half(*told))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(3, 8), (12, 30), (60, 40)])
def test_exchangeable_members_keep_the_level(sizes: tuple[int, int]) -> None:
    draw = generator(4, f"level/{sizes}")
    pooled = [draw.lognormal(size=sum(sizes)) for _ in range(2_000)]
    found = np.array([crowding_p_value([(own[: sizes[0]], own[sizes[0] :])]) for own in pooled])
    for level in (0.01, 0.05, 0.2):
        assert (found <= level).sum() <= binomial_band(len(found), level)[1]


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
