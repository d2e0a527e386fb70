"""Exact tails and Chernoff bounds against enumeration, closed forms and each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.chernoff import CentredBernoulli, CentredExponential, FairSign, WeightedSum
from stillwatch.stats.exact import log10_binomial_tail, log10_gamma_tail, log10_weighted_tail
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


def test_a_weighted_tail_is_the_sum_over_all_outcomes() -> None:
    weights, chances = np.array([3, 1, 4, 1, 5, 0, 2]), np.array([0.1, 0.5, 0.3, 0.7, 0.2, 0.6, 0.05])
    outcomes = np.array(list(itertools.product([0, 1], repeat=7)))
    masses = np.prod(np.where(outcomes, chances, 1 - chances), axis=1)
    for at_least in range(17):
        expected = math.log10(masses[outcomes @ weights >= at_least].sum())
        assert log10_weighted_tail(weights, chances, at_least) == pytest.approx(expected, abs=1e-11)
    assert log10_weighted_tail(weights, chances, 17) == -math.inf


def test_tails_go_on_where_doubles_end() -> None:
    assert log10_binomial_tail(1000, 1000, 0.25) == pytest.approx(1000 * math.log10(0.25))
    assert log10_weighted_tail(np.ones(1000, int), np.full(1000, 0.25), 900) == pytest.approx(
        log10_binomial_tail(900, 1000, 0.25), abs=1e-9
    )
    assert log10_gamma_tail(2000.0, 3) == pytest.approx((-2000 + math.log(1 + 2000 + 2e6)) / math.log(10))


def test_ordinary_tails_are_scipys() -> None:
    assert log10_binomial_tail(40, 100, 0.25) == pytest.approx(math.log10(stats.binom.sf(39, 100, 0.25)))
    assert log10_gamma_tail(130.0, 100) == pytest.approx(math.log10(stats.gamma.sf(130.0, 100)))


@pytest.mark.parametrize("law", [CentredBernoulli(0.25), CentredBernoulli(0.9), CentredExponential(), FairSign()], ids=repr)
def test_the_laws_cumulants_are_the_derivatives_of_their_log_mgf(law: CentredBernoulli | CentredExponential | FairSign) -> None:
    step = 1e-3
    at = law.log_mgf(np.array([-2, -1, 0, 1, 2]) * step)
    assert (at[3] - 2 * at[2] + at[1]) / step**2 == pytest.approx(law.variance, rel=1e-4)
    assert (at[4] - 2 * at[3] + 2 * at[1] - at[0]) / (2 * step**3) == pytest.approx(law.third, abs=1e-3)
    places = np.linspace(-0.25, 0.25, 41)
    series = law.variance * places**2 / 2 + law.third * places**3 / 6 + law.fourth * places**4 / 24
    assert np.all(law.log_mgf(places) <= series + 1e-13)


def test_a_chernoff_bound_is_never_below_the_exact_tail_and_close_far_out() -> None:
    bound = WeightedSum(np.ones(400), CentredBernoulli(0.25))
    for hits in (110, 150, 250, 399):
        exact, found = log10_binomial_tail(hits, 400, 0.25), bound.log10_tail(hits - 100.0)
        assert exact <= found <= exact + 2.0
    gamma = WeightedSum(np.full(400, 0.5), CentredExponential())
    for total in (450.0, 800.0):
        exact = log10_gamma_tail(total, 400)
        assert exact <= gamma.log10_tail((total - 400) / 2) <= exact + 2.0


def test_small_coefficients_summed_by_their_powers_bound_as_tightly() -> None:
    draw = generator(1, "small coefficients")
    small, large = draw.normal(0, 1e-4, 50_000), draw.normal(0, 1, 20)
    both = WeightedSum(np.concatenate([large, small]), CentredBernoulli(0.25))
    mass = 2 * both.deviation
    thetas = np.linspace(0.1, 20, 2000)
    parts = np.concatenate([large, small])
    plain = min(float(CentredBernoulli(0.25).log_mgf(theta * parts).sum() - theta * mass) for theta in thetas[::20])
    assert both.log10_tail(mass) == pytest.approx(plain / math.log(10), abs=0.02)


@pytest.mark.slow
def test_a_bound_holds_over_draws() -> None:
    draw = generator(2, "bound over draws")
    coefficients = draw.normal(size=60)
    bound = WeightedSum(coefficients, CentredBernoulli(0.25))
    sums = ((draw.random((2000, 60)) < 0.25) - 0.25) @ coefficients
    logs = np.array([bound.log10_tail(float(value)) for value in sums])
    assert all(np.count_nonzero(logs <= math.log10(level)) <= 2000 * level + 3 for level in (0.05, 0.01, 0.001))
    assert np.count_nonzero(logs <= math.log10(0.2)) > 0


def test_values_outside_the_domain_are_refused() -> None:
    with pytest.raises(UnusableValuesError):
        log10_binomial_tail(5, 4, 0.5)
    with pytest.raises(UnusableValuesError):
        log10_weighted_tail([1.5], [0.5], 1)
    with pytest.raises(TooFewSamplesError):
        WeightedSum(np.zeros(3), FairSign())
    with pytest.raises(UnusableValuesError):
        WeightedSum(np.array([np.nan]), FairSign())
