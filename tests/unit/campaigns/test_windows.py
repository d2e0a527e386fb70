"""Windows of queries: an exact level on benign windows, power on strangers."""

from __future__ import annotations

import numpy as np
import pytest

from campaigns.windows import FEATURES, METHODS, Parting, Seen, discrepancy, novelty, random_texts, rates
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.mmd import feature_map, mmd2_from_means, window_moments
from stillwatch.stats.seeds import generator


def _columns(vectors: np.ndarray) -> np.ndarray:
    features = feature_map(generator(1, "kernel"), vectors.shape[1], FEATURES, 2.0).apply(vectors)
    return np.column_stack([features, np.einsum("ij,ij->i", features, features), np.maximum(0.0, np.abs(vectors).max(axis=1) - 2.0)])


def _parting(shift: float, seed: int) -> Parting:
    draw = generator(seed, "queries")
    parts = [Seen(columns=_columns(draw.normal(size=(120, 3))), groups=None) for _ in range(3)]
    return Parting(
        fitting=parts[0],
        calibrating=parts[1],
        tested=parts[2],
        attacking=Seen(columns=_columns(draw.normal(shift, 1, (120, 3))), groups=None),
    )


def test_the_discrepancy_of_means_is_the_unbiased_one() -> None:
    columns = _columns(generator(2, "rows").normal(size=(40, 3)))
    rows = np.arange(40).reshape(4, 10)
    moments = window_moments(columns[:, :FEATURES], rows)
    means = columns[rows].mean(axis=1)
    assert discrepancy(means, means, 10) == pytest.approx(mmd2_from_means(moments, moments))


@pytest.mark.slow
def test_benign_windows_are_rejected_at_the_nominal_rate_and_strangers_are_found() -> None:
    told = rates([_parting(2.5, seed) for seed in range(4)], 40, generator(3, "windows"))
    known = {(row["method"], row["share"]): row["rate"] for row in told}
    for method in METHODS[1:]:
        assert known[method, 0.0] <= binomial_band(100, 0.05)[1] / 100
        assert known[method, 1.0] == 1.0
        assert known[method, 0.5] > 0.9
    assert known[METHODS[0], 0.0] <= known[METHODS[1], 0.0]


def test_a_window_that_does_not_fit_says_so() -> None:
    (told,) = rates([_parting(0.0, 1)], 500, generator(3, "windows"))
    assert told["share"] is None
    assert "120 benign queries" in told["missing"]


def test_the_same_query_is_no_neighbour_of_its_own() -> None:
    vectors = np.eye(8)
    assert (novelty(vectors, vectors) > 0.9).all()


def test_random_texts_are_as_long_and_use_no_other_words() -> None:
    texts = ["one two three", "four"]
    made = random_texts(texts, generator(4, "texts"))
    assert [len(text.split()) for text in made] == [3, 1]
    assert {word for text in made for word in text.split()} <= {"one", "two", "three", "four"}
