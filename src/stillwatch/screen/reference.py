"""What a served log said, as an index on disk: hashes of whole responses, and their sampled shingles in order, read by memory mapping.

No text is kept. Shingles are first dealt out to files by their highest bits and then sorted file by file, so that memory is bounded by one
file and not by the log. A shingle that stands in more responses than `most_common` is a phrase of the language or of the model, and
is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import OutputError, naming
from stillwatch.screen.wording import Integers, Keys, Wording

IDS = "responses.parquet"
_KEYS, _ROWS, _WHOLE, _COUNTS = "keys.u64", "rows.u32", "whole.npy", "counts.npy"
_ABOUT = "reference.json"
_DEALT_BITS = 6
_PAIR = np.dtype([("key", "<u8"), ("row", "<u4")])
_MOST_RESPONSES = 2**32 - 1
_ID_SCHEMA = pa.schema([("exchange_id", pa.string()), ("account_id", pa.string())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The index of a served log.

    Attributes:
        folder: where it lies; `responses.parquet` in it names the exchange and account of each response, in order.
        responses: responses that were read, those without words included.
        keys: [m] sampled shingles in rising order, one for each response that it stands in.
        rows: [m] the responses.
        directory: [2 ** b + 1] where the keys with each value of the highest b bits begin.
        shift: 64 - b.
        counts: [responses] sampled shingles of each response that the index kept.
        whole: [w] hashes of whole responses in rising order, each once.
        whole_rows: [w] the first response with that wording.
        common: shingles that were left out for standing in too many responses.
    """

    folder: Path
    responses: int
    keys: Keys
    rows: npt.NDArray[np.uint32]
    directory: Integers
    shift: int
    counts: npt.NDArray[np.int32]
    whole: Keys
    whole_rows: Integers
    common: int


class ReferenceBuilder:
    """Takes responses in batches and writes an index into a folder."""

    def __init__(self, folder: Path, *, most_common: int, least_words: int) -> None:
        self._folder, self._most_common, self._least_words = folder, most_common, least_words
        folder.mkdir(parents=True, exist_ok=True)
        self._dealt = [(folder / f"dealt-{place:02d}.bin").open("wb") for place in range(1 << _DEALT_BITS)]
        self._ids = pq.ParquetWriter(folder / IDS, _ID_SCHEMA, compression="zstd")
        self._whole: list[Keys] = []
        self._whole_rows: list[Integers] = []
        self._responses = 0

    def add(self, ids: pa.Array, accounts: pa.Array, texts: pa.Array, prompts: pa.Array) -> None:
        """Add responses; what stands in a prompt already is the customer's own wording. OutputError for more than 2 ** 32 - 1 in all."""
        if self._responses + len(texts) > _MOST_RESPONSES:
            raise OutputError(f"the served log has more than {_MOST_RESPONSES} responses; screen against a part of it at a time")
        found, asked = Wording(texts), Wording(prompts)
        named = pa.RecordBatch.from_arrays([ids.cast(pa.string()), accounts.cast(pa.string())], schema=_ID_SCHEMA)
        self._ids.write_batch(named)
        own = _not_asked(found, asked)
        self._deal(found.keys[own], (found.rows()[own] + self._responses).astype(np.uint32))
        kept = np.bincount(found.rows()[own], minlength=len(texts))
        # a response that only gives its prompt back is no output
        long = np.flatnonzero(
            (found.words >= self._least_words) & ((kept > 0) | (np.diff(found.starts) == 0)) & (found.whole != asked.whole)
        )
        self._whole.append(found.whole[long])
        self._whole_rows.append(long + self._responses)
        self._responses += len(texts)

    def _deal(self, keys: Keys, rows: npt.NDArray[np.uint32]) -> None:
        pairs = np.empty(keys.size, _PAIR)
        pairs["key"], pairs["row"] = keys, rows
        places = (keys >> np.uint64(64 - _DEALT_BITS)).astype(np.int64)
        order = np.argsort(places, kind="stable")
        ends = np.searchsorted(places[order], np.arange((1 << _DEALT_BITS) + 1))
        with naming(self._folder):
            for place, stream in enumerate(self._dealt):
                stream.write(pairs[order[ends[place] : ends[place + 1]]].tobytes())

    def finish(self) -> Reference:
        """Sort, write and open the index."""
        self._ids.close()
        counts = np.zeros(self._responses, np.int32)
        common = 0
        with naming(self._folder), (self._folder / _KEYS).open("wb") as keys, (self._folder / _ROWS).open("wb") as rows:
            for stream in self._dealt:
                stream.close()
                path = Path(stream.name)
                pairs = np.fromfile(path, _PAIR)
                pairs = pairs[np.argsort(pairs["key"], kind="stable")]
                kept, left_out = _without_common(pairs, self._most_common)
                common += left_out
                np.add.at(counts, kept["row"], 1)
                keys.write(np.ascontiguousarray(kept["key"]).tobytes())
                rows.write(np.ascontiguousarray(kept["row"]).tobytes())
                path.unlink()
        whole, first = np.unique(np.concatenate([np.empty(0, np.uint64), *self._whole]), return_index=True)
        whole_rows = np.concatenate([np.empty(0, np.int64), *self._whole_rows])[first]
        np.save(self._folder / _WHOLE, np.vstack([whole, whole_rows.astype(np.uint64)]))
        np.save(self._folder / _COUNTS, counts)
        (self._folder / _ABOUT).write_text(json.dumps({"responses": self._responses, "common": common}), "utf-8")
        return open_reference(self._folder)


