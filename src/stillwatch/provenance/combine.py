"""Several tests and keys together: Holm's correction, e-values, and which key a result points to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.stats.exact import log_sum
from stillwatch.stats.samples import FloatArray, require, require_samples

_LN10 = math.log(10.0)


def holm(log10_p: ArrayLike) -> FloatArray:
    """Holm-adjusted p-values, as log10: {adjusted <= level} holds a false rejection with probability at most `level`.

    Args:
        log10_p: [m], m >= 1, at most 0; -inf is allowed.

    Null hypothesis: each p-value's own. Assumption: none on their dependence.
    Raises TooFewSamplesError for no p-values, UnusableValuesError above 0 or for NaN.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p = _logs(log10_p)
    order = np.argsort(p, kind="stable")
    steps = p[order] + np.log10(np.arange(p.size, 0, -1.0))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 0.0)
    return adjusted


def e_values(log10_p: ArrayLike) -> FloatArray:
    """E-values of p-values, both as log10: nonnegative numbers of mean at most 1 under the null.

    The calibrator is (1 - p + p ln p) / (p (ln p)^2), the mixture of kappa p^(kappa - 1) over all kappa in (0, 1): for small p it is about
    1 / (p (ln p)^2), so little is lost and no kappa has to be chosen.

    Args:
        log10_p: [m], m >= 1, at most 0; -inf gives inf.

    Null hypothesis: each p-value's own. Assumption: the p-values are valid; none on dependence.

    Source: Vovk, Wang 2021, "E-values: calibration, combination and applications", Annals of Statistics 49(3), section 2 and appendix B.
    """
    p = _logs(log10_p)
    ln = p * _LN10
    # near p = 1 numerator and denominator both vanish; the series is 1/2 - ln p / 6
    near = ln > -1e-3
    far = np.where(near | np.isneginf(ln), -1.0, ln)
    value = np.log1p((far - 1.0) * np.exp(far)) - far - 2.0 * np.log(-far)
    value = np.where(near, np.log(0.5 - np.where(near, ln, 0.0) / 6.0), value)
    return np.where(np.isneginf(ln), np.inf, value) / _LN10


def e_mean(log10_e: ArrayLike) -> float:
    """log10 of the mean of e-values: an e-value whatever their dependence. Source: Vovk, Wang 2021, section 3."""
    e = _numbers(log10_e)
    return (log_sum(e * _LN10) - math.log(e.size)) / _LN10


def e_product(log10_e: ArrayLike) -> float:
    """log10 of the product of e-values: an e-value where each rests on a secret of its own. Source: Vovk, Wang 2021, section 4."""
    e = _numbers(log10_e)
    # zero times infinity would be undefined; an e-value of 0 settles the product
    return -math.inf if np.any(np.isneginf(e)) else float(e.sum())


def attributed(names: Sequence[str], log10_adjusted: ArrayLike, *, level: float) -> tuple[str, ...]:
    """The keys that results point to: those with a result that still reaches the level after correction for everything tried.

    Args:
        names: [m], key of each result; the same key may have several.
        log10_adjusted: [m], Holm-adjusted over all results of all keys that were tried, as log10.
        level: in (0, 1).

    A key that was tried and is not passed here makes the correction wrong: pass them all.
    """
    adjusted = _logs(log10_adjusted)
    require(len(names) == adjusted.size, f"{len(names)} names for {adjusted.size} results; pass one for each")
    reached = adjusted <= math.log10(level)
    return tuple(dict.fromkeys(name for name, hit in zip(names, reached, strict=True) if hit))


def _numbers(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    require(array.ndim == 1 and not np.any(np.isnan(array)), "a vector without NaN is needed")
    require_samples("combination", needed=1, got=array.size)
    return array


def _logs(values: ArrayLike) -> FloatArray:
    array = _numbers(values)
    require(np.all(array <= 0.0), "log10 p-values are at most 0; pass log10, not p")
    return array
