"""The wording of texts as hashed runs of words, sampled by hash: one compiled pass over Arrow buffers.

A word is a run of ASCII letters and digits with case folded, or of letters of another alphabet; each Chinese, Japanese or Korean
character is a word of its own; everything else separates. Digits count: two sums with other numbers are two texts.
A shingle is SHINGLE_WORDS words in a row. One in SAMPLE is kept, by its hash, so that two texts keep the same ones of what they share.

Source: Broder 1997, "On the resemblance and containment of documents" (samples modulo m, containment).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.sketch.tokens import mix, text_buffers

SHINGLE_WORDS = 8
SAMPLE = 4
"""One shingle in so many is kept; a power of two."""

MOST_KEYS = 1 << 16
"""Sampled shingles of one text that are kept: about a quarter of a million words."""

Keys: TypeAlias = npt.NDArray[np.uint64]
Integers: TypeAlias = npt.NDArray[np.int64]

_OFFSET = np.uint64(1469598103934665603)
_PRIME = np.uint64(1099511628211)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_GOLDEN_OUT = np.uint64(pow(0x9E3779B97F4A7C15, SHINGLE_WORDS, 1 << 64))
_SAMPLED = np.uint64(SAMPLE - 1)
_RING = SHINGLE_WORDS
_SEPARATES, _JOINS, _ALONE = 0, 1, 2


def _ascii_letters() -> npt.NDArray[np.uint64]:
    """[256] the letter or digit that each ASCII byte stands for, lower case; 0 for what separates and for other bytes."""
    letters = np.zeros(256, np.uint64)
    for byte in range(128):
        letters[byte] = ord(chr(byte).lower()) if chr(byte).isalnum() else 0
    return letters


_LETTERS = _ascii_letters()


@numba.njit(nogil=True, cache=True, inline="always")
def _kind(first: Any, second: Any, third: Any) -> Any:
    """What the multi-byte character with these bytes does: separates (punctuation, symbols), joins a word, or is one."""
    if first in (0xC2, 0xE2):
        return _SEPARATES
    if first == 0xE3 and second == 0x80:
        return _SEPARATES
    if first == 0xEF and second == 0xBC and (third < 0x90 or third > 0xBA):
        return _SEPARATES
    if (0xE3 <= first <= 0xED) or first >= 0xEF:
        return _ALONE
    return _JOINS


@numba.njit(nogil=True, cache=True)
def _take(word: Any, state: Any, ring: Any, out: Any) -> None:
    """Add a word: `state` is (words, hash of all, rolling shingle, keys in `out`)."""
    count = np.int64(state[0])
    state[1] = state[1] * _GOLDEN + word
    place = count % _RING
    state[2] = state[2] * _GOLDEN + word
    if count >= SHINGLE_WORDS:
        state[2] -= ring[place] * _GOLDEN_OUT
    ring[place] = word
    state[0] = np.uint64(count + 1)
    if count + 1 >= SHINGLE_WORDS:
        value = mix(state[2])
        filled = np.int64(state[3])
        if (value & _SAMPLED) == 0 and filled < out.shape[0]:
            out[filled] = value
            state[3] = np.uint64(filled + 1)


@numba.njit(nogil=True, cache=True)
def _read(text: Any, state: Any, ring: Any, out: Any) -> None:
    """Feed every word of the bytes to `_take`."""
    state[:] = 0
    hash_ = _OFFSET
    open_ = False
    position = 0
    while position < text.shape[0]:
        byte = text[position]
        letter = _LETTERS[byte]
        if letter:
            hash_ = (hash_ ^ letter) * _PRIME
            open_ = True
            position += 1
            continue
        kind, width, value = _SEPARATES, 1, np.uint64(0)
        if byte >= 0xC0:
            width = 2 if byte < 0xE0 else (3 if byte < 0xF0 else 4)
            second = text[position + 1] if position + 1 < text.shape[0] else np.uint8(0)
            third = text[position + 2] if width > 2 and position + 2 < text.shape[0] else np.uint8(0)
            fourth = text[position + 3] if width > 3 and position + 3 < text.shape[0] else np.uint8(0)
            kind = _kind(byte, second, third)
            value = (np.uint64(byte) << np.uint64(24)) | (np.uint64(second) << np.uint64(16))
            value |= (np.uint64(third) << np.uint64(8)) | np.uint64(fourth)
        position += width
        if kind == _JOINS:
            hash_ = (hash_ ^ value) * _PRIME
            open_ = True
            continue
        if open_:
            _take(mix(hash_), state, ring, out)
            hash_, open_ = _OFFSET, False
        if kind == _ALONE:
            _take(mix((_OFFSET ^ value) * _PRIME), state, ring, out)
    if open_:
        _take(mix(hash_), state, ring, out)


@numba.njit(nogil=True, cache=True)
def _distinct(values: Any, count: Any) -> Any:
    """Sort values[:count] and move the different ones to the front; returns how many there are."""
    if count < 2:
        return count
    values[:count] = np.sort(values[:count])
    kept = 1
    for index in range(1, count):
        if values[index] != values[index - 1]:
            values[kept] = values[index]
            kept += 1
    return kept


@numba.njit(nogil=True, cache=True)
def read_wording(offsets: Any, data: Any, valid: Any, out: Any, words: Any, whole: Any, starts: Any) -> Any:
    """Fill `words`, `whole` and `starts`, and `out` with the keys of every text one after the other; returns the row it came to.

    It stops before a text whose keys might not fit.
    """
    ring, state = np.zeros(_RING, np.uint64), np.zeros(4, np.uint64)
    at = 0
    starts[0] = 0
    for row in range(words.shape[0]):
        size = offsets[row + 1] - offsets[row] if valid[row] else 0
        room = min(size // 2 + 1, MOST_KEYS)
        if at + room > out.shape[0]:
            return row
        if size:
            _read(data[offsets[row] : offsets[row + 1]], state, ring, out[at : at + room])
            words[row] = np.int64(state[0])
            whole[row] = mix(state[1] ^ state[0])
            at += _distinct(out[at : at + room], np.int64(state[3]))
        else:
            words[row], whole[row] = 0, np.uint64(0)
        starts[row + 1] = at
    return words.shape[0]


class Wording:
    """The wording of a batch of texts.

    Attributes:
        words: [n] words of each text; 0 where there is none.
        whole: [n] hash of its whole sequence of words.
        starts: [n + 1] where each text's keys begin in `keys`.
        keys: the sampled shingles of every text, each once and in rising order.
    """

    __slots__ = ("keys", "starts", "whole", "words")

    def __init__(self, texts: pa.Array) -> None:
        """Read a string column."""
        offsets, data, valid = text_buffers(texts)
        rows = len(texts)
        self.words, self.whole, self.starts = np.zeros(rows, np.int64), np.zeros(rows, np.uint64), np.zeros(rows + 1, np.int64)
        sizes = np.where(valid, np.diff(offsets), 0)
        room = int(np.minimum(sizes // 2 + 1, MOST_KEYS).sum())
        out = np.empty(room, np.uint64)
        read_wording(offsets, data, valid, out, self.words, self.whole, self.starts)
        self.keys: Keys = out[: self.starts[-1]].copy()

    def rows(self) -> Integers:
        """[keys] the text that each key is of."""
        return np.repeat(np.arange(self.words.size), np.diff(self.starts))
