"""One pass over the text of a batch: every fingerprint, by one compiled loop over Arrow buffers."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.sketch.codebook import DIMENSIONS, HEAD_BYTES, VOCABULARY
from stillwatch.sketch.packing import sum_rows
from stillwatch.sketch.phrases import LANGUAGES, TASKS
from stillwatch.sketch.shapes import reasoning_share
from stillwatch.sketch.tokens import MAX_BYTES, MAX_TOKENS, mix, tokenise

SHINGLE_WORDS = 5
"""Words in one fingerprint of wording: long enough that two people do not hit on it by chance, short enough to survive light editing."""

LOWEST = 3
SLOTS = LOWEST + 2
"""Fingerprints per prompt: the three lowest by hash (a consistent sample, Broder 1997), its first five words and its last five."""

RARE_WORDS = 6
"""Words in the near-duplicate bucket: the rarest of the prompt by collection statistics (I-Match, Chowdhury et al. 2002)."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_GOLDEN_OUT = np.uint64(pow(0x9E3779B97F4A7C15, SHINGLE_WORDS, 1 << 64))
"""What a word is multiplied by when it leaves a rolling shingle."""

_MASK = np.uint64(VOCABULARY - 1)
_TASKS = len(TASKS)
_LANGUAGES = len(LANGUAGES)
_JA = LANGUAGES.index("ja")
_GRAMMAR_WEIGHT = 6
_SCRIPTS = {"ru": (0xD0, 0xD3, 1), "ar": (0xD8, 0xDB, 6), "ja": (0xE3, 0xE3, 18), "zh": (0xE4, 0xE9, 6), "ko": (0xEA, 0xED, 6)}
"""First and last lead byte of a script that a language is known by, and what a character weighs where a word of grammar weighs 6."""


def _lead_bytes() -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """[256] the language that a character beginning with each byte speaks for, 0 for none; and how much it weighs."""
    cells, weights = np.zeros(256, np.int8), np.zeros(256, np.int32)
    for name, (first, last, weight) in _SCRIPTS.items():
        cells[first : last + 1], weights[first : last + 1] = LANGUAGES.index(name), weight
    return cells, weights


_LEAD_CELLS, _LEAD_WEIGHTS = _lead_bytes()


@numba.njit(nogil=True, cache=True)
def _sequence_hash(words: Any, count: Any) -> Any:
    value = np.uint64(count)
    for index in range(count):
        value = value * _GOLDEN + words[index]
    return mix(value)


@numba.njit(nogil=True, cache=True)
def _shingle(words: Any, start: Any, count: Any) -> Any:
    value = np.uint64(0)
    for index in range(start, min(start + SHINGLE_WORDS, count)):
        value = value * _GOLDEN + words[index]
    return mix(value)


@numba.njit(nogil=True, cache=True, inline="always")
def _holds(values: Any, count: Any, value: Any) -> Any:
    found = False
    for index in range(count):
        found = found or values[index] == value
    return found


@numba.njit(nogil=True, cache=True)
def _lowest(words: Any, count: Any, out: Any) -> Any:
    """Fill `out` with the LOWEST distinct shingles in rising order; returns how many there are."""
    filled = 0
    rolled = np.uint64(0)
    for index in range(count):
        rolled = rolled * _GOLDEN + words[index]
        if index < SHINGLE_WORDS - 1:
            continue
        if index >= SHINGLE_WORDS:
            rolled -= words[index - SHINGLE_WORDS] * _GOLDEN_OUT
        value = mix(rolled)
        if (filled == LOWEST and value >= out[LOWEST - 1]) or _holds(out, filled, value):
            continue
        filled = min(filled + 1, LOWEST)
        place = filled - 1
        while place > 0 and out[place - 1] > value:
            out[place] = out[place - 1]
            place -= 1
        out[place] = value
    return filled


