"""Judgement: calibrated on honest accounts, nobody in its own baseline, groups against pools, corrected within families."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.judge import LEAST_REFERENCE, Judgement, Singles, judge, judge_group, single_customers, with_q_values
from stillwatch.detect.settings import DetectSettings
from stillwatch.stats.multiplicity import benjamini_hochberg
from stillwatch.stats.seeds import generator

SIGNALS = HARVEST_SIGNALS[:6]
SETTINGS = DetectSettings(least_account_exchanges=100)
Floats = npt.NDArray[np.float64]


def _values(rows: int, name: str = "honest") -> Floats:
    """Honest accounts of one population: correlated signals, ties at 0, a tenth missing."""
    rng = generator(6, name)
    common = rng.normal(size=(rows, 1))
    values = np.maximum(0, 0.6 * common + rng.normal(size=(rows, len(SIGNALS))))
    return np.where(rng.random(values.shape) < 0.1, np.nan, values)


def _judged(values: Floats, settings: DetectSettings = SETTINGS, *, claimed: int = 0, suspects: int = 0, groups: int = 0) -> Judgement:
    """All of 300 exchanges; the first are claimed, the next suspects, the last groups."""
    rows = len(values)
    place = np.arange(rows)
    return judge(
        values,
        np.full(rows, 300.0),
        place >= rows - groups,
        place < claimed,
        (place >= claimed) & (place < claimed + suspects),
        SIGNALS,
        settings,
        generator(7, "folds"),
    )


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.3])
def test_p_values_of_honest_accounts_are_no_smaller_than_uniform(level: float) -> None:
    """600 accounts of one population; folds leave the p-values weakly dependent, which the band's width allows for."""
    p_values = _judged(_values(600)).p_values
    assert not np.isnan(p_values).any()
    assert (p_values <= level).sum() <= binom.ppf(0.999, 600, level)


@pytest.mark.parametrize("accounts", [300, 6_000])
@pytest.mark.slow
def test_signals_that_grow_with_volume_accuse_nobody_for_its_volume(accounts: int) -> None:
    """However many accounts: with more of them a baseline is narrower, and an account must still stand in its middle."""
    rng = generator(9, f"volumes of {accounts}")
    volumes = np.floor(np.exp(rng.normal(5.5, 1.0, accounts)))
    trends = np.log(volumes)[:, None] * np.array([3.0, 2.0, 1.0, -1.0, 0.0, 0.0])
    values = trends + rng.normal(size=(accounts, len(SIGNALS)))
    values[:, 0] = volumes
    nobody = np.zeros(accounts, np.bool_)
    p_values = judge(values, volumes, nobody, nobody, nobody, SIGNALS, SETTINGS, generator(7, "folds")).p_values
    judged = p_values[~np.isnan(p_values)]
    assert len(judged) > accounts / 2
    for level in (0.005, 0.01, 0.05, 0.2):
        assert (judged <= level).sum() <= binom.ppf(0.999, len(judged), level), level
    assert not (benjamini_hochberg(judged) <= 0.005).any()


def test_an_account_that_stands_out_is_told_from_the_rest() -> None:
    values = np.nan_to_num(_values(300))
    values[40] = 9.0
    judgement = with_q_values(_judged(values), np.zeros(300, np.bool_))
    assert judgement.p_values[40] == np.nanmin(judgement.p_values)
    assert judgement.q_values[40] < 0.05
    assert judgement.extrapolated[40]


def test_no_account_stands_in_its_own_baseline() -> None:
    """With a fold for each account, the baseline of each is exactly all the others."""
    values = np.nan_to_num(_values(40))
    judgement = _judged(values, replace(SETTINGS, folds=40))
    for account in range(40):
        others = np.delete(values, account, axis=0)
        assert judgement.medians[account] == pytest.approx(np.median(others, axis=0))
        assert judgement.highs[account] == pytest.approx(np.quantile(others, 0.95, axis=0))
        assert set(judgement.sizes[account].tolist()) == {39}


