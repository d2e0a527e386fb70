from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.dispersion import synchrony, synchrony_p_value, volume_dispersion, volume_dispersion_p_value
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

DAY = 1.0 + np.sin(np.arange(48) / 48 * 4 * np.pi)


def _customers(draw: np.random.Generator, accounts: int) -> np.ndarray:
    """Bursty accounts that share a daily profile and nothing else."""
    rate = draw.lognormal(0.0, 1.0, size=(accounts, 1)) * draw.gamma(0.3, 1 / 0.3, size=(accounts, DAY.size))
    return draw.poisson(rate * DAY).astype(float)


def test_synchrony_agrees_with_a_hand_calculation() -> None:
    # Residuals (1, -1) and (1, -1): the total's square is 4 per bucket, the accounts' own are 2.
    assert synchrony([[2, 0], [3, 1]], [1, 1]) == pytest.approx(2.0)
    assert synchrony([[2, 0], [0, 2]], [1, 1]) == pytest.approx(0.0)


def test_lockstep_of_n_accounts_has_synchrony_n() -> None:
    one = generator(1, "lockstep").poisson(5 * DAY).astype(float)
    assert synchrony(np.tile(one, (30, 1)), DAY) == pytest.approx(30.0)


def test_independent_bursty_accounts_have_synchrony_near_one() -> None:
    values = [synchrony(_customers(generator(seed, "cox"), 60), DAY) for seed in range(60)]
    assert np.mean(values) == pytest.approx(1.0, abs=0.15)


def test_a_fleet_in_lockstep_is_told_from_customers() -> None:
    draw = generator(2, "fleet")
    bursts = draw.gamma(0.3, 1 / 0.3, size=DAY.size)
    fleet = draw.poisson(np.tile(bursts * DAY, (10, 1))).astype(float)
    matrix = np.concatenate([_customers(draw, 200), fleet])
    strata = np.zeros(210, dtype=int)
    assert synchrony_p_value(draw, matrix, DAY, np.arange(200, 210), strata) == 1 / 500
    assert synchrony_p_value(draw, matrix, DAY, np.arange(10), strata) > 0.05


def test_equal_poisson_volumes_show_no_dispersion_and_lognormal_ones_their_own() -> None:
    draw = generator(3, "volume")
    assert volume_dispersion(draw.poisson(50.0, size=3000)) < 0.06
    rates = 200.0 * draw.lognormal(0.0, 0.8, size=3000)
    assert volume_dispersion(np.maximum(draw.poisson(rates), 1)) == pytest.approx(0.8, abs=0.05)


def test_dealt_out_volumes_are_told_from_customers() -> None:
    draw = generator(4, "dealt")
    counts = np.maximum(draw.poisson(60 * draw.lognormal(0, 1, size=310)), 1).astype(float)
    counts[300:] = draw.poisson(60.0, size=10)
    strata = np.zeros(310, dtype=int)
    assert volume_dispersion_p_value(draw, counts, np.arange(300, 310), strata) < 0.01
    assert volume_dispersion_p_value(draw, counts, np.arange(10), strata) > 0.05


def test_what_cannot_be_judged_is_an_error() -> None:
    with pytest.raises(TooFewSamplesError):
        synchrony([[1, 2]], [1, 1])
    with pytest.raises(TooFewSamplesError):
        volume_dispersion([5])
    with pytest.raises(UnusableValuesError, match="nothing to compare"):
        synchrony([[1, 1], [2, 2]], [1, 1])
    with pytest.raises(UnusableValuesError, match="profile is 0"):
        synchrony([[1, 1], [2, 3]], [1, 0])
    with pytest.raises(UnusableValuesError, match="at least 1"):
        volume_dispersion([5, 0])
