"""What every statistic asks of its input: finite numbers of the right shape, and enough of them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.errors import StillwatchError, TooFewSamplesError

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


class UnusableValuesError(StillwatchError):
    """A statistic was given values outside its domain: not finite, of the wrong shape, or outside stated bounds."""


def require_samples(test: str, *, needed: int, got: int) -> None:
    """Nothing when `got` >= `needed`; else TooFewSamplesError."""
    if got < needed:
        raise TooFewSamplesError(test, needed=needed, got=got)


def require(condition: bool | np.bool_, message: str) -> None:  # noqa: FBT001 - a condition is read as one here
    """Nothing when `condition` holds; else UnusableValuesError with `message`."""
    if not condition:
        raise UnusableValuesError(message)


def finite_array(values: ArrayLike, name: str, *, dimensions: int) -> FloatArray:
    """`values` as float64 with exactly `dimensions` axes, every element finite; else UnusableValuesError."""
    array = np.asarray(values, dtype=np.float64)
    require(
        array.ndim == dimensions,
        f"{name} has {array.ndim} axes, the statistic takes {dimensions}; reshape it",
    )
    require(np.all(np.isfinite(array)), f"{name} holds values that are not finite; drop or impute them first")
    return array


def finite_vector(values: ArrayLike, name: str) -> FloatArray:
    """`values` as a finite float64 vector; else UnusableValuesError."""
    return finite_array(values, name, dimensions=1)


def probability_vector(values: ArrayLike, name: str) -> FloatArray:
    """`values` as a float64 vector of numbers in [0, 1]; else UnusableValuesError."""
    array = finite_vector(values, name)
    require(np.all((array >= 0.0) & (array <= 1.0)), f"{name} holds values outside [0, 1]; pass probabilities")
    return array


def probability(value: float, name: str) -> float:
    """`value` when it lies strictly between 0 and 1; else UnusableValuesError."""
    require(0.0 < value < 1.0, f"{name} is {value}, it must lie strictly between 0 and 1")
    return value


def index_vector(values: ArrayLike, name: str, *, size: int) -> IntArray:
    """`values` as int64 indices in [0, size); else UnusableValuesError."""
    array = np.asarray(values)
    require(
        array.ndim == 1 and (array.size == 0 or np.issubdtype(array.dtype, np.integer)),
        f"{name} must be a vector of whole numbers, got {array.ndim} axes of {array.dtype}",
    )
    indices = array.astype(np.int64)
    inside = bool(np.all((indices >= 0) & (indices < size)))
    require(inside, f"{name} holds an index outside [0, {size}); pass positions in the owners' arrays")
    return indices
