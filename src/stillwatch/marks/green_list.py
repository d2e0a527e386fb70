"""The green-list watermark: a keyed share of the vocabulary is favoured after each context.

Source: Kirchenbauer, Geiping, Wen, Katz, Miers, Goldstein 2023, "A watermark for large language models" (KGW). Here each token is green by
a draw of its own, so that membership costs one draw and no permutation; the size of a green list is binomial, its mean gamma.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import draws, draws_over_vocabulary
from stillwatch.stats.samples import FloatArray, probability, require


def threshold(gamma: float) -> int:
    """The draw below which a token is green: floor(gamma * 2 ** 64). UnusableValuesError for gamma outside (0, 1)."""
    return int(math.ldexp(probability(gamma, "gamma"), 64))


def is_green(key: MarkKey, seeds: ArrayLike, tokens: ArrayLike, gamma: float) -> NDArray[np.bool_]:
    """[n] whether each token is green after its context.

    For tokens chosen without knowledge of the key, flags of different (seed, token) pairs are independent with probability
    `gamma`; flags of equal pairs are the same flag, and count once.

    Args:
        key, seeds, tokens: as for `prf.draws`.
        gamma: expected share of green tokens, in (0, 1).

    Raises UnusableValuesError for gamma outside (0, 1).
    """
    return draws(key, seeds, tokens) < np.uint64(threshold(gamma))


def green_vocabulary(key: MarkKey, seed: int, vocabulary: int, gamma: float) -> NDArray[np.bool_]:
    """[vocabulary] whether each token is green after the context `seed`; errors as for `is_green`."""
    return draws_over_vocabulary(key, seed, vocabulary) < np.uint64(threshold(gamma))


def green_bias(key: MarkKey, seed: int, vocabulary: int, *, gamma: float, delta: float) -> FloatArray:
    """[vocabulary] what is added to the logits (nats) after the context `seed`: `delta` for green tokens, 0 for others.

    Source: Kirchenbauer et al. 2023, algorithm 2. Raises UnusableValuesError for a delta that is not finite and positive.
    """
    require(math.isfinite(delta) and delta > 0, f"delta is {delta}; it takes a finite number of nats above 0")
    return np.where(green_vocabulary(key, seed, vocabulary, gamma), delta, 0.0)
