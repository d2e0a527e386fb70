"""Packed rows of the projection add up to what the rows themselves do."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.sketch.codebook import DIMENSIONS, VOCABULARY
from stillwatch.sketch.packing import packed, sum_rows
from stillwatch.stats.seeds import generator


@pytest.fixture(scope="module")
def projection() -> np.ndarray:
    """Rows of very different length, as rare and common words have; one in five is of a common word, all zeros."""
    draws = generator(1, "packing")
    rows = draws.standard_normal((VOCABULARY, DIMENSIONS)) * draws.gamma(1.0, 1.0, (VOCABULARY, 1))
    rows[draws.random(VOCABULARY) < 0.2] = 0
    return rows.astype(np.float32)


def _summed(projection: np.ndarray, words: np.ndarray) -> np.ndarray:
    out = np.empty(DIMENSIONS, np.float32)
    sum_rows(words, len(words), packed(projection), out)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("count", [40, 1024, 1025, 4096])
def test_the_direction_of_a_text_is_kept(projection: np.ndarray, count: int) -> None:
    words = generator(2, f"words/{count}").integers(0, VOCABULARY, count).astype(np.uint64)
    exact = projection[words.astype(np.int64)].sum(axis=0)
    found = _summed(projection, words)
    assert exact @ found / np.linalg.norm(exact) / np.linalg.norm(found) > 0.999


def test_the_largest_numbers_do_not_overflow() -> None:
    rows = np.zeros((VOCABULARY, DIMENSIONS), np.float32)
    rows[7], rows[8] = 1.0, -1.0
    words = np.full(4096, 7, np.uint64)
    assert _summed(rows, words).tolist() == [4096 * 511.0] * DIMENSIONS
    assert _summed(rows, words + np.uint64(1)).tolist() == [4096 * -511.0] * DIMENSIONS


def test_common_words_add_nothing(projection: np.ndarray) -> None:
    common = np.flatnonzero(~projection.any(axis=1)).astype(np.uint64)[:50]
    assert not _summed(projection, common).any()
    assert not _summed(projection, common[:0]).any()


def test_a_space_without_any_direction_packs_to_nothing() -> None:
    assert not packed(np.zeros((VOCABULARY, DIMENSIONS), np.float32)).any()
