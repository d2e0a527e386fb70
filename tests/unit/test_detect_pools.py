"""Pools of ordinary customers: matched to the group in size and volume, and each signal formed as the group's own is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from stillwatch.detect import pools
from stillwatch.detect.entities import Entities
from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.pools import PoolBaseline, pool_baseline, pool_values
from stillwatch.detect.shift import subject_shift
from stillwatch.link.nominate import TraceRows
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.stats.seeds import generator

ACCOUNTS, CELLS = 90, 8
COLUMN = {signal.id: place for place, signal in enumerate(HARVEST_SIGNALS)}
ORDINARY = np.arange(ACCOUNTS) >= 6
GROUP = np.arange(6)


def _features() -> dict[str, npt.NDArray[np.float64]]:
    rng = generator(21, "pool features")
    features = {signal.source: rng.random(ACCOUNTS) for signal in HARVEST_SIGNALS}
    features["exchanges"] = np.round(np.exp(rng.normal(5, 1, ACCOUNTS))) + 20
    features["input_tokens"] = np.round(features["exchanges"] * rng.gamma(1, 100, ACCOUNTS)) + 1
    features["output_tokens"] = features["output_yield"] * features["input_tokens"]
    features["reasoning_token_share"][10:50] = np.nan
    features["grading_share"] = np.where(features["grading_share"] < 0.9, 0.01, 0.03)
    return features


def _baseline(ordinary: npt.NDArray[np.bool_] = ORDINARY) -> PoolBaseline:
    features = _features()
    rng = generator(22, "pool subjects")
    empty = Moments.empty(ACCOUNTS, 24, CELLS)
    subjects = np.array([rng.multinomial(int(n), rng.dirichlet(np.full(CELLS, 0.5))) for n in features["exchanges"]])
    empty.subjects[:] = subjects
    nothing = np.zeros(0, np.int64)
    ids = np.array([f"a{number:02d}" for number in range(ACCOUNTS)], np.str_)
    carriers = Moments.empty(0, 24, CELLS)
    profiles = Profiles(ids=ids, accounts=empty, carriers=carriers, carrier_trace=nothing, carrier_account=nothing, start_us=0)
    entities = Entities(profiles=profiles, groups=(), features=features, claimed=~ordinary)
    # one wording that every account carries in ten exchanges, and one of three accounts
    account = np.concatenate([np.arange(ACCOUNTS), [20, 21, 22], np.arange(ACCOUNTS)])
    trace = np.concatenate([np.zeros(ACCOUNTS, np.int64), [1, 1, 1], np.full(ACCOUNTS, 2)])
    count = np.concatenate([np.full(ACCOUNTS, 10), [19, 19, 19], np.full(ACCOUNTS, 20)])
    kinds, values = np.array(["wording", "wording", "network"], np.str_), np.array(["1", "2", "n"], np.str_)
    rows = TraceRows(account=account, trace=trace, count=count, kinds=kinds, values=values, accounts=ACCOUNTS)
    return pool_baseline(entities, rows, ordinary)


def _drawn(baseline: PoolBaseline, members: npt.NDArray[np.int64] = GROUP, draws: int = 60) -> npt.NDArray[np.float64]:
    values = pool_values(baseline, members, HARVEST_SIGNALS, draws, generator(23, "pools"))
    assert values is not None
    return values


def _whole(baseline: PoolBaseline) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The random pools of GROUP and their values; the sets come from the same seed."""
    sets = pools._sets(baseline, GROUP, 60, generator(23, "pools"))
    assert sets is not None
    return sets, _drawn(baseline)


def test_pools_hold_ordinary_accounts_and_members_as_many_as_the_group_and_each_once() -> None:
    """Of 12 that are not ordinary the group is six; the other six are in no pool, and the members are in some."""
    ordinary = np.arange(ACCOUNTS) >= 12
    sets = pools._sets(_baseline(ordinary), GROUP, 60, generator(23, "pools"))
    assert sets is not None
    assert (ordinary | np.isin(np.arange(ACCOUNTS), GROUP))[sets].all()
    assert np.isin(sets, GROUP).any()
    sets, values = _whole(_baseline())
    assert sets.shape == (60, len(GROUP))
    assert all(len(set(row)) == len(GROUP) for row in sets.tolist())
    assert values.shape == (60, len(HARVEST_SIGNALS))


def test_pools_are_of_the_members_volumes() -> None:
    baseline = _baseline()
    volumes = baseline.entities.features["exchanges"]
    sets, _ = _whole(baseline)
    bands = np.floor(np.log2(volumes) / 2)
    assert all(sorted(bands[row]) == sorted(bands[GROUP]) for row in sets)


def test_shares_are_weighted_by_exchanges() -> None:
    baseline = _baseline()
    sets, values = _whole(baseline)
    features = baseline.entities.features
    for name in ("cleaning_share", "single_turn_share", "logprobs_share", "new_model_share", "reasoning_response_share"):
        expected = (features[name][sets] * features["exchanges"][sets]).sum(axis=1) / features["exchanges"][sets].sum(axis=1)
        floor = HARVEST_SIGNALS[COLUMN[name]].floor
        assert values[:, COLUMN[name]] == pytest.approx(np.where(expected < floor, 0.0, expected)), name


