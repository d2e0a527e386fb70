from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.intervals import binomial_band, bootstrap_interval, clopper_pearson
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (291, 100_000)])
def test_clopper_pearson_agrees_with_scipy(k: int, n: int) -> None:
    from scipy import stats

    expected = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    assert clopper_pearson(k, n) == pytest.approx((expected.low, expected.high))


def test_clopper_pearson_covers_every_share_at_its_level() -> None:
    from scipy import stats

    for share in (0.01, 0.1, 0.37, 0.5, 0.9):
        inside = [k for k in range(31) if clopper_pearson(k, 30)[0] <= share <= clopper_pearson(k, 30)[1]]
        assert stats.binom.pmf(inside, 30, share).sum() >= 0.95


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (20, 0.05), (1000, 0.05), (400, 0.999), (5, 0.0), (5, 1.0)])
def test_the_band_holds_its_level_and_is_no_wider_than_needed(n: int, p: float) -> None:
    from scipy import stats

    low, high = binomial_band(n, p, 0.99)
    law = stats.binom(n, p)
    assert 0 <= low <= high <= n
    assert law.cdf(low - 1) <= 0.005 < law.cdf(low)
    assert law.sf(high) <= 0.005 < law.sf(high - 1)


def test_the_bootstrap_interval_of_a_mean_is_near_the_normal_one() -> None:
    values = generator(1, "bootstrap").normal(3.0, 2.0, size=400)
    low, high = bootstrap_interval(values, lambda rows: rows.mean(axis=1), generator(2, "bootstrap"))
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)


def test_too_little_is_an_error() -> None:
    with pytest.raises(TooFewSamplesError):
        clopper_pearson(0, 0)
    with pytest.raises(TooFewSamplesError):
        binomial_band(0, 0.5)
    with pytest.raises(TooFewSamplesError):
        bootstrap_interval([1.0] * 9, lambda rows: rows.mean(axis=1), generator(1, "few"))
    with pytest.raises(TooFewSamplesError, match="draws"):
        bootstrap_interval([1.0] * 10, lambda rows: rows.mean(axis=1), generator(1, "few"), draws=10)
    with pytest.raises(UnusableValuesError):
        clopper_pearson(3, 2)
    with pytest.raises(UnusableValuesError, match="last axis"):
        bootstrap_interval(np.arange(10.0), lambda rows: rows.mean(axis=0), generator(1, "axis"), draws=100)
