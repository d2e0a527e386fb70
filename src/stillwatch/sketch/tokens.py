"""Texts as sequences of word hashes, read straight from Arrow buffers.

A word is a run of letters with case folded (ASCII); a run of digits is one word, whatever its value, so that numbers do not hide a
template; each Chinese, Japanese or Korean character is a word of its own. Everything else separates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

MAX_BYTES = 16_384
"""Bytes of one text that are read; what follows cannot make a sketch more expensive."""

MAX_TOKENS = 4_096
"""Words of one text that are kept."""

_DIGIT = 48
_OFFSET = np.uint64(1469598103934665603)
_PRIME = np.uint64(1099511628211)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

TextBuffers = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]


def text_buffers(column: pa.Array) -> TextBuffers:
    """Offsets [n + 1], bytes and validity [n] of a string column; no text is copied but for 32-bit offsets and slices."""
    if not pa.types.is_large_string(column.type):
        column = column.cast(pa.large_string())
    buffers = column.buffers()
    offsets = (
        np.frombuffer(buffers[1], dtype=np.int64)[column.offset : column.offset + len(column) + 1] if len(column) else np.zeros(1, np.int64)
    )
    data = np.frombuffer(buffers[2], dtype=np.uint8) if buffers[2] is not None and buffers[2].size else np.zeros(1, np.uint8)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return offsets, data, valid


@numba.njit(nogil=True, cache=True, inline="always")
def mix(value: Any) -> Any:
    """A 64-bit finaliser (splitmix64), so that close inputs give unrelated hashes."""
    value ^= value >> np.uint64(30)
    value *= _MIX_1
    value ^= value >> np.uint64(27)
    value *= _MIX_2
    return value ^ (value >> np.uint64(31))


@numba.njit(nogil=True, cache=True, inline="always")
def _separates(first: Any, second: Any, third: Any) -> Any:
    """Whether a multi-byte character is punctuation or a symbol: Latin-1 signs, U+2000 to U+2FFF, CJK and full-width punctuation."""
    if first == 0xC2:
        return True
    if first == 0xE2:
        return True
    if first == 0xE3 and second == 0x80:
        return True
    return first == 0xEF and second == 0xBC and (third < 0x90 or third > 0xBA)


def _ascii_letters() -> npt.NDArray[np.uint64]:
    """[256] the letter that each ASCII byte stands for: lower case, one value for all digits, 0 for what separates and for no ASCII."""
    letters = np.zeros(256, np.uint64)
    for byte in range(128):
        sign = chr(byte)
        letters[byte] = ord(sign.lower()) if sign.isalpha() else (_DIGIT if sign.isdigit() else 0)
    return letters


_ASCII = _ascii_letters()


@numba.njit(nogil=True, cache=True, inline="always")
def _wide(first: Any, second: Any, third: Any) -> Any:
    """The letter that a multi-byte character stands for, from its first three bytes; 0 for what separates."""
    if _separates(first, second, third):
        return np.uint64(0)
    return (np.uint64(first) << np.uint64(16)) | (np.uint64(second) << np.uint64(8)) | np.uint64(third)


@numba.njit(nogil=True, cache=True, inline="always")
def _through_letters(text: Any, position: Any, hash_: Any) -> Any:
    """Where the run of ASCII letters at `position` ends, the hash with them, and what stands there (as in _ASCII; 0 at the end)."""
    letter = _ASCII[text[position]]
    while letter > _DIGIT:
        hash_ = (hash_ ^ letter) * _PRIME
        position += 1
        letter = _ASCII[text[position]] if position < text.shape[0] else np.uint64(0)
    return position, hash_, letter


@numba.njit(nogil=True, cache=True, inline="always")
def _character(text: Any, position: Any) -> Any:
    """The letter at `position` (a digit's for all digits, 0 for what separates), how many bytes it has, and whether it is a word alone."""
    byte = text[position]
    if byte < 0x80:
        return _ASCII[byte], 1, False
    width = 2 if byte < 0xE0 else (3 if byte < 0xF0 else 4)
    second = text[position + 1] if position + 1 < text.shape[0] else np.uint8(0)
    third = text[position + 2] if width > 2 and position + 2 < text.shape[0] else np.uint8(0)
    letter = _wide(byte, second, third)
    return letter, width, letter != 0 and (0xE3 <= byte <= 0xED or byte >= 0xEF)


@numba.njit(nogil=True, cache=True)
def tokenise(data: Any, start: Any, stop: Any, out: Any) -> Any:
    """Fill `out` with the word hashes of data[start:stop]; returns how many there are."""
    text = data[start:stop]  # counted from 0, so that the compiler need not look out for negative positions
    count = 0
    hash_ = _OFFSET
    kind = 0  # of the word under way: 0 none, 1 letters, 2 digits
    position = 0
    while position < text.shape[0] and count < out.shape[0] - 2:
        if kind < 2 and _ASCII[text[position]] > _DIGIT:
            # most text is runs of ASCII letters
            position, hash_, letter = _through_letters(text, position, hash_)
            kind = 1
            if letter or position == text.shape[0] or text[position] >= 0x80:
                continue
            out[count] = mix(hash_)
            count, hash_, kind = count + 1, _OFFSET, 0
            position += 1
            continue
        letter, width, alone = _character(text, position)
        next_kind = 0 if letter == 0 else (2 if letter == _DIGIT else 1)
        if kind and (alone or next_kind != kind):
            out[count] = mix(hash_)
            count, hash_ = count + 1, _OFFSET
        if next_kind and not (next_kind == 2 and kind == 2):
            hash_ = (hash_ ^ letter) * _PRIME
        kind = next_kind
        if alone:
            out[count] = mix(hash_)
            count, hash_, kind = count + 1, _OFFSET, 0
        position += width
    if kind:
        out[count] = mix(hash_)
        count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _tokenise_all(data: Any, ends: Any, scratch: Any) -> Any:
    """The word hashes of texts that lie one after the other, and how many each has; looked at twice, so that only words take memory."""
    counts = np.empty(len(ends), np.int64)
    start = 0
    for index, end in enumerate(ends):
        counts[index] = tokenise(data, start, end, scratch)
        start = end
    out = np.empty(counts.sum(), np.uint64)
    start = filled = 0
    for index, end in enumerate(ends):
        tokenise(data, start, end, scratch)
        out[filled : filled + counts[index]] = scratch[: counts[index]]
        start, filled = end, filled + counts[index]
    return out, counts


def hash_texts(texts: Iterable[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """The word hashes of many texts, one after the other, and how many words each text has [texts]."""
    encoded = [text[:MAX_BYTES].encode()[:MAX_BYTES] for text in texts]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
    return _tokenise_all(np.frombuffer(b"".join(encoded) or b" ", dtype=np.uint8), ends, np.empty(MAX_TOKENS, np.uint64))


def hash_words(text: str) -> npt.NDArray[np.uint64]:
    """The word hashes of one text, as the kernels see them."""
    return hash_texts([text])[0]
