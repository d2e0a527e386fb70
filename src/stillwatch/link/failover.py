"""Failover: an account begins where another was stopped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

WINDOW_US = 3_600_000_000
"""A replacement within the hour: the account was ready before it was needed."""


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