def test_a_yield_is_the_pools_tokens_over_its_tokens() -> None:
    baseline = _baseline()
    sets, values = _whole(baseline)
    features = baseline.entities.features
    expected = features["output_tokens"][sets].sum(axis=1) / features["input_tokens"][sets].sum(axis=1)
    assert values[:, COLUMN["output_yield"]] == pytest.approx(expected)


def test_accounts_without_a_value_are_left_out_of_it() -> None:
    baseline = _baseline()
    sets, values = _whole(baseline)
    shares, tokens = (baseline.entities.features[name][sets] for name in ("reasoning_token_share", "output_tokens"))
    known = ~np.isnan(shares)
    some = known.any(axis=1)
    assert some.any()
    assert not known.all(axis=1)[some].all()
    expected = (np.where(known, shares, 0) * tokens).sum(axis=1)[some] / (known * tokens).sum(axis=1)[some]
    found = values[:, COLUMN["reasoning_token_share"]]
    assert found[some] == pytest.approx(np.where(expected < 0.02, 0.0, expected))
    assert np.isnan(found[~some]).all()


def test_subjects_are_counted_over_the_summed_exchanges() -> None:
    baseline = _baseline()
    sets, values = _whole(baseline)
    table = baseline.entities.profiles.accounts.subjects
    pooled = table[sets].sum(axis=1).astype(float)
    size = pooled.sum(axis=1)
    expected = size * (size - 1) / (pooled * (pooled - 1)).sum(axis=1)
    assert values[:, COLUMN["subject_effective"]] == pytest.approx(expected)
    assert values[:, COLUMN["subject_shift"]] == pytest.approx(subject_shift(pooled.astype(np.int64), table.sum(axis=0)))
    wording = values[:, COLUMN["fixed_wording_share"]]
    assert values[:, COLUMN["broad_template"]] == pytest.approx(expected * wording)


def test_the_wording_share_is_the_most_carried_wording_or_one_accounts_own() -> None:
    baseline = _baseline()
    sets, values = _whole(baseline)
    features = baseline.entities.features
    for row, found in zip(sets.tolist(), values[:, COLUMN["fixed_wording_share"]].tolist(), strict=True):
        totals = features["exchanges"][row]
        shared = max(10 * len(row), 19 * sum(account in (20, 21, 22) for account in row))
        own = float((features["fixed_wording_share"][row] * totals).max())
        assert found == pytest.approx(max(shared, own) / totals.sum())


def test_repeats_count_pairs_within_accounts_over_all_pairs() -> None:
    baseline = _baseline()
    sets, values = _whole(baseline)
    repeats, counts = (baseline.entities.features[name][sets] for name in ("prompt_repeat_probability", "exchanges"))
    total = counts.sum(axis=1)
    expected = (repeats * counts * (counts - 1)).sum(axis=1) / (total * (total - 1))
    assert values[:, COLUMN["prompt_repeat_probability"]] == pytest.approx(expected)


def test_shares_below_the_floor_count_as_none() -> None:
    found = _drawn(_baseline())[:, COLUMN["grading_share"]]
    assert set(found[found < 0.02].tolist()) <= {0.0}
    assert (found == 0).any()


def test_signals_of_single_accounts_say_nothing_of_pools() -> None:
    values = _drawn(_baseline())
    for signal in HARVEST_SIGNALS:
        assert np.isnan(values[:, COLUMN[signal.id]]).all() == (not signal.of_groups), signal.id


def test_a_large_group_is_compared_with_pools_of_its_size() -> None:
    members = np.arange(50)
    sets = pools._sets(_baseline(), members, 30, generator(23, "pools"))
    assert sets is not None
    assert sets.shape == (30, len(members))


def test_repeats_of_smaller_pools_are_those_of_a_crowd_of_the_group_s_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LARGEST_POOL", 28)
    baseline, members = _baseline(), np.arange(56)
    sets = pools._sets(baseline, members, 60, generator(23, "pools"))
    assert sets is not None
    assert sets.shape[1] * 2 == len(members)
    repeats, counts = (baseline.entities.features[name][sets] for name in ("prompt_repeat_probability", "exchanges"))
    total = counts.sum(axis=1)
    expected = (repeats * counts * (counts - 1)).sum(axis=1) / (total * (total - 1)) / 2
    assert _drawn(baseline, members)[:, COLUMN["prompt_repeat_probability"]] == pytest.approx(expected)


@pytest.mark.parametrize("ordinary", [0, 3, 8])
def test_too_few_ordinary_accounts_are_no_baseline(ordinary: int) -> None:
    baseline = _baseline(np.arange(ACCOUNTS) < ordinary)
    assert pool_values(baseline, GROUP, HARVEST_SIGNALS, 10, generator(23, "pools")) is None


def test_pools_of_one_seed_are_the_same() -> None:
    assert np.array_equal(_drawn(_baseline()), _drawn(_baseline()), equal_nan=True)
