"""The shape of a response: how much of it is worked reasoning, whatever the language.

A line counts as reasoning when it is numbered or bulleted, or holds an equation or an arrow; a block in tags that opens the response
counts as a whole. Looked at by bytes, so that it costs little and needs no vocabulary.
"""

from __future__ import annotations

from typing import Any

import numba

_NEWLINE, _SPACE, _LESS, _GREATER, _SLASH, _EQUALS, _HYPHEN, _STAR, _DOT, _PARENTHESIS, _COLON = (
    10,
    32,
    60,
    62,
    47,
    61,
    45,
    42,
    46,
    41,
    58,
)


@numba.njit(nogil=True, cache=True)
def _tagged_bytes(data: Any, start: Any, stop: Any) -> Any:
    """Bytes of a block <tag>…</…> that opens the text; 0 if it does not open with one."""
    position = start
    while position < stop and data[position] <= _SPACE:
        position += 1
    if position >= stop or data[position] != _LESS or position + 1 >= stop or data[position + 1] == _SLASH:
        return 0
    name_end = position + 1
    while name_end < stop and data[name_end] != _GREATER and name_end - position < 40:
        name_end += 1
    if name_end >= stop or data[name_end] != _GREATER:
        return 0
    for cursor in range(name_end, stop - 1):
        if data[cursor] == _LESS and data[cursor + 1] == _SLASH:
            return cursor - start
    return stop - start


@numba.njit(nogil=True, cache=True)
def _opens_step(data: Any, start: Any, stop: Any) -> Any:
    """Whether a line that begins at `start` opens as a step does: with a number or a bullet."""
    position = start
    while position < stop and (data[position] == _SPACE or data[position] == _STAR):
        position += 1
    digits = position
    while digits < stop and 48 <= data[digits] <= 57:
        digits += 1
    if position < digits < stop and (data[digits] == _DOT or data[digits] == _PARENTHESIS or data[digits] == _COLON):
        return True
    return position + 1 < stop and data[position] == _HYPHEN and data[position + 1] == _SPACE


@numba.njit(nogil=True, cache=True)
def _is_arrow(data: Any, cursor: Any, stop: Any) -> Any:
    """Whether U+2190 to U+21FF, the arrows, or U+2234, therefore, stands at `cursor`, where a byte 0xE2 does."""
    if cursor + 2 >= stop or data[cursor + 2] == _NEWLINE:
        return False
    second = data[cursor + 1]
    return second in (0x86, 0x87) or (second == 0x88 and data[cursor + 2] == 0xB4)


@numba.njit(nogil=True, cache=True)
def reasoning_share(data: Any, start: Any, stop: Any) -> Any:
    """Share of data[start:stop] that has the shape of worked reasoning, 0 to 1; 0 for an empty text."""
    if stop <= start:
        return 0.0
    tagged = _tagged_bytes(data, start, stop)
    reasoned = tagged
    line = start + tagged
    while line < stop:
        end = line
        reasons = False
        while end < stop and data[end] != _NEWLINE:
            byte = data[end]
            if byte == _EQUALS or (byte == 0xE2 and _is_arrow(data, end, stop)):
                reasons = True
            end += 1
        if end - line > 8 and (reasons or _opens_step(data, line, end)):
            reasoned += end - line
        line = end + 1
    return min(1.0, reasoned / (stop - start))
