"""The Gumbel-max watermark: the randomness of sampling comes from the key, so the text's distribution is unchanged over keys.

Source: Aaronson, Kirchner 2022 (Aaronson, "Watermarking of large language models", Simons Institute 2023); Kuditipudi et al. 2023.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import Words, draws, draws_over_vocabulary
from stillwatch.stats.samples import FloatArray, finite_vector, require

UNIFORM_BITS = 52
"""Bits of a draw that make a uniform number: with 52 every midpoint of a cell is a float64, so 0 and 1 are never reached."""


def as_uniforms(values: Words) -> FloatArray:
    """[n] draws as float64 in (0, 1): the midpoints of 2 ** 52 equal cells, exact on every machine."""
    return np.ldexp((values >> np.uint64(64 - UNIFORM_BITS)).astype(np.float64) + 0.5, -UNIFORM_BITS)


def uniforms(key: MarkKey, seeds: ArrayLike, tokens: ArrayLike) -> FloatArray:
    """[n] the uniform number of each (context seed, token) pair, in (0, 1); arguments and errors as for `prf.draws`."""
    return as_uniforms(draws(key, seeds, tokens))


def scores(key: MarkKey, seeds: ArrayLike, tokens: ArrayLike) -> FloatArray:
    """[n] -log(1 - U) of each pair (nats): exponential with mean 1 for tokens chosen without knowledge of the key.

    The sum over n different pairs is Gamma(n, 1) under that null; equal pairs have the same score, and count once.
    Arguments and errors as for `prf.draws`.
    """
    return -np.log1p(-uniforms(key, seeds, tokens))


def sample(key: MarkKey, seed: int, probabilities: ArrayLike) -> int:
    """The token with the largest U ** (1 / p) after the context `seed`: a draw from `probabilities`, over random keys.

    Args:
        key: a mark key.
        seed: of the context, from `prf.context_seeds`.
        probabilities: [V] non-negative, with a positive sum; they need not be normalised.

    Raises UnusableValuesError for negative or not finite probabilities, or where all are 0.
    """
    weights = finite_vector(probabilities, "probabilities")
    require(np.all(weights >= 0) and np.any(weights > 0), "probabilities must be non-negative with a positive sum; pass a softmax's output")
    logarithms = np.log(as_uniforms(draws_over_vocabulary(key, seed, weights.size)))
    ratios = np.full(weights.size, -np.inf)
    np.divide(logarithms, weights, out=ratios, where=weights > 0)
    return int(np.argmax(ratios))
