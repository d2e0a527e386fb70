"""Turns whole columns into the types of a table: at Arrow's speed when all is well, value by value when it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.engines.schema import arrow_schema
from stillwatch.ingest.values import (
    MICROSECONDS_BELOW,
    MILLISECONDS_BELOW,
    SECONDS_BELOW,
    RefusedRowError,
    as_bool,
    as_float,
    as_int,
    as_text,
    as_time,
)
from stillwatch.records import tables
from stillwatch.records.tables import Column, Table

_PLAIN_KINDS: dict[str, frozenset[type]] = {
    tables.STRING: frozenset({str, type(None)}),
    tables.BOOL: frozenset({bool, type(None)}),
    tables.INT32: frozenset({int, type(None)}),
    tables.INT64: frozenset({int, type(None)}),
    tables.DOUBLE: frozenset({int, float, type(None)}),
}
_SINGLE: dict[str, Callable[[object], object]] = {
    tables.STRING: as_text,
    tables.BOOL: as_bool,
    tables.INT32: as_int,
    tables.INT64: as_int,
    tables.DOUBLE: as_float,
    tables.TIMESTAMP: as_time,
}
_INT32_MAX = 2**31 - 1


@cache
def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of one column."""
    return arrow_schema(Table(column.name, (column,))).field(0).type


@dataclass(slots=True)
class Refusals:
    """Which rows of a batch are refused so far; the first reason of a row is kept.

    Attributes:
        mask: True where a row is refused.
        why: row to (reason, detail).
    """

    mask: np.ndarray
    why: dict[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def none(cls, rows: int) -> Refusals:
        """No row of `rows` is refused."""
        return cls(mask=np.zeros(rows, dtype=np.bool_))

    def add(self, row: int, reason: str, detail: str) -> None:
        """Refuse one row."""
        if not self.mask[row]:
            self.mask[row] = True
            self.why[row] = (reason, detail)

    def add_where(self, bad: np.ndarray, reason: str, detail: Callable[[int], str]) -> None:
        """Refuse the rows where `bad`, with a detail made per row."""
        for row in np.flatnonzero(bad & ~self.mask).tolist():
            self.mask[row] = True
            self.why[row] = (reason, detail(row))


def from_values(values: Sequence[Any], column: Column, refusals: Refusals) -> pa.Array:
    """Python values as an Arrow array of the column's type; a value that does not fit refuses its row and is null."""
    kinds = set(map(type, values))
    kind = arrow_type(column)
    if column.type == tables.TIMESTAMP:
        plain = _plain_times(values, kinds)
        return _one_by_one(values, column, refusals) if plain is None else plain
    if kinds <= _PLAIN_KINDS[column.type]:
        try:
            return pa.array(values, type=kind)
        except (pa.ArrowInvalid, OverflowError):
            pass  # an integer too large: the slow way finds it
    return _one_by_one(values, column, refusals)


def _plain_times(values: Sequence[Any], kinds: set[type]) -> pa.Array | None:
    """Times that are all ISO strings of one kind, or all counts; None when they are mixed or some do not parse."""
    kinds = kinds - {type(None)}
    if kinds == {str}:
        return _parse_times(pa.array(values, type=pa.string()))
    try:
        if kinds == {int}:
            return scaled_times(pa.array(values, type=pa.int64()))
        if kinds == {float}:
            return scaled_times(pa.array(values, type=pa.float64()))
    except (pa.ArrowInvalid, OverflowError):
        return None
    return None


def _parse_times(texts: pa.Array) -> pa.Array | None:
    for kind in (pa.timestamp("us", tz="UTC"), pa.timestamp("us")):
        try:
            return texts.cast(kind).cast(pa.timestamp("us", tz="UTC"))
        except pa.ArrowInvalid:
            continue
    return None


def scaled_times(counts: pa.Array) -> pa.Array | None:
    """Counts of s, ms, us or ns since 1970, each told by its size, as times; None when a count is too large."""
    integers = pa.types.is_integer(counts.type)
    raw = pc.fill_null(counts, 0).to_numpy(zero_copy_only=False)
    size = np.abs(raw.astype(np.float64))
    if not np.all(size < float(2**63)):
        return None
    # Each branch is computed on what belongs to it only, so that nothing overflows.
    micros = np.zeros(len(raw), dtype=np.int64)
    bounds = ((0.0, SECONDS_BELOW, 1_000_000), (SECONDS_BELOW, MILLISECONDS_BELOW, 1_000), (MILLISECONDS_BELOW, MICROSECONDS_BELOW, 1))
    for low, high, factor in bounds:
        chosen = (size >= low) & (size < high)
        scaled = raw[chosen] * factor
        micros[chosen] = scaled if integers else np.rint(scaled).astype(np.int64)
    nanos = size >= MICROSECONDS_BELOW
    micros[nanos] = raw[nanos].astype(np.int64) // 1_000
    return pa.array(micros, mask=pc.is_null(counts).to_numpy(zero_copy_only=False)).cast(pa.timestamp("us", tz="UTC"))


def _one_by_one(values: Sequence[Any], column: Column, refusals: Refusals) -> pa.Array:
    single = _SINGLE[column.type]
    out: list[object] = []
    for row, value in enumerate(values):
        try:
            out.append(None if value is None else _bounded(single(value), column))
        except RefusedRowError as refused:
            refusals.add(row, refused.reason, f"{column.name}: {refused.detail}")
            out.append(None)
    return pa.array(out, type=arrow_type(column))


def _bounded(value: object, column: Column) -> object:
    if column.type == tables.INT32 and isinstance(value, int) and abs(value) > _INT32_MAX:
        raise RefusedRowError("out_of_range", "expected an integer of 32 bits, got a larger one")
    return value


def from_array(array: pa.Array, column: Column, refusals: Refusals) -> pa.Array:
    """An Arrow array of any type as one of the column's type; a value that does not fit refuses its row and is null."""
    kind = arrow_type(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    array = without_nan(array)
    if array.type == kind:
        return array
    if _castable(array.type, kind):
        try:
            return array.cast(kind, safe=not pa.types.is_timestamp(kind))
        except pa.ArrowInvalid:
            return _one_by_one(array.to_pylist(), column, refusals)
    if pa.types.is_timestamp(kind) and (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        times = scaled_times(array)
        if times is not None:
            return times
    return _one_by_one(_safe_list(array), column, refusals)


def without_nan(array: pa.Array) -> pa.Array:
    """The array with not-a-number as null: writers that know no null for numbers write it for a value that is missing."""
    if pa.types.is_float32(array.type) or pa.types.is_float64(array.type):
        undefined = pc.is_nan(array)
        return pc.if_else(undefined, None, array) if pc.any(undefined).as_py() else array
    return array


def _safe_list(array: pa.Array) -> list[Any]:
    """Python values; bytes that are not UTF-8 and times beyond Python's range come out as bytes and integers, which are refused later."""
    try:
        return array.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError, pa.ArrowException):
        return [None if not value.is_valid else b"" for value in array]


def _castable(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether Arrow's own cast means what `values` means for this pair of types."""
    types = pa.types
    if types.is_null(given):
        return True
    if types.is_string(wanted):
        return types.is_string(given) or types.is_large_string(given) or types.is_string_view(given)
    if types.is_timestamp(wanted):
        return types.is_timestamp(given)
    if types.is_floating(wanted):
        return types.is_floating(given) or types.is_integer(given)
    return types.is_integer(wanted) and (types.is_integer(given) or types.is_floating(given))
