"""The subject shift: a hand value, no bias of size, and no worth of its own exchanges among the others'."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect.shift import subject_shift
from stillwatch.stats.seeds import generator


def test_a_value_by_hand() -> None:
    """Own (2, 0), rest (1, 3): collisions 1 and (0 + 6) / 12, between 2 * 1 / (2 * 4)."""
    shift = subject_shift(np.array([[2, 0]]), np.array([3, 3]))
    assert shift.tolist() == [pytest.approx(1 + 0.5 - 2 * 0.25)]


def test_disjoint_subjects_lie_furthest_apart() -> None:
    shift = subject_shift(np.array([[50, 0], [25, 25]]), np.array([50, 0]) + np.array([0, 80]))
    assert shift[0] == pytest.approx(2.0)
    assert shift[1] < shift[0]


@pytest.mark.parametrize("entity", [[1, 0], [0, 0]])
def test_fewer_than_two_exchanges_have_no_shift(entity: list[int]) -> None:
    assert np.isnan(subject_shift(np.array([entity]), np.array([30, 30]))[0])


def test_an_entity_that_is_the_whole_log_has_no_shift() -> None:
    assert np.isnan(subject_shift(np.array([[30, 30]]), np.array([30, 30]))[0])


@pytest.mark.parametrize("size", [2, 5, 20, 100, 1000])
def test_samples_of_one_distribution_have_a_mean_shift_of_zero_at_any_size(size: int) -> None:
    rng = generator(12, f"shift {size}")
    shares = rng.dirichlet(np.full(12, 0.5))
    entities = rng.multinomial(size, shares, 1500)
    rest = rng.multinomial(20_000, shares, 1500)
    values = np.array([subject_shift(own[None, :], own + other)[0] for own, other in zip(entities, rest, strict=True)])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))


def test_its_own_exchanges_are_taken_out_of_the_log() -> None:
    own, others = np.array([[40, 10, 0]]), np.array([5, 20, 60])
    once = subject_shift(own, own[0] + others)
    assert once[0] == pytest.approx(subject_shift(np.vstack([own, others[None, :]]), own[0] + others)[0])
    assert once[0] == pytest.approx(subject_shift(others[None, :], own[0] + others)[0])