def build_reference(folder: Path, batches: Iterable[Any], *, most_common: int, least_words: int) -> Reference:
    """The index of batches of exchanges; what a model thought and gave out counts as a response beside its answer."""
    builder = ReferenceBuilder(folder, most_common=most_common, least_words=least_words)
    for batch in batches:
        columns = [batch.column(name) for name in ("exchange_id", "account_id", "response_text", "prompt_text", "reasoning_text")]
        builder.add(*columns[:4])
        thought = columns[4].is_valid()
        builder.add(*(columns[place].filter(thought) for place in (0, 1, 4, 3)))
    return builder.finish()


def open_reference(folder: Path) -> Reference:
    """The index that lies in a folder."""
    about = json.loads((folder / _ABOUT).read_text("utf-8"))
    keys = _mapped(folder / _KEYS, np.uint64)
    bits = min(26, max(8, int(keys.size).bit_length() - 1))
    shift = 64 - bits
    whole = np.load(folder / _WHOLE)
    return Reference(
        folder=folder,
        responses=about["responses"],
        keys=keys,
        rows=_mapped(folder / _ROWS, np.uint32),
        directory=_directory(keys, bits),
        shift=shift,
        counts=np.load(folder / _COUNTS),
        whole=whole[0].copy(),
        whole_rows=whole[1].astype(np.int64),
        common=about["common"],
    )


def _not_asked(found: Wording, asked: Wording) -> npt.NDArray[np.bool_]:
    """[keys of `found`] whether each is missing from the text of the same row in `asked`."""
    own = np.ones(found.keys.size, np.bool_)
    absent_keys(found.keys, found.starts, asked.keys, asked.starts, own)
    return own


def _mapped(path: Path, kind: Any) -> npt.NDArray[Any]:
    return np.asarray(np.memmap(path, kind, "r")) if path.stat().st_size else np.empty(0, kind)


