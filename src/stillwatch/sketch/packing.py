"""The projection of a word in half a cache line: 24 numbers of ten bits, summed several at a time.

To place a text is to add up one row of the projection per word, and nearly all of the time goes into fetching the rows. Ten bits are no
coarser than the bytes that the sums end as, only a text's direction is used, and a row of 32 bytes never straddles two cache lines.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.sketch.codebook import DIMENSIONS, VOCABULARY

_BITS = 10
_PER_WORD = 6
_WORDS = DIMENSIONS // _PER_WORD
_ZERO = 1 << (_BITS - 1)
"""What stands for 0, so that no number in a row is negative."""

_LANE = np.uint64((1 << _BITS) - 1)
_TELLS = np.uint64(_BITS * _PER_WORD)
_EVERY_OTHER = np.uint64(sum(((1 << _BITS) - 1) << (2 * _BITS * place) for place in range(_PER_WORD // 2)))
_WIDE = np.uint64((1 << 2 * _BITS) - 1)
_AT_ONCE = 1 << _BITS
"""Rows that can be added before a sum of ten-bit numbers, kept in twenty bits, could overflow."""

_MASK = np.uint64(VOCABULARY - 1)
_SHIFT, _TWICE, _FOUR_TIMES = np.uint64(_BITS), np.uint64(2 * _BITS), np.uint64(4 * _BITS)


def packed(projection: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """[VOCABULARY, 4] from [VOCABULARY, DIMENSIONS]: six numbers to a word, the first word's bit 60 set where a row is not all zeros."""
    scale = (_ZERO - 1) / max(float(np.abs(projection).max()), 1e-12)
    telling = np.any(projection, axis=1, keepdims=True)
    lanes = np.where(telling, np.rint(projection * scale).astype(np.int64) + _ZERO, 0).astype(np.uint64)
    rows = np.zeros((len(projection), _WORDS), np.uint64)
    for axis in range(DIMENSIONS):
        rows[:, axis // _PER_WORD] |= lanes[:, axis] << np.uint64(_BITS * (axis % _PER_WORD))
    rows[:, 0] |= telling[:, 0].astype(np.uint64) << _TELLS
    return rows


@numba.njit(nogil=True, cache=True, inline="always")
def _spread(even: Any, odd: Any, first: Any, out: Any) -> None:
    """Add three sums of twenty bits from each of two words to `out`, from the axis `first` on."""
    out[first] += np.float32(even & _WIDE)
    out[first + 1] += np.float32(odd & _WIDE)
    out[first + 2] += np.float32((even >> _TWICE) & _WIDE)
    out[first + 3] += np.float32((odd >> _TWICE) & _WIDE)
    out[first + 4] += np.float32((even >> _FOUR_TIMES) & _WIDE)
    out[first + 5] += np.float32((odd >> _FOUR_TIMES) & _WIDE)


@numba.njit(nogil=True, cache=True)
def sum_rows(words: Any, count: Any, rows: Any, out: Any) -> None:
    """Fill `out` [DIMENSIONS] float32 with the sum of the packed rows of words[:count]; exact, in steps of the packing."""
    out[:] = 0
    telling = np.uint64(0)
    for start in range(0, count, _AT_ONCE):
        even_0 = odd_0 = even_1 = odd_1 = even_2 = odd_2 = even_3 = odd_3 = np.uint64(0)
        for index in range(start, min(count, start + _AT_ONCE)):
            row = np.int64(words[index] & _MASK)
            first, second, third, fourth = rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3]
            telling += first >> _TELLS
            even_0 += first & _EVERY_OTHER
            odd_0 += (first >> _SHIFT) & _EVERY_OTHER
            even_1 += second & _EVERY_OTHER
            odd_1 += (second >> _SHIFT) & _EVERY_OTHER
            even_2 += third & _EVERY_OTHER
            odd_2 += (third >> _SHIFT) & _EVERY_OTHER
            even_3 += fourth & _EVERY_OTHER
            odd_3 += (fourth >> _SHIFT) & _EVERY_OTHER
        _spread(even_0, odd_0, 0, out)
        _spread(even_1, odd_1, 6, out)
        _spread(even_2, odd_2, 12, out)
        _spread(even_3, odd_3, 18, out)
    offset = np.float32(telling) * np.float32(_ZERO)
    for axis in range(DIMENSIONS):
        out[axis] -= offset