def test_low_is_suspicious_where_the_direction_says_so() -> None:
    low = [replace(signal, direction=-1) for signal in SIGNALS]
    values = np.abs(generator(8, "low").normal(5, 1, (200, len(SIGNALS))))
    values[3] = 0.01
    nobody = np.zeros(200, np.bool_)
    judgement = judge(values, np.full(200, 300.0), nobody, nobody, nobody, low, SETTINGS, generator(7, "folds"))
    assert judgement.p_values[3] == np.nanmin(judgement.p_values)
    others = np.delete(values, 3, axis=0)
    assert judgement.highs[3] == pytest.approx(np.quantile(others, 0.05, axis=0), abs=0.3)


def test_claimed_accounts_are_neither_judged_nor_a_baseline_and_suspects_are_judged_only() -> None:
    values = np.nan_to_num(_values(200))
    values[:30] = 50.0
    judgement = _judged(values, claimed=20, suspects=10)
    assert np.isnan(judgement.p_values[:20]).all()
    assert not np.isnan(judgement.p_values[20:]).any()
    assert np.all(judgement.p_values[20:30] < 0.01)
    assert judgement.sizes[25].max() == 170
    assert np.nanmax(judgement.highs[30:]) < 10


def test_accounts_of_too_few_exchanges_are_not_judged() -> None:
    values, volumes = np.nan_to_num(_values(100)), np.full(100, 300.0)
    volumes[:10] = SETTINGS.least_account_exchanges - 1
    nobody = np.zeros(100, np.bool_)
    judgement = judge(values, volumes, nobody, nobody, nobody, SIGNALS, SETTINGS, generator(7, "folds"))
    assert np.isnan(judgement.p_values[:10]).all()
    assert not np.isnan(judgement.p_values[10:]).any()


def test_too_small_a_baseline_is_no_judgement() -> None:
    judgement = _judged(np.nan_to_num(_values(LEAST_REFERENCE)))
    assert np.isnan(judgement.p_values).all()
    assert np.isnan(judgement.totals).all()


def test_a_signal_with_too_few_values_keeps_silent() -> None:
    values = np.nan_to_num(_values(100))
    values[15:, 2] = np.nan
    judgement = _judged(values)
    assert np.isnan(judgement.p_signals[:, 2]).all()
    assert not judgement.contributions[:, 2].any()
    assert not np.isnan(judgement.p_values).any()


def test_the_baseline_is_of_like_volume() -> None:
    """Small accounts have small values; judged against them, a large one would look suspicious."""
    volumes = np.concatenate([np.full(300, 120.0), np.full(100, 4000.0)])
    values = np.tile(volumes[:, None] / 1000, (1, len(SIGNALS))) + generator(9, "volumes").normal(0, 0.01, (400, len(SIGNALS)))
    nobody = np.zeros(400, np.bool_)
    settings = replace(SETTINGS, reference_size=60)
    judgement = judge(values, volumes, nobody, nobody, nobody, SIGNALS, settings, generator(7, "folds"))
    assert np.nanmax(judgement.medians[:300]) < 1
    assert np.nanmin(judgement.medians[300:]) > 3
    assert (judgement.p_values[300:] <= 0.05).mean() < 0.2


def test_totals_are_the_sums_of_contributions() -> None:
    judgement = _judged(_values(120))
    assert judgement.totals == pytest.approx(judgement.contributions.sum(axis=1))
    families = {signal.family for signal in SIGNALS}
    assert np.all((judgement.contributions > 0).sum(axis=1) <= len(families))


def test_judging_twice_with_one_seed_gives_one_answer() -> None:
    first, second = _judged(_values(150)), _judged(_values(150))
    assert np.array_equal(first.p_values, second.p_values, equal_nan=True)


def _group(group: float, pools: Floats, single: Floats | None) -> Judgement:
    values = np.vstack([np.nan_to_num(_values(60)), np.full(len(SIGNALS), group)])
    judgement = _judged(values, groups=1)
    judge_group(judgement, 60, pools, None if single is None else Singles(values=single, matched=True), SIGNALS)
    return judgement


POOLS = np.abs(generator(10, "pools").normal(1.0, 0.1, (400, len(SIGNALS))))
CUSTOMERS = np.abs(generator(10, "customers").normal(1.0, 2.0, (300, len(SIGNALS))))


