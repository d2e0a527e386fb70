"""How unusual a score is against reference scores, as a p-value that assumes only that the two are exchangeable.

How `tail_p_values` works.

Up to the highest reference value, p is at least the conformal p. Above it, p is the largest of three tails of the
excess y over the threshold, k excesses with sum S, all multiplied by (k + 1) / (n + 1):
the exponential's exact predictive tail (1 + y / S)^-k; the exponential tail at the scale's upper 95 % confidence bound;
the generalised Pareto tail with shape max(0, estimate) at that same bound.
They are raised, where needed, so that just above the highest reference value p is not below 1 / (n + 1).

Null hypothesis: the score and the reference values are exchangeable.
Assumption: none at levels >= 1 / (n + 1), where P(p <= a) <= a whatever the law, as p <= a implies that the
conformal p is. At lower levels: the tail is no heavier than the fitted one. An exponential tail holds its level
exactly before the raising, by the predictive law; a lighter one (rising hazard, such as the normal's) lies below.
Realised size over nominal, 400 references each, at levels 1e-2, 1e-3, 1e-4:
exponential 0.27, 0.10, 0.08 (n = 100) to 0.61, 0.36, 0.24 (n = 1000); normal at most 0.50, 0.07, 0.01; uniform 0.
Heavier tails than the fitted one break the level far out: lognormal (sigma 1) 0.5, 0.8, 2.3 (n = 100) and
0.6, 0.7, 1.1 (n = 1000); Student's t(5) at most 0.5, 0.6, 1.1. Take a logarithm of such scores first.
tests/calibration/test_tail_p_values.py bounds all of these.
With fewer than 50 reference values, or too many ties for ten exceedances, p is the conformal p and nothing is extrapolated.
Raises TooFewSamplesError for an empty reference, UnusableValuesError for values that are not finite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stillwatch.stats.samples import BoolArray, FloatArray, finite_vector, probability, require_samples

# Below 50 reference values the top tenth holds too few points to say anything of the tail's shape.
TAIL_REFERENCE_MINIMUM = 50
# Fewer than 10 exceedances leave the scale uncertain by a factor of two; the threshold moves down to keep 10.
EXCEEDANCES_MINIMUM = 10
# One-sided confidence of the scale that the extrapolation uses.
SCALE_CONFIDENCE = 0.95
# Probability-weighted moments exist for shapes below 1 only; nearer to 1 the mean itself carries no information.
SHAPE_MAXIMUM = 0.9
# A p-value is never exactly zero; this is where floating point would make it so.
SMALLEST_P = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class TailPValues:
    """P-values and what each rests on.

    Attributes:
        p: shape of the scores, in (0, 1].
        extrapolated: True where the score lies above every reference value, so that `p` rests on a fitted tail.
    """

    p: FloatArray
    extrapolated: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tail:
    """The upper tail of a reference: share above `threshold`, and the law of the excesses over it."""

    threshold: float
    top: float
    share: float
    exceedances: int
    excess_sum: float
    shape: float
    scale: float
    scale_upper: float


def count_at_least(scores: FloatArray, ordered: FloatArray) -> FloatArray:
    """How many of the ascending values `ordered` [n] are >= each of `scores` [T] -> [T]."""
    return (ordered.size - np.searchsorted(ordered, scores, side="left")).astype(np.float64)


def conformal_p_values(scores: ArrayLike, reference: ArrayLike) -> FloatArray:
    """One-sided p-values: p = (1 + number of reference values >= score) / (n + 1).

    Args:
        scores: [T], higher is more unusual, any unit.
        reference: [n], n >= 1, the same unit.

    Returns:
        [T], in [1 / (n + 1), 1].

    Null hypothesis: the score and the reference values are exchangeable.
    Assumption: nothing else; P(p <= a) <= a for every a, whatever the law. Ties count against the score.
    P-values that share one reference are positively dependent, which Benjamini-Hochberg tolerates
    (Bates et al. 2023).
    Raises TooFewSamplesError for an empty reference, UnusableValuesError for values that are not finite.

    Source: Vovk, Gammerman, Shafer 2005, "Algorithmic Learning in a Random World", section 2.2;
    Bates, Candès, Lei, Romano, Sesia 2023, "Testing for outliers with conformal p-values" (marginal conformal p-values).
    """
    tested = finite_vector(scores, "scores")
    ordered = np.sort(finite_vector(reference, "reference"))
    require_samples("conformal p-value", needed=1, got=ordered.size)
    return (1.0 + count_at_least(tested, ordered)) / (ordered.size + 1.0)


def tail_p_values(scores: ArrayLike, reference: ArrayLike, *, tail: float = 0.1) -> TailPValues:
    """Conformal p-values that go on falling above the highest reference value, by a fitted tail.

    Args:
        scores: [T], higher is more unusual, any unit.
        reference: [n], n >= 1, the same unit.
        tail: share of the reference, from the top, to which the tail is fitted (at least 10 values are used).

    Returns:
        p [T] and extrapolated [T]; p falls as the score rises.

    The three tails, the null hypothesis, the assumption and what was measured stand at the head of this module.

    Source: Knijnenburg, Wessels, Reinders, Shmulevich 2009, "Fewer permutations, more accurate P-values" (tail approximation);
    Pickands 1975, "Statistical inference using extreme order statistics", theorem 7;
    Hosking, Wallis 1987, "Parameter and quantile estimation for the generalized Pareto distribution"
    (probability-weighted moments).
    """
    probability(tail, "tail")
    tested = finite_vector(scores, "scores")
    ordered = np.sort(finite_vector(reference, "reference"))
    p = conformal_p_values(tested, ordered)
    fitted = _fit_tail(ordered, tail)
    if fitted is None:
        return TailPValues(p=p, extrapolated=np.zeros(tested.shape, dtype=np.bool_))
    beyond = tested > fitted.top
    # In logarithms, since a single far outlier in a large reference takes its own tail below the smallest float.
    lift = max(0.0, -np.log(ordered.size + 1.0) - float(_log_survival(np.array([fitted.top]), fitted)[0]))
    above = tested > fitted.threshold
    smooth = np.exp(np.minimum(lift + _log_survival(tested[above], fitted), np.log(fitted.share)))
    p[above] = np.where(beyond[above], smooth, np.maximum(p[above], smooth))
    return TailPValues(p=np.maximum(p, SMALLEST_P), extrapolated=beyond)


def _fit_tail(ordered: FloatArray, tail: float) -> _Tail | None:
    """The tail of an ascending reference, or None where it cannot bear a fit."""
    n = ordered.size
    wanted = max(EXCEEDANCES_MINIMUM, int(tail * n))
    if n < TAIL_REFERENCE_MINIMUM or wanted >= n:
        return None
    # Ties at the threshold are not exceedances: step down to the next lower value when they leave too few.
    threshold = float(ordered[n - wanted - 1])
    if n - np.searchsorted(ordered, threshold, side="right") < EXCEEDANCES_MINIMUM:
        lower = int(np.searchsorted(ordered, threshold, side="left")) - 1
        if lower < 0:
            return None
        threshold = float(ordered[lower])
    excesses = ordered[ordered > threshold] - threshold
    k = excesses.size
    if k > n // 2:
        return None
    shape = _pareto_shape(excesses)
    widening = 2.0 * k / float(special.chdtri(2.0 * k, SCALE_CONFIDENCE))
    scale = float(excesses.mean())
    return _Tail(
        threshold=threshold,
        top=float(ordered[-1]),
        share=(k + 1.0) / (n + 1.0),
        exceedances=k,
        excess_sum=float(excesses.sum()),
        shape=shape,
        scale=scale,
        scale_upper=scale * widening,
    )


def _pareto_shape(excesses: FloatArray) -> float:
    """Shape of a generalised Pareto law by probability-weighted moments, clipped to [0, 0.9]; `excesses` ascend."""
    k = excesses.size
    weights = (k - 1.0 - np.arange(k)) / (k - 1.0)
    first = float(excesses.mean())
    second = float((weights * excesses).mean())
    return float(np.clip(2.0 - first / (first - 2.0 * second), 0.0, SHAPE_MAXIMUM)) if first > 2.0 * second else 0.0


def _log_survival(scores: FloatArray, tail: _Tail) -> FloatArray:
    """Logarithm of an upper estimate of the probability of a value above each score (scores > threshold)."""
    excess = scores - tail.threshold
    # An excess of more scales than a float holds is infinitely many: its p becomes the smallest one.
    with np.errstate(over="ignore"):
        predictive = -tail.exceedances * np.log1p(excess / tail.excess_sum)
        logarithm = np.maximum(predictive, -excess / tail.scale_upper)
        if tail.shape > 0.0:
            scale = tail.scale_upper * (1.0 - tail.shape)
            logarithm = np.maximum(logarithm, -np.log1p(tail.shape * excess / scale) / tail.shape)
    return np.log(tail.share) + logarithm
