"""Realised size of the discrepancy test with a matched null, and of the published recipe with an unmatched one."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.mmd import (
    FeatureMap,
    WindowMoments,
    averaged_mmd2,
    feature_map,
    matched_null,
    mmd2_from_means,
    window_moments,
)
from stillwatch.stats.random_sets import set_p_value
from stillwatch.stats.seeds import generator

SIZE, REFERENCES, WINDOWS, DIMENSION = 25, 20, 39, 4


def _features(draw: np.random.Generator, mapping: FeatureMap, rows: int) -> np.ndarray:
    """Benign rows: a mixture of three subjects."""
    centres = np.array([[0, 0, 0, 0], [2, 0, 1, 0], [0, 3, 0, 1.0]])
    return mapping.apply(centres[draw.integers(3, size=rows)] + draw.normal(size=(rows, DIMENSION)))


def _cut(features: np.ndarray) -> WindowMoments:
    return window_moments(features, np.arange(len(features)).reshape(-1, SIZE))


def _rejections(*, runs: int, matched: bool) -> int:
    draw = generator(20261124, f"mmd/{matched}")
    mapping = feature_map(draw, DIMENSION, 32, 2.0)
    rejected = 0
    for _ in range(runs):
        references = _cut(_features(draw, mapping, REFERENCES * SIZE))
        pool = _features(draw, mapping, WINDOWS * SIZE)
        tested = float(averaged_mmd2(_cut(_features(draw, mapping, SIZE)), references)[0])
        if matched:
            null = matched_null(draw, pool, references, size=SIZE)
        else:
            single = _cut(pool)
            null = np.diagonal(
                mmd2_from_means(
                    single, WindowMoments(means=np.roll(single.means, 1, axis=0), squares=np.roll(single.squares, 1), size=SIZE)
                )
            )
        rejected += set_p_value(tested, null, tail="upper") <= 0.05
    return rejected


def _matched_holds(runs: int) -> None:
    low, high = binomial_band(runs, 0.05)
    assert low <= _rejections(runs=runs, matched=True) <= high


def test_a_matched_null_rejects_benign_windows_at_the_nominal_rate() -> None:
    _matched_holds(500)


@pytest.mark.slow
def test_a_matched_null_rejects_benign_windows_at_the_nominal_rate_over_many_runs() -> None:
    _matched_holds(5000)


def test_single_pairs_as_the_null_of_an_average_do_not_hold_the_nominal_rate() -> None:
    runs = 500
    assert _rejections(runs=runs, matched=False) < binomial_band(runs, 0.05)[0]
