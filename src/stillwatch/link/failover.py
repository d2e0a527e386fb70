"""Failover: an account begins where another was stopped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

WINDOW_US = 3_600_000_000
"""A replacement within the hour: the account was ready before it was needed."""


def chances(stopped_us: npt.NDArray[np.int64], first_us: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """[A, 2] for `likeness.by_succession`: 1 where an account began inside the log, and what share of the log one window after its stop is.

    An account that is there in the log's first day began before it, as far as anybody can tell.
    """
    begin, end = int(first_us.min(initial=0)), int(max(first_us.max(initial=0), stopped_us.max(initial=0)))
    span = max(WINDOW_US, end - begin)
    began = first_us >= begin + 24 * WINDOW_US
    return np.column_stack([began, (stopped_us >= 0) * (WINDOW_US / span)]).astype(np.float64)


def followers(stopped_us: npt.NDArray[np.int64], first_us: npt.NDArray[np.int64]) -> sparse.csr_array:
    """[A, A] 1 where another account j sent its first exchange within WINDOW_US after account i was stopped.

    `stopped_us` [A] is -1 for accounts that were not stopped; `first_us` [A] is each account's first exchange; microseconds.
    """
    stopped = np.flatnonzero(stopped_us >= 0)
    order = np.argsort(first_us, kind="stable")
    begins = first_us[order]
    low = np.searchsorted(begins, stopped_us[stopped], side="right")
    high = np.searchsorted(begins, stopped_us[stopped] + WINDOW_US, side="right")
    counts = np.maximum(high - low, 0)
    rows = np.repeat(stopped, counts)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = order[np.repeat(low, counts) + within]
    # an account that was stopped before it sent anything and then let in again replaces nobody
    others = rows != columns
    rows, columns = rows[others], columns[others]
    return sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(first_us), len(first_us)))
