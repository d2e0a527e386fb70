"""Columns of a measured file, as the tests take them. The file may be hostile: what is of another kind, length or size is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import StillwatchError
from stillwatch.provenance.plan import PlannedTest

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Missing: TypeAlias = NDArray[np.bool_] | None

LARGEST_SCORE = 1e12
"""Size beyond which no score is one: sums of larger ones lose what a test looks at."""
_WORDS = {"U": "text", "S": "bytes", "O": "objects", "b": "true and false", "c": "complex numbers", "M": "times", "m": "durations"}


class MeasureError(StillwatchError):
    """A file of measures does not hold what the planned test takes, or not as much as the plan says."""


def texts(test: PlannedTest, arrays: Arrays, name: str) -> list[str]:
    """[n] a text of each unit; whole numbers are taken as their digits, bytes as UTF-8."""
    values = _given(test, arrays, name)
    if values.ndim != 1 or values.dtype.kind not in "USiu":
        raise _refused(test, name, values, "a text for each row")
    if values.dtype.kind != "S":
        return [str(value) for value in values.tolist()]
    try:
        return [bytes(value).decode() for value in values.tolist()]
    except UnicodeDecodeError:
        raise MeasureError(f"{test.name}: {name} of {test.measured} holds bytes that are not UTF-8; write it as text") from None


def numbers(test: PlannedTest, arrays: Arrays, name: str, size: int | None = None, missing: Missing = None) -> NDArray[np.float64]:
    """Finite numbers of ordinary size, [size] where that is given; those of `missing` units are 0."""
    given = _given(test, arrays, name)
    if given.dtype.kind not in "iuf" or given.ndim == 0:
        raise _refused(test, name, given, "numbers")
    require_length(test, name, len(given), size)
    if size is not None and given.ndim != 1:
        raise _refused(test, name, given, "one number for each row")
    with np.errstate(over="ignore", invalid="ignore"):
        values = given.astype(np.float64)
        values = values if missing is None else np.where(missing, 0.0, values)
        usable = np.abs(values) <= LARGEST_SCORE
    bad = np.flatnonzero(~usable.all(axis=tuple(range(1, values.ndim))))
    if bad.size:
        raise MeasureError(
            f"{test.name}: {name} is not finite, or beyond {LARGEST_SCORE:g}, in {bad.size:,} of {len(values):,} rows, first in row "
            f"{int(bad[0]) + 1} of {test.measured}; measure those again, or mark them missing = true"
        )
    return values


def whole(
    test: PlannedTest, arrays: Arrays, name: str, size: int | None, *, lowest: int, highest: int, missing: Missing = None
) -> NDArray[np.int64]:
    """[size] whole numbers in [lowest, highest]; those of `missing` units are `lowest`."""
    given = _given(test, arrays, name)
    if given.size == 0 and given.ndim == 1:
        given = given.astype(np.int64)
    if given.ndim != 1 or given.dtype.kind not in "iuf":
        raise _refused(test, name, given, "a whole number for each row")
    require_length(test, name, given.size, size)
    given = given.astype(np.float64) if given.dtype.kind == "f" else given
    left_out = np.zeros(given.size, dtype=np.bool_) if missing is None else missing
    # compared before it is cast, so that nothing wraps around
    with np.errstate(invalid="ignore"):
        usable = (given >= lowest) & (given <= highest)
        if given.dtype.kind == "f":
            usable &= given == np.rint(given)
    bad = np.flatnonzero(~usable & ~left_out)
    if bad.size:
        raise MeasureError(
            f"{test.name}: {name} is {given[bad[0]]} in row {int(bad[0]) + 1} of {test.measured}, a whole number in [{lowest}, {highest}] "
            "was expected; mend the row, or measure it again"
        )
    found = np.full(given.size, lowest, dtype=np.int64)
    found[usable & ~left_out] = given[usable & ~left_out].astype(np.int64)
    return found


def count(test: PlannedTest, arrays: Arrays, name: str) -> int:
    """One whole number from 0, alone or as a list of one."""
    given = _given(test, arrays, name)
    if given.size != 1 or given.dtype.kind not in "iu" or not 0 <= int(given.reshape(-1)[0]) < 2**62:
        raise _refused(test, name, given, "one whole number from 0")
    return int(given.reshape(-1)[0])


def flags(test: PlannedTest, arrays: Arrays, name: str, size: int) -> NDArray[np.bool_]:
    """[size] a mark of each unit; one that does not have it is not marked. Raises MeasureError for what is neither true nor false."""
    if name not in arrays:
        return np.zeros(size, dtype=np.bool_)
    given = arrays[name]
    if given.dtype.kind not in "biuf" or given.shape != (size,) or not np.all(np.isin(given, (0, 1)) | np.isnan(given.astype(np.float64))):
        raise _refused(test, name, given, f"true or false for each of {size:,} rows")
    return np.nan_to_num(given.astype(np.float64)).astype(np.bool_)


def require_length(test: PlannedTest, name: str, got: int, wanted: int | None) -> None:
    """Nothing where a column has as many rows as the others; else MeasureError."""
    if wanted is not None and got != wanted:
        raise MeasureError(f"{test.name}: {name} of {test.measured} has {got:,} rows, {wanted:,} were expected; one for each is needed")


def _given(test: PlannedTest, arrays: Arrays, name: str) -> NDArray[Any]:
    if name not in arrays:
        raise MeasureError(f"{test.name}: {test.measured} lacks {name}, has {', '.join(sorted(arrays))[:200]}; see docs/how-to/prove.md")
    return arrays[name]


def _refused(test: PlannedTest, name: str, given: NDArray[Any], wanted: str) -> MeasureError:
    kind = _WORDS.get(given.dtype.kind, "numbers")
    return MeasureError(
        f"{test.name}: {name} of {test.measured} holds {kind} in the shape {list(given.shape)}, expected was {wanted}; mend the file"
    )
