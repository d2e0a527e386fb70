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
from scipy.special import pdtrc

TINY = 1e-12
GATHERED = 1 << 18
"""Numbers gathered at a time: few enough to stay in a processor's cache."""


def by_subject(
    counts: npt.NDArray[np.float64], sums: npt.NDArray[np.float64], language: npt.NDArray[np.int64], sets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Minus the median squared distance between an account's mean subject and that of the set's accounts of its language.

    What sampling alone would give is taken off, so that accounts that draw from one list come to 0, however many lists there are.

    Args:
        counts: [R] exchanges of each row.
        sums: [R, d] sums of its subject vectors of unit length.
        language: [R] control cell of each row; every set has as many rows of each language.
        sets: [draws, m].
    """
    size = np.maximum(counts, 2)[:, None]
    means = sums / size
    # the sampling variance of a mean of unit vectors is (1 - |mean|^2) / (n - 1)
    noise = (1 - (means**2).sum(axis=1)) / (size.ravel() - 1)
    ordered = np.take_along_axis(sets, np.argsort(language[sets], axis=1, kind="stable"), axis=1)
    bounds = np.flatnonzero(np.diff(language[ordered[0]])) + 1
    found: list[npt.NDArray[np.float64]] = []
    for part in np.split(ordered, bounds, axis=1):
        own = means[part]
        apart = ((own - own.mean(axis=1, keepdims=True)) ** 2).sum(axis=2)
        # the centre is the accounts' own: what each adds to it makes it lie too near
        share = part.shape[1] / max(1, part.shape[1] - 1)
        if part.shape[1] > 1:
            found.append(apart * share - noise[part])
    return -np.median(np.concatenate(found, axis=1), axis=1) if found else np.zeros(len(sets))


def by_volume(counts: npt.NDArray[np.float64], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Minus half the width of the narrowest interval of log volume that holds half of the set.

    It is the median distance from the middle where volumes scatter evenly, and still speaks of one quota where half of the set has none
    (the shortest half, Rousseeuw 1984).
    """
    logs = np.sort(np.log(np.maximum(counts, 1))[sets], axis=1)
    half = logs.shape[1] // 2
    return -(logs[:, half:] - logs[:, : logs.shape[1] - half]).min(axis=1) / 2


def by_clock(residual: npt.NDArray[np.float32], sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How far an account's hours move with all the others' together, in standard deviations of independent ones; the median account's.

    `residual` [R, H] is hourly activity without the account's own rhythm. The sum over hours of an account's residual times the others' is
    divided by the root of the sum of its squared terms (a self-normalised sum, Efron 1969): for independent accounts that is about 1 in
    size however few hours they share, so that those who came late do not scatter more than the random sets they are compared with.
    """
    found = np.empty(len(sets))
    step = max(1, GATHERED // max(1, sets.shape[1] * residual.shape[1]))
    for start in range(0, len(sets), step):
        own = residual[sets[start : start + step]]
        total = own.sum(axis=1)[:, :, None]
        squares = own * own
        along = np.matmul(own, total)[:, :, 0].astype(np.float64) - squares.sum(axis=2, dtype=np.float64)
        # sum of own^2 (total - own)^2, multiplied out
        spread = np.matmul(squares, total * total)[:, :, 0].astype(np.float64)
        spread += (squares * squares).sum(axis=2, dtype=np.float64) - 2 * np.matmul(squares * own, total)[:, :, 0]
        found[start : start + step] = np.median(along / np.sqrt(np.maximum(spread, TINY)), axis=1)
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


def by_succession(
    follows: Any, account: npt.NDArray[np.int64], chance: npt.NDArray[np.float64], sets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Pairs of a set in which the second account began within the hour after the first was stopped, as far as they are beyond chance.

    Begins and stops that have nothing to do with each other make pairs as well, the more the more there are of both: their number is
    taken as Poisson. A single pair, and pairs that chance would give once in a hundred such sets, count as none. `chance` [R, 2] is 1
    where an account began inside the log, and the share of the log's hours that its stop, if it has one, leaves for a beginning.
    """
    pairs = np.array([follows[rows][:, account[rows]].sum() for rows in sets], np.float64)
    expected = chance[sets, 0].sum(axis=1) * chance[sets, 1].sum(axis=1)
    by_chance = pdtrc(pairs - 1, np.maximum(expected, TINY))
    return np.where((pairs >= 2) & (by_chance <= 0.01), pairs, 0.0)
