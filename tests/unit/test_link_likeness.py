"""Likeness of sets, against numbers worked out by hand, and against sets that hold a minority of alike accounts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from stillwatch.link import likeness
from stillwatch.stats.seeds import generator

Floats = npt.NDArray[np.float64]
Sets = npt.NDArray[np.int64]
ROWS, ALIKE = 120, 40
ONE_LANGUAGE = np.zeros(3, np.int64)


def test_subjects_by_hand() -> None:
    """Means (1, 0), (0, 1), (1, 0): the centre is (2/3, 1/3), a third of it each one's own; none varies, so there is no noise."""
    counts = np.array([10.0, 10.0, 10.0])
    sums = np.array([[10.0, 0.0], [0.0, 10.0], [10.0, 0.0]])
    assert likeness.by_subject(counts, sums, ONE_LANGUAGE, np.array([[0, 1, 2], [0, 2, 0]]))[0] == pytest.approx(-2 / 9 * 3 / 2)
    assert likeness.by_subject(counts, sums, ONE_LANGUAGE, np.array([[0, 2, 0]])).tolist() == [0.0]


def test_sampling_noise_is_taken_off_the_distance_of_subjects() -> None:
    """A mean (1/2, 1/2) of 5 unit vectors carries a variance of (1 - 1/2) / 4."""
    counts = np.array([5.0, 5.0, 5.0])
    sums = np.tile([2.5, 2.5], (3, 1))
    assert likeness.by_subject(counts, sums, ONE_LANGUAGE, np.array([[0, 1, 2]])).tolist() == [pytest.approx(0.5 / 4)]


def test_subjects_are_held_against_the_accounts_of_the_same_language() -> None:
    """Two languages with a mean each: nobody differs; and a language that one account writes says nothing."""
    counts = np.full(5, 10.0)
    sums = np.array([[10.0, 0.0], [10.0, 0.0], [0.0, 10.0], [0.0, 10.0], [5.0, 5.0]])
    language = np.array([0, 0, 1, 1, 2])
    everybody = np.array([[4, 2, 0, 3, 1]])
    assert likeness.by_subject(counts, sums, language, everybody).tolist() == [0.0]
    assert likeness.by_subject(counts, sums, np.zeros(5, np.int64), everybody)[0] < -0.4
    assert likeness.by_subject(counts, sums, np.arange(5), everybody).tolist() == [0.0]


def test_volume_by_hand() -> None:
    volumes = np.exp(np.array([1.0, 2.0, 4.0, 9.0]))
    # two of 1, 2, 4 stand within 1, three of 1, 2, 4, 9 within 3
    assert likeness.by_volume(volumes, np.array([[0, 1, 2]])).tolist() == [pytest.approx(-0.5)]
    assert likeness.by_volume(volumes, np.array([[3, 1, 0, 2]])).tolist() == [pytest.approx(-1.5)]
    assert likeness.by_volume(volumes, np.array([[3, 3, 3]])).tolist() == [0.0]


def test_clock_by_hand() -> None:
    residual = np.array([[1, -1, 0, 0], [1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1]], np.float32)
    # three in step over two hours: (1 * 2 + 1 * 2) / sqrt(2^2 + 2^2) each; two against one: (0, 0, -sqrt 2)
    assert likeness.by_clock(residual, np.array([[0, 1, 0], [0, 3, 3]]))[0] == pytest.approx(2**0.5)
    together = likeness.by_clock(residual, np.array([[0, 1, 1, 2]]))
    # each of the first three has a rest of (1, -1): (1 + 1) / sqrt(1 + 1)
    assert together.tolist() == [pytest.approx(2**0.5)]
    assert likeness.by_clock(residual, np.array([[2, 0, 1]])).tolist() == [pytest.approx(0.0, abs=1e-5)]


def test_manner_by_hand() -> None:
    manner = np.array([[0.0, 0.0], [0.2, 0.4], [0.6, 0.4]])
    # medians (0.2, 0.4); mean squared distances 0.1, 0, 0.08
    assert likeness.by_manner(manner, np.array([[0, 1, 2]])).tolist() == [pytest.approx(-0.08)]


