"""JSON as a sealed file may hold it: canonical, and no number but whole ones below 2^53, so that nobody reads another value. Pure."""

from __future__ import annotations

from typing import Any, cast

from stillwatch.ledger.canonical import read_canonical
from stillwatch.ledger.refusals import CanonicalError
from stillwatch.sealing.refusals import RefusedCaseError

_MOST = 2**53 - 1


def read_whole(data: bytes, place: str) -> Any:
    """The value; RefusedCaseError (`json-form`) for bytes in another form, for fractions, and for larger numbers."""
    try:
        value = read_canonical(data)
    except CanonicalError as error:
        raise RefusedCaseError("json-form", place, expected="canonical JSON", got=str(error)) from None
    if not _whole(value):
        raise RefusedCaseError("json-form", place, expected="whole numbers below 2^53 alone", got="another number")
    return value


def _whole(value: Any) -> bool:
    """Whether it holds no other number; `read_canonical` has bounded how deep it is."""
    if isinstance(value, dict):
        return all(map(_whole, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        return all(map(_whole, cast("list[Any]", value)))
    return type(value) is not float and (type(value) is not int or abs(value) <= _MOST)
