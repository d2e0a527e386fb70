"""Chernoff bounds on weighted sums whose summands' law is known exactly: valid in finite samples, sharp far out.

Null hypothesis: the summands are independent, each a known coefficient times a centred draw of the stated law.
P(sum >= t) <= min over theta > 0 of exp(K(theta) - theta t), K being the sum of the summands' log moment generating functions.
Every theta gives a valid bound, so how well the minimum is found bears on sharpness alone.

Source: Chernoff 1952, "A measure of asymptotic efficiency"; Boucheron, Lugosi, Massart 2013, "Concentration inequalities", section 2.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from stillwatch.stats.samples import FloatArray, finite_vector, probability, require, require_samples

_LN10 = math.log(10.0)
# Coefficients below this share of the largest enter by their power sums.
_SMALL_SHARE = 1e-3
# ... as long as theta times coefficient stays below this; the bound on the fourth derivative is sharp enough there.
_SMALL_TILT = 0.25
_CHUNK = 1 << 20


class Law(Protocol):
    """The law of one centred draw."""

    @property
    def variance(self) -> float:
        """Second cumulant."""
        ...

    @property
    def third(self) -> float:
        """Third cumulant."""
        ...

    @property
    def fourth(self) -> float:
        """Upper bound of the fourth derivative of log_mgf on [-0.25, 0.25]."""
        ...

    @property
    def ceiling(self) -> float:
        """log_mgf is finite below it."""
        ...

    def log_mgf(self, tilt: FloatArray) -> FloatArray:
        """ln E exp(tilt X), element by element."""
        ...


@dataclass(frozen=True, slots=True)
class CentredBernoulli:
    """B - share, B being 1 with probability `share`: a token's place on a keyed green list."""

    share: float

    def __post_init__(self) -> None:
        probability(self.share, "share")

    @property
    def variance(self) -> float:
        """share (1 - share)."""
        return self.share * (1.0 - self.share)

    @property
    def third(self) -> float:
        """Third cumulant."""
        return self.variance * (1.0 - 2.0 * self.share)

    @property
    def fourth(self) -> float:
        """The fourth derivative is v (1 - 6 v), v the tilted variance, which exp(|x|) times `variance` bounds."""
        return self.variance * math.exp(_SMALL_TILT)

    @property
    def ceiling(self) -> float:
        """No bound."""
        return math.inf

    def log_mgf(self, tilt: FloatArray) -> FloatArray:
        """ln E exp(tilt (B - share)); written so that small tilts keep their digits."""
        # the larger exponent is taken out first, so that no large tilt overflows
        near = np.abs(tilt) < 1.0
        small = np.log1p(self.share * np.expm1(np.where(near, tilt, 0.0)))
        large = np.logaddexp(math.log1p(-self.share), math.log(self.share) + tilt)
        return np.where(near, small, large) - self.share * tilt


@dataclass(frozen=True, slots=True)
class CentredExponential:
    """E - 1, E exponential of mean 1: a token's keyed Gumbel score -ln(1 - U)."""

    @property
    def variance(self) -> float:
        """Always 1."""
        return 1.0

    @property
    def third(self) -> float:
        """Always 2."""
        return 2.0

    @property
    def fourth(self) -> float:
        """The fourth derivative is 6 / (1 - x)^4."""
        return 6.0 / (1.0 - _SMALL_TILT) ** 4

    @property
    def ceiling(self) -> float:
        """The mean of exp(x E) is infinite from 1 on."""
        return 1.0

    def log_mgf(self, tilt: FloatArray) -> FloatArray:
        """-ln(1 - tilt) - tilt."""
        return -np.log1p(-tilt) - tilt


@dataclass(frozen=True, slots=True)
class FairSign:
    """+1 or -1 by a fair coin: which twin was served."""

    @property
    def variance(self) -> float:
        """Always 1."""
        return 1.0

    @property
    def third(self) -> float:
        """Always 0."""
        return 0.0

    @property
    def fourth(self) -> float:
        """The fourth derivative of ln cosh is -2 at 0 and below 0 on the whole range where small coefficients are summed."""
        return 0.0

    @property
    def ceiling(self) -> float:
        """No bound."""
        return math.inf

    def log_mgf(self, tilt: FloatArray) -> FloatArray:
        """ln cosh tilt."""
        size = np.abs(tilt)
        return size + np.log1p(np.exp(-2.0 * size)) - math.log(2.0)


class WeightedSum:
    """Upper bounds on the tail of a sum of known coefficients times independent centred draws.

    Args:
        coefficients: any shape, finite, at least one that is not zero.
        law: of the draws.
    """

    def __init__(self, coefficients: ArrayLike, law: Law) -> None:
        flat = finite_vector(np.asarray(coefficients, dtype=np.float64).ravel(), "coefficients")
        flat = flat[flat != 0.0]
        require_samples("Chernoff bound, coefficients that are not zero", needed=1, got=flat.size)
        self._law = law
        size = np.abs(flat)
        self._largest = float(size.max())
        small = size < _SMALL_SHARE * self._largest
        self._large, self._small = flat[~small], flat[small]
        self._powers = tuple(float(np.sum(self._small**power)) for power in (2, 3, 4))
        self._positive = float(flat.max(initial=0.0))
        self.deviation = math.sqrt(law.variance) * float(np.linalg.norm(flat))
        """Standard deviation of the sum."""
        require(self.deviation > 0.0, "the coefficients are too small to be told from zero; scale them up")

    def log10_tail(self, total: float) -> float:
        """log10 of an upper bound of P(sum >= total); 0 where the total is not above the mean, 0."""
        require(math.isfinite(total), f"total is {total}, it must be finite")
        if total <= 0.0:
            return 0.0
        start = math.log(total) - 2.0 * math.log(self.deviation)
        highest = (
            math.log(0.999_999 * self._law.ceiling / self._positive) if self._positive and math.isfinite(self._law.ceiling) else math.inf
        )
        low, high = min(start, highest) - 6.0, min(start + 6.0, highest)
        found = optimize.minimize_scalar(lambda place: self._exponent(math.exp(place), total), bounds=(low, high), method="bounded")
        return min(0.0, float(found.fun), self._exponent(math.exp(high), total)) / _LN10

    def _exponent(self, theta: float, total: float) -> float:
        value = self._sum(self._large, theta) - theta * total
        if self._small.size == 0:
            return value
        if theta * _SMALL_SHARE * self._largest > _SMALL_TILT:
            return value + self._sum(self._small, theta)
        second, third, fourth = self._powers
        law = self._law
        return value + law.variance * second * theta**2 / 2 + law.third * third * theta**3 / 6 + law.fourth * fourth * theta**4 / 24

    def _sum(self, coefficients: FloatArray, theta: float) -> float:
        parts = (coefficients[start : start + _CHUNK] for start in range(0, coefficients.size, _CHUNK))
        return math.fsum(float(self._law.log_mgf(theta * part).sum()) for part in parts)
