"""Records to plain JSON values and back, field by field after their declared types."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from stillwatch.errors import SchemaError
from stillwatch.records.findings import Run
from stillwatch.report.words import utc

Record = TypeVar("Record")


def to_plain(value: object) -> Any:
    """The value as JSON knows it: records as objects, times as ISO 8601 with Z, infinite and undefined numbers as words."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item) for item in cast("list[object]", value)]
    return _scalar(value)


def from_plain(kind: type[Record], value: Any) -> Record:
    """The record that `to_plain` made the value of.

    Raises:
        SchemaError: a field is missing or holds another type than the record declares.
    """
    try:
        return cast("Record", _read(kind, value))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"this JSON does not hold a {kind.__name__}: {type(error).__name__} at {error}; write it again with this version"
        raise SchemaError(message) from None


def run_to_json(run: Run) -> dict[str, Any]:
    """The run as `run.json` holds it: times as ISO 8601 with Z, only JSON types."""
    return cast("dict[str, Any]", to_plain(run))


def run_from_json(value: Mapping[str, Any]) -> Run:
    """The run that `run_to_json` wrote. Settings come back as JSON holds them: a tuple among them is a list.

    Raises:
        SchemaError: a field is missing or holds another type than the record declares.
    """
    return from_plain(Run, value)


def _scalar(value: object) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "item"):  # a NumPy scalar
        return to_plain(cast("Any", value).item())
    return str(value)


def _read(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(choice for choice in get_args(kind) if choice is not type(None))
        return None if value is None else _read(inner, value)
    if origin is tuple:
        return _read_tuple(get_args(kind), value)
    if origin is dict:
        return {str(key): _read(get_args(kind)[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read_record(cast("type", kind), value)
    return _read_scalar(kind, value)


def _read_tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("a list")
    items = cast("list[Any]", value)
    if kinds[-1] is Ellipsis:
        return tuple(_read(kinds[0], item) for item in items)
    return tuple(_read(kind, item) for kind, item in zip(kinds, items, strict=True))


def _read_record(kind: type, value: Any) -> Any:
    hints = _hints(kind)
    optional = {field.name for field in dataclasses.fields(kind) if _has_default(field)}
    names = [name for name in hints if name in value or name not in optional]
    return kind(**{name: _read(hints[name], value[name]) for name in names})


def _read_scalar(kind: Any, value: Any) -> Any:
    if kind is object:
        return value
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is float:
        return float(value)
    if issubclass(kind, StrEnum):
        return kind(value)
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__}, got {type(value).__name__}")
    return value


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
