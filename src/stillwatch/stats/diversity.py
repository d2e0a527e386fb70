"""How many different things counts stand for, unbiased by how many were drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.stats.samples import finite_vector, require, require_samples


def collision_probability(counts: ArrayLike) -> float:
    """Probability that two different draws are of the same kind: sum c (c - 1) / (n (n - 1)).

    Args:
        counts: [K], whole numbers >= 0, draws of each kind; n = their sum, n >= 2.

    Returns:
        In [0, 1]; 0: no kind was drawn twice. Unbiased at every n.

    Assumption: draws without replacement, or independent ones of one law.
    Raises TooFewSamplesError for n < 2, UnusableValuesError for counts that are negative or not whole.

    Source: Simpson 1949, "Measurement of diversity", Nature 163, p. 688.
    """
    colliding, pairs = _colliding_pairs(counts)
    return colliding / pairs


def effective_number(counts: ArrayLike) -> float:
    """Number of equally common kinds that would collide as often: 1 / collision_probability.

    Args:
        counts: as collision_probability.

    Returns:
        In [1, n (n - 1) / 2]. At n (n - 1) / 2, where one pair or none collided, it is what the sample can resolve and
        no more: with no collision the truth may be any larger number, so read it as "at least about".

    Assumption, raises: as collision_probability.

    Source: Hill 1973, "Diversity and evenness", number of order 2, with Simpson's unbiased estimate.
    """
    colliding, pairs = _colliding_pairs(counts)
    return pairs / max(colliding, 1.0)


def _colliding_pairs(counts: ArrayLike) -> tuple[float, float]:
    """Pairs of draws of the same kind, and all pairs."""
    drawn = finite_vector(counts, "counts")
    require(np.all(drawn >= 0.0) and np.all(drawn == np.floor(drawn)), "counts must be whole numbers >= 0")
    total = float(drawn.sum())
    require_samples("collision probability", needed=2, got=int(total))
    return float((drawn * (drawn - 1.0)).sum()) / 2.0, total * (total - 1.0) / 2.0