def test_a_group_is_judged_against_pools_and_not_against_accounts() -> None:
    judgement = _group(2.0, POOLS, None)
    assert judgement.p_values[60] < 0.01
    assert judgement.medians[60] == pytest.approx(np.median(POOLS, axis=0))
    assert set(judgement.sizes[60].tolist()) == {400}


def test_an_open_organisation_must_stand_out_from_pools_and_from_single_customers() -> None:
    """Beyond every pool, but well within what single customers do."""
    assert _group(2.0, POOLS, CUSTOMERS).p_values[60] > 0.05
    assert _group(30.0, POOLS, CUSTOMERS).p_values[60] < 0.01
    assert _group(1.0, POOLS, CUSTOMERS).p_values[60] > 0.05


@pytest.mark.parametrize("value", [0.5, 1.0, 1.2, 2.0, 5.0, 30.0])
def test_the_larger_of_the_two_p_values_counts(value: float) -> None:
    both = _group(value, POOLS, CUSTOMERS).p_values[60]
    assert both == max(_group(value, POOLS, None).p_values[60], _group(value, CUSTOMERS, None).p_values[60])


def test_what_is_told_of_an_open_organisation_comes_from_one_baseline() -> None:
    """A signal that no pool has is silent, although single customers have it; the strength is what the readings add up to."""
    pools = POOLS.copy()
    pools[:, 0] = np.nan
    judgement = _group(5.0, pools, CUSTOMERS)
    assert np.isnan(judgement.p_signals[60, 0])
    assert judgement.totals[60] == pytest.approx(judgement.contributions[60].sum())


def test_q_values_are_benjamini_hochberg_within_families_at_half_the_level_each() -> None:
    judgement = _judged(np.nan_to_num(_values(80)), groups=12)
    rng = generator(11, "p")
    judgement.p_values[:] = rng.random(80) ** 3
    judgement.p_values[5] = np.nan
    groups = np.arange(80) >= 68
    with_q_values(judgement, groups)
    known = ~np.isnan(judgement.p_values)
    for family in (groups & known, ~groups & known):
        expected = np.minimum(1.0, 2 * np.asarray(benjamini_hochberg(judgement.p_values[family])))
        assert judgement.q_values[family] == pytest.approx(expected)
    assert np.isnan(judgement.q_values[5])
    assert np.all(judgement.q_values[known] >= judgement.p_values[known])


def test_a_run_without_groups_leaves_their_half_of_the_level_unspent() -> None:
    """The split must not depend on what linking found."""
    judgement = with_q_values(_judged(np.nan_to_num(_values(60))), np.zeros(60, np.bool_))
    assert judgement.q_values == pytest.approx(np.minimum(1.0, 2 * benjamini_hochberg(judgement.p_values)))


def test_with_nobody_judged_there_are_no_q_values() -> None:
    judgement = with_q_values(_judged(np.nan_to_num(_values(5))), np.zeros(5, np.bool_))
    assert np.isnan(judgement.q_values).all()


def test_single_customers_stand_around_the_group_and_must_be_as_large() -> None:
    volumes = np.exp(generator(11, "volumes").normal(4, 1, 400))
    values = volumes[:, None]
    near = single_customers(values, volumes, float(np.median(volumes)), 100)
    assert near.matched
    assert near.values.shape == (100, 1)
    assert np.all(np.abs(np.log(near.values / np.median(volumes))) < np.log(4))
    far = single_customers(values, volumes, 1000 * float(volumes.max()), 100)
    assert not far.matched
    assert far.values.max() == volumes.max()


def test_a_group_remembers_that_no_single_customer_is_as_large() -> None:
    values = np.vstack([np.nan_to_num(_values(60)), np.full(len(SIGNALS), 4.0)])
    for matched in (True, False):
        judgement = _judged(values, groups=1)
        judge_group(judgement, 60, POOLS, Singles(values=CUSTOMERS, matched=matched), SIGNALS)
        assert bool(judgement.unmatched[60]) is not matched
        assert judgement.as_strangers[60] <= judgement.p_values[60]
