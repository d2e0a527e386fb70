"""Settled blocks to groups: weigh each membership, prune the weak."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.link.membership import Block, weigh
from stillwatch.link.nominate import SHARED_KINDS, TraceRows
from stillwatch.link.profiles import Profiles
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import Tested

MOST_TRACES_SHOWN = 12
"""Traces of one kind that a group keeps links for; the fingerprints of one prompt all say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Accounts that act as one.

    Attributes:
        entity_id: depends on the members alone.
        members: [m] positions of the accounts, strongest first.
        membership: [m] 0 to 1.
        tested: the validated candidates that the group rests on, most certain first.
        p_value: of the most certain one.
        q_value: Benjamini-Hochberg over all candidates of the run.
    """

    entity_id: str
    members: npt.NDArray[np.int64]
    membership: npt.NDArray[np.float64]
    tested: tuple[Tested, ...]
    p_value: float
    q_value: float


def form_groups(blocks: Sequence[Block], rows: TraceRows, profiles: Profiles, settings: LinkSettings) -> list[Group]:
    """Groups from settled blocks: each membership weighed, the weak ones pruned."""
    groups: list[Group] = []
    for block in blocks:
        members, strength = weigh(block, rows, profiles, settings)
        if len(members) < settings.smallest_group:
            continue
        order = np.argsort(-strength, kind="stable")
        groups.append(
            Group(
                entity_id=group_id(profiles.ids[members].tolist()),
                members=members[order],
                membership=strength[order],
                tested=tuple(block.tested),
                p_value=block.tested[0].p_value or 1.0,
                q_value=block.q_value,
            )
        )
    return groups


def group_id(accounts: list[str]) -> str:
    """The same accounts give the same id in every run."""
    return "group-" + hashlib.sha256("\n".join(sorted(accounts)).encode()).hexdigest()[:12]


def group_traces(group: Group, rows: TraceRows) -> npt.NDArray[np.int64]:
    """Traces that tie the group together: those that nominated it, and every trace of infrastructure that two members share."""
    inside = np.zeros(rows.accounts, bool)
    inside[group.members] = True
    sharing = np.bincount(rows.trace[inside[rows.account]], minlength=len(rows.values))
    named = np.isin(rows.values, [trace for tested in group.tested for trace in tested.candidate.traces])
    shared = np.isin(rows.kinds, SHARED_KINDS) & (sharing >= 2)
    chosen = np.flatnonzero((named & (sharing >= 2)) | shared)
    value = sharing[chosen] * rows.worth()[chosen]
    chosen = chosen[np.argsort(-value, kind="stable")]
    kept: list[int] = []
    for kind in np.unique(rows.kinds[chosen]):
        kept.extend(chosen[rows.kinds[chosen] == kind][:MOST_TRACES_SHOWN].tolist())
    return np.array(sorted(kept), np.int64)
