"""Maximum mean discrepancy: Liu, Guo, Dong 2026, arXiv 2606.05725, per account and per window.

The paper compares a window of 1,500 queries with benign windows and alarms above the 95th percentile of a null of single benign pairs,
while the score that is tested is the mean over 20 references. Adapted: vectors are the log's low-rank text space, not a sentence model;
the kernel is written with random features; references and null are drawn from all exchanges, since a provider does not know which are
honest; per account, the window is what the account sent. `own` divides by the spread of single pairs of one size, whatever the
account's; `matched` compares with benign windows of the account's size, averaged over the same references. The window variant names
nobody: an account scores the mean of its exchanges' windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campaigns.baselines.traffic import Traffic
from stillwatch.stats.mmd import WindowMoments, averaged_mmd2, feature_map, median_bandwidth, mmd2_from_means, window_moments
from stillwatch.stats.seeds import generator

FEATURES = 256
WINDOW = 1_500
REFERENCES = 20
LEAST_QUERIES = 20
NULL_WINDOWS = 200
SIZES = (20, 30, 50, 80, 120, 200, 400, 800, 1_500)

Floats = NDArray[np.float64]


def mmd_account_own(traffic: Traffic) -> Floats:
    """Discrepancy of each account from the traffic, over one null of single pairs for every account."""
    features, draw = _features(traffic)
    references = _windows(features, draw, REFERENCES, _fitting(len(features)))
    pairs = mmd2_from_means(_windows(features, draw, NULL_WINDOWS, references.size), references).ravel()
    return np.array(
        [
            (_statistic(features[rows], references) - pairs.mean()) / pairs.std() if len(rows) >= LEAST_QUERIES else -np.inf
            for rows in traffic.of_account()
        ]
    )


def mmd_account_matched(traffic: Traffic) -> Floats:
    """Discrepancy of each account from the traffic, in standard deviations of windows of its size."""
    features, draw = _features(traffic)
    references = _windows(features, draw, REFERENCES, _fitting(len(features)))
    null = {size: averaged_mmd2(_windows(features, draw, NULL_WINDOWS, size), references) for size in SIZES if size <= len(features)}
    scores: list[float] = []
    for rows in traffic.of_account():
        if len(rows) < LEAST_QUERIES:
            scores.append(-np.inf)
            continue
        size = max(size for size in null if size <= len(rows))
        scores.append((_statistic(features[rows[:size]], references) - null[size].mean()) / null[size].std())
    return np.array(scores)


def mmd_window(traffic: Traffic) -> Floats:
    """Mean discrepancy of the windows of consecutive exchanges that each account's requests fell into."""
    features, draw = _features(traffic)
    size = _fitting(len(features))
    references = _windows(features, draw, REFERENCES, size)
    starts = np.arange(0, len(features) - size + 1, size)
    rows = starts[:, None] + np.arange(size)[None, :]
    scores = averaged_mmd2(window_moments(features, rows), references)
    each = scores[np.minimum(np.arange(len(features)) // size, len(scores) - 1)]
    count = np.bincount(traffic.owners, minlength=len(traffic.accounts))
    return np.bincount(traffic.owners, weights=each, minlength=len(traffic.accounts)) / np.maximum(count, 1)


def _fitting(rows: int) -> int:
    return min(WINDOW, max(2, rows // 4))


def _features(traffic: Traffic) -> tuple[Floats, np.random.Generator]:
    draw = generator(1, "baselines/mmd")
    width = median_bandwidth(traffic.vectors[draw.permutation(len(traffic.vectors))[:1_000]])
    return feature_map(draw, traffic.vectors.shape[1], FEATURES, width).apply(traffic.vectors), draw


def _windows(features: Floats, draw: np.random.Generator, count: int, size: int) -> WindowMoments:
    return window_moments(features, np.stack([draw.choice(len(features), size, replace=False) for _ in range(count)]))


def _statistic(rows: Floats, references: WindowMoments) -> float:
    return float(averaged_mmd2(window_moments(rows, np.arange(len(rows))[None, :]), references)[0])
