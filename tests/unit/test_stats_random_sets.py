from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.random_sets import random_sets, set_p_value
from stillwatch.stats.seeds import generator


def test_a_permutation_p_is_never_zero_and_counts_ties() -> None:
    assert set_p_value(0.0, [1.0, 2.0, 3.0], tail="lower") == 0.25
    assert set_p_value(2.0, [1.0, 2.0, 3.0], tail="lower") == 0.75
    assert set_p_value(2.0, [1.0, 2.0, 3.0], tail="upper") == 0.75
    with pytest.raises(TooFewSamplesError):
        set_p_value(1.0, [], tail="lower")


def test_random_sets_match_the_strata_and_repeat_no_owner() -> None:
    strata = np.repeat([0, 1, 2], [10, 300, 50])
    members = np.array([0, 1, 2, 15, 16, 320])
    sets = random_sets(generator(5, "sets"), strata, members, 200)
    assert sets.shape == (200, 6)
    assert all(np.unique(row).size == 6 for row in sets)
    assert all(np.array_equal(np.bincount(strata[row]), [3, 2, 1]) for row in sets)


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "wanted"), [(8, 2), (5, 3)])
def test_all_sets_are_equally_likely(pool: int, wanted: int) -> None:
    draws = 20_000
    sets = random_sets(generator(6, f"{pool}"), np.zeros(pool, dtype=int), np.arange(wanted), draws)
    seen = {tuple(sorted(row)) for row in sets.tolist()}
    counts = np.array([[tuple(sorted(row)) for row in sets.tolist()].count(c) for c in combinations(range(pool), wanted)])
    expected = draws / counts.size
    assert len(seen) == counts.size
    assert ((counts - expected) ** 2 / expected).sum() < counts.size + 6 * np.sqrt(2 * counts.size)


def test_owners_that_are_not_eligible_are_never_drawn() -> None:
    eligible = np.ones(100, dtype=bool)
    eligible[:20] = False
    sets = random_sets(generator(7, "sets"), np.zeros(100, dtype=int), np.arange(20), 50, eligible=eligible)
    assert sets.min() >= 20
    with pytest.raises(TooFewSamplesError, match="stratum 0"):
        random_sets(generator(7, "sets"), np.zeros(100, dtype=int), np.arange(20), 50, eligible=np.arange(100) < 5)
