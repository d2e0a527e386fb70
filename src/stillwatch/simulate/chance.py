"""Cheap single draws from a named generator: numbers are drawn in blocks and handed out one by one."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from stillwatch.stats.seeds import generator

_BLOCK = 1024
_HEX_DIGITS = 16

Item = TypeVar("Item")


class Chance:
    """A stream of draws that depends on a seed and a name alone."""

    __slots__ = ("_generator", "_normals", "_values")

    def __init__(self, seed: int, name: str) -> None:
        self._generator = generator(seed, f"simulate/{name}")
        self._values: list[float] = []
        self._normals: list[float] = []

    def uniform(self) -> float:
        """A number in [0, 1)."""
        try:
            return self._values.pop()
        except IndexError:
            self._values = self._generator.random(_BLOCK).tolist()
            return self._values.pop()

    def below(self, bound: int) -> int:
        """A whole number in [0, bound)."""
        return int(self.uniform() * bound)

    def happens(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def pick(self, items: Sequence[Item]) -> Item:
        """One of `items`, each as likely as the other."""
        return items[int(self.uniform() * len(items))]

    def weighted(self, cumulative: Sequence[float]) -> int:
        """A position, by cumulative shares that end at 1."""
        return min(bisect_right(cumulative, self.uniform()), len(cumulative) - 1)

    def normal(self) -> float:
        """A standard normal number."""
        try:
            return self._normals.pop()
        except IndexError:
            self._normals = self._generator.standard_normal(_BLOCK).tolist()
            return self._normals.pop()

    def lognormal(self, median: float, sigma: float) -> float:
        """A lognormal number with the given median and spread of its logarithm."""
        return median * math.exp(sigma * self.normal())

    def poisson(self, rate: float) -> int:
        """A Poisson count."""
        return int(self._generator.poisson(rate))

    def dirichlet(self, size: int, concentration: float) -> tuple[float, ...]:
        """Cumulative shares of `size` parts; a small concentration gives few large parts."""
        shares = self._generator.dirichlet(np.full(size, concentration))
        return tuple(np.cumsum(shares).tolist())

    def shuffled(self, count: int) -> list[int]:
        """The numbers 0 to count - 1 in random order."""
        return self._generator.permutation(count).tolist()

    def hexadecimal(self, digits: int = 32) -> str:
        """An identifier of `digits` hexadecimal digits."""
        blocks = math.ceil(digits / _HEX_DIGITS)
        return "".join(f"{int(self.uniform() * 2**53):013x}{int(self.uniform() * 4096):03x}" for _ in range(blocks))[:digits]


def cumulative(shares: Sequence[float]) -> tuple[float, ...]:
    """Cumulative shares that end at 1, from weights that need not add up."""
    return tuple((np.cumsum(shares) / np.sum(shares)).tolist())
