from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stillwatch.stats.multiplicity import benjamini_hochberg, expected_false

PROBABILITIES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0.0, 1.0))


@settings(deadline=None)
@given(PROBABILITIES)
def test_q_is_never_below_p_nor_above_one_and_keeps_the_order(p: np.ndarray) -> None:
    q = benjamini_hochberg(p)
    assert np.all(q >= p)
    assert np.all(q <= 1.0)
    assert np.all(np.diff(q[np.argsort(p, kind="stable")]) >= 0.0)


@settings(deadline=None)
@given(PROBABILITIES, st.randoms(use_true_random=False))
def test_the_order_of_the_hypotheses_does_not_matter(p: np.ndarray, random: object) -> None:
    order = list(range(p.size))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert np.array_equal(benjamini_hochberg(p[order]), benjamini_hochberg(p)[order])


@settings(deadline=None)
@given(PROBABILITIES, st.integers(0, 59), st.floats(0.0, 1.0))
def test_more_evidence_for_one_hypothesis_never_raises_any_q(p: np.ndarray, place: int, factor: float) -> None:
    stronger = p.copy()
    stronger[place % p.size] *= factor
    assert np.all(benjamini_hochberg(stronger) <= benjamini_hochberg(p))


@settings(deadline=None)
@given(PROBABILITIES, st.floats(0.01, 1.0))
def test_thresholding_q_is_the_step_up_procedure(p: np.ndarray, level: float) -> None:
    ordered = np.sort(p)
    passing = np.flatnonzero(ordered * (p.size / np.arange(1.0, p.size + 1.0)) <= level)
    expected = passing[-1] + 1 if passing.size else 0
    assert np.count_nonzero(benjamini_hochberg(p) <= level) >= expected
    if not np.any(np.isin(ordered[expected:], ordered[:expected])):
        assert np.count_nonzero(benjamini_hochberg(p) <= level) == expected


@settings(deadline=None)
@given(PROBABILITIES)
def test_no_more_findings_are_expected_false_than_there_are(p: np.ndarray) -> None:
    assert 0.0 <= expected_false(benjamini_hochberg(p), p.size) <= p.size
