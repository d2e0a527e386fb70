"""Accounts as arrays: how much, when, and about what. One streamed pass over narrow columns; memory grows with accounts.

For every account, and again for every account's exchanges that carry a nominated trace, the pass keeps the count, the sum of the subject
vectors (and of their squared lengths), a histogram over subjects and a histogram over hours. Everything that `validate` tests is a
function of these sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from stillwatch.errors import UnreadableInputError
from stillwatch.sketch.codebook import DIMENSIONS

HOUR_US = 3_600_000_000
MAX_HOURS = 24 * 92
"""Longest period whose hours are kept one by one; a longer log is judged on its last quarter of a year."""

LONG = 252
"""Hours of activity, a week and a half, from which habits are told by the hour of the week: the account's own weekend is among them."""

QUANTUM = 127.0
"""What a subject vector's component of 1 is stored as."""

PROFILE_COLUMNS = ("account_id", "started_at", "subject", "embedding", "language", "wording", "system_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums over the exchanges of R owners (accounts, or accounts' exchanges that carry a trace).

    Attributes:
        counts: [R] exchanges with a subject vector.
        sums: [R, DIMENSIONS] sums of subject vectors of unit length.
        hours: [R, H] exchanges per hour of the log.
        subjects: [R, cells] exchanges per subject cell.
        languages: [R, 16] exchanges per control cell.
    """

    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    hours: npt.NDArray[np.uint32]
    subjects: npt.NDArray[np.int32]
    languages: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, owners: int, hours: int, cells: int) -> Moments:
        """Moments of `owners` owners before anything was added."""
        return cls(
            counts=np.zeros(owners, np.int64),
            sums=np.zeros((owners, DIMENSIONS)),
            hours=np.zeros((owners, hours), np.uint32),
            subjects=np.zeros((owners, cells), np.int32),
            languages=np.zeros((owners, 16), np.int32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """All accounts of a log, in the order of `ids`.

    Attributes:
        ids: [A] account ids, sorted.
        accounts: moments of all their exchanges.
        carriers: moments of the exchanges that carry a nominated trace, one row per (trace, account).
        carrier_trace, carrier_account: [P] which trace and which account a row of `carriers` is.
        start_us: the hour in which the histograms begin, microseconds since the epoch.
    """

    ids: npt.NDArray[np.str_]
    accounts: Moments
    carriers: Moments
    carrier_trace: npt.NDArray[np.int64]
    carrier_account: npt.NDArray[np.int64]
    start_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The nominated traces that the pass looks out for.

    Attributes:
        keys: [K] fingerprints, sorted.
        traces: [K] the trace (0 to T - 1) that each fingerprint belongs to; a trace may have several.
        members: per trace, the sorted positions of the accounts that carry it.
        families: traces that are also looked at together; family f becomes trace T + f of the profiles.
    """

    keys: npt.NDArray[np.int64]
    traces: npt.NDArray[np.int64]
    members: Sequence[npt.NDArray[np.int64]]
    families: Sequence[npt.NDArray[np.integer]] = ()

    @classmethod
    def nothing(cls) -> Watched:
        """No trace to look out for."""
        return cls(keys=np.zeros(0, np.int64), traces=np.zeros(0, np.int64), members=())


def build_profiles(
    batches: Iterable[pa.RecordBatch],
    ids: npt.NDArray[np.str_],
    watched: Watched,
    *,
    start_us: int,
    stop_us: int,
    cells: int,
    threads: int = 1,
) -> Profiles:
    """Read PROFILE_COLUMNS once and fill the arrays.

    `start_us` and `stop_us` bound the log; hours before the last MAX_HOURS are dropped. Each of `threads` fills the accounts that fall to
    it, so that none waits for another and no array is needed twice.
    """
    hours = int(min(MAX_HOURS, (stop_us - start_us) // HOUR_US + 1))
    first_hour = stop_us // HOUR_US - hours + 1
    starts = np.concatenate([[0], np.cumsum([len(members) for members in watched.members])]).astype(np.int64)
    pairs = int(starts[-1])
    accounts, carriers = Moments.empty(len(ids), hours, cells), Moments.empty(pairs, hours, cells)
    members = np.concatenate([*watched.members, np.zeros(0, np.int64)]).astype(np.int64)
    known = pa.array(ids.tolist(), pa.string())

    def add(row: tuple[Any, ...], part: int) -> None:
        _add(row, part, threads, watched.keys, watched.traces, starts, members, _arrays(accounts), _arrays(carriers))

    with ThreadPoolExecutor(threads) as pool:
        for row in _rows_of(batches, known, first_hour):
            list(pool.map(partial(add, row), range(threads)))
    accounts.sums[:] /= QUANTUM
    carriers.sums[:] /= QUANTUM
    trace_of_pair = np.repeat(np.arange(len(watched.members)), np.diff(starts))
    profiles = Profiles(
        ids=ids, accounts=accounts, carriers=carriers, carrier_trace=trace_of_pair, carrier_account=members, start_us=first_hour * HOUR_US
    )
    return _with_families(profiles, watched)


def _with_families(profiles: Profiles, watched: Watched) -> Profiles:
    """The profiles with a row of `carriers` per (family, account): the sum of the account's rows for the family's traces.

    An exchange that carries two of them counts twice, which makes an account seem no more alike to the others than it is.
    """
    if not watched.families:
        return profiles
    rows: list[npt.NDArray[np.int64]] = []
    owner: list[npt.NDArray[np.int64]] = []
    traces, accounts = [profiles.carrier_trace], [profiles.carrier_account]
    made = 0
    for place, family in enumerate(watched.families):
        mine = np.flatnonzero(np.isin(profiles.carrier_trace, family))
        found, inverse = np.unique(profiles.carrier_account[mine], return_inverse=True)
        rows.append(mine)
        owner.append(made + inverse)
        traces.append(np.full(len(found), len(watched.members) + place, np.int64))
        accounts.append(found)
        made += len(found)
    flat, target = np.concatenate(rows), np.concatenate(owner)
    summing = sparse.csr_array((np.ones(len(flat), np.int64), (target, flat)), shape=(made, len(profiles.carrier_trace)))
    old = profiles.carriers
    carriers = Moments(
        counts=np.concatenate([old.counts, summing @ old.counts]),
        sums=np.concatenate([old.sums, summing @ old.sums]),
        hours=np.concatenate([old.hours, (summing @ old.hours.astype(np.int64)).astype(np.uint32)]),
        subjects=np.concatenate([old.subjects, (summing @ old.subjects.astype(np.int64)).astype(np.int32)]),
        languages=np.concatenate([old.languages, (summing @ old.languages.astype(np.int64)).astype(np.int32)]),
    )
    return replace(profiles, carriers=carriers, carrier_trace=np.concatenate(traces), carrier_account=np.concatenate(accounts))


def _rows_of(batches: Iterable[pa.RecordBatch], known: pa.Array, first_hour: int) -> Iterator[tuple[Any, ...]]:
    """Each batch as flat arrays, with the accounts' positions in `known`."""
    for batch in batches:
        codes = pc.index_in(batch.column("account_id"), value_set=known)
        if codes.null_count:
            message = "exchanges name an account that the list of accounts lacks; run the scan again without --resume"
            raise UnreadableInputError(message)
        yield _row_arrays(batch, codes, first_hour)


def own_rhythm_removed(hours: npt.NDArray[np.uint32], start_us: int) -> npt.NDArray[np.float32]:
    """[R, H] hourly activity as far as it is no habit of the account: what is left can be in step with another's, or by chance.

    Expected in an hour is the row's own level around it (the mean of the hours within twelve), times what that hour of the week is to the
    level with this row; for a row that was active for less than LONG, what that hour of a working day or of a weekend day is. So no common
    growth, decline or beginning is a step in common. Hours before a row's first exchange and after its last say nothing. A row that was
    active for less than LONG keeps what the weekend of another time zone does to UTC days. `start_us` is the first hour, microseconds
    since 1970.
    """
    told = hours.astype(np.float32)
    active = told > 0
    lived = np.logical_or.accumulate(active, axis=1) & np.logical_or.accumulate(active[:, ::-1], axis=1)[:, ::-1]
    known = _around(lived.astype(np.float32))
    level = (_around(told) / np.maximum(known, 1.0)).astype(np.float32)
    long = lived.sum(axis=1) >= LONG
    # only where the day around an hour was lived whole: what is periodic stays so
    kept = lived & (known > 24.5)
    # 1970-01-01 was a Thursday, so hour 0 of the epoch is hour 72 of a week that begins on Monday
    of_week = (np.arange(hours.shape[1]) + start_us // HOUR_US + 72) % 168
    left = np.zeros_like(told)
    for rows, slots in ((long, of_week), (~long, of_week % 24 + 24 * (of_week >= 5 * 24))):
        left[rows] = _beyond_habit(told[rows], level[rows], kept[rows], slots)
    return left


def _beyond_habit(
    told: npt.NDArray[np.float32], level: npt.NDArray[np.float32], kept: npt.NDArray[np.bool_], slots: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """The rows less their level times their habit in each slot, the ratio of what was told to the level there; 0 where not `kept`."""
    # hours of one slot side by side, so that all slots are summed at once
    order = np.argsort(slots, kind="stable")
    starts = np.flatnonzero(np.diff(slots[order], prepend=-1))
    left, at_level = (told * kept)[:, order], (level * kept)[:, order]
    habits = np.add.reduceat(left, starts, axis=1) / np.maximum(np.add.reduceat(at_level, starts, axis=1), 1e-9)
    left -= np.repeat(habits, np.diff(starts, append=len(order)), axis=1) * at_level
    return left[:, np.argsort(order)]


def _around(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[R, H] the sum over the hour itself and the twelve on either side of it."""
    summed = np.cumsum(np.pad(values, ((0, 0), (13, 12))), axis=1, dtype=np.float64)
    return (summed[:, 25:] - summed[:, :-25]).astype(np.float32)


def _arrays(moments: Moments) -> tuple[Any, ...]:
    return moments.counts, moments.sums, moments.hours, moments.subjects, moments.languages


def _row_arrays(batch: pa.RecordBatch, codes: pa.Array, first_hour: int) -> tuple[Any, ...]:
    """The batch as flat arrays: account, hour, subject, language, vectors, their offsets, fingerprints and their offsets, system key."""
    time = batch.column("started_at").cast(pa.int64()).to_numpy(zero_copy_only=False)
    embedding = batch.column("embedding").cast(pa.large_binary())
    offsets = np.frombuffer(embedding.buffers()[1], np.int64)[embedding.offset : embedding.offset + len(embedding) + 1]
    data = embedding.buffers()[2]
    vectors = np.frombuffer(data, np.int8) if data is not None and data.size else np.zeros(1, np.int8)
    wording = batch.column("wording")
    lists = wording.offsets.to_numpy()
    system = batch.column("system_key")
    return (
        codes.to_numpy(zero_copy_only=False).astype(np.int64),
        time // HOUR_US - first_hour,
        _filled(batch.column("subject"), -1),
        _filled(batch.column("language"), 0),
        offsets,
        vectors,
        lists,
        wording.values.to_numpy(zero_copy_only=False) if len(wording.values) else np.zeros(1, np.int64),
        _filled(system, 0),
        system.is_valid().to_numpy(zero_copy_only=False),
    )


def _filled(column: pa.Array, value: int) -> npt.NDArray[np.int64]:
    return column.cast(pa.int64()).fill_null(value).to_numpy(zero_copy_only=False)


@numba.njit(nogil=True, cache=True)
def _note(moments: Any, owner: Any, hour: Any, subject: Any, language: Any, vectors: Any, start: Any, stop: Any) -> None:
    counts, sums, hours, subjects, languages = moments
    if 0 <= hour < hours.shape[1]:
        hours[owner, hour] += 1
    languages[owner, min(language, 15)] += 1
    if subject >= 0 and stop - start == sums.shape[1]:
        counts[owner] += 1
        subjects[owner, min(subject, subjects.shape[1] - 1)] += 1
        for axis in range(sums.shape[1]):
            # whole numbers, so that the order of the rows cannot change the sum
            sums[owner, axis] += vectors[start + axis]


@numba.njit(nogil=True, cache=True)
def _pair(key: Any, account: Any, keys: Any, traces: Any, starts: Any, members: Any) -> Any:
    """The row of `carriers` for a fingerprint and an account; -1 where either is not watched."""
    place = np.searchsorted(keys, key)
    if place == keys.shape[0] or keys[place] != key:
        return -1
    trace = traces[place]
    first, last = starts[trace], starts[trace + 1]
    row = first + np.searchsorted(members[first:last], account)
    return row if row < last and members[row] == account else -1


@numba.njit(nogil=True, cache=True)
def _add(row: Any, part: Any, parts: Any, keys: Any, traces: Any, starts: Any, members: Any, accounts: Any, carriers: Any) -> None:
    codes, hours, subjects, languages, offsets, vectors, lists, wording, system, has_system = row
    noted = np.empty(16, np.int64)
    for index in range(codes.shape[0]):
        account = codes[index]
        if account % parts != part:
            continue
        start, stop = offsets[index], offsets[index + 1]
        _note(accounts, account, hours[index], subjects[index], languages[index], vectors, start, stop)
        if keys.shape[0] == 0:
            continue
        done = 0
        for slot in range(lists[index], lists[index + 1] + 1):
            if slot == lists[index + 1]:
                pair = _pair(system[index], account, keys, traces, starts, members) if has_system[index] else -1
            else:
                pair = _pair(wording[slot], account, keys, traces, starts, members)
            known = pair < 0 or done == noted.shape[0]
            for other in range(done):
                known = known or noted[other] == pair
            if not known:
                noted[done] = pair
                done += 1
                _note(carriers, pair, hours[index], subjects[index], languages[index], vectors, start, stop)
