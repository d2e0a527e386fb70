"""Has traffic shifted: the unbiased squared maximum mean discrepancy, and a null that is matched to what is tested."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import distance

from stillwatch.stats.random_sets import set_sums
from stillwatch.stats.samples import FloatArray, IntArray, finite_array, require, require_samples

# Rows that the median heuristic looks at; its square is the number of distances.
MEDIAN_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureMap:
    """Random Fourier features of a Gaussian kernel.

    Attributes:
        frequencies: [d, F / 2], in the inverse of the vectors' unit.
    """

    frequencies: FloatArray

    def apply(self, vectors: ArrayLike) -> FloatArray:
        """Features [n, F] of `vectors` [n, d]; each row has norm 1, and inner products estimate the kernel."""
        phases = finite_array(vectors, "vectors", dimensions=2) @ self.frequencies
        return np.concatenate([np.cos(phases), np.sin(phases)], axis=1) / np.sqrt(self.frequencies.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowMoments:
    """What the statistic needs of W windows of features.

    Attributes:
        means: [W, F], mean feature vector of each window.
        squares: [W], mean squared norm of each window's feature vectors.
        size: rows in each window, >= 2.
    """

    means: FloatArray
    squares: FloatArray
    size: int


def median_bandwidth(vectors: ArrayLike) -> float:
    """Median Euclidean distance between rows that differ, over at most 1,000 evenly spaced rows; > 0.

    Args:
        vectors: [n, d], n >= 2, in an order that is not sorted by content.

    Raises TooFewSamplesError for one row, UnusableValuesError where all rows are equal.

    Source: Gretton et al. 2012, "A kernel two-sample test", section 8 (median heuristic).
    """
    rows = finite_array(vectors, "vectors", dimensions=2)
    require_samples("median bandwidth", needed=2, got=rows.shape[0])
    chosen = np.linspace(0, rows.shape[0] - 1, min(rows.shape[0], MEDIAN_ROWS)).astype(np.int64)
    distances = np.asarray(distance.pdist(rows[chosen]), dtype=np.float64)
    positive = distances[distances > 0.0]
    require(positive.size > 0, "all rows are equal; a bandwidth needs two that differ")
    return float(np.median(positive))


def mmd2_unbiased(left: ArrayLike, right: ArrayLike, bandwidth: float) -> float:
    """Unbiased squared maximum mean discrepancy under exp(-|x - y|^2 / (2 bandwidth^2)), by all pairs.

    Args:
        left: [m, d], m >= 2.
        right: [n, d], n >= 2.
        bandwidth: > 0, in the vectors' unit; median_bandwidth of benign rows is the usual choice.

    Returns:
        About 0, on either side, where both have one law; memory grows as m n.

    Null hypothesis: both samples have the same law; matched_null gives the statistic's null.
    Raises TooFewSamplesError for fewer than two rows a side.

    Source: Gretton et al. 2012, equation (3).
    """
    first = finite_array(left, "left", dimensions=2)
    second = finite_array(right, "right", dimensions=2)
    require(bandwidth > 0.0, f"bandwidth is {bandwidth}, it must be positive")
    require_samples("MMD", needed=2, got=min(first.shape[0], second.shape[0]))
    within = _mean_kernel(first, bandwidth) + _mean_kernel(second, bandwidth)
    across = np.exp(-distance.cdist(first, second, "sqeuclidean") / (2.0 * bandwidth**2))
    return within - 2.0 * float(across.mean())


def feature_map(generator: np.random.Generator, dimension: int, features: int, bandwidth: float) -> FeatureMap:
    """Random Fourier features whose inner products estimate exp(-|x - y|^2 / (2 bandwidth^2)).

    Args:
        generator: from stillwatch.stats.seeds.
        dimension: d of the vectors.
        features: F, even; the kernel's error falls as 1 / sqrt(F).
        bandwidth: > 0, in the vectors' unit.

    Source: Rahimi, Recht 2007, "Random features for large-scale kernel machines", section 3 (cosine and sine pairs).
    """
    require(bandwidth > 0.0, f"bandwidth is {bandwidth}, it must be positive")
    require(dimension >= 1, f"dimension is {dimension}, it must be at least 1")
    require(features >= 2 and features % 2 == 0, f"features is {features}, it must be even and at least 2")
    return FeatureMap(frequencies=generator.normal(size=(dimension, features // 2)) / bandwidth)


def window_moments(features: ArrayLike, windows: IntArray) -> WindowMoments:
    """Moments of windows of rows.

    Args:
        features: [n, F].
        windows: [W, m], m >= 2, positions of each window's rows.

    Raises TooFewSamplesError for windows of one row.
    """
    rows = finite_array(features, "features", dimensions=2)
    require(windows.ndim == 2, f"windows has {windows.ndim} axes, it must be [windows, rows]")
    size = windows.shape[1]
    require_samples("MMD window", needed=2, got=size)
    sums = set_sums(np.column_stack([rows, np.einsum("ij,ij->i", rows, rows)]), windows)
    return WindowMoments(means=sums[:, :-1] / size, squares=sums[:, -1] / size, size=size)


def mmd2_from_means(left: WindowMoments, right: WindowMoments) -> FloatArray:
    """Unbiased squared discrepancy of every window on the left against every one on the right, [W_left, W_right].

    Equals mmd2_unbiased under the features' own kernel, in time that does not grow with the windows' sizes.

    Source: Gretton et al. 2012, equation (3), with the kernel written as an inner product.
    """
    within = _within(left)[:, None] + _within(right)[None, :]
    return within - 2.0 * left.means @ right.means.T


def averaged_mmd2(windows: WindowMoments, references: WindowMoments) -> FloatArray:
    """Each window's squared discrepancy, averaged over the reference windows, [W]: the statistic that is tested."""
    return mmd2_from_means(windows, references).mean(axis=1)


