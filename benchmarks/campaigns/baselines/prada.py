"""PRADA: Juuti, Szyller, Marchal, Asokan 2019, "PRADA: protecting against DNN model stealing attacks", EuroS&P, arXiv 1805.02628.

The distance of each new query to the nearest earlier one of the same client should be close to normally distributed; Shapiro and Wilk's W
falls where it is not. Adapted: one class instead of a target class per query, and distances between text vectors instead of images. As in
the paper, distances further than three standard deviations from the mean are left out, and a client is judged from a least number on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import shapiro

from campaigns.baselines.traffic import Traffic

LEAST_QUERIES = 20
MOST_QUERIES = 2_000
OUTLIER_DEVIATIONS = 3.0


def prada(traffic: Traffic) -> NDArray[np.float64]:
    """1 - W of each account's distances."""
    return np.array([_departure(traffic.vectors[rows[:MOST_QUERIES]]) for rows in traffic.of_account()])


def _departure(vectors: NDArray[np.float64]) -> float:
    if len(vectors) < LEAST_QUERIES:
        return -np.inf
    closeness = vectors @ vectors.T
    closeness[np.triu_indices(len(vectors))] = -np.inf
    distances = np.sqrt(np.maximum(2.0 - 2.0 * closeness[1:].max(axis=1), 0.0))
    middle, spread = distances.mean(), distances.std()
    kept = distances[np.abs(distances - middle) <= OUTLIER_DEVIATIONS * spread] if spread > 0 else distances
    if len(kept) < 3 or np.ptp(kept) < 1e-9:
        return 1.0
    return 1.0 - float(shapiro(kept).statistic)
