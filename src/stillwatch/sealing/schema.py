"""The published JSON Schema of the statement, and what of JSON Schema it uses. Whoever seals and whoever verifies is held to the same file.

Source: JSON Schema draft 2020-12; only the keywords that the schema uses are known, and any other is a mistake in it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, cast

from stillwatch.errors import SchemaError

FILE = "case-1.schema.json"
PREDICATE_TYPE = "urn:stillwatch:sealed-case:1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_SAID = frozenset({"$schema", "$id", "title", "description", "required"})
_TYPES: Mapping[str, Any] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}


@functools.cache
def schema() -> dict[str, Any]:
    """The statement's schema."""
    return cast("dict[str, Any]", json.loads(files("stillwatch.sealing").joinpath(FILE).read_text("utf-8")))


def problems(value: Any, rules: Mapping[str, Any], place: str = "the statement") -> Iterator[tuple[str, str, str]]:
    """(place, expected, got) of what does not fit, in the order of the schema."""
    for keyword, rule in rules.items():
        if keyword in _SAID:
            continue
        check = _CHECKS.get(keyword)
        if check is None:
            raise SchemaError(f"{FILE} uses the keyword {keyword!r}, which is not known here; add it to sealing.schema")
        found = list(check(value, rule, place, rules))
        yield from found
        if found and keyword == "type":
            return


def _type(value: Any, rule: Any, place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    wanted = [rule] if isinstance(rule, str) else rule
    if type(value) not in [_TYPES[name] for name in wanted]:
        yield place, " or ".join(wanted), type(value).__name__


def _one_of(value: Any, rule: Any, place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    if not any(type(value) is type(choice) and value == choice for choice in rule):
        yield place, "one of " + ", ".join(map(str, rule)), _shown(value)


def _pattern(value: Any, rule: str, place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, str) and re.fullmatch(rule, value, re.ASCII) is None:
        yield place, rule, _shown(value)


def _format(value: Any, rule: str, place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    """A date-time that stands in the calendar; its form is the pattern's matter."""
    if rule != "date-time":
        raise SchemaError(f"{FILE} uses the format {rule!r}, which is not known here; add it to sealing.schema")
    try:
        datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        yield place, "a time of the calendar", _shown(value)


def _least(value: Any, rule: int, place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list) and len(cast("list[Any]", value)) < rule:
        yield place, f"at least {rule} items", str(len(cast("list[Any]", value)))


def _minimum(value: Any, rule: int, place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    if type(value) is int and value < rule:
        yield place, f"at least {rule}", str(value)


def _maximum(value: Any, rule: int, place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    if type(value) is int and value > rule:
        yield place, f"at most {rule}", str(value)


def _items(value: Any, rule: Mapping[str, Any], place: str, _: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value)):
            yield from problems(item, rule, f"{place}[{number}]")


def _properties(value: Any, rule: Mapping[str, Any], place: str, rules: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if not isinstance(value, dict):
        return
    fields = cast("dict[str, Any]", value)
    if missing := sorted(set(rules["required"]) - set(fields)):
        yield place, f"the field {missing[0]}", "none"
    for name, inner in rule.items():
        if name in fields:
            yield from problems(fields[name], inner, f"{place}.{name}")


def _closed(value: Any, _: Any, place: str, rules: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict) and (unknown := sorted(set(cast("dict[str, Any]", value)) - set(rules["properties"]))):
        yield place, "no further field", _shown(unknown[0])


def _const(value: Any, rule: Any, place: str, rules: Any) -> Iterator[tuple[str, str, str]]:
    return _one_of(value, [rule], place, rules)


def _shown(value: Any) -> str:
    return ascii(value)[:80]


_CHECKS: Mapping[str, Any] = {
    "type": _type,
    "const": _const,
    "enum": _one_of,
    "pattern": _pattern,
    "format": _format,
    "minItems": _least,
    "minimum": _minimum,
    "maximum": _maximum,
    "items": _items,
    "properties": _properties,
    "additionalProperties": _closed,
}