def matched_null(generator: np.random.Generator, pool: ArrayLike, references: WindowMoments, *, size: int) -> FloatArray:
    """Null statistics for windows of `size` rows, averaged over the same references as the window that is tested.

    Args:
        generator: from stillwatch.stats.seeds.
        pool: [N, F], features of benign rows that are in no reference window, N >= size.
        references: the very windows that averaged_mmd2 gets for the tested window.
        size: rows of the tested window, >= 2.

    Returns:
        [N // size]: the pool is shuffled and cut into windows that share no row. With a tested window of benign rows
        all of them are exchangeable, so that random_sets.set_p_value(tested, null, tail="upper") is exact. A null from
        single pairs beside a tested average is too wide: at a nominal 5 % it then rejects under 1 %, and power is lost.

    Null hypothesis: the tested window's rows are of the pool's law. Assumption: rows are independent; where they come in
    sessions, make each session's mean one row.
    Raises TooFewSamplesError for a pool smaller than one window.

    Source: Gretton et al. 2012, equation (3); Vovk, Gammerman, Shafer 2005, section 2.2 (exchangeability).
    """
    rows = finite_array(pool, "pool", dimensions=2)
    require_samples("MMD null, pool", needed=size, got=rows.shape[0])
    windows = rows.shape[0] // size
    order = generator.permutation(rows.shape[0])[: windows * size].reshape(windows, size)
    return averaged_mmd2(window_moments(rows, order), references)


def _mean_kernel(rows: FloatArray, bandwidth: float) -> float:
    """Mean kernel over pairs of different rows."""
    squared = np.asarray(distance.pdist(rows, "sqeuclidean"), dtype=np.float64)
    return float(np.exp(-squared / (2.0 * bandwidth**2)).mean())


def _within(windows: WindowMoments) -> FloatArray:
    """Mean inner product over pairs of different rows, for each window."""
    norms = np.einsum("ij,ij->i", windows.means, windows.means)
    return (windows.size * norms - windows.squares) / (windows.size - 1.0)
