"""Profiles: sums over exchanges, against a plain recomputation, whatever the batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import UnreadableInputError
from stillwatch.link.closeness import subject_distances, volume_distances
from stillwatch.link.likeness import by_clock
from stillwatch.link.profiles import (
    HOUR_US,
    PROFILE_COLUMNS,
    QUANTUM,
    Moments,
    Profiles,
    Watched,
    build_profiles,
    own_rhythm_removed,
)
from stillwatch.records.tables import SKETCHED
from stillwatch.sketch.codebook import DIMENSIONS
from stillwatch.stats.seeds import generator

CELLS = 7
START_US = 1_788_739_200_000_000  # Monday 2026-09-07, midnight UTC
HOURS = 60
IDS = np.array([f"a{number}" for number in range(6)], np.str_)
# trace 0 has two fingerprints and trace 1 is a system key
WATCHED = Watched(
    keys=np.array([-50, 7, 90], np.int64),
    traces=np.array([0, 0, 1], np.int64),
    members=[np.array([0, 1, 2], np.int64), np.array([1, 3], np.int64)],
)
SCHEMA = pa.schema([arrow_schema(SKETCHED).field(name) for name in PROFILE_COLUMNS])


def _rows(count: int = 400, seed: int = 1) -> list[dict[str, Any]]:
    rng = generator(seed, "profile rows")
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        text = rng.random() < 0.9
        vector = rng.integers(-127, 128, DIMENSIONS).astype(np.int8)
        wording = sorted({int(value) for value in rng.choice([-50, 7, 8, 9, 10], int(rng.integers(0, 5)))})
        rows.append(
            {
                "account_id": str(rng.choice(IDS)),
                "started_at": START_US + int(rng.integers(0, HOURS * HOUR_US)),
                "subject": int(rng.integers(0, CELLS)) if text else None,
                "embedding": vector.tobytes() if text else None,
                "language": int(rng.integers(0, 13)) if text else None,
                "wording": wording if text else None,
                "system_key": int(rng.choice([90, 91])) if rng.random() < 0.4 else None,
            }
        )
    return rows


def _built(rows: list[dict[str, Any]], batch: int, watched: Watched = WATCHED, threads: int = 1) -> Profiles:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return build_profiles(
        table.combine_chunks().to_batches(max_chunksize=batch),
        IDS,
        watched,
        start_us=START_US,
        stop_us=START_US + HOURS * HOUR_US - 1,
        cells=CELLS,
        threads=threads,
    )


def _plain(rows: list[dict[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    """The same sums, one row at a time."""
    sums = np.zeros(DIMENSIONS)
    hours, subjects, languages = np.zeros(HOURS, int), np.zeros(CELLS, int), np.zeros(16, int)
    known = 0
    for row in rows:
        hours[(row["started_at"] - START_US) // HOUR_US] += 1
        languages[row["language"] or 0] += 1
        if row["embedding"] is not None:
            known += 1
            sums += np.frombuffer(row["embedding"], np.int8)
            subjects[row["subject"]] += 1
    return {"counts": np.array(known), "sums": sums / QUANTUM, "hours": hours, "subjects": subjects, "languages": languages}


def _same(moments: Moments, owner: int, plain: dict[str, npt.NDArray[Any]]) -> None:
    for name, expected in plain.items():
        found = getattr(moments, name)[owner]
        assert np.array_equal(found, expected), (name, owner)


@pytest.mark.parametrize("batch", [1, 7, 64, 1000])
def test_accounts_hold_the_plain_sums_whatever_the_batches(batch: int) -> None:
    rows = _rows()
    profiles = _built(rows, batch)
    for owner, name in enumerate(IDS.tolist()):
        _same(profiles.accounts, owner, _plain([row for row in rows if row["account_id"] == name]))


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_carriers_hold_only_the_exchanges_that_carry_the_trace_each_once(batch: int) -> None:
    rows = _rows()
    profiles = _built(rows, batch)
    assert profiles.carrier_trace.tolist() == [0, 0, 0, 1, 1]
    assert profiles.carrier_account.tolist() == [0, 1, 2, 1, 3]
    for place, (trace, account) in enumerate(zip(profiles.carrier_trace.tolist(), profiles.carrier_account.tolist(), strict=True)):
        mine = [row for row in rows if row["account_id"] == IDS[account]]
        if trace == 0:
            # an exchange with both fingerprints of the trace stands here once
            carrying = [row for row in mine if row["wording"] and {-50, 7} & set(row["wording"])]
            assert any({-50, 7} <= set(row["wording"]) for row in carrying)
        else:
            carrying = [row for row in mine if row["system_key"] == 90]
        assert 0 < len(carrying) < len(mine)
        _same(profiles.carriers, place, _plain(carrying))


def test_a_carrier_has_no_more_than_its_account() -> None:
    profiles = _built(_rows(), 100)
    for name in ("counts", "hours", "subjects", "languages"):
        assert np.all(getattr(profiles.carriers, name) <= getattr(profiles.accounts, name)[profiles.carrier_account])


def test_the_order_of_rows_does_not_change_a_bit() -> None:
    rows = _rows()
    first, second = _built(rows, 50), _built(rows[::-1], 33)
    for name in ("counts", "sums", "hours", "subjects", "languages"):
        assert np.array_equal(getattr(first.accounts, name), getattr(second.accounts, name))
        assert np.array_equal(getattr(first.carriers, name), getattr(second.carriers, name))


def test_nothing_watched_leaves_no_carriers() -> None:
    profiles = _built(_rows(50), 10, Watched.nothing())
    assert len(profiles.carriers.counts) == len(profiles.carrier_trace) == 0
    assert int(profiles.accounts.hours.sum()) == 50


def test_an_account_that_the_list_lacks_is_an_error_and_is_not_named() -> None:
    row = {**_rows(1)[0], "account_id": "private name"}
    with pytest.raises(UnreadableInputError, match="list of accounts lacks") as caught:
        _built([row], 10)
    assert "private name" not in str(caught.value)


def _two_weeks(shift_hours: int, seed: int | None = None) -> npt.NDArray[np.uint32]:
    """Office hours and a quiet weekend by a clock `shift_hours` ahead of UTC, 5 requests an hour, drawn or exact."""
    hour = np.arange(24 * 14) + shift_hours
    working = (hour % 168 < 120) & (hour % 24 >= 9) & (hour % 24 < 17)
    rates = np.where(working, 5.0, 0.0)
    return (rates if seed is None else generator(seed, "two weeks").poisson(rates)).astype(np.uint32)


@pytest.mark.parametrize("shift_hours", [0, 2, -8, 12])
def test_a_steady_rhythm_with_a_weekend_of_its_own_clock_leaves_nothing(shift_hours: int) -> None:
    assert np.abs(own_rhythm_removed(_two_weeks(shift_hours)[None, :], START_US)).max() < 1e-5


def _in_step(hours: npt.NDArray[np.uint32]) -> float:
    """The typical step of 20 accounts with each other, in standard deviations; the mean over sets of 20."""
    sets = np.arange(len(hours)).reshape(-1, 20)
    return float(by_clock(own_rhythm_removed(hours, START_US), sets).mean())


@pytest.mark.parametrize(("shift_hours", "begins"), [(0, 0), (2, 0), (12, 0), (0, 24 * 5), (2, 24 * 5), (0, 24 * 9), (2, 24 * 9)])
def test_independent_customers_of_one_time_zone_who_begin_on_one_day_are_not_in_step(shift_hours: int, begins: int) -> None:
    hours = np.array([_two_weeks(shift_hours, seed) for seed in range(160)])
    hours[:, :begins] = 0
    assert abs(_in_step(hours)) < 0.4


def test_accounts_that_are_fed_by_one_clock_stay_in_step() -> None:
    rng = generator(6, "one clock")
    rates = rng.gamma(0.5, 4.0, 24 * 14)
    assert _in_step(rng.poisson(rates, (20, len(rates))).astype(np.uint32)) > 4


def test_what_is_left_of_an_accounts_hours_keeps_their_shape_and_no_common_growth() -> None:
    rng = generator(4, "hours")
    left = own_rhythm_removed(rng.integers(0, 9, (5, 24 * 10 + 7)).astype(np.uint32), START_US)
    assert left.shape == (5, 247)
    growing = rng.poisson(np.linspace(1, 9, 24 * 14), (160, 24 * 14)).astype(np.uint32)
    assert abs(_in_step(growing)) < 1.0


def test_hours_before_the_first_exchange_and_after_the_last_say_nothing() -> None:
    hours = np.zeros((1, 24 * 14), np.uint32)
    hours[0, 100:200] = generator(5, "lived").integers(1, 9, 100)
    left = own_rhythm_removed(hours, START_US)
    assert not left[0, :100].any()
    assert not left[0, 200:].any()
    assert left[0, 100:200].any()


def _speaking(languages: list[int], axes: list[int]) -> Profiles:
    """One account per entry: 50 exchanges in one language, all along one axis of the subject space."""
    size = len(languages)
    moments = Moments.empty(size, 24, CELLS)
    moments.counts[:] = 50
    moments.sums[np.arange(size), axes] = 50.0
    moments.languages[np.arange(size), languages] = 50
    nothing = np.zeros(0, np.int64)
    empty = Moments.empty(0, 24, CELLS)
    ids = np.array([f"a{number}" for number in range(size)], np.str_)
    return Profiles(ids=ids, accounts=moments, carriers=empty, carrier_trace=nothing, carrier_account=nothing, start_us=START_US)


def test_another_language_is_no_distance_between_subjects() -> None:
    profiles = _speaking([1, 1, 1, 1, 8, 8, 8], [0, 0, 0, 0, 1, 1, 1])
    assert subject_distances(profiles.accounts, np.arange(7)).tolist() == [0.0] * 7


def test_a_member_is_measured_against_those_who_write_its_language() -> None:
    profiles = _speaking([1, 1, 1, 1, 8, 8, 8, 8], [0, 0, 0, 0, 1, 1, 1, 5])
    found = subject_distances(profiles.accounts, np.arange(8))
    assert found[7] == pytest.approx(2.0)
    assert found[:7].tolist() == [0.0] * 7


def test_the_only_speaker_of_a_language_stands_in_the_middle() -> None:
    profiles = _speaking([1, 1, 1, 1, 8], [0, 0, 0, 3, 7])
    assert subject_distances(profiles.accounts, np.arange(5)).tolist() == pytest.approx([0.0, 0.0, 0.0, 2.0, 0.0])
    assert subject_distances(_speaking([1, 8], [0, 1]).accounts, np.arange(2)).tolist() == [0.0, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [2, 3, 16])
def test_threads_fill_the_same_arrays(threads: int) -> None:
    alone, together = _built(_rows(), 64), _built(_rows(), 64, threads=threads)
    for one, other in ((alone.accounts, together.accounts), (alone.carriers, together.carriers)):
        for name in ("counts", "sums", "hours", "subjects", "languages"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_a_family_s_rows_are_the_sums_of_its_wordings_rows() -> None:
    rows = _rows()
    plain = _built(rows, 50)
    related = _built(rows, 50, replace(WATCHED, families=[np.array([0, 1]), np.array([1])]))
    pairs = len(plain.carrier_trace)
    assert related.carrier_trace.tolist() == [*plain.carrier_trace.tolist(), 2, 2, 2, 2, 3, 3]
    assert related.carrier_account.tolist() == [*plain.carrier_account.tolist(), 0, 1, 2, 3, 1, 3]
    for name in ("counts", "sums", "hours", "subjects", "languages"):
        before, after = getattr(plain.carriers, name), getattr(related.carriers, name)
        assert after.dtype == before.dtype
        assert np.array_equal(after[:pairs], before)
        assert np.allclose(after[pairs + 1], before[1] + before[3])  # account 1, which carries both
        assert np.allclose(after[pairs + 4], before[3])
        assert np.allclose(after[pairs], before[0])


def test_half_the_volume_at_the_same_pace_is_in_line_and_a_quarter_of_both_is_not() -> None:
    hours = np.zeros((9, 240), np.uint32)
    hours[:7, ::2] = 2
    hours[:7, 0] = np.arange(7) + 1
    hours[7, 120::2] = 2  # began in the middle
    hours[8, ::8] = 2
    moments = Moments.empty(9, 240, CELLS)
    moments.hours[:] = hours
    nothing = np.zeros(0, np.int64)
    profiles = Profiles(
        ids=np.array([str(place) for place in range(9)]),
        accounts=moments,
        carriers=Moments.empty(0, 240, CELLS),
        carrier_trace=nothing,
        carrier_account=nothing,
        start_us=START_US,
    )
    far = volume_distances(profiles.accounts, np.arange(9)) > 3
    assert far.tolist() == [False] * 8 + [True]
