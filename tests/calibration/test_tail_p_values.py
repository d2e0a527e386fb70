"""Realised size of the extrapolated p-values, from the exact law: the probability above the score at which p reaches a level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stillwatch.stats.conformal import conformal_p_values, tail_p_values
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.seeds import generator

LEVELS = np.array([1e-2, 1e-3, 1e-4])
LIGHT = {"exponential": stats.expon(), "normal": stats.norm(), "uniform": stats.uniform(), "gamma": stats.gamma(4)}
# Bounds on realised size over nominal for tails that are heavier than the fitted one, at LEVELS.
HEAVY = {
    "lognormal": (stats.lognorm(1.0), {100: (1.0, 1.3, 3.5), 300: (1.0, 1.2, 2.5), 1000: (1.0, 1.0, 1.6)}),
    "student": (stats.t(5), {100: (1.0, 1.0, 1.2), 300: (1.0, 1.0, 1.5), 1000: (1.0, 1.0, 1.5)}),
}


def _sizes(law: object, name: str, *, n: int, references: int) -> np.ndarray:
    """Realised size over nominal, [references, levels]."""
    draw = generator(20261124, f"tail/{name}/{n}")
    survival = np.logspace(-1, -13, 1200)
    scores = law.isf(survival)  # type: ignore[attr-defined]
    rows = []
    for _ in range(references):
        reference = law.rvs(n, random_state=draw)  # type: ignore[attr-defined]
        p = tail_p_values(scores, reference).p
        first = np.searchsorted(-p, -LEVELS)
        rows.append(np.append(survival, 0.0)[first] / LEVELS)
    return np.array(rows)


def _light_tails_hold_their_level(n: int, references: int) -> None:
    for name, law in LIGHT.items():
        sizes = _sizes(law, name, n=n, references=references)
        error = sizes.std(axis=0) / np.sqrt(references)
        assert np.all(sizes.mean(axis=0) + 4.0 * error <= 1.0), name


def test_light_tails_hold_every_level() -> None:
    _light_tails_hold_their_level(100, 150)
    _light_tails_hold_their_level(1000, 100)


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100, 300, 1000])
def test_light_tails_hold_every_level_on_many_references(n: int) -> None:
    _light_tails_hold_their_level(n, 1500)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HEAVY))
@pytest.mark.parametrize("n", [100, 300, 1000])
def test_the_excess_under_heavy_tails_is_bounded_as_documented(name: str, n: int) -> None:
    law, bounds = HEAVY[name]
    sizes = _sizes(law, name, n=n, references=1500)
    assert np.all(sizes.mean(axis=0) <= np.array(bounds[n]))


def test_an_exponential_campaign_far_out_is_still_seen() -> None:
    sizes = _sizes(stats.expon(), "power", n=1000, references=100)
    assert sizes.mean(axis=0)[1] > 0.2


@pytest.mark.parametrize("law", [stats.cauchy(), stats.lognorm(2.0), stats.poisson(3.0)], ids=["cauchy", "lognormal", "ties"])
def test_at_levels_that_ranks_reach_no_law_breaks_the_level(law: object) -> None:
    draw = generator(20261124, f"any law/{law.dist.name}")  # type: ignore[attr-defined]
    runs, n = 2000, 99
    sample = law.rvs((runs, n + 1), random_state=draw).astype(float)  # type: ignore[attr-defined]
    p = np.array([tail_p_values(row[:1], row[1:]).p[0] for row in sample])
    for level in (0.01, 0.05, 0.2):
        assert np.count_nonzero(p <= level) <= binomial_band(runs, level)[1]


def test_rank_p_values_hold_their_level_exactly() -> None:
    draw = generator(20261124, "rank")
    runs, n = 4000, 99
    sample = draw.normal(size=(runs, n + 1))
    p = np.array([conformal_p_values(row[:1], row[1:])[0] for row in sample])
    for level in (0.01, 0.05, 0.2):
        low, high = binomial_band(runs, level)
        assert low <= np.count_nonzero(p <= level + 1e-12) <= high
