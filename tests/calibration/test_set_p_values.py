"""Realised size of the permutation tests on sets, where accounts truly differ from each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stillwatch.stats.dispersion import synchrony_p_value, volume_dispersion_p_value
from stillwatch.stats.homogeneity import homogeneity_p_value, owner_sums
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.seeds import generator

ACCOUNTS = 240


def _members(draw: np.random.Generator) -> np.ndarray:
    return draw.choice(ACCOUNTS, 10, replace=False)


def _homogeneity(draw: np.random.Generator) -> float:
    counts = draw.geometric(0.08, ACCOUNTS) + 1
    owners = np.repeat(np.arange(ACCOUNTS), counts)
    centres = draw.standard_t(4, size=(ACCOUNTS, 4)) * draw.gamma(1.0, size=(ACCOUNTS, 1))
    sums = owner_sums(centres[owners] + draw.normal(size=(owners.size, 4)), owners, size=ACCOUNTS)
    strata = np.digitize(counts, [5, 12])
    return homogeneity_p_value(draw, sums.counts, sums.sums, sums.squares, _members(draw), strata, 99)


def _synchrony(draw: np.random.Generator) -> float:
    rate = draw.lognormal(0, 1, size=(ACCOUNTS, 1)) * draw.gamma(0.3, 3.0, size=(ACCOUNTS, 24))
    matrix = draw.poisson(rate).astype(float)
    strata = np.digitize(matrix.sum(axis=1), [10, 40])
    return synchrony_p_value(draw, matrix, matrix.sum(axis=0) + 1e-9, _members(draw), strata, 99)


def _volume(draw: np.random.Generator) -> float:
    counts = np.maximum(draw.poisson(30 * draw.lognormal(0, 1, ACCOUNTS)), 1)
    return volume_dispersion_p_value(draw, counts, _members(draw), np.zeros(ACCOUNTS, dtype=int), 99)


def _holds(statistic: Callable[[np.random.Generator], float], runs: int) -> None:
    draw = generator(20261124, statistic.__name__)
    p = np.array([statistic(draw) for _ in range(runs)])
    for level in (0.05, 0.1, 0.3):
        low, high = binomial_band(runs, level)
        assert low <= np.count_nonzero(p <= level + 1e-12) <= high


@pytest.mark.parametrize("statistic", [_homogeneity, _synchrony, _volume])
def test_random_sets_of_independent_accounts_are_called_one_source_at_the_nominal_rate(
    statistic: Callable[[np.random.Generator], float],
) -> None:
    _holds(statistic, 300)


@pytest.mark.slow
@pytest.mark.parametrize("statistic", [_homogeneity, _synchrony, _volume])
def test_random_sets_are_called_one_source_at_the_nominal_rate_over_many_runs(
    statistic: Callable[[np.random.Generator], float],
) -> None:
    _holds(statistic, 3000)
