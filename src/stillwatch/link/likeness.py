"""How alike the typical account of a set is to the others, in one aspect; for many sets at once.

Every statistic is a median over the set's members. A mean would let a quarter of the accounts, truly one operation, carry the rest of a
popular phrase's users with them; a median speaks of what most of the set does.

All functions take `sets` [draws, m] of row positions and give [draws]; larger is more alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

TINY = 1e-12
GATHERED = 1 << 18
"""Numbers gathered at a time: few enough to stay in a processor's cache."""


def by_subject(counts: npt.NDArray[np.float64], sums: npt.NDArray[np.float64], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Minus the median squared distance between an account's mean subject and the set's, less what sampling alone would give.

    Args:
        counts: [R] exchanges of each row.
        sums: [R, d] sums of its subject vectors of unit length.
        sets: [draws, m].
    """
    size = np.maximum(counts, 2)[:, None]
    means = sums / size
    # the sampling variance of a mean of unit vectors is (1 - |mean|^2) / (n - 1)
    noise = (1 - (means**2).sum(axis=1)) / (size.ravel() - 1)
    own = means[sets]
    centre = own.mean(axis=1, keepdims=True)
    return -np.median(((own - centre) ** 2).sum(axis=2) - noise[sets], axis=1)


def by_volume(counts: npt.NDArray[np.float64], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Minus the median distance of the log volume from the set's median."""
    logs = np.log(np.maximum(counts, 1))[sets]
    return -np.median(np.abs(logs - np.median(logs, axis=1, keepdims=True)), axis=1)


def by_clock(residual: npt.NDArray[np.float32], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The median correlation of an account's hours with all the others' together.

    `residual` [R, H] is hourly activity without the account's own daily rhythm.
    """
    squares = (residual**2).sum(axis=1, dtype=np.float64)
    found = np.empty(len(sets))
    step = max(1, GATHERED // max(1, sets.shape[1] * residual.shape[1]))
    for start in range(0, len(sets), step):
        part = sets[start : start + step]
        own = residual[part]
        total = own.sum(axis=1)
        along = np.matmul(own, total[:, :, None])[:, :, 0].astype(np.float64)
        mine = squares[part]
        rest = np.sqrt(np.maximum((total.astype(np.float64) ** 2).sum(axis=1)[:, None] - 2 * along + mine, TINY))
        found[start : start + step] = np.median((along - mine) / np.maximum(np.sqrt(mine) * rest, TINY), axis=1)
    return found


def by_manner(manner: npt.NDArray[np.float64], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Minus the median squared distance of an account's ranks [R, F] from the set's medians."""
    own = manner[sets]
    return -np.median(((own - np.median(own, axis=1, keepdims=True)) ** 2).mean(axis=2), axis=1)


def by_traces(carried: Any, worth: npt.NDArray[np.float64], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The median worth, nats per other member, of the traces that an account shares within the set.

    `carried` [R, T] is 1 where a row carries a trace; `worth` [T] is what sharing it is worth.
    """
    draws, size = sets.shape
    rows = sparse.coo_array(carried[sets.ravel()])
    draw = rows.row.astype(np.int64) // size
    keys = draw * carried.shape[1] + rows.col
    _, place, sharing = np.unique(keys, return_inverse=True, return_counts=True)
    value = worth[rows.col] * (sharing[place] - 1) / max(1, size - 1)
    return np.median(np.bincount(rows.row, weights=value, minlength=draws * size).reshape(draws, size), axis=1)


def by_succession(follows: Any, account: npt.NDArray[np.int64], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Pairs of a set in which the second account began within the hour after the first was stopped; a single pair is chance."""
    found = np.zeros(len(sets))
    for draw, rows in enumerate(sets):
        found[draw] = follows[rows][:, account[rows]].sum()
    return np.where(found >= 2, found, 0.0)
