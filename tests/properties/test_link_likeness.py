"""Laws of the likeness statistics for any numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from stillwatch.link import likeness
from stillwatch.stats.seeds import generator

ROWS = 14
Statistic = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]]


def _statistics(seed: int) -> dict[str, Statistic]:
    """One random table, seen through every statistic."""
    rng = generator(seed, "likeness laws")
    counts = rng.integers(1, 40, ROWS).astype(float)
    vectors = rng.normal(size=(ROWS, 6))
    sums = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * (counts * rng.random(ROWS))[:, None]
    residual = rng.normal(size=(ROWS, 48)).astype(np.float32)
    manner = rng.random((ROWS, 3))
    carried = sparse.csr_array((rng.random((ROWS, 9)) < 0.4).astype(np.float32))
    worth = rng.random(9)
    follows = sparse.csr_array((rng.random((ROWS, ROWS)) < 0.2).astype(np.float32))
    return {
        "subjects": lambda sets: likeness.by_subject(counts, sums, np.zeros(ROWS, np.int64), sets),
        "volume": lambda sets: likeness.by_volume(counts, sets),
        "clock": lambda sets: likeness.by_clock(residual, sets),
        "manner": lambda sets: likeness.by_manner(manner, sets),
        "traces": lambda sets: likeness.by_traces(carried, worth, sets),
        "succession": lambda sets: likeness.by_succession(follows, np.arange(ROWS), np.full((ROWS, 2), 0.05), sets),
    }


NAMES = list(_statistics(0))
members = st.lists(st.integers(0, ROWS - 1), min_size=3, max_size=8, unique=True)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), chosen=members, data=st.data())
@settings(deadline=None)
def test_the_order_of_members_does_not_matter(name: str, seed: int, chosen: list[int], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(chosen))
    first, second = _statistics(seed)[name](np.array([chosen, shuffled], np.int64))
    assert first == pytest.approx(second, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), several=st.lists(st.permutations(range(ROWS)), min_size=2, max_size=5))
@settings(deadline=None)
def test_each_set_is_judged_by_itself(name: str, seed: int, several: list[list[int]]) -> None:
    statistic = _statistics(seed)[name]
    sets = np.array(several, np.int64)[:, :5]
    together = statistic(sets)
    alone = [float(statistic(one[None, :])[0]) for one in sets]
    assert together.tolist() == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert statistic(sets[::-1]).tolist() == pytest.approx(together[::-1].tolist(), rel=1e-4, abs=1e-6)


@given(volume=st.floats(1, 1e6), factor=st.floats(1.01, 100), size=st.integers(3, 9))
def test_like_volumes_are_more_alike_than_unlike_ones(volume: float, factor: float, size: int) -> None:
    volumes = np.concatenate([np.full(size, volume), volume * factor ** np.arange(size)])
    same, different = likeness.by_volume(volumes, np.array([range(size), range(size, 2 * size)]))
    assert same == pytest.approx(0, abs=1e-9)
    assert different < 0
    assert likeness.by_volume(volumes * 7, np.array([range(size, 2 * size)]))[0] == pytest.approx(different)