@numba.njit(nogil=True, cache=True)
def _wording(words: Any, count: Any, out: Any) -> Any:
    """Fill `out` with distinct fingerprints of the text's wording; returns how many. Texts shorter than a shingle have none."""
    if count < SHINGLE_WORDS:
        return 0
    filled = _lowest(words, count, out)
    for start in (0, count - SHINGLE_WORDS):
        value = _shingle(words, start, count)
        if not _holds(out, filled, value):
            out[filled] = value
            filled += 1
    return filled


@numba.njit(nogil=True, cache=True)
def _bucket(words: Any, count: Any, rarity: Any, best: Any, kept: Any) -> Any:
    """The hash of the rarest words, in no order: prompts that differ in a common word or two fall together; `best`, `kept` are scratch."""
    filled = 0
    for index in range(count):
        word = words[index]
        # ties between unseen words break by hash, the same way in every text
        weight = rarity[np.int64(word & _MASK)] + np.float32((word >> np.uint64(40)) & np.uint64(0xFFFF)) * np.float32(1e-7)
        if filled == RARE_WORDS and weight <= best[RARE_WORDS - 1]:
            continue
        if _holds(kept, filled, word):
            continue
        place = filled if filled < RARE_WORDS else RARE_WORDS - 1
        filled = min(filled + 1, RARE_WORDS)
        while place > 0 and best[place - 1] < weight:
            best[place] = best[place - 1]
            kept[place] = kept[place - 1]
            place -= 1
        best[place] = weight
        kept[place] = word
    value = np.uint64(filled)
    for index in range(filled):
        value += mix(kept[index])
    return mix(value)


@numba.njit(nogil=True, cache=True)
def _phrases(words: Any, count: Any, keys: Any, values: Any, starts: Any, tasks: Any) -> Any:
    """The elicitations found; `tasks` [TASKS] is filled with counts."""
    last = np.uint64(starts.shape[0] - 1)
    mask = np.uint64(keys.shape[0] - 1)
    elicits = 0
    tasks[:] = 0
    for start in range(count):
        opens = starts[np.int64(words[start] & last)]
        if opens == 0:
            continue
        value = np.uint64(0)
        for length in range(min(opens, count - start)):
            value = value * _GOLDEN + words[start + length]
            slot = value & mask
            while keys[np.int64(slot)] != 0:
                if keys[np.int64(slot)] == value:
                    found = values[np.int64(slot)]
                    elicits |= found & 0xFF
                    if found >> 8:
                        tasks[found >> 8] += 1
                    break
                slot = (slot + np.uint64(1)) & mask
    return elicits


@numba.njit(nogil=True, cache=True)
def _is_ascii(text: Any) -> Any:
    """Whether a text is plain ASCII, as most are; to find that out costs next to nothing."""
    bits = np.uint8(0)
    for index in range(text.shape[0]):
        bits |= text[index]
    return bits < 0x80


@numba.njit(nogil=True, cache=True)
def _scripts(text: Any, seen: Any) -> None:
    """Weigh the characters of scripts that a language is known by."""
    if _is_ascii(text):
        return
    for index in range(text.shape[0]):
        cell = _LEAD_CELLS[text[index]]
        # U+3000 to U+303F is punctuation of Chinese as much as of Japanese
        if cell == 0 or (cell == _JA and (index + 1 == text.shape[0] or text[index + 1] < 0x81)):
            continue
        seen[cell] += _LEAD_WEIGHTS[text[index]]


@numba.njit(nogil=True, cache=True)
def _language(words: Any, count: Any, text: Any, grammar: Any, seen: Any) -> Any:
    """The control cell of a text, by its words of grammar and its scripts; `seen` [LANGUAGES + 1] is scratch."""
    keys, values, shift = grammar
    mask = np.uint64(keys.shape[0] - 1)
    seen[:] = 0
    for index in range(count):
        slot = np.int64((words[index] >> shift) & mask)
        seen[values[slot]] += _GRAMMAR_WEIGHT * (keys[slot] == words[index])
    _scripts(text, seen)
    return np.argmax(seen[:_LANGUAGES])


