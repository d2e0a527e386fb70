"""Intervals for shares and statistics, and the band in which a simulated count must fall."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stillwatch.stats.samples import FloatArray, finite_vector, probability, require, require_samples

# A percentile interval from fewer values repeats the same few numbers.
BOOTSTRAP_MINIMUM = 10
# Resampled values drawn at a time, to bound memory.
RESAMPLE_LIMIT = 4_000_000


def clopper_pearson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided confidence interval for a share, from k successes in n trials.

    Args:
        k: successes, 0 <= k <= n.
        n: independent trials, n >= 1.
        level: confidence, such as 0.95.

    Returns:
        (low, high) in [0, 1]; the true share lies inside in at least `level` of all runs, whatever it is.

    Assumption: independent trials with one common share.
    Raises TooFewSamplesError for n = 0, UnusableValuesError for k outside [0, n].

    Source: Clopper, Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial".
    """
    probability(level, "level")
    require_samples("Clopper-Pearson interval", needed=1, got=n)
    require(0 <= k <= n, f"k is {k} of n = {n} trials; pass 0 <= k <= n")
    side = (1.0 - level) / 2.0
    low = float(special.betaincinv(k, n - k + 1, side)) if k > 0 else 0.0
    high = float(special.betaincinv(k + 1, n - k, 1.0 - side)) if k < n else 1.0
    return low, high


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[FloatArray], FloatArray],
    generator: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of independent values.

    Args:
        values: [n], n >= 10, any unit.
        statistic: takes [draws, n] and returns [draws], such as `lambda rows: rows.mean(axis=1)`.
        generator: from stillwatch.stats.seeds.
        draws: resamples, at least 1 / (1 - level) of them.
        level: confidence, such as 0.95.

    Returns:
        (low, high) in the statistic's unit.

    Assumption: independent values of one law; coverage is approximate and falls short of `level` for small n or skewed values.
    Raises TooFewSamplesError for n < 10 or too few draws.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; Efron, Tibshirani 1993, section 13.3.
    """
    probability(level, "level")
    sample = finite_vector(values, "values")
    require_samples("bootstrap interval", needed=BOOTSTRAP_MINIMUM, got=sample.size)
    require_samples("bootstrap interval, draws", needed=int(np.ceil(1.0 / (1.0 - level))), got=draws)
    step = max(1, RESAMPLE_LIMIT // sample.size)
    parts: list[FloatArray] = []
    for start in range(0, draws, step):
        rows = sample[generator.integers(sample.size, size=(min(step, draws - start), sample.size))]
        parts.append(np.asarray(statistic(rows), dtype=np.float64))
    drawn = finite_vector(np.concatenate(parts), "the statistic of the resamples")
    require(drawn.size == draws, f"the statistic gave {drawn.size} values for {draws} resamples; reduce the last axis")
    side = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [side, 1.0 - side])
    return float(low), float(high)


def binomial_band(n: int, p: float, level: float = 0.9999) -> tuple[int, int]:
    """Counts between which a binomial(n, p) count falls with probability at least `level`, both ends included.

    Args:
        n: trials, n >= 1.
        p: share, in [0, 1].
        level: probability of the band; each side leaves out at most (1 - level) / 2.

    Returns:
        (low, high), 0 <= low <= high <= n.

    Assumption: independent trials. Raises TooFewSamplesError for n = 0, UnusableValuesError for p outside [0, 1].

    Source: the binomial distribution; each end is its quantile.
    """
    probability(level, "level")
    require_samples("binomial band", needed=1, got=n)
    require(0.0 <= p <= 1.0, f"p is {p}, it must lie in [0, 1]")
    side = (1.0 - level) / 2.0
    cumulative = np.asarray(special.bdtr(np.arange(n, dtype=np.float64), n, p), dtype=np.float64)
    survival = np.asarray(special.bdtrc(np.arange(n, dtype=np.float64), n, p), dtype=np.float64)
    low = int(np.searchsorted(cumulative, side, side="right"))
    high = n - int(np.searchsorted(survival[::-1], side, side="right"))
    return low, high
