"""How strongly each account belongs to a block, and which are too weak to be named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.link.closeness import clock_scores, drawn_from_one_list, off_pace, paces, speaking, subject_distances, volume_distances
from stillwatch.link.nominate import CONTENT_KINDS, SHARED_KINDS, TraceRows
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import Tested

ROUNDS = 30
PUBLIC = 2
"""Accounts outside the block that send a prompt from which it counts as a public item; a small log has few evaluators of one set."""

SURE = 0.001
"""P-value of a likeness from which every single member is expected to show it; a fainter one is true of most only."""

NEARLY_ALL = 0.8
"""Share of the members that must share infrastructure before it counts against one that he does not."""

FAR_VOLUME, FAR_SUBJECT, IN_STEP = 3.0, 6.0, 3.0
"""Robust deviations from which a member is out of line in volume and subject; deviations by which the typical member is surely in step."""

LEAST_SPREAD = 0.01
"""Of squared distances between subjects: a block of twins does not make an outsider of a cousin."""

OUT_OF_LINE = 0.2
"""What is left of a membership for each validated likeness that the member itself does not show."""


@dataclass(slots=True)
class Block:
    """Accounts that stand as one, and the candidates that say so, most certain first."""

    members: set[int]
    tested: list[Tested]
    q_value: float


def weigh(
    block: Block, rows: TraceRows, profiles: Profiles, settings: LinkSettings
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The block's accounts that are strong enough to be named, and how strong each is, 0 to 1."""
    exchanges = profiles.accounts.hours.sum(axis=1, dtype=np.int64)
    members, strength = _membership(block, rows, exchanges, len(profiles.ids))
    strength = strength * _consistency(block, members, rows, exchanges, profiles, settings)
    kept = strength >= settings.least_membership
    return members[kept], strength[kept]


def _membership(
    block: Block, rows: TraceRows, exchanges: npt.NDArray[np.int64], accounts: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Members and how strongly each belongs: the leading eigenvector of the weighted account-by-evidence graph.

    Pruning by it follows Luceri et al. 2024. An account's tie to a wording is the share of its exchanges that carry it, against the
    median member's; what they merely have in common with the market is worth little by its rarity.
    """
    columns: list[npt.NDArray[np.float64]] = []
    for test in block.tested:
        candidate = test.candidate
        tie = np.zeros(accounts)
        if candidate.kind in CONTENT_KINDS:
            share = candidate.counts / np.maximum(exchanges[candidate.members], 1)
            tie[candidate.members] = np.minimum(1.0, share / max(float(np.median(share)), 1e-9))
        else:
            tie[candidate.members] = 1.0
        columns.append(tie * max(candidate.worth, 0.5))
    ties = np.column_stack(columns)
    members = np.array(sorted(block.members), np.int64)
    shared = _shared_ties(rows, members)
    matrix = sparse.csr_array(sparse.hstack([sparse.csr_array(ties[members]), shared]))
    strength = np.ones(len(members))
    for _ in range(ROUNDS):
        strength = matrix @ (matrix.T @ strength)
        strength /= max(float(strength.max()), 1e-12)
    return members, np.minimum(1.0, strength / max(float(np.quantile(strength, 0.75)), 1e-12))


def _consistency(
    block: Block,
    members: npt.NDArray[np.int64],
    rows: TraceRows,
    exchanges: npt.NDArray[np.int64],
    profiles: Profiles,
    settings: LinkSettings,
) -> npt.NDArray[np.float64]:
    """[m] 0 to 1: whether each member itself shows the likenesses that the group was validated by.

    A likeness of the whole may be owed to most of its members; one who does not share it loses weight, and may be pruned.
    """
    main = block.tested[0]
    factor = np.ones(len(members))
    if main.p_values.get("infrastructure", 1.0) <= SURE:
        shared = np.asarray((_shared_ties(rows, members, at_least=2) > 0).sum(axis=1)).ravel()
        # what half of a crew shares is no mark of the other half
        if np.quantile(shared, 1 - NEARLY_ALL) > 0:
            factor[shared < 0.5 * np.median(shared)] *= OUT_OF_LINE
    moments, places = speaking(main, profiles, members, main.least)
    told = np.flatnonzero(places >= 0)
    if len(told) >= settings.smallest_group:
        for out in _out_of_line(main, moments, places[told], profiles.start_us, settings):
            factor[told[out]] *= OUT_OF_LINE
    known = public_prompts(rows, members, exchanges)
    if np.median(known) < settings.public_share:
        factor[known >= settings.public_share] *= OUT_OF_LINE
    return factor


def _out_of_line(
    main: Tested, moments: Moments, rows: npt.NDArray[np.int64], start_us: int, settings: LinkSettings
) -> Iterator[npt.NDArray[np.bool_]]:
    """Per likeness that each single member should show, the rows that do not."""
    # to lie three deviations off in volume is rare in any group; to be off beat for a while is not
    if main.p_values.get("volume", 1.0) <= settings.aspect_level:
        yield volume_distances(moments, rows) > FAR_VOLUME
    if main.candidate.kind == "subjects":
        # likeness of subjects is all that nominated them, so each must show it
        yield ~drawn_from_one_list(moments, rows)
        known = paces(moments, rows)
        off = off_pace(known, known) > FAR_VOLUME
        # who was stopped, or took another's place, sends less than the others at their pace, and not more
        yield off[:, 1] | (off[:, 0] & (known[:, 0] > np.median(known[:, 0])))
    if main.p_values.get("subjects", 1.0) <= SURE:
        distance = subject_distances(moments, rows)
        middle = np.median(distance)
        spread = 1.4826 * np.median(np.abs(distance - middle))
        yield distance > middle + FAR_SUBJECT * max(spread, LEAST_SPREAD)
    if main.p_values.get("lockstep", 1.0) <= SURE:
        scores = clock_scores(moments, rows, start_us)
        # where the typical member is far in step, one who is not at all stands out; where it is faintly, chance alone does that
        yield (scores <= 0) & (np.median(scores) >= IN_STEP)


def public_prompts(rows: TraceRows, members: npt.NDArray[np.int64], exchanges: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """[m] share of each member's exchanges whose prompt PUBLIC accounts outside the block sent as well: test sets and assignments."""
    inside = np.isin(rows.account, members)
    outside = np.bincount(rows.trace[~inside], minlength=len(rows.values))
    public = (rows.kinds == "prompt") & (outside >= PUBLIC)
    kept = inside & public[rows.trace]
    counts = np.bincount(rows.account[kept], weights=rows.count[kept], minlength=rows.accounts)
    return counts[members] / np.maximum(exchanges[members], 1)


def _shared_ties(rows: TraceRows, members: npt.NDArray[np.int64], at_least: int = 1) -> Any:
    """[m, T] members by traces of infrastructure that `at_least` of them carry, weighed by rarity, so that no address outweighs content."""
    place = np.full(rows.accounts, -1, np.int64)
    place[members] = np.arange(len(members))
    kept = (place[rows.account] >= 0) & np.isin(rows.kinds, SHARED_KINDS)[rows.trace]
    inside = np.bincount(rows.trace[kept], minlength=len(rows.values))
    weight = 0.25 * rows.worth()[rows.trace[kept]] * (inside[rows.trace[kept]] >= at_least)
    return sparse.csr_array((weight, (place[rows.account[kept]], rows.trace[kept])), shape=(len(members), len(rows.values)))
