"""What the aspects of validation read, per account; and from how many exchanges an account is compared at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.link.nominate import TraceRows
from stillwatch.link.settings import LinkSettings
from stillwatch.stats.ranks import average_ranks

STEPS = (10, 7, 5, 4, 3)
"""Exchanges from which members are asked, the most first. Fewer say less of each member, and more of many members than of few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the aspects read, per row (an account of the pool, or a member)."""

    account: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float64]
    volumes: npt.NDArray[np.float64]
    sums: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float32]
    language: npt.NDArray[np.int64]
    shared: sparse.csr_array
    parameters: sparse.csr_array
    follows: sparse.csr_array
    chance: npt.NDArray[np.float64]
    manner: npt.NDArray[np.float64]


def least_compared(counts: npt.NDArray[np.integer], settings: LinkSettings) -> int:
    """Exchanges with the group's wording from which its members are compared: as few as it takes for a whole sample of them.

    `counts` [m] are the members' exchanges that carry it. A campaign over hundreds of accounts is then seen on its first day; a group that
    has no whole sample at any step is asked as ever.
    """
    steps = (step for step in STEPS if step <= settings.least_compared)
    return next((step for step in steps if (counts >= step).sum() >= settings.sample), settings.least_compared)


def ranked(manner: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[A, F] each feature as its rank among the accounts, 0 to 1, ties in the middle; unknown values stand in the middle; empty ones go."""
    known = manner[:, ~np.isnan(manner).all(axis=0)]
    ranks = np.full(known.shape, 0.5)
    for column in range(known.shape[1]):
        given = ~np.isnan(known[:, column])
        ranks[given, column] = average_ranks(known[given, column]) / (given.sum() + 1)
    return ranks


def carried(rows: TraceRows, kinds: tuple[str, ...], *, counted: bool = False, most: int | None = None) -> sparse.csr_array:
    """[A, T] which account carries which trace of `kinds`: 1, or in how many exchanges; the `most` frequent of each account, if given."""
    kept = np.flatnonzero(np.isin(rows.kinds, kinds)[rows.trace])
    if most is not None:
        kept = kept[np.lexsort((-rows.count[kept], rows.account[kept]))]
        account = rows.account[kept]
        kept = kept[np.arange(len(kept)) - np.searchsorted(account, account) < most]
    values = rows.count[kept].astype(np.float32) if counted else np.ones(len(kept), np.float32)
    return sparse.csr_array((values, (rows.account[kept], rows.trace[kept])), shape=(rows.accounts, len(rows.values)))


def stacked(pool: Rows, members: Rows) -> Rows:
    """The rows of the pool, then the members'."""
    return Rows(
        account=np.concatenate([pool.account, members.account]),
        counts=np.concatenate([pool.counts, members.counts]),
        volumes=np.concatenate([pool.volumes, members.volumes]),
        sums=np.concatenate([pool.sums, members.sums]),
        residual=np.concatenate([pool.residual, members.residual]),
        language=np.concatenate([pool.language, members.language]),
        shared=sparse.csr_array(sparse.vstack([pool.shared, members.shared])),
        parameters=sparse.csr_array(sparse.vstack([pool.parameters, members.parameters])),
        follows=sparse.csr_array(sparse.vstack([pool.follows, members.follows])),
        chance=np.concatenate([pool.chance, members.chance]),
        manner=np.concatenate([pool.manner, members.manner]),
    )
