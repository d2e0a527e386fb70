"""What each keyed watermark scores a token with, and the score's law over keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numpy.typing import ArrayLike

from stillwatch.marks.green_list import is_green
from stillwatch.marks.gumbel import scores
from stillwatch.marks.keys import MarkKey
from stillwatch.stats.chernoff import CentredBernoulli, CentredExponential, Law
from stillwatch.stats.exact import log10_binomial_tail, log10_gamma_tail
from stillwatch.stats.samples import FloatArray, probability


class Scoring(Protocol):
    """A watermark as the tests see it."""

    @property
    def name(self) -> str:
        """Of the watermark, with its parameters."""
        ...

    @property
    def mean(self) -> float:
        """Of a score over keys."""
        ...

    @property
    def law(self) -> Law:
        """Of a score less its mean, over keys."""
        ...

    def scores(self, key: MarkKey, seeds: ArrayLike, tokens: ArrayLike) -> FloatArray:
        """[n] scores of (seed, token) pairs: independent over different pairs for a key that they were chosen without."""
        ...

    def log10_tail(self, total: float, count: int) -> float:
        """log10 P(sum of `count` scores >= total), exact."""
        ...


@dataclass(frozen=True, slots=True)
class GreenListScoring:
    """1 for a green token, 0 for another; green with probability gamma."""

    gamma: float

    def __post_init__(self) -> None:
        probability(self.gamma, "gamma")

    @property
    def name(self) -> str:
        """Of the watermark."""
        return f"green list, gamma {self.gamma:g}"

    @property
    def mean(self) -> float:
        """gamma."""
        return self.gamma

    @property
    def law(self) -> Law:
        """Of a score less gamma."""
        return CentredBernoulli(self.gamma)

    def scores(self, key: MarkKey, seeds: ArrayLike, tokens: ArrayLike) -> FloatArray:
        """[n] 1.0 for green, else 0.0."""
        return is_green(key, seeds, tokens, self.gamma).astype(float)

    def log10_tail(self, total: float, count: int) -> float:
        """Exact binomial tail."""
        return log10_binomial_tail(round(total), count, self.gamma)


@dataclass(frozen=True, slots=True)
class GumbelScoring:
    """-ln(1 - U), exponential of mean 1, U being the token's keyed uniform number."""

    @property
    def name(self) -> str:
        """Of the watermark."""
        return "Gumbel-max"

    @property
    def mean(self) -> float:
        """Always 1."""
        return 1.0

    @property
    def law(self) -> Law:
        """Of a score less 1."""
        return CentredExponential()

    def scores(self, key: MarkKey, seeds: ArrayLike, tokens: ArrayLike) -> FloatArray:
        """[n] -ln(1 - U), nats."""
        return scores(key, seeds, tokens)

    def log10_tail(self, total: float, count: int) -> float:
        """Exact gamma tail."""
        return log10_gamma_tail(total, count)
