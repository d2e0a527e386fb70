from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.conformal import conformal_p_values, tail_p_values
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


def test_p_is_the_smoothed_share_of_the_reference_at_least_as_high() -> None:
    assert conformal_p_values([0.0, 2.0, 2.5, 9.0], [1.0, 2.0, 2.0, 3.0]).tolist() == [1.0, 0.8, 0.4, 0.2]


def test_an_empty_reference_is_an_error_and_not_a_number() -> None:
    with pytest.raises(TooFewSamplesError, match="needs at least 1"):
        conformal_p_values([1.0], [])
    with pytest.raises(TooFewSamplesError):
        tail_p_values([1.0], [])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(UnusableValuesError, match="not finite"):
        conformal_p_values([bad], [1.0])
    with pytest.raises(UnusableValuesError, match="reference"):
        tail_p_values([1.0], [bad, 1.0])


def test_a_small_reference_gives_the_rank_p_and_says_that_nothing_is_extrapolated() -> None:
    reference = np.arange(49.0)
    result = tail_p_values([1e6], reference)
    assert result.p.tolist() == [1 / 50]
    assert not result.extrapolated.any()


def test_a_reference_of_ties_gives_the_rank_p() -> None:
    reference = np.repeat([0.0, 1.0], [150, 50])
    result = tail_p_values([0.0, 1.0, 2.0], np.concatenate([reference, np.full(300, 1.0)]))
    assert result.p.tolist() == [1.0, 351 / 501, 1 / 501]
    assert not result.extrapolated.any()


def test_only_scores_above_every_reference_value_are_extrapolated() -> None:
    reference = generator(1, "tail").exponential(size=200)
    top = reference.max()
    result = tail_p_values([0.0, top, top + 1e-9, top + 30.0], reference)
    assert result.extrapolated.tolist() == [False, False, True, True]
    assert result.p[3] < 1e-4 < result.p[2]


def test_the_tail_is_never_below_the_exponential_at_its_upper_scale() -> None:
    from scipy import stats

    reference = np.sort(generator(2, "tail").exponential(size=300))
    scores = reference[-1] + np.linspace(0.01, 20.0, 50)
    excesses = reference[-30:] - reference[-31]
    upper_scale = 2.0 * excesses.sum() / stats.chi2.ppf(0.05, 60)
    floor = 31 / 301 * np.exp(-(scores - reference[-31]) / upper_scale)
    predictive = 31 / 301 * (1.0 + (scores - reference[-31]) / excesses.sum()) ** -30.0
    p = tail_p_values(scores, reference).p
    assert np.all(p >= floor * (1 - 1e-12))
    assert np.all(p >= predictive * (1 - 1e-12))


def test_a_far_score_never_gets_a_p_of_zero() -> None:
    assert tail_p_values([1e300], generator(3, "tail").random(5000)).p[0] > 0.0


def test_one_far_outlier_in_a_large_reference_does_not_break_the_tail() -> None:
    reference = np.append(generator(4, "outlier").random(24_999), 1e15)
    result = tail_p_values([0.5, 2.0, 1e15, 2e15], reference)
    assert np.all(np.isfinite(result.p))
    assert np.all(np.diff(result.p) <= 0.0)
    assert 0.0 < result.p[3] <= result.p[2]


def test_a_reference_on_a_vanishing_scale_gives_a_p_and_no_warning() -> None:
    reference = np.append(np.zeros(200), np.arange(1, 31) * 5e-324)
    assert 0.0 < tail_p_values([1e6], reference).p[0] <= 1 / 231
