"""Ranks of values, ties in the middle. SciPy has them too, but behind all of scipy.stats, which takes most of a second to load."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.stats.samples import finite_vector

FloatArray = npt.NDArray[np.float64]


def average_ranks(values: npt.ArrayLike) -> FloatArray:
    """[n] rank of each value from 1; equal values share the mean of their ranks (Kendall 1945). UnusableValuesError for NaN or infinity."""
    _, place, counts = np.unique(finite_vector(values, "values"), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
