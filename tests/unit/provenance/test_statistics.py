"""The tests on plain arrays: what they reach, what they leave out, and when they refuse."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.marks.keys import MarkKey
from stillwatch.provenance.canaries import UNANSWERED, canaries, majority
from stillwatch.provenance.closed_radioactivity import closed_radioactivity, distinct_pairs
from stillwatch.provenance.combine import attributed, e_mean, e_product, e_values, holm
from stillwatch.provenance.open_radioactivity import dense_coefficients, keyed_mass, open_radioactivity, sparse_coefficients
from stillwatch.provenance.scoring import GreenListScoring, GumbelScoring
from stillwatch.provenance.similarity import similarity_rank
from stillwatch.provenance.twins import twins
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

KEY = MarkKey(bytes(range(32)))
OTHER = MarkKey(bytes(range(1, 33)))
VOCABULARY = 48


def test_the_sign_flip_p_is_the_share_of_all_flips_that_reach_the_sum() -> None:
    differences = generator(1, "enumerated").normal(0.4, 1.0, 12)
    flips = np.array(list(itertools.product([-1, 1], repeat=12))) @ np.abs(differences)
    expected = np.mean(flips >= differences.sum() - 1e-12)
    result = twins(differences, level=0.01, generator=generator(1, "flips"), flips=999)
    # the grid is fine enough that only sums within a thousandth of a difference may change places
    assert 10**result.log10_p == pytest.approx(expected, abs=2 / 2**12)


@pytest.mark.slow
def test_twins_reach_one_in_a_million_from_a_thousand_pairs_at_effect_one_fifth() -> None:
    draw = generator(2, "reach of twins")
    reached = [twins(draw.normal(0.2, 1.0, 1000), level=1e-6, generator=draw, flips=99).log10_p <= -6 for _ in range(20)]
    assert sum(reached) >= 16


def test_identical_pairs_are_dropped_and_all_others_are_analysed() -> None:
    differences = np.concatenate([np.zeros(5), generator(3, "ties").normal(0.5, 1.0, 40)])
    identical = np.arange(45) < 4
    result = twins(differences, identical, level=1e-3, generator=generator(3, "flips"), flips=99)
    assert result.sample == 40
    assert dict(result.dropped) == {"identical texts": 4, "difference exactly 0": 1}


@pytest.mark.slow
def test_the_bound_beside_the_exact_p_is_never_below_it() -> None:
    result = twins(generator(4, "bound").normal(0.3, 1.0, 300), level=1e-3, generator=generator(4, "flips"))
    beside = {other.name: other for other in result.beside}
    assert result.log10_p <= beside["Chernoff bound"].log10_p
    assert beside["rank among 9,999 drawn flips"].log10_p >= -4.0


def test_the_sign_test_counts_preferences() -> None:
    result = twins(np.ones(30), level=1e-6, score="sign", generator=generator(5, "flips"), flips=99)
    assert result.log10_p == pytest.approx(-30 * math.log10(2))


def test_too_few_pairs_name_how_many_are_needed() -> None:
    with pytest.raises(TooFewSamplesError, match="at least 20 samples, got 19"):
        twins(np.ones(19), level=1e-6, generator=generator(6, "flips"))


@pytest.mark.slow
def test_canaries_reach_one_in_a_million_from_24_questions_at_half_adoption() -> None:
    draw = generator(7, "reach of canaries")
    chosen = draw.integers(0, 16, (400, 24))
    answered = np.where(draw.random((400, 24)) < 0.5, chosen, draw.integers(0, 16, (400, 24)))
    reached = [canaries(c, a, np.full(24, 16), level=1e-6).log10_p <= -6 for c, a in zip(chosen, answered, strict=True)]
    assert np.mean(reached) > 0.85


def test_canaries_of_different_k_have_the_poisson_binomial_law() -> None:
    sizes = np.array([4, 8, 16])
    result = canaries(np.array([1, 2, 3]), np.array([1, 2, 0]), sizes, level=0.01)
    p = 1 / sizes
    expected = sum(np.prod(np.where(o, p, 1 - p)) for o in itertools.product([0, 1], repeat=3) if sum(o) >= 2)
    assert 10**result.log10_p == pytest.approx(expected)


def test_an_unanswered_draw_counts_as_not_matched() -> None:
    result = canaries(np.zeros(6, int), np.full(6, UNANSWERED), np.full(6, 16), level=1e-6)
    assert (result.value, result.log10_p, result.sample) == (0.0, 0.0, 6)
    with pytest.raises(TooFewSamplesError, match="at least 5"):
        canaries(np.zeros(4, int), np.zeros(4, int), np.full(4, 16), level=1e-6)


def test_several_questions_for_one_draw_count_once() -> None:
    draws, answers = majority([1, 1, 1, 0, 0, 2], [3, 3, 1, 2, 4, UNANSWERED])
    assert draws.tolist() == [0, 1, 2]
    assert answers.tolist() == [2, 3, UNANSWERED]


def _suspect(scoring: GreenListScoring | GumbelScoring, strength: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = generator(8, f"suspect {strength}")
    seeds = draw.integers(0, 2**62, 400).astype(np.uint64)
    reference = draw.dirichlet(np.full(VOCABULARY, 0.3), 400)
    keyed = scoring.scores(KEY, np.repeat(seeds, VOCABULARY), np.tile(np.arange(VOCABULARY), 400)).reshape(400, VOCABULARY)
    suspect = reference * np.exp(strength * (keyed - scoring.mean) + draw.normal(0, 0.2, reference.shape))
    return seeds, suspect / suspect.sum(axis=1, keepdims=True), reference


@pytest.mark.parametrize("scoring", [GreenListScoring(0.25), GumbelScoring()], ids=["green", "gumbel"])
def test_a_little_lean_towards_keyed_tokens_is_seen_under_its_key_alone(scoring: GreenListScoring | GumbelScoring) -> None:
    seeds, suspect, reference = _suspect(scoring, 0.1)
    mass = {"teacher": dense_coefficients(seeds, np.ones(400), suspect, reference, exponent=0.5)}
    ours = open_radioactivity(KEY, mass, scoring, level=1e-6, generator=generator(8, "keys"), keys=199)
    assert ours.log10_p < -6
    assert ours.beside[0].log10_p == pytest.approx(math.log10(1 / 200))
    assert open_radioactivity(OTHER, mass, scoring, level=1e-6, generator=generator(8, "keys"), keys=199).log10_p > -3


def test_the_weakest_reference_gives_the_p_value() -> None:
    scoring = GreenListScoring(0.25)
    seeds, suspect, reference = _suspect(scoring, 0.1)
    against = dense_coefficients(seeds, np.ones(400), suspect, reference, exponent=0.5)
    itself = dense_coefficients(seeds, np.ones(400), suspect, 0.9 * suspect + 0.1 * reference, exponent=0.5)
    noisy = dense_coefficients(seeds, np.ones(400), suspect, generator(9, "noise").dirichlet(np.full(VOCABULARY, 0.1), 400), exponent=0.5)
    result = open_radioactivity(KEY, {"a": against, "b": noisy, "c": itself}, scoring, level=1e-6, generator=generator(9, "k"), keys=99)
    assert "less that of b" in result.statistic
    assert len(result.beside) == 3


def test_sparse_and_dense_coefficients_give_the_same_mass_and_repeats_of_a_window_are_pooled() -> None:
    seeds, suspect, reference = _suspect(GreenListScoring(0.25), 0.5)
    seeds = seeds[np.arange(400) % 150]
    dense = dense_coefficients(seeds, np.ones(400), suspect, reference, exponent=0.5)
    positions, tokens = np.repeat(np.arange(400), VOCABULARY), np.tile(np.arange(VOCABULARY), 400)
    sparse = sparse_coefficients(seeds, positions, tokens, suspect.ravel(), reference.ravel(), exponent=0.5)
    assert dense.weights.size == 150
    assert len(np.unique(np.stack([sparse.seeds, sparse.tokens.astype(np.uint64)]), axis=1).T) == sparse.values.size
    scoring = GreenListScoring(0.25)
    assert keyed_mass(KEY, sparse, scoring) == pytest.approx(keyed_mass(KEY, dense, scoring))


def test_a_pair_counts_once_and_windows_of_the_prompt_do_not_count() -> None:
    pairs = distinct_pairs(np.array([1, 1, 2, 3, 1], np.uint64), [7, 7, 7, 7, 8], np.array([3], np.uint64))
    assert pairs.seeds.tolist() == [1, 2, 1]
    assert pairs.tokens.tolist() == [7, 7, 8]
    assert (pairs.repeated, pairs.prompted) == (1, 1)
    with pytest.raises(TooFewSamplesError, match="at least 100"):
        closed_radioactivity(KEY, pairs, GreenListScoring(0.25), level=1e-6)


@pytest.mark.parametrize("scoring", [GreenListScoring(0.25), GumbelScoring()], ids=["green", "gumbel"])
def test_text_that_prefers_keyed_tokens_is_seen_and_its_p_is_exact(scoring: GreenListScoring | GumbelScoring) -> None:
    draw = generator(10, "closed")
    seeds = draw.integers(0, 2**62, 3000).astype(np.uint64)
    choices = draw.integers(0, 5000, (3000, 2))
    scores = np.stack([scoring.scores(KEY, seeds, choices[:, side]) for side in (0, 1)], axis=1)
    picked = choices[np.arange(3000), scores.argmax(axis=1)]
    result = closed_radioactivity(KEY, distinct_pairs(seeds, picked, np.zeros(0, np.uint64)), scoring, level=1e-6)
    assert result.log10_p < -30
    other = closed_radioactivity(OTHER, distinct_pairs(seeds, picked, np.zeros(0, np.uint64)), scoring, level=1e-6)
    assert other.log10_p > -4


def test_a_rank_among_controls_is_no_p_value() -> None:
    found = similarity_rank("share of identical next tokens", 0.5, {f"control {n}": n / 100 for n in range(19)})
    assert found.rank == 1
    assert not any(name == "p" or name.endswith("_p") for name in found.__slots__)
    with pytest.raises(TooFewSamplesError, match="at least 19"):
        similarity_rank("x", 0.5, {"one": 0.1})


def test_holm_and_e_values_are_those_of_their_papers() -> None:
    assert holm(np.log10([0.01, 0.04, 0.03])) == pytest.approx(np.log10([0.03, 0.06, 0.06]))
    p = 1e-4
    expected = (1 - p + p * math.log(p)) / (p * math.log(p) ** 2)
    assert 10 ** e_values([math.log10(p)])[0] == pytest.approx(expected)
    grid = (np.arange(2_000_000) + 0.5) / 2_000_000
    assert np.mean(10 ** e_values(np.log10(grid))) <= 1.0
    assert e_values([-math.inf])[0] == math.inf
    assert e_mean([1.0, 2.0]) == pytest.approx(math.log10(55))
    assert e_product([1.0, -math.inf]) == -math.inf
    assert attributed(["a", "b", "a"], [-7.0, -1.0, -8.0], level=1e-6) == ("a",)
    with pytest.raises(UnusableValuesError):
        holm([0.5])