def test_shared_traces_by_hand() -> None:
    carried = sparse.csr_array(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 1]], np.float32))
    worth = np.array([1.0, 2.0, 4.0])
    # trace 0 is shared with two others of two, trace 1 with one of two: (1 + 2/2, 1, 1 + 2/2)
    assert likeness.by_traces(carried, worth, np.array([[0, 1, 2]])).tolist() == [pytest.approx(2.0)]
    assert likeness.by_traces(carried, worth, np.array([[1, 3, 3]]))[0] == pytest.approx(4.0 / 2)
    assert likeness.by_traces(carried, worth, np.array([[1, 3]])).tolist() == [0.0]


def test_two_successions_count_and_a_single_one_is_chance() -> None:
    follows = sparse.csr_array(np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32))
    account = np.arange(4)
    sets = np.array([[0, 1, 2], [0, 1, 3], [1, 2, 3], [0, 2, 3]])
    found = likeness.by_succession(follows, account, np.full((4, 2), 0.01), sets)
    assert found.tolist() == [2.0, 0.0, 0.0, 0.0]
    # three beginners and three stops in a short log make two pairs by themselves
    assert likeness.by_succession(follows, account, np.full((4, 2), 0.3), sets).tolist() == [0.0] * 4


@pytest.fixture(scope="module")
def mixed() -> dict[str, Callable[[Sets], Floats]]:
    """Statistics over 120 rows of which the first 40 are truly one source and the others are not."""
    rng = generator(11, "mixed rows")
    directions = rng.normal(size=(ROWS, 16))
    directions[:ALIKE] = directions[0]
    means = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    counts = np.full(ROWS, 60.0)
    volumes = np.exp(rng.normal(4, 1.2, ROWS))
    volumes[:ALIKE] = 50 + rng.normal(0, 1, ALIKE)
    hours = rng.normal(size=(ROWS, 200)).astype(np.float32)
    hours[:ALIKE] += 2 * hours[0]
    manner = rng.random((ROWS, 5))
    manner[:ALIKE] = manner[0] + 0.01 * rng.random((ALIKE, 5))
    carried = sparse.csr_array((rng.random((ROWS, 30)) < 0.02).astype(np.float32))
    held = sparse.lil_array(carried)
    held[:ALIKE, 0] = 1.0
    worth = np.full(30, 2.0)
    traces = sparse.csr_array(held)
    return {
        "subjects": lambda sets: likeness.by_subject(counts, means * 54.0, np.zeros(ROWS, np.int64), sets),
        "volume": lambda sets: likeness.by_volume(volumes, sets),
        "clock": lambda sets: likeness.by_clock(hours, sets),
        "manner": lambda sets: likeness.by_manner(manner, sets),
        "traces": lambda sets: likeness.by_traces(traces, worth, sets),
    }


def _sets(rng: np.random.Generator, alike: int, size: int = 20, draws: int = 300) -> Sets:
    """Random sets of `size` rows, `alike` of them from one source."""
    rows = [
        np.concatenate([rng.choice(ALIKE, alike, replace=False), ALIKE + rng.choice(ROWS - ALIKE, size - alike, replace=False)])
        for _ in range(draws)
    ]
    return np.array(rows, np.int64)


ASPECTS = ["subjects", "volume", "clock", "manner", "traces"]


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_set_of_one_source_is_more_alike_than_every_set_of_strangers(mixed: dict[str, Callable[[Sets], Floats]], aspect: str) -> None:
    rng = generator(12, aspect)
    statistic = mixed[aspect]
    assert statistic(_sets(rng, 20)).min() > statistic(_sets(rng, 0)).max()


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_quarter_of_alike_accounts_does_not_carry_the_others(mixed: dict[str, Callable[[Sets], Floats]], aspect: str) -> None:
    """The typical set with five accounts of one source among twenty is no more alike than sets of strangers get by chance."""
    rng = generator(13, aspect)
    statistic = mixed[aspect]
    strangers = statistic(_sets(rng, 0))
    quarter = np.median(statistic(_sets(rng, 5)))
    whole = np.median(statistic(_sets(rng, 20)))
    assert quarter < np.median(strangers) + 0.35 * (whole - np.median(strangers))
    assert quarter <= np.quantile(strangers, 0.99)
