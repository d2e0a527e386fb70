from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.multiplicity import benjamini_hochberg, expected_false, split_families
from stillwatch.stats.samples import UnusableValuesError


def test_q_values_agree_with_scipy() -> None:
    from scipy import stats

    p = np.array([0.01, 0.8, 0.03, 0.02, 0.5, 0.04])
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))


def test_q_values_agree_with_a_hand_calculation() -> None:
    np.testing.assert_allclose(benjamini_hochberg([0.01, 0.04, 0.03]), [0.03, 0.04, 0.04])


def test_a_weight_moves_evidence_without_adding_any() -> None:
    p = [0.02, 0.02]
    np.testing.assert_allclose(benjamini_hochberg(p, [3.0, 1.0]), [0.02 / 1.5 * 2, 0.04])
    np.testing.assert_allclose(benjamini_hochberg(p, [5.0, 5.0]), benjamini_hochberg(p))


def test_two_families_pay_half_the_level_each() -> None:
    split = split_families({"group": [0.01, 0.7], "account": [0.03]})
    assert split["group"].tolist() == [0.02, 1.0]
    assert split["account"].tolist() == [0.06]
    assert split_families({"group": [], "account": [0.5]})["group"].size == 0


def test_expected_false_is_k_times_the_kth_q() -> None:
    assert expected_false([0.5, 0.01, 0.1], 2) == pytest.approx(0.2)
    assert expected_false([0.5], 0) == 0.0
    assert expected_false([], 0) == 0.0


def test_nothing_to_test_is_an_error() -> None:
    with pytest.raises(TooFewSamplesError):
        benjamini_hochberg([])
    with pytest.raises(TooFewSamplesError):
        split_families({})


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(UnusableValuesError):
        benjamini_hochberg([0.5, bad])


def test_weights_must_be_positive_and_one_for_each() -> None:
    with pytest.raises(UnusableValuesError, match="positive"):
        benjamini_hochberg([0.5, 0.1], [1.0, 0.0])
    with pytest.raises(UnusableValuesError, match="one for each"):
        benjamini_hochberg([0.5, 0.1], [1.0])
    with pytest.raises(UnusableValuesError, match="k is 3"):
        expected_false([0.5, 0.1], 3)
