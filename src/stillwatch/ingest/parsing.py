"""Parses one JSON record, guarding against bombs, and says what is wrong with the ones it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from stillwatch.ingest.values import RefusedRowError, kind_of

Record = dict[str, Any]

# The closing quote is optional and the repeat possessive: the search takes linear time whatever the bytes are.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def parse(data: bytes, max_depth: int) -> Record:
    """The record as a dictionary; RefusedRowError when it is not a JSON object nested at most `max_depth` deep."""
    if data.count(b"{") + data.count(b"[") > max_depth and _depth(data) > max_depth:
        raise RefusedRowError("too_deep", f"expected brackets at most {max_depth} deep, got more")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        value = _leniently(data)
        if value is None:
            raise _explain(data, error) from None
    if not isinstance(value, dict):
        raise RefusedRowError("not_an_object", f"expected a JSON object, got {kind_of(value)}")
    return value


def parse_text(text: object, max_depth: int) -> Any:
    """JSON that a source keeps in a string, as a value; anything that is not such a string is given back as it is."""
    if not isinstance(text, str) or text.lstrip()[:1] not in {"{", "["}:
        return text
    data = text.encode("utf-8", "replace")
    if data.count(b"{") + data.count(b"[") > max_depth and _depth(data) > max_depth:
        return text
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        value = _leniently(data)
        return text if value is None else value


def _leniently(data: bytes) -> Any:
    """What Python's own JSON writer makes and strict parsers refuse: NaN, Infinity (as null) and halves of surrogate pairs; else None.

    A caller can put both into a request, and must not keep its rows unread by it.
    """
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=lambda _name: None)
    except (ValueError, RecursionError):
        return None
    return _whole(value)


def _whole(value: Any) -> Any:
    """The value with halves of surrogate pairs replaced, in every string of it."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return value


def _depth(data: bytes) -> int:
    """How deep the brackets outside of strings are nested."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _explain(data: bytes, error: orjson.JSONDecodeError) -> RefusedRowError:
    if b"\0" in data:
        return RefusedRowError("nul_byte", f"expected JSON, got a NUL byte at byte {data.index(0)} of the record")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as bad:
        return RefusedRowError("invalid_utf8", f"expected UTF-8, got byte 0x{data[bad.start]:02x} at byte {bad.start} of the record")
    if error.pos >= len(data.rstrip()) - 1:
        return RefusedRowError("truncated", f"expected a whole JSON object, got {len(data)} bytes that end inside it")
    return RefusedRowError("invalid_json", f"expected JSON, got something else at character {error.pos} of the record")
