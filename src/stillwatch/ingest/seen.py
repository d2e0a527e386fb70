"""Remembers which exchange ids a run has met, in 8 bytes each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_FIRST_SLOTS = 1 << 16
_FULL = 0.6


class SeenIds:
    """A growing set of 64-bit hashes of ids.

    Two different ids are taken for one with probability n^2 / 2^65: less than one in a hundred thousand for ten million ids.
    """

    def __init__(self) -> None:
        self._slots = np.zeros(_FIRST_SLOTS, dtype=np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: pa.Array, take: np.ndarray) -> np.ndarray:
        """Add ids[i] where take[i]; True where the same id was added before, in this call or an earlier one.

        Args:
            ids: strings; what a null's place holds does not matter, as long as `take` is False there.
            take: booleans of the same length.
        """
        from stillwatch.ingest.kernels import insert_hashes

        hashes = _hashes(ids)
        self._grow(int(take.sum()))
        seen = np.zeros(len(ids), dtype=np.bool_)
        self._count += insert_hashes(self._slots, hashes, take, seen)
        return seen

    def _grow(self, more: int) -> None:
        from stillwatch.ingest.kernels import insert_hashes

        size = len(self._slots)
        while self._count + more > size * _FULL:
            size *= 2
        if size > len(self._slots):
            kept = self._slots[self._slots != 0]
            self._slots = np.zeros(size, dtype=np.uint64)
            everything = np.ones(len(kept), dtype=np.bool_)
            insert_hashes(self._slots, kept, everything, np.zeros(len(kept), dtype=np.bool_))


def _hashes(ids: pa.Array) -> np.ndarray:
    from stillwatch.ingest.kernels import hash_strings

    _, offsets, data = ids.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32, count=len(ids) + 1, offset=4 * ids.offset)
    text = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(0, dtype=np.uint8)
    hashes = np.empty(len(ids), dtype=np.uint64)
    hash_strings(starts, text, hashes)
    return hashes
