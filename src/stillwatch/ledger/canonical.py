"""Canonical JSON (RFC 8785): one value, one sequence of bytes.

Most records hold text and whole numbers under ASCII names. For those the bytes are what orjson writes with sorted names, at a tenth of the
price; everything else goes through the library `rfc8785`. Properties hold the two ways against each other.
"""

from __future__ import annotations

from typing import Any, cast

import orjson
import rfc8785

from stillwatch.ledger.refusals import CanonicalError

DEEPEST = 32
"""Objects and arrays within each other; no record needs more, and a hostile one cannot exhaust the stack."""

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SCALARS = frozenset({str, int, bool, type(None)})


def canonical_json(value: Any) -> bytes:
    """The canonical JSON of a value made of dict, list, tuple, str, int, float, bool and None.

    Raises CanonicalError for other types, not-a-number, infinity, whole numbers beyond 2 ** 53 - 1, lone surrogates and more than
    DEEPEST levels.

    Source: RFC 8785, section 3.2.
    """
    try:
        if _plain(value, DEEPEST):
            return orjson.dumps(value, option=_OPTIONS)
        return rfc8785.dumps(value)
    except (ValueError, TypeError) as error:
        raise CanonicalError(f"a value has no canonical JSON: {error}; write large numbers and bytes as text") from None


def read_canonical(data: bytes) -> Any:
    """The value whose canonical JSON the bytes are.

    Raises CanonicalError for anything else: other orders, spaces, names that stand twice, numbers in another form, no JSON.
    """
    try:
        value: Any = orjson.loads(data)
    except ValueError as error:
        raise CanonicalError(f"{len(data)} bytes are no JSON ({error}); restore the log from a copy") from None
    try:
        same = canonical_json(value) == data
    except CanonicalError:
        value = _as_doubles(value, DEEPEST)
        same = _same(value, data)
    if not same:
        raise CanonicalError(
            f"{len(data)} bytes are JSON, but not its canonical form (RFC 8785): an order, a space, a number's form or a name that "
            "stands twice; restore the log from a copy"
        )
    return value


def _same(value: Any, data: bytes) -> bool:
    try:
        return canonical_json(value) == data
    except CanonicalError:
        return False


def _as_doubles(value: Any, levels: int) -> Any:
    """The value with every whole number beyond 2 ** 53 - 1 as the double whose digits it is."""
    if type(value) is int and abs(value) >= 2**53:
        return float(value)
    if levels and isinstance(value, dict):
        return {name: _as_doubles(item, levels - 1) for name, item in cast("dict[str, Any]", value).items()}
    if levels and isinstance(value, list):
        return [_as_doubles(item, levels - 1) for item in cast("list[Any]", value)]
    return value


def _plain(value: Any, levels: int) -> bool:
    """Whether orjson writes the canonical form of it."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is dict or kind is list or kind is tuple:
        if levels == 0:
            raise CanonicalError(f"a value is nested deeper than {DEEPEST} levels; flatten it")
        items: Any = value.values() if kind is dict else value
        # orjson sorts by code point, RFC 8785 by UTF-16 unit: they agree on ASCII
        plain = kind is not dict or "".join(value).isascii()
        if not _SCALARS.issuperset(map(type, items)):
            for item in items:
                plain = _plain(item, levels - 1) and plain
        return plain
    if kind is float:
        return False
    raise CanonicalError(f"a value of type {kind.__name__} has no canonical JSON; write it as text")
