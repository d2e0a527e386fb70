"""Which of a profile's indicators occur in one's own exchanges: digests of their fingerprints are looked up, batch by batch."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.traces import LONGEST_TRACE
from stillwatch.share.hashing import Hashing, value_bytes
from stillwatch.share.indicators import KIND_NAMES, LEAST_PROMPT_BYTES
from stillwatch.share.profile import HOURS, Profile

READ = ("account_id", "started_at", "wording", "system_key", "prompt_key", "prompt_chars", "user_agent", "tls_fingerprint", "client_ip")
"""Columns of SKETCHED that are looked at."""

CONTENT = frozenset({"wording", "system", "prompt"})
"""Kinds that stand for text; a group's hours are told by the exchanges that carry one."""

_REMEMBERED = 4_000_000
"""Values that are in no profile and are not hashed again, 8 bytes each."""

_KEPT_TEXTS = 100_000
_MERGED_AT = 1 << 20
_HOUR = 3_600_000_000
_DAYS_TO_MONDAY = 3
"""1 January 1970 was a Thursday."""

_WIDTH = np.int64(32)
Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One value of one group of a profile."""

    group: int
    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a profile's indicators.

    Attributes:
        indicators: in the order of the profile; every array is over them, unless it says otherwise.
        exchanges: that carry the indicator.
        first_at, last_at: microseconds since 1970; meaningless where there are no exchanges.
        pairs: [p] indicator << 32 | account, each once, sorted.
        accounts: ids, by number.
        rows: exchanges in all.
        hours: [groups, 168] exchanges that carry an indicator of content, by hour of the week, Monday 00:00 UTC first.
        own_hours: [168] all exchanges.
    """

    indicators: tuple[Indicator, ...]
    exchanges: npt.NDArray[np.int64]
    first_at: npt.NDArray[np.int64]
    last_at: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]
    accounts: tuple[str, ...]
    rows: int
    hours: npt.NDArray[np.int64]
    own_hours: npt.NDArray[np.int64]


