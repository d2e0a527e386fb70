"""SEAT: Zhang, Chen, Liu 2021, "SEAT: similarity encoder by adversarial training for detecting model extraction attack queries", AISec.

Counts pairs of similar queries of one account. Adapted: the encoder is the log's low-rank text space, not an adversarially trained image
encoder; the similarity threshold is the distance that a query in a thousand pairs of different accounts' queries falls under; a query
counts once, when any earlier query of its account is that close.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campaigns.baselines.traffic import Traffic
from stillwatch.stats.seeds import generator

PAIRS = 200_000
SIMILAR_SHARE = 0.001
MOST_QUERIES = 2_000


def seat(traffic: Traffic) -> NDArray[np.float64]:
    """Queries of each account that are close to an earlier one of its own."""
    near = _similar(traffic)
    return np.array([_repeats(traffic.vectors[rows[:MOST_QUERIES]], near) for rows in traffic.of_account()], float)


def _similar(traffic: Traffic) -> float:
    """The cosine above which two queries count as similar."""
    draw = generator(1, "baselines/seat")
    left, right = draw.integers(len(traffic.owners), size=(2, PAIRS))
    apart = traffic.owners[left] != traffic.owners[right]
    cosines = np.einsum("ij,ij->i", traffic.vectors[left[apart]], traffic.vectors[right[apart]])
    return float(np.quantile(cosines, 1 - SIMILAR_SHARE)) if len(cosines) else 1.0


def _repeats(vectors: NDArray[np.float64], near: float) -> int:
    if len(vectors) < 2:
        return 0
    closeness = np.tril(vectors @ vectors.T, k=-1)
    return int((closeness.max(axis=1) >= near).sum())
