from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.mmd import (
    averaged_mmd2,
    feature_map,
    matched_null,
    median_bandwidth,
    mmd2_from_means,
    mmd2_unbiased,
    window_moments,
)
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


def test_the_exact_statistic_agrees_with_a_hand_calculation() -> None:
    near = np.exp(-0.5)
    far = np.exp(-2.0)
    # Left {0, 1}, right {1, 2}: within means are k(1) and k(1); across are k(1), k(2), k(0), k(1).
    assert mmd2_unbiased([[0.0], [1.0]], [[1.0], [2.0]], 1.0) == pytest.approx(2 * near - 2 * (2 * near + far + 1) / 4)


def test_the_statistic_from_means_equals_all_pairs_under_the_features_kernel() -> None:
    draw = generator(1, "means")
    rows = draw.normal(size=(40, 6))
    windows = np.array([[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]])
    value = mmd2_from_means(window_moments(rows, windows[:1]), window_moments(rows, windows[1:]))[0, 0]
    x, y = rows[windows[0]], rows[windows[1]]
    off = ~np.eye(5, dtype=bool)
    expected = (x @ x.T)[off].mean() + (y @ y.T)[off].mean() - 2 * (x @ y.T).mean()
    assert value == pytest.approx(expected)


def test_random_features_come_near_the_exact_statistic() -> None:
    draw = generator(2, "features")
    x, y = draw.normal(size=(200, 5)), draw.normal(0.7, 1.0, size=(200, 5))
    bandwidth = median_bandwidth(x)
    features = feature_map(draw, 5, 4096, bandwidth).apply(np.concatenate([x, y]))
    windows = np.arange(400).reshape(2, 200)
    value = mmd2_from_means(window_moments(features, windows[:1]), window_moments(features, windows[1:]))[0, 0]
    exact = mmd2_unbiased(x, y, bandwidth)
    assert exact > 0.05
    assert value == pytest.approx(exact, abs=0.01)
    np.testing.assert_allclose((features**2).sum(axis=1), 1.0)


def test_the_statistic_is_unbiased_under_the_null() -> None:
    draw = generator(3, "unbiased")
    values = [mmd2_unbiased(draw.normal(size=(8, 3)), draw.normal(size=(8, 3)), 1.7) for _ in range(800)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(800)


def test_the_null_has_one_statistic_per_window_that_fits_and_shares_no_row() -> None:
    draw = generator(4, "null")
    references = window_moments(draw.normal(size=(40, 6)), np.arange(40).reshape(4, 10))
    pool = draw.normal(size=(95, 6))
    null = matched_null(generator(5, "cut"), pool, references, size=10)
    assert null.shape == (9,)
    order = generator(5, "cut").permutation(95)[:90].reshape(9, 10)
    np.testing.assert_allclose(null, averaged_mmd2(window_moments(pool, order), references))


def test_the_bandwidth_is_the_median_distance_of_rows_that_differ() -> None:
    assert median_bandwidth([[0.0], [1.0], [3.0]]) == 2.0
    assert median_bandwidth([[0.0], [0.0], [4.0]]) == 4.0
    with pytest.raises(UnusableValuesError, match="all rows are equal"):
        median_bandwidth([[1.0], [1.0]])


def test_too_few_rows_and_impossible_settings_are_errors() -> None:
    draw = generator(6, "errors")
    references = window_moments(draw.normal(size=(10, 4)), np.arange(10).reshape(1, 10))
    with pytest.raises(TooFewSamplesError):
        matched_null(draw, draw.normal(size=(9, 4)), references, size=10)
    with pytest.raises(TooFewSamplesError):
        mmd2_unbiased([[1.0]], [[1.0], [2.0]], 1.0)
    with pytest.raises(TooFewSamplesError):
        window_moments(draw.normal(size=(5, 2)), np.array([[1]]))
    with pytest.raises(UnusableValuesError, match="even"):
        feature_map(draw, 3, 7, 1.0)
    with pytest.raises(UnusableValuesError, match="bandwidth"):
        feature_map(draw, 3, 8, 0.0)
