"""Realised size of combined evidence, with dependent signals and missing values, and of what is built on it."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.stats.combine import combined_p_values
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.multiplicity import benjamini_hochberg
from stillwatch.stats.seeds import generator

FAMILIES = ["coverage", "coverage", "wording", "wording", "rhythm", "plan"]
DIRECTIONS = [1, 1, 1, -1, 1, 1]


def _entities(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Signals that rise together, one of them heavy-tailed, one discrete, a tenth of the values missing."""
    values = draw.normal(size=(rows, 6)) + 0.7 * draw.normal(size=(rows, 1)) * np.array(DIRECTIONS)
    values[:, 2] = np.exp(2.0 * values[:, 2])
    values[:, 4] = np.floor(values[:, 4])
    values[draw.random((rows, 6)) < 0.1] = np.nan
    return values


def _p_values(name: str, *, runs: int, references: int) -> np.ndarray:
    """p and rank_p of one entity of the reference population per run, [2, runs]."""
    draw = generator(20261124, f"combined/{name}")
    p = np.empty((2, runs))
    for run in range(runs):
        rows = _entities(draw, references + 1)
        result = combined_p_values(rows[:1], rows[1:], FAMILIES, directions=DIRECTIONS)
        p[:, run] = result.p[0], result.rank_p[0]
    return p


@pytest.mark.parametrize("references", [39, 60, 119])
def test_entities_of_the_reference_population_hold_every_level_that_ranks_reach(references: int) -> None:
    runs = 800
    for p in _p_values(f"{references}", runs=runs, references=references):
        for level in (0.025, 0.05, 0.1, 0.2, 0.5):
            assert np.count_nonzero(p <= level) <= binomial_band(runs, level)[1]
        assert np.count_nonzero(p <= 0.2) >= binomial_band(runs, 0.14)[0]


@pytest.mark.slow
def test_entities_of_the_reference_population_hold_the_levels_below_the_ranks() -> None:
    draw = generator(20261124, "combined/deep")
    shares = []
    for _ in range(150):
        rows = _entities(draw, 4200)
        p = combined_p_values(rows[200:], rows[:200], FAMILIES, directions=DIRECTIONS).p
        shares.append([np.mean(p <= level) / level for level in (1e-2, 2e-3, 5e-4)])
    sizes = np.array(shares)
    assert np.all(sizes.mean(axis=0) + 4 * sizes.std(axis=0) / np.sqrt(len(sizes)) <= 1.0)


@pytest.mark.slow
def test_findings_against_one_shared_reference_keep_the_false_discovery_rate() -> None:
    draw = generator(20261124, "fdr")
    shares, found = [], 0
    for _ in range(200):
        reference, tested = _entities(draw, 600), _entities(draw, 300)
        tested[:10] += np.array([8, 8, 0, -8, 8, 8.0])
        result = combined_p_values(tested, reference, FAMILIES, directions=DIRECTIONS)
        hits = benjamini_hochberg(result.p) <= 0.1
        shares.append(hits[10:].sum() / max(1, hits.sum()))
        found += int(hits[:10].sum())
    assert np.mean(shares) + 4 * np.std(shares) / np.sqrt(len(shares)) <= 0.1
    assert found >= 1000
