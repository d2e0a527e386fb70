from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stillwatch.stats.conformal import conformal_p_values, tail_p_values

VALUES = st.floats(-1e6, 1e6)
LATTICE = st.integers(-20, 20).map(float)


def _vector(low: int, high: int) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, st.integers(low, high), elements=st.one_of(VALUES, LATTICE))


@settings(deadline=None)
@given(_vector(1, 40), _vector(1, 200))
def test_a_higher_score_never_has_a_higher_p(scores: np.ndarray, reference: np.ndarray) -> None:
    ordered = np.sort(scores)
    assert np.all(np.diff(conformal_p_values(ordered, reference)) <= 0)
    assert np.all(np.diff(tail_p_values(ordered, reference).p) <= 0)


@pytest.mark.slow
@settings(deadline=None)
@given(_vector(1, 40), _vector(1, 200), st.randoms(use_true_random=False))
def test_the_order_of_the_reference_does_not_matter(scores: np.ndarray, reference: np.ndarray, random: object) -> None:
    shuffled = reference.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert np.array_equal(tail_p_values(scores, reference).p, tail_p_values(scores, shuffled).p)


@pytest.mark.slow
@settings(deadline=None)
@given(_vector(1, 40), _vector(1, 200))
def test_within_the_reference_the_tail_p_is_never_below_the_rank_p(scores: np.ndarray, reference: np.ndarray) -> None:
    result, rank = tail_p_values(scores, reference), conformal_p_values(scores, reference)
    inside = ~result.extrapolated
    assert np.all(result.p[inside] >= rank[inside])
    assert np.all((result.p > 0) & (result.p <= 1))
    assert np.array_equal(inside | (scores > reference.max()), np.ones(scores.size, dtype=bool))


@pytest.mark.slow
@settings(deadline=None)
@given(_vector(50, 200))
def test_just_above_the_highest_reference_value_p_is_not_below_the_rank_p(reference: np.ndarray) -> None:
    above = np.nextafter(reference.max(), np.inf)
    assert tail_p_values([above], reference).p[0] >= 1.0 / (reference.size + 1) * (1 - 1e-9)
