"""Column types that hold on every database what a log may contain: any text, exact times, plain JSON.

PostgreSQL takes no zero character and no lone surrogate, SQLite gives times back without their zone. Both are bridged here, so that a value
that was stored is the value that comes back.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator

_SPECIAL = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|u[0-9a-f]{4})")


def escaped(text: str) -> str:
    """The text without zero characters and lone surrogates: those are written as `\\u0000`, a backslash as two. Reversible."""
    return _SPECIAL.sub(lambda found: "\\\\" if found.group() == "\\" else f"\\u{ord(found.group()):04x}", text)


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    return _ESCAPED.sub(lambda found: "\\" if found.group(1) == "\\" else chr(int(found.group(1)[1:], 16)), text)


def storable(value: Any) -> Any:
    """A JSON value whose texts are all `escaped`: what canonical JSON and every database take."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {escaped(str(name)): storable(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def _restored(value: Any) -> Any:
    """The value that `storable` was given."""
    if isinstance(value, str):
        return unescaped(value)
    if isinstance(value, dict):
        return {unescaped(name): _restored(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_restored(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


class AnyText(TypeDecorator[str]):
    """Text of any characters."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """As stored."""
        del dialect  # it is the same on every one
        return None if value is None else escaped(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """As given."""
        del dialect  # it is the same on every one
        return None if value is None else unescaped(value)


class Json(TypeDecorator[Any]):
    """A JSON value as ASCII text, its texts escaped, since JSON makes one character of two halves; not-a-number is refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """As stored."""
        del dialect  # it is the same on every one
        return None if value is None else json.dumps(storable(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """As given."""
        del dialect  # it is the same on every one
        return None if value is None else _restored(json.loads(value))


class Moment(TypeDecorator[datetime]):
    """A moment, UTC, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As stored: in UTC."""
        del dialect  # it is the same on every one
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As given, in UTC."""
        del dialect  # it is the same on every one
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
