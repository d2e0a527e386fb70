"""Compiled loops: splitting JSON values out of bytes, hashing strings, and a growing set of hashes."""

from __future__ import annotations

import numba as nb
import numpy as np

DEPTH, IN_STRING, ESCAPED, START, SCALAR = range(5)
"""Places in the state array of `scan_values`; START is -1 between values."""

_QUOTE, _BACKSLASH, _COMMA = 34, 92, 44
_OPEN_SQUARE, _CLOSE_SQUARE, _OPEN_CURLY, _CLOSE_CURLY = 91, 93, 123, 125


@nb.njit(cache=True, nogil=True)
def _inside_string(byte: int, state: np.ndarray) -> None:
    if state[ESCAPED]:
        state[ESCAPED] = 0
    elif byte == _BACKSLASH:
        state[ESCAPED] = 1
    elif byte == _QUOTE:
        state[IN_STRING] = 0


@nb.njit(cache=True, nogil=True)
def _between_strings(byte: int, i: int, state: np.ndarray, level: int, span: np.ndarray) -> int:
    """One byte outside of strings; 1 when it finishes a value, whose start and end are then in `span`."""
    opening = byte in (_OPEN_SQUARE, _OPEN_CURLY)
    closing = byte in (_CLOSE_SQUARE, _CLOSE_CURLY)
    apart = byte in (32, 9, 10, 13, _COMMA)
    finished = 0
    if state[DEPTH] == level:
        if state[START] < 0 and not (apart or closing):
            state[START] = i
            state[SCALAR] = 0 if opening else 1
        elif state[START] >= 0 and state[SCALAR] and (apart or closing):
            finished = _finish(i, state, span)
    if byte == _QUOTE:
        state[IN_STRING] = 1
    elif opening:
        state[DEPTH] += 1
    elif closing and state[DEPTH] > 0:
        state[DEPTH] -= 1
        if state[DEPTH] == level and state[START] >= 0:
            finished = _finish(i + 1, state, span)
    return finished


@nb.njit(cache=True, nogil=True)
def _finish(end: int, state: np.ndarray, span: np.ndarray) -> int:
    span[0], span[1] = state[START], end
    state[START] = -1
    return 1


@nb.njit(cache=True, nogil=True)
def scan_values(data: np.ndarray, begin: int, state: np.ndarray, level: int, spans: np.ndarray) -> int:
    """Find the JSON values that stand `level` brackets deep in data[begin:], carrying on from `state`.

    Args:
        data: bytes (uint8).
        begin: where to start.
        state: int64 of length 5, see DEPTH and the names beside it; changed in place.
        level: 0 for values one after the other, 1 for the elements of arrays.
        spans: int64 of shape (k, 2), filled with the start and end of each finished value; k at least the number of bytes.

    Returns:
        how many values were finished.
    """
    found = 0
    for i in range(begin, data.shape[0]):
        byte = data[i]
        if state[IN_STRING]:
            _inside_string(byte, state)
        else:
            found += _between_strings(byte, i, state, level, spans[found])
    return found


@nb.njit(cache=True, nogil=True)
def _mix(a: np.uint64, b: np.uint64) -> np.uint64:
    a ^= b
    a *= np.uint64(0x9E3779B97F4A7C15)
    a ^= a >> np.uint64(32)
    a *= np.uint64(0xD6E8FEB86659FD93)
    a ^= a >> np.uint64(29)
    return a


@nb.njit(cache=True, nogil=True)
def hash_strings(offsets: np.ndarray, data: np.ndarray, out: np.ndarray) -> None:
    """64-bit hashes of the strings data[offsets[i]:offsets[i + 1]] into `out` (uint64); never 0, which marks an empty slot."""
    for i in range(out.shape[0]):
        first, last = offsets[i], offsets[i + 1]
        value = np.uint64(0x243F6A8885A308D3) ^ np.uint64(last - first)
        word = np.uint64(0)
        filled = 0
        for j in range(first, last):
            word = (word << np.uint64(8)) | np.uint64(data[j])
            filled += 1
            if filled == 8:
                value = _mix(value, word)
                word = np.uint64(0)
                filled = 0
        value = _mix(value, word)
        out[i] = value if value != 0 else np.uint64(1)


@nb.njit(cache=True, nogil=True)
def insert_hashes(slots: np.ndarray, hashes: np.ndarray, take: np.ndarray, seen: np.ndarray) -> int:
    """Put hashes[i] with take[i] into the open-addressing table `slots` (uint64, a power of two long, 0 = empty).

    seen[i] becomes True where the hash was there before, from this call or an earlier one. Returns how many were new.
    """
    wrap = np.uint64(slots.shape[0] - 1)
    new = 0
    for i in range(hashes.shape[0]):
        if not take[i]:
            continue
        value = hashes[i]
        place = value & wrap
        while slots[place] != 0 and slots[place] != value:
            place = (place + np.uint64(1)) & wrap
        if slots[place] == value:
            seen[i] = True
        else:
            slots[place] = value
            new += 1
    return new
