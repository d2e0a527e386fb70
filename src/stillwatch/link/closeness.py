"""How far each member of a group lies from the others, in one aspect; from the exchanges that speak for it.

Where a wording ties the accounts together, the exchanges that carry it speak for them: what else an account sends is its cover, or its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.link.profiles import Moments, Profiles, own_rhythm_removed
from stillwatch.link.validate import Tested

LEAST_DEVIATION = 0.15
"""Of log volumes: members of a block of exact quotas are not out of line for a few exchanges."""

ONE_LIST_SUBJECT, ONE_LIST_SPREAD = 3.5, 0.002
"""Robust deviations from the middle, and the least that one is, of accounts whose subjects differ by sampling noise alone."""

ROUNDS = 20

LEAST_SPEAKERS = 3
"""Members of one language from which their median says what is usual among them."""


def speaking(test: Tested, profiles: Profiles, members: npt.NDArray[np.int64], least: int) -> tuple[Moments, npt.NDArray[np.int64]]:
    """The moments that speak for `members` under a test, and the row of each in them; -1: none does.

    `members` are sorted positions of accounts. They need not be the tested candidate's. Carried exchanges speak from `least` on.
    """
    if test.carriers is None:
        return profiles.accounts, members
    rows = test.carriers[profiles.carriers.counts[test.carriers] >= least]
    accounts = profiles.carrier_account[rows]
    order = np.argsort(accounts, kind="stable")
    place = np.searchsorted(accounts[order], members)
    found = np.full(len(members), -1, np.int64)
    inside = place < len(accounts)
    inside[inside] = accounts[order][place[inside]] == members[inside]
    found[inside] = rows[order][place[inside]]
    return profiles.carriers, found


def volume_distances(moments: Moments, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """[m] robust deviations of each row's volume from the median row's, by its total or by its daily pace, whichever is nearer.

    An account that takes a stopped one's place in the middle of the log sends half as much, at the same pace.
    """
    hours = moments.hours[rows]
    active = hours > 0
    span = np.maximum(24, hours.shape[1] - active.argmax(axis=1) - active[:, ::-1].argmax(axis=1)) / 24
    total = np.log(np.maximum(hours.sum(axis=1, dtype=np.float64), 1))
    found: list[npt.NDArray[np.float64]] = []
    for logs in (total, total - np.log(span)):
        off = np.abs(logs - np.median(logs))
        found.append(off / max(LEAST_DEVIATION, 1.4826 * float(np.median(off))))
    return np.minimum(*found)


def paces(moments: Moments, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """[m, 2] log of each row's exchanges, and of its exchanges per day on which it sent any."""
    hours = moments.hours[rows]
    days = np.add.reduceat(hours, np.arange(0, hours.shape[1], 24), axis=1)
    total = np.maximum(hours.sum(axis=1, dtype=np.float64), 1)
    return np.log(np.column_stack([total, total / np.maximum((days > 0).sum(axis=1), 1)]))


def off_pace(known: npt.NDArray[np.float64], asked: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[m, 2] how far the `asked` rows of `paces` lie from the middle of the `known` ones, in the latter's robust deviations."""
    middle = np.median(known, axis=0)
    return np.abs(asked - middle) / np.maximum(LEAST_DEVIATION, 1.4826 * np.median(np.abs(known - middle), axis=0))


def subject_distances(moments: Moments, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """[m] squared distance of each row's mean subject from the median of the rows that write its language, sampling noise taken off.

    Another language is no distance: rows of a language that fewer than LEAST_SPEAKERS share stand in the middle.
    """
    counts = np.maximum(moments.counts[rows].astype(np.float64), 2)
    means = moments.sums[rows] / counts[:, None]
    noise = (1 - (means**2).sum(axis=1)) / (counts - 1)
    language = moments.languages[rows].argmax(axis=1)
    found = np.full(len(rows), np.nan)
    for value in np.unique(language):
        inside = language == value
        if inside.sum() >= LEAST_SPEAKERS:
            found[inside] = ((means[inside] - np.median(means[inside], axis=0)) ** 2).sum(axis=1) - noise[inside]
    unknown = np.isnan(found)
    found[unknown] = 0.0 if unknown.all() else np.median(found[~unknown])
    return found


def clock_scores(moments: Moments, rows: npt.NDArray[np.int64], start_us: int) -> npt.NDArray[np.float64]:
    """[m] how far each row's hours move with all the others' together, in standard deviations of independent ones.

    A self-normalised sum, as in `likeness.by_clock`.
    """
    residual = own_rhythm_removed(moments.hours[rows], start_us).astype(np.float64)
    others = residual.sum(axis=0)[None, :] - residual
    terms = residual * others
    return terms.sum(axis=1) / np.sqrt(np.maximum((terms**2).sum(axis=1), 1e-12))


def drawn_from_one_list(moments: Moments, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """[m] which rows are as near to the common middle of their language as the samples of one list are.

    Those that lie further out than ONE_LIST_SUBJECT robust deviations are taken out, and the middle is taken anew, until none does.
    """
    kept = np.ones(len(rows), np.bool_)
    for _ in range(ROUNDS):
        if kept.sum() < LEAST_SPEAKERS:
            break
        distance = subject_distances(moments, rows[kept])
        middle = np.median(distance)
        spread = max(1.4826 * float(np.median(np.abs(distance - middle))), ONE_LIST_SPREAD)
        out = distance > middle + ONE_LIST_SUBJECT * spread
        if not out.any():
            break
        kept[np.flatnonzero(kept)[out]] = False
    return kept
