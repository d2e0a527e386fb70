"""Turns single values of a log into the types of the exchanges table, or says why they do not fit."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from stillwatch.errors import StillwatchError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}(?:\.[0-9]{1,19})?(?:[eE][+-]?[0-9]{1,3})?")
_INT64_MAX = 2**63 - 1
_SHOWN_CHARS = 40
_KINDS = {"NoneType": "null", "bool": "boolean", "int": "integer", "float": "number", "str": "string", "list": "array", "dict": "object"}

SECONDS_BELOW = 1e11
MILLISECONDS_BELOW = 1e14
MICROSECONDS_BELOW = 1e17


class RefusedRowError(StillwatchError):
    """A row cannot become an exchange.

    Attributes:
        reason: a short code.
        detail: what was expected and what was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def kind_of(value: object) -> str:
    """The JSON name of a value's type."""
    name = type(value).__name__
    return _KINDS.get(name, name)


def _wrong(expected: str, value: object) -> RefusedRowError:
    got = kind_of(value)
    if isinstance(value, (int, float)):
        got += f" {value}"[:_SHOWN_CHARS]
    return RefusedRowError("wrong_type", f"expected {expected}, got {got}")


def as_int(value: object) -> int:
    """An integer of 64 bits; a string of digits and a float without fraction count as one."""
    if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong("an integer", value)
    if not -_INT64_MAX <= value <= _INT64_MAX:
        raise RefusedRowError("out_of_range", "expected an integer of 64 bits, got a larger one")
    return value


def as_float(value: object) -> float:
    """A finite number; a string that spells one counts as one."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong("a number", value)
    if abs(value) > 1e300 or not math.isfinite(value):
        raise RefusedRowError("out_of_range", "expected a finite number, got a larger one")
    return float(value)


def as_bool(value: object) -> bool:
    """A boolean; the strings "true" and "false" count as one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise _wrong("a boolean", value)


def as_text(value: object) -> str:
    """A string; an integer counts as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _wrong("a string", value)


def as_time(value: object) -> int:
    """Microseconds since 1970 (UTC), from an ISO 8601 string, a datetime, or a count of s, ms, us or ns told apart by its size.

    A time without an offset is UTC. The result may lie outside any plausible range: the caller checks that.
    """
    if isinstance(value, datetime):
        return _micros(value)
    if isinstance(value, bool):
        raise _wrong("a time", value)
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return _from_iso(value)
        value = int(value) if _INTEGER.fullmatch(value) else float(value)
    if isinstance(value, int):
        return _from_integer(value)
    if isinstance(value, float) and math.isfinite(value):
        return _from_float(value)
    raise _wrong("a time", value)


def _from_iso(text: str) -> int:
    text = text.strip().removesuffix(" UTC")
    try:
        return _micros(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise RefusedRowError("wrong_type", f"expected a time in ISO 8601 or since 1970, got a string of {len(text)} characters") from None


def _micros(moment: datetime) -> int:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def _from_integer(count: int) -> int:
    size = abs(count)
    if size < SECONDS_BELOW:
        return count * 1_000_000
    if size < MILLISECONDS_BELOW:
        return count * 1_000
    if size < MICROSECONDS_BELOW:
        return count
    if size > _INT64_MAX:
        raise RefusedRowError("time_out_of_range", "expected a time of 64 bits, got a larger one")
    return count // 1_000


def _from_float(count: float) -> int:
    size = abs(count)
    if size < SECONDS_BELOW:
        return round(count * 1e6)
    if size < MILLISECONDS_BELOW:
        return round(count * 1e3)
    if size < MICROSECONDS_BELOW:
        return round(count)
    return _from_integer(int(count))
