"""Green lists and Gumbel draws hold what their nulls say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stillwatch.marks.green_list import green_bias, green_vocabulary, is_green, threshold
from stillwatch.marks.gumbel import as_uniforms, sample, scores, uniforms
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

KEY = MarkKey(bytes(range(2, 34)))


@pytest.mark.parametrize("gamma", [0.25, 0.5, 0.1])
def test_the_share_of_green_tokens_is_gamma(gamma: float) -> None:
    green = green_vocabulary(KEY, 5, 50_000, gamma)
    low, high = binomial_band(50_000, gamma)
    assert low <= int(green.sum()) <= high


def test_a_token_is_green_in_the_vocabulary_exactly_where_it_is_green_alone() -> None:
    tokens = generator(1, "green").integers(0, 500, 40)
    seeds = context_seeds(tokens, 2)
    alone = is_green(KEY, seeds, tokens[2:], 0.25)
    whole = [green_vocabulary(KEY, int(seed), 500, 0.25)[token] for seed, token in zip(seeds, tokens[2:], strict=True)]
    assert alone.tolist() == whole
    assert 0 < alone.sum() < alone.size


def test_the_bias_is_delta_for_green_tokens_and_nothing_for_others() -> None:
    bias = green_bias(KEY, 5, 1000, gamma=0.25, delta=2.0)
    assert bias.tolist() == np.where(green_vocabulary(KEY, 5, 1000, 0.25), 2.0, 0.0).tolist()
    assert set(bias) == {0.0, 2.0}


@pytest.mark.parametrize(("gamma", "delta"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.0), (0.5, float("nan")), (0.5, float("inf"))])
def test_settings_without_meaning_are_refused(gamma: float, delta: float) -> None:
    with pytest.raises(UnusableValuesError, match=r"gamma|delta"):
        green_bias(KEY, 5, 10, gamma=gamma, delta=delta)


def test_the_threshold_of_a_half_is_half_of_all_draws() -> None:
    assert threshold(0.5) == 2**63
    assert threshold(1 - 2**-53) < 2**64


def test_uniforms_never_reach_0_or_1() -> None:
    ends = as_uniforms(np.array([0, 2**64 - 1], np.uint64))
    assert ends.tolist() == [2.0**-53, 1 - 2.0**-53]
    assert np.all(np.isfinite(-np.log1p(-ends)))


def test_scores_of_fresh_text_sum_to_a_gamma_variable() -> None:
    tokens = generator(2, "gumbel").integers(0, 30_000, 20_002)
    seeds = context_seeds(tokens, 2)
    values = scores(KEY, seeds, tokens[2:])
    assert 1e-4 < stats.gamma.sf(values.sum(), values.size) < 1 - 1e-4
    assert stats.kstest(uniforms(KEY, seeds, tokens[2:]), "uniform").pvalue > 1e-4


@pytest.mark.slow
def test_sampling_over_contexts_draws_from_the_given_distribution() -> None:
    wanted = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
    seeds = context_seeds(np.arange(2501), 1)
    chosen = np.bincount([sample(KEY, int(seed), wanted) for seed in seeds], minlength=5)
    assert chosen[4] == 0
    assert stats.chisquare(chosen[:4], 2500 * wanted[:4]).pvalue > 1e-4


def test_sampled_tokens_score_above_chance_for_the_key_and_not_for_another() -> None:
    draw = generator(4, "gumbel power")
    tokens = [1, 2]
    for _ in range(300):
        seed = int(context_seeds([*tokens[-2:], 0], 2)[0])
        tokens.append(sample(KEY, seed, draw.dirichlet(np.full(40, 0.5))))
    pairs = np.unique(np.column_stack([context_seeds(tokens, 2), np.array(tokens[2:], np.uint64)]), axis=0)
    for key, low, high in ((KEY, 0.0, 1e-30), (MarkKey(bytes(32)), 1e-4, 1.0)):
        assert low <= stats.gamma.sf(scores(key, pairs[:, 0], pairs[:, 1]).sum(), len(pairs)) <= high


@pytest.mark.parametrize("probabilities", [[], [0.0, 0.0], [0.5, -0.1], [np.nan, 1.0]])
def test_probabilities_that_are_none_are_refused(probabilities: list[float]) -> None:
    with pytest.raises(UnusableValuesError, match="probabilities"):
        sample(KEY, 1, probabilities)
