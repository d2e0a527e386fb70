from __future__ import annotations

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.homogeneity import (
    between_share,
    between_share_from_sums,
    homogeneity_p_value,
    owner_sums,
    random_sets,
    set_p_value,
)
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


def test_the_share_agrees_with_a_hand_calculation() -> None:
    # Owners {0, 2}, {4, 6}, {8, 10, 12}: MSB = 340/7, MSW = 3, n_0 = 16/7.
    vectors = np.array([[0.0], [2.0], [4.0], [6.0], [8.0], [10.0], [12.0]])
    owners = [0, 0, 1, 1, 2, 2, 2]
    means = np.array([1.0, 5.0, 10.0])
    counts = np.array([2.0, 2.0, 3.0])
    grand = vectors.mean()
    msb = float((counts * (means - grand) ** 2).sum() / 2)
    msw = (2 + 2 + 8) / 4
    n0 = (7 - 17 / 7) / 2
    expected = (msb - msw) / (msb - msw + n0 * msw)
    assert between_share(vectors, owners) == pytest.approx(expected)


def test_sums_of_a_subset_give_the_share_of_its_vectors() -> None:
    draw = generator(4, "share")
    vectors, owners = draw.normal(size=(300, 5)), draw.integers(0, 20, 300)
    sums = owner_sums(vectors, owners, size=20)
    chosen = [3, 7, 11, 19]
    kept = np.isin(owners, chosen)
    share = between_share_from_sums(sums.counts, sums.sums, sums.squares, chosen)
    assert share == pytest.approx(between_share(vectors[kept], owners[kept]))


def test_owners_that_never_vary_and_differ_share_nothing_and_equal_vectors_share_all() -> None:
    assert between_share([[0.0], [0.0], [5.0], [5.0]], [0, 0, 1, 1]) == pytest.approx(1.0)
    assert between_share([[3.1, 0.2]] * 6, [0, 0, 1, 1, 2, 2]) == 0.0


def test_one_owner_or_single_vectors_are_too_few() -> None:
    with pytest.raises(TooFewSamplesError):
        between_share([[1.0], [2.0], [3.0]], [0, 0, 0])
    with pytest.raises(TooFewSamplesError):
        between_share([[1.0], [2.0], [3.0]], [0, 1, 2])


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


def _population(draw: np.random.Generator, customers: int, fleet: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Customers with subjects of their own, and a fleet that deals one list out."""
    size = customers + fleet
    centres = np.concatenate([draw.normal(size=(customers, 6)), np.zeros((fleet, 6))])
    owners = np.repeat(np.arange(size), 8)
    return centres[owners] + draw.normal(size=(owners.size, 6)), owners, size


def test_accounts_that_deal_one_list_out_act_as_one_and_customers_do_not() -> None:
    draw = generator(8, "fleet")
    vectors, owners, size = _population(draw, 300, 12)
    sums = owner_sums(vectors, owners, size=size)
    strata = np.zeros(size, dtype=int)
    fleet = homogeneity_p_value(draw, sums.counts, sums.sums, sums.squares, np.arange(300, 312), strata)
    customers = homogeneity_p_value(draw, sums.counts, sums.sums, sums.squares, np.arange(12), strata)
    assert fleet == 1 / 500
    assert customers > 0.05


def test_a_group_of_200_among_25000_is_judged_within_50_milliseconds() -> None:
    draw = generator(9, "speed")
    counts = draw.integers(2, 60, 25_000).astype(float)
    sums = draw.normal(size=(25_000, 24)) * counts[:, None]
    squares = (sums**2).sum(axis=1) / counts + counts * 24
    strata = draw.integers(0, 6, 25_000)
    members = draw.choice(25_000, 200, replace=False)
    times: list[float] = []
    for _ in range(5):
        start = perf_counter()
        homogeneity_p_value(draw, counts, sums, squares, members, strata)
        times.append(perf_counter() - start)
    assert min(times) < 0.05


def test_bad_owners_are_named() -> None:
    draw = generator(10, "bad")
    sums = owner_sums(draw.normal(size=(9, 2)), [0, 0, 0, 1, 1, 1, 2, 2, 2], size=4)
    with pytest.raises(UnusableValuesError, match="twice"):
        between_share_from_sums(sums.counts, sums.sums, sums.squares, [0, 0])
    with pytest.raises(UnusableValuesError, match="no vectors"):
        between_share_from_sums(sums.counts, sums.sums, sums.squares, [0, 3])
    with pytest.raises(UnusableValuesError, match="outside"):
        between_share_from_sums(sums.counts, sums.sums, sums.squares, [0, 4])
    with pytest.raises(UnusableValuesError, match="not eligible"):
        homogeneity_p_value(draw, sums.counts, sums.sums, sums.squares, [0, 1], np.zeros(4, dtype=int))
