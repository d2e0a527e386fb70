from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.combine import combined_p_values, evidence
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


def test_the_strongest_signal_of_a_family_speaks_for_it() -> None:
    totals, contributions = evidence([[0.1, 0.01, 0.5], [1.0, 1.0, 0.2]], ["a", "a", "b"])
    np.testing.assert_allclose(contributions, [[0, -np.log(0.01), -np.log(0.5)], [0, 0, -np.log(0.2)]])
    np.testing.assert_allclose(totals, contributions.sum(axis=1))


def test_a_family_without_any_value_adds_its_expectation_and_contributes_nothing() -> None:
    totals, contributions = evidence([[np.nan, np.nan, 0.5], [np.nan, 0.3, np.nan]], ["a", "a", "b"])
    np.testing.assert_allclose(totals, [1 - np.log(0.5), 1 - np.log(0.3)])
    np.testing.assert_allclose(contributions, [[0, 0, -np.log(0.5)], [0, -np.log(0.3), 0]])


def test_directions_say_which_end_is_suspicious() -> None:
    reference = generator(1, "directions").normal(size=(100, 2))
    result = combined_p_values([[9.0, -9.0], [9.0, 9.0]], reference, ["a", "b"], directions=[1, -1])
    np.testing.assert_allclose(result.rank_per_signal, [[1 / 101, 1 / 101], [1 / 101, 1.0]])
    assert np.all(result.per_signal <= result.rank_per_signal)
    assert result.p[0] < result.rank_p[0] == 1 / 101
    assert result.extrapolated.tolist()[0]


def test_missing_values_stay_missing_in_the_signal_and_count_in_the_total() -> None:
    reference = generator(2, "missing").normal(size=(100, 2))
    reference[:30, 0] = np.nan
    result = combined_p_values([[np.nan, 9.0]], reference, ["a", "b"], directions=[1, 1], smallest_signal_p=1.0)
    assert np.isnan(result.per_signal[0, 0])
    assert result.totals[0] == pytest.approx(1 + np.log(101))
    assert np.all(np.isfinite(result.p))


def test_a_signal_with_too_little_reference_is_an_error_that_names_it() -> None:
    reference = generator(3, "few").normal(size=(100, 2))
    reference[19:, 1] = np.nan
    with pytest.raises(TooFewSamplesError, match="signal 1 needs at least 20 samples, got 19"):
        combined_p_values([[1.0, 1.0]], reference, ["a", "b"], directions=[1, 1])


def test_shapes_and_directions_that_disagree_are_refused() -> None:
    reference = generator(4, "shapes").normal(size=(50, 2))
    with pytest.raises(UnusableValuesError, match="must agree"):
        combined_p_values([[1.0]], reference, ["a", "b"], directions=[1, 1])
    with pytest.raises(UnusableValuesError, match="directions"):
        combined_p_values([[1.0, 1.0]], reference, ["a", "b"], directions=[1, 0])
    with pytest.raises(UnusableValuesError, match="families"):
        combined_p_values([[1.0, 1.0]], reference, ["a"], directions=[1, 1])
    with pytest.raises(UnusableValuesError, match="finite"):
        combined_p_values([[1.0, np.inf]], reference, ["a", "b"], directions=[1, 1])
    with pytest.raises(UnusableValuesError, match="outside"):
        evidence([[0.0, 0.5]], ["a", "b"])


def test_one_signal_however_far_out_adds_at_most_the_floor() -> None:
    reference = generator(5, "floor").normal(size=(200, 3))
    row = [[1e9, 0.0, 0.0]]
    result = combined_p_values(row, reference, ["a", "b", "c"], directions=[1, 1, 1])
    assert result.contributions[0, 0] == pytest.approx(-np.log(1e-6))
    assert result.p[0] > 1e-4
    with pytest.raises(UnusableValuesError, match="smallest_signal_p"):
        combined_p_values(row, reference, ["a", "b", "c"], directions=[1, 1, 1], smallest_signal_p=0.0)


def test_signals_far_out_tell_a_campaign_from_the_top_of_a_reference_that_rises_together() -> None:
    draw = generator(6, "saturation")
    reference = draw.normal(size=(300, 4)) + 2.0 * draw.normal(size=(300, 1))
    campaign, names = np.full((1, 4), 25.0), ["a", "b", "c", "d"]
    by_rank = combined_p_values(campaign, reference, names, directions=[1] * 4, smallest_signal_p=1.0)
    by_tail = combined_p_values(campaign, reference, names, directions=[1] * 4)
    assert by_tail.p[0] < 0.1 * by_rank.p[0]
    assert by_tail.rank_p[0] == by_rank.rank_p[0] == 1 / 301