@numba.njit(nogil=True, cache=True, fastmath=True)
def _nearest(vector: Any, centres: Any, closeness: Any) -> Any:
    """The cell whose centre is closest to a unit vector, the first of equals; `centres` is [d, cells]."""
    closeness[:] = 0
    for axis in range(DIMENSIONS):
        for cell in range(closeness.shape[0]):
            closeness[cell] += centres[axis, cell] * vector[axis]
    nearest = 0
    for cell in range(1, closeness.shape[0]):
        if closeness[cell] > closeness[nearest]:
            nearest = cell
    return nearest


@numba.njit(nogil=True, cache=True)
def _place(words: Any, count: Any, packed: Any, centres: Any, vector: Any, closeness: Any, out: Any) -> Any:
    """Write the text's unit vector as signed bytes into `out`; returns its nearest cell. `vector` and `closeness` are scratch."""
    sum_rows(words, count, packed, vector)
    norm = np.float32(0)
    for axis in range(DIMENSIONS):
        norm += vector[axis] * vector[axis]
    norm = np.sqrt(norm) + np.float32(1e-9)
    for axis in range(DIMENSIONS):
        vector[axis] /= norm
        out[axis] = np.int8(np.rint(vector[axis] * np.float32(127)))
    return _nearest(vector, centres, closeness)


@numba.njit(nogil=True, cache=True)
def sketch_rows(prompt: Any, system: Any, response: Any, thinking: Any, tables: Any, out: Any) -> None:
    """Fill the arrays of `out` for every row.

    `prompt`, `system`, `response` and `thinking` are (offsets, bytes, validity). `tables` is (phrase keys, phrase values, phrase
    starts, grammar, rarity, packed projection, centres [d, cells]), `grammar` the language table. `out` is (prompt_key, bucket,
    system_key, wording [n, SLOTS], wording count, subject, embedding [n, d], elicits, task, language, reasoning).

    Subject and control cell are read from one text, the head of the response or, where that is short, the prompt: an instruction in
    one language, put before payloads in many, must not make them look alike.
    """
    keys, values, starts, grammar, rarity, packed, centres = tables
    words = np.empty(MAX_TOKENS, np.uint64)
    vector, closeness = np.empty(DIMENSIONS, np.float32), np.empty(centres.shape[1], np.float32)
    tasks, seen = np.empty(_TASKS, np.int32), np.empty(_LANGUAGES + 1, np.int32)
    best, kept = np.empty(RARE_WORDS, np.float32), np.empty(RARE_WORDS, np.uint64)
    for row in range(prompt[0].shape[0] - 1):
        if system[2][row]:
            start, stop = system[0][row], min(system[0][row + 1], system[0][row] + MAX_BYTES)
            out[2][row] = _sequence_hash(words, tokenise(system[1], start, stop, words))
        data = prompt[1]
        start, stop = prompt[0][row], min(prompt[0][row + 1], prompt[0][row] + MAX_BYTES)
        count = tokenise(data, start, stop, words) if prompt[2][row] else 0
        if prompt[2][row]:
            out[0][row] = _sequence_hash(words, count)
            out[1][row] = _bucket(words, count, rarity, best, kept)
            out[4][row] = _wording(words, count, out[3][row])
            out[7][row] = _phrases(words, count, keys, values, starts, tasks)
            out[8][row] = np.argmax(tasks)
        begin, end = response[0][row], min(response[0][row + 1], response[0][row] + MAX_BYTES)
        if response[2][row]:
            out[10][row] = reasoning_share(response[1], begin, end)
            if end - begin >= 80 or not prompt[2][row]:
                data, start, stop = response[1], begin, min(end, begin + HEAD_BYTES)
                count = tokenise(data, start, stop, words)
        if thinking[2][row]:
            hidden, shown = thinking[0][row + 1] - thinking[0][row], end - begin
            out[10][row] = (hidden + out[10][row] * shown) / max(1, hidden + shown)
        out[5][row] = _place(words, count, packed, centres, vector, closeness, out[6][row])
        out[9][row] = _language(words, count, data[start:stop], grammar, seen)
