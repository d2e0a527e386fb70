from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.diversity import collision_probability, effective_number
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


def test_the_collision_probability_agrees_with_a_hand_calculation() -> None:
    assert collision_probability([3, 1, 0]) == pytest.approx(6 / 12)
    assert collision_probability([1, 1, 1]) == 0.0
    assert collision_probability([5]) == 1.0


def test_without_a_collision_the_number_is_what_the_sample_can_resolve() -> None:
    assert effective_number([1, 1, 1, 1]) == 6.0
    assert effective_number([2, 1, 1]) == 6.0
    assert effective_number([4, 0]) == 1.0


def test_the_estimate_is_unbiased_at_small_samples() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    draws = generator(1, "simpson").multinomial(4, shares, size=4000)
    estimates = np.array([collision_probability(row) for row in draws])
    assert abs(estimates.mean() - (shares**2).sum()) < 4 * estimates.std() / np.sqrt(4000)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(lambda counts: sum(counts) >= 2))
def test_both_stay_in_bounds_and_ignore_order_and_unused_kinds(counts: list[int]) -> None:
    total = sum(counts)
    assert 0.0 <= collision_probability(counts) <= 1.0
    assert 1.0 <= effective_number(counts) <= total * (total - 1) / 2
    assert effective_number([0, *counts[::-1]]) == effective_number(counts)


def test_too_few_or_impossible_counts_are_errors() -> None:
    with pytest.raises(TooFewSamplesError):
        collision_probability([1])
    with pytest.raises(UnusableValuesError):
        collision_probability([1.5, 2])
    with pytest.raises(UnusableValuesError):
        effective_number([-1, 5])