def _directory(keys: Keys, bits: int) -> Integers:
    edges = np.arange(1, 1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    return np.concatenate([[0], np.searchsorted(keys, edges), [keys.size]]).astype(np.int64)


def _without_common(pairs: npt.NDArray[Any], most: int) -> tuple[npt.NDArray[Any], int]:
    """Sorted pairs without the keys that occur more than `most` times, and how many different ones those were."""
    _, place, counts = np.unique(pairs["key"], return_inverse=True, return_counts=True)
    return pairs[counts[place] <= most], int(np.count_nonzero(counts > most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """How the texts of a batch stand to a reference; [n] each.

    Attributes:
        exact: the response with the same sequence of words; -1 for none.
        best: the response that shares the most sampled shingles, the first of equals; -1 for none.
        shared: how many it shares.
        of_document: `shared` over the sampled shingles of the text.
        of_response: `shared` over those of the response.
        sampled: sampled shingles of the text.
    """

    exact: Integers
    best: Integers
    shared: Integers
    of_document: npt.NDArray[np.float64]
    of_response: npt.NDArray[np.float64]
    sampled: Integers


def match(found: Wording, reference: Reference, *, least_words: int) -> Matches:
    """Compare each text of a batch with every response of the reference.

    A false exact match needs two word sequences with one 64-bit hash: d documents and r responses give d * r / 2 ** 64 of them on average.
    What is no accident of hashing may still be one of wording; the documentation states how often, measured on texts that are
    independent of the log.
    """
    rows = found.words.size
    best, shared = np.full(rows, -1, np.int64), np.zeros(rows, np.int64)
    best_responses(found.keys, found.starts, reference.keys, reference.rows, reference.directory, np.uint64(reference.shift), best, shared)
    exact = np.full(rows, -1, np.int64)
    if reference.whole.size:
        place = np.minimum(np.searchsorted(reference.whole, found.whole), reference.whole.size - 1)
        same = (reference.whole[place] == found.whole) & (found.words >= least_words)
        exact[same] = reference.whole_rows[place[same]]
    sampled = np.diff(found.starts)
    of_response = shared / np.maximum(1, reference.counts[np.maximum(best, 0)]) if reference.responses else np.zeros(rows)
    return Matches(
        exact=exact, best=best, shared=shared, of_document=shared / np.maximum(1, sampled), of_response=of_response, sampled=sampled
    )


@numba.njit(nogil=True, cache=True)
def absent_keys(keys: Any, starts: Any, others: Any, other_starts: Any, own: Any) -> None:
    """Clear `own` for each key that also stands in the other text of its row; both are in rising order within a row."""
    for row in range(starts.shape[0] - 1):
        other, end = other_starts[row], other_starts[row + 1]
        for place in range(starts[row], starts[row + 1]):
            while other < end and others[other] < keys[place]:
                other += 1
            own[place] = other == end or others[other] != keys[place]


@numba.njit(nogil=True, cache=True)
def _find(keys: Any, low: Any, high: Any, key: Any) -> Any:
    """The first place in keys[low:high] whose key is not below `key`; the ranges are a few keys long."""
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(nogil=True, cache=True)
def _commonest(hits: Any, count: Any) -> Any:
    """The smallest of the values that occur most often among hits[:count], and how often; it sorts them."""
    ordered = np.sort(hits[:count])
    best, most, run = ordered[0], 1, 1
    for index in range(1, count):
        run = run + 1 if ordered[index] == ordered[index - 1] else 1
        if run > most:
            best, most = ordered[index], run
    return best, most


@numba.njit(nogil=True, cache=True)
def best_responses(asked: Any, starts: Any, keys: Any, rows: Any, directory: Any, shift: Any, best: Any, shared: Any) -> None:
    """For each text, the row that holds the most of its keys and how many; -1 and 0 where none holds any."""
    hits = np.empty(1024, np.int64)
    for text in range(best.shape[0]):
        count = 0
        for place in range(starts[text], starts[text + 1]):
            key = asked[place]
            cell = np.int64(key >> shift)
            end = directory[cell + 1]
            at = _find(keys, directory[cell], end, key)
            while at < end and keys[at] == key:
                if count == hits.shape[0]:
                    grown = np.empty(2 * count, np.int64)
                    grown[:count] = hits
                    hits = grown
                hits[count] = rows[at]
                count += 1
                at += 1
        if count:
            best[text], shared[text] = _commonest(hits, count)
