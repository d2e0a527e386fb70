"""Exact tails of sums under a secret coin, as logarithms: a p-value of 1e-400 is a number here, not zero.

All of them give log10 P(X >= x). A sum that no outcome reaches has -inf; one that every outcome reaches has 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from stillwatch.stats.samples import FloatArray, IntArray, finite_vector, require, require_samples

_LN10 = math.log(10.0)
# Below this a double loses digits, so the sum is taken in logarithms.
_SMALLEST_PLAIN = 1e-280
# States times summands of the exact convolution, to bound time (a few seconds).
_LARGEST_WORK = 4e9


def log10_binomial_tail(successes: int, trials: int, probability: float) -> float:
    """log10 P(X >= successes), X ~ Binomial(trials, probability).

    Null hypothesis: independent trials that each succeed with `probability`. Assumption: none beyond it; exact.
    Raises TooFewSamplesError for no trials, UnusableValuesError for successes outside [0, trials] or probability outside (0, 1).

    Source: Clopper, Pearson 1934; the tail as a regularised incomplete beta function.
    """
    require_samples("binomial tail", needed=1, got=trials)
    require(0 <= successes <= trials, f"successes is {successes} of {trials} trials; pass 0 <= successes <= trials")
    require(0.0 < probability < 1.0, f"probability is {probability}, it must lie strictly between 0 and 1")
    if successes == 0:
        return 0.0
    plain = float(special.betainc(successes, trials - successes + 1, probability))
    if plain > _SMALLEST_PLAIN:
        return math.log10(plain)
    counts = np.arange(successes, trials + 1, dtype=np.float64)
    terms = special.gammaln(trials + 1.0) - special.gammaln(counts + 1.0) - special.gammaln(trials - counts + 1.0)
    terms += counts * math.log(probability) + (trials - counts) * math.log1p(-probability)
    return log_sum(terms) / _LN10


def log10_gamma_tail(total: float, count: int) -> float:
    """log10 P(S >= total), S a sum of `count` independent exponential variables of mean 1.

    Null hypothesis: the summands are exponential and independent. Assumption: none beyond it; exact.
    Raises TooFewSamplesError for count 0, UnusableValuesError for a total that is negative or not finite.

    Source: the Erlang distribution; Aaronson 2022 scores -ln(1 - U) for its use on watermarks.
    """
    require_samples("gamma tail", needed=1, got=count)
    require(math.isfinite(total) and total >= 0.0, f"total is {total}; a sum of exponential scores is finite and not negative")
    plain = float(special.gammaincc(count, total))
    if plain > _SMALLEST_PLAIN:
        return math.log10(plain)
    counts = np.arange(count, dtype=np.float64)
    return (log_sum(counts * math.log(total) - np.asarray(special.gammaln(counts + 1.0))) - total) / _LN10


def log10_weighted_tail(weights: ArrayLike, probabilities: ArrayLike, at_least: int) -> float:
    """log10 P(sum of weights_i X_i >= at_least), X_i independent with P(X_i = 1) = probabilities_i.

    Args:
        weights: [n], whole numbers >= 0. All 1: the Poisson binomial law.
        probabilities: [n], each strictly between 0 and 1.
        at_least: the sum that was seen.

    How: the law is convolved exactly after exponential tilting, which puts its centre at `at_least`, so that every term
    that matters is of ordinary size; all terms are positive, so the relative error is a few times n rounding errors.
    Null hypothesis: the X_i are independent with these probabilities. Assumption: none beyond it; exact.
    Raises TooFewSamplesError for n = 0, UnusableValuesError for weights or probabilities outside their domain or a sum too long to
    convolve.

    Source: Hong 2013, "On computing the distribution function for the Poisson binomial distribution" (recursion);
    Esscher 1932 (tilting).
    """
    weight, chance = _summands(weights, probabilities)
    highest = int(weight.sum())
    if at_least <= 0:
        return 0.0
    if at_least > highest:
        return -math.inf
    if at_least == highest:
        return float(np.log(chance[weight > 0]).sum()) / _LN10
    require(
        float(highest) * weight.size <= _LARGEST_WORK, f"{weight.size} summands up to {highest} are too many to convolve; scale them down"
    )
    tilt = _tilt(weight, chance, at_least)
    logs = np.logaddexp(np.log1p(-chance), np.log(chance) + tilt * weight)
    law = _convolved(weight, special.expit(special.logit(chance) + tilt * weight))
    tail = law[at_least:]
    inner = float(np.dot(tail, np.exp(-tilt * np.arange(tail.size))))
    return min(0.0, (float(logs.sum()) - tilt * at_least + math.log(inner)) / _LN10)


def log_sum(logarithms: FloatArray) -> float:
    """ln of the sum of exp(logarithms), without overflow; the largest may be anything but NaN."""
    largest = float(logarithms.max())
    return largest if math.isinf(largest) else largest + math.log(float(np.exp(logarithms - largest).sum()))


def _summands(weights: ArrayLike, probabilities: ArrayLike) -> tuple[IntArray, FloatArray]:
    weight = np.asarray(weights)
    chance = finite_vector(probabilities, "probabilities")
    require_samples("exact tail", needed=1, got=chance.size)
    require(
        weight.shape == chance.shape and np.issubdtype(weight.dtype, np.integer), "weights must be whole numbers, one for each probability"
    )
    require(np.all(weight >= 0), "weights must not be negative")
    require(np.all((chance > 0.0) & (chance < 1.0)), "probabilities must lie strictly between 0 and 1")
    return weight.astype(np.int64), chance


def _tilt(weight: IntArray, chance: FloatArray, at_least: int) -> float:
    """The tilt that makes `at_least` the mean; 0 where it lies below the mean already."""
    log_odds = special.logit(chance)

    def excess(tilt: float) -> float:
        return float(np.dot(weight, special.expit(log_odds + tilt * weight))) - at_least

    if excess(0.0) >= 0.0:
        return 0.0
    high = 1.0 / float(weight.max())
    while excess(high) < 0.0:
        high *= 2.0
    found: Any = optimize.brentq(excess, 0.0, high, xtol=1e-12 * high)
    return float(found)


def _convolved(weight: IntArray, chance: FloatArray) -> FloatArray:
    """[sum of weights + 1] the law of the sum."""
    law = np.zeros(int(weight.sum()) + 1)
    law[0] = 1.0
    reached = 1
    # small ones first: the law stays short for longest
    for place in np.argsort(weight, kind="stable"):
        step, p = int(weight[place]), float(chance[place])
        before = law[:reached].copy()
        law[:reached] *= 1.0 - p
        law[step : step + reached] += p * before
        reached += step
    return law