class Matcher:
    """Takes batches of sketched exchanges and counts what they carry of a profile.

    What it holds grows with the accounts and the indicators that are found, and not with the exchanges.
    """

    def __init__(self, profile: Profile, hashing: Hashing) -> None:
        self._hashing = hashing
        self.indicators = tuple(
            Indicator(group=place, kind=kind, value=value)
            for place, group in enumerate(profile.groups)
            for kind in KIND_NAMES
            for value in group.indicators[kind]
        )
        self._wanted: dict[str, dict[str, list[int]]] = {kind: {} for kind in KIND_NAMES}
        for number, indicator in enumerate(self.indicators):
            self._wanted[indicator.kind].setdefault(indicator.value, []).append(number)
        self._group = np.array([indicator.group for indicator in self.indicators], np.int64)
        self._is_content = np.array([indicator.kind in CONTENT for indicator in self.indicators], np.bool_)
        self._numbers = {kind: _Numbers(self._found_number(kind)) for kind in ("wording", "system", "prompt")}
        self._texts: dict[str, dict[str, list[int]]] = {"user_agent": {}, "tls": {}, "egress": {}}
        self._accounts: dict[str, int] = {}
        size = len(self.indicators)
        self._exchanges = np.zeros(size, np.int64)
        self._first = np.full(size, np.iinfo(np.int64).max)
        self._last = np.full(size, np.iinfo(np.int64).min)
        self._hours = np.zeros((len(profile.groups), HOURS), np.int64)
        self._own_hours = np.zeros(HOURS, np.int64)
        self._pairs = np.zeros(0, np.int64)
        self._waiting: list[npt.NDArray[np.int64]] = []
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count one batch of SKETCHED; null values match nothing."""
        accounts = self._account_numbers(batch.column("account_id"))
        times = batch.column("started_at").cast(pa.int64()).to_numpy(zero_copy_only=False)
        hours = (times // _HOUR + _DAYS_TO_MONDAY * 24) % HOURS
        self._rows += batch.num_rows
        self._own_hours += np.bincount(hours, minlength=HOURS)
        found = [self._look(kind, batch) for kind in KIND_NAMES if self._wanted[kind]]
        rows = np.concatenate([pairs[0] for pairs in found]) if found else np.zeros(0, np.int64)
        if not len(rows):
            return
        # an exchange carries an indicator once, however often it stands in it
        once = np.unique(rows << _WIDTH | np.concatenate([pairs[1] for pairs in found]))
        self._count(once >> _WIDTH, once & np.int64(0xFFFFFFFF), accounts, times, hours)

    def seen(self) -> Seen:
        """What was seen so far."""
        self._merge()
        return Seen(
            indicators=self.indicators,
            exchanges=self._exchanges.copy(),
            first_at=self._first.copy(),
            last_at=self._last.copy(),
            pairs=self._pairs,
            accounts=tuple(self._accounts),
            rows=self._rows,
            hours=self._hours.copy(),
            own_hours=self._own_hours.copy(),
        )

    def _count(
        self,
        rows: npt.NDArray[np.int64],
        which: npt.NDArray[np.int64],
        accounts: npt.NDArray[np.int64],
        times: npt.NDArray[np.int64],
        hours: npt.NDArray[np.int64],
    ) -> None:
        self._exchanges += np.bincount(which, minlength=len(self.indicators))
        np.minimum.at(self._first, which, times[rows])
        np.maximum.at(self._last, which, times[rows])
        self._waiting.append(np.unique(which << _WIDTH | accounts[rows]))
        if sum(len(part) for part in self._waiting) > _MERGED_AT:
            self._merge()
        content = self._is_content[which]
        told = np.unique(rows[content] << _WIDTH | self._group[which[content]])
        np.add.at(self._hours, (told & np.int64(0xFFFFFFFF), hours[told >> _WIDTH]), 1)

    def _merge(self) -> None:
        self._pairs = np.unique(np.concatenate([self._pairs, *self._waiting]))
        self._waiting = []

    def _account_numbers(self, column: Any) -> npt.NDArray[np.int64]:
        coded = column.dictionary_encode()
        numbers = [self._accounts.setdefault(account, len(self._accounts)) for account in coded.dictionary.to_pylist()]
        return np.array(numbers, np.int64)[coded.indices.to_numpy()]

    def _look(self, kind: str, batch: pa.RecordBatch) -> Pairs:
        if kind == "wording":
            lists = batch.column("wording")
            rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
            return self._numbers[kind].look(rows, lists.flatten().to_numpy(zero_copy_only=False))
        if kind in self._numbers:
            keys = batch.column(f"{kind}_key")
            if kind == "prompt":
                keys = pc.if_else(pc.greater_equal(batch.column("prompt_chars"), LEAST_PROMPT_BYTES), keys, None)
            rows = np.flatnonzero(keys.is_valid().to_numpy(zero_copy_only=False))
            return self._numbers[kind].look(rows, keys.drop_null().to_numpy(zero_copy_only=False))
        return self._look_texts(kind, batch.column({"user_agent": "user_agent", "tls": "tls_fingerprint", "egress": "client_ip"}[kind]))

    def _look_texts(self, kind: str, column: Any) -> Pairs:
        known = column.is_valid().to_numpy(zero_copy_only=False)
        coded = column.drop_null().dictionary_encode()
        numbers = [self._of_text(kind, text) for text in coded.dictionary.to_pylist()]
        return _spread(np.flatnonzero(known), coded.indices.to_numpy(), numbers)

    def _of_text(self, kind: str, text: str) -> list[int]:
        known = self._texts[kind]
        if text not in known:
            if len(known) >= _KEPT_TEXTS:
                known.clear()
            known[text] = self._found_text(kind, text)
        return known[text]

    def _found_text(self, kind: str, text: str) -> list[int]:
        if kind == "egress":
            return self._wanted[kind].get(block_of(text) or "", [])
        text = text[:LONGEST_TRACE]
        value = self._hashing.digest(kind, value_bytes(text)).hex() if kind == "user_agent" else text
        return self._wanted[kind].get(value, []) if text else []

    def _found_number(self, kind: str) -> Callable[[int], list[int]]:
        wanted, digest = self._wanted[kind], self._hashing.digest
        return lambda value: wanted.get(digest(kind, b"%d" % value).hex(), [])


class _Numbers:
    """Looks up fingerprints, each hashed once: what was found is kept, and so is what was not, up to a bound."""

    def __init__(self, find: Callable[[int], list[int]]) -> None:
        self._find = find
        self._hits: dict[int, list[int]] = {}
        self._misses = np.zeros(0, np.int64)

    def look(self, rows: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> Pairs:
        """(row, indicator) of every value that is one."""
        fresh = ~self._is_missed(values)
        different, places = np.unique(values[fresh], return_inverse=True)
        numbers = [self._of(value) for value in different.tolist()]
        absent = different[np.array([not given for given in numbers], np.bool_)]
        kept = self._misses if len(self._misses) + len(absent) <= _REMEMBERED else self._misses[:0]
        # two sorted runs without a value in common: a stable sort merges them
        self._misses = np.sort(np.concatenate([kept, absent]), kind="stable")
        return _spread(rows[fresh], places, numbers)

    def _is_missed(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        if not len(self._misses):
            return np.zeros(len(values), np.bool_)
        place = np.minimum(np.searchsorted(self._misses, values), len(self._misses) - 1)
        return self._misses[place] == values

    def _of(self, value: int) -> list[int]:
        if value not in self._hits:
            found = self._find(value)
            if not found:
                return found
            self._hits[value] = found
        return self._hits[value]


def _spread(rows: npt.NDArray[np.int64], places: npt.NDArray[np.intp], numbers: list[list[int]]) -> Pairs:
    """(row, indicator) from the place of each row's value among the different ones, and the indicators of each of those."""
    lengths = np.array([len(given) for given in numbers], np.int64)
    if not lengths.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    flat = np.fromiter(chain.from_iterable(numbers), np.int64)
    starts = np.cumsum(lengths) - lengths
    kept = np.flatnonzero(lengths[places])
    often = lengths[places[kept]]
    out = np.repeat(rows[kept], often)
    within = np.arange(len(out)) - np.repeat(np.cumsum(often) - often, often)
    return out, flat[np.repeat(starts[places[kept]], often) + within]


def block_of(address: str) -> str | None:
    """The /24 of an IPv4 address, the /48 of an IPv6 one; None for anything else."""
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def account_counts(seen: Seen) -> npt.NDArray[np.int64]:
    """[indicators] accounts that carry each."""
    return np.bincount(seen.pairs >> _WIDTH, minlength=len(seen.indicators)).astype(np.int64)


def carriers(seen: Seen, counted: npt.NDArray[np.bool_]) -> Mapping[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Per group: numbers of the accounts that carry any of the `counted` [indicators], and how many of them each carries."""
    which, accounts = seen.pairs >> _WIDTH, seen.pairs & np.int64(0xFFFFFFFF)
    groups = np.array([indicator.group for indicator in seen.indicators], np.int64)
    kept = counted[which]
    # one sort, whatever the number of groups: a profile may have many
    held, counts = np.unique(groups[which[kept]] << _WIDTH | accounts[kept], return_counts=True)
    starts = np.flatnonzero(np.diff(held >> _WIDTH, prepend=-1))
    ends = np.append(starts[1:], len(held))[: len(starts)]
    return {
        int(held[start] >> _WIDTH): (held[start:end] & np.int64(0xFFFFFFFF), counts[start:end].astype(np.int64))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    }
