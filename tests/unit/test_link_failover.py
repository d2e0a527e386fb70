"""Failover: who began within the hour after another was stopped."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.link.failover import WINDOW_US, followers
from stillwatch.stats.seeds import generator

MINUTE = 60_000_000


def _pairs(stopped: list[int], first: list[int]) -> set[tuple[int, int]]:
    matrix = followers(np.array(stopped, np.int64), np.array(first, np.int64)).toarray()
    assert set(np.unique(matrix)) <= {0.0, 1.0}
    return {(int(row), int(column)) for row, column in np.argwhere(matrix > 0)}


@pytest.mark.parametrize(("after", "follows"), [(-MINUTE, False), (0, False), (1, True), (WINDOW_US, True), (WINDOW_US + 1, False)])
def test_only_a_start_within_the_hour_after_a_stop_follows(after: int, follows: bool) -> None:
    stop = 500 * MINUTE
    assert _pairs([stop, -1], [0, stop + after]) == ({(0, 1)} if follows else set())


def test_every_stop_is_paired_with_every_start_in_its_hour() -> None:
    stop = 100 * MINUTE
    stopped = [stop, stop + 10 * MINUTE, -1, -1, -1]
    first = [0, 1, stop + 5 * MINUTE, stop + 20 * MINUTE, stop + 300 * MINUTE]
    assert _pairs(stopped, first) == {(0, 2), (0, 3), (1, 3)}


def test_an_account_does_not_follow_itself() -> None:
    """Stopped before it ever sent anything, let in again half an hour later."""
    assert _pairs([100 * MINUTE, -1], [130 * MINUTE, 0]) == set()


def test_without_stops_nobody_follows() -> None:
    assert _pairs([-1, -1, -1], [0, MINUTE, 2 * MINUTE]) == set()


def test_the_matrix_matches_every_pair_compared_one_by_one() -> None:
    rng = generator(3, "failover")
    first = rng.integers(0, 40 * WINDOW_US, 60)
    stopped = np.where(rng.random(60) < 0.4, rng.integers(0, 40 * WINDOW_US, 60), -1)
    plain = {
        (i, j) for i in range(60) for j in range(60) if i != j and stopped[i] >= 0 and 0 < int(first[j]) - int(stopped[i]) <= WINDOW_US
    }
    assert plain
    assert _pairs(stopped.tolist(), first.tolist()) == plain
