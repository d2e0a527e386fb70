"""Families of wordings: one instruction in several versions, each sent by some of the accounts, or a set of instructions dealt in turn.

A crew that rewords its instruction shows ten small wordings with few accounts each. Wordings whose carriers meet far more often than
popularity explains are nominated together, beside each by itself; whether their accounts act as one is asked as of any other candidate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from stillwatch.link.nominate import Candidate
from stillwatch.link.settings import LinkSettings

MEETING = 0.25
"""Share of the smaller wording's carriers that must carry the other as well."""

DEALT_SHARE = 0.5
"""Of the number of wordings that the typical carrier of a family has, that an account needs to be one."""

NATS = 12.0
"""How unlikely that is where accounts pick wordings by popularity: six in a million for any one pair."""


def families(candidates: Sequence[Candidate], accounts: int, settings: LinkSettings) -> list[Candidate]:
    """A candidate for each set of two or more of the `candidates`, all nominated by wording, whose carriers meet."""
    if len(candidates) < 2:
        return []
    label = _components(candidates, accounts, settings)
    found: list[Candidate] = []
    for part in range(int(label.max()) + 1):
        parts = [candidates[place] for place in np.flatnonzero(label == part).tolist()]
        if len(parts) < 2:
            continue
        union = _union(parts, accounts)
        # one of them may have all the carriers already
        if all(len(part.members) < len(union.members) for part in parts):
            found.append(union)
    return found


def _components(candidates: Sequence[Candidate], accounts: int, settings: LinkSettings) -> npt.NDArray[np.integer]:
    """[C] which wordings belong together."""
    members = np.concatenate([candidate.members for candidate in candidates])
    owner = np.repeat(np.arange(len(candidates)), [len(candidate.members) for candidate in candidates])
    carried = sparse.csr_array((np.ones(len(members)), (owner, members)), shape=(len(candidates), accounts))
    both = sparse.coo_array(carried @ carried.T)
    sizes = np.bincount(owner).astype(np.float64)
    first, second, met = both.row, both.col, both.data
    expected = sizes[first] * sizes[second] / accounts
    # Chernoff's bound for a Poisson count (Mitzenmacher and Upfal 2005, theorem 5.4)
    nats = met * np.log(met / expected) - met + expected
    smaller = np.minimum(sizes[first], sizes[second])
    together = (met >= settings.smallest_group) & (met >= MEETING * smaller) & (met > expected) & (nats >= NATS)
    graph = sparse.coo_array((np.ones(int(together.sum())), (first[together], second[together])), shape=both.shape)
    return csgraph.connected_components(graph, directed=False)[1]


def _union(parts: Sequence[Candidate], accounts: int) -> Candidate:
    counts, carried = np.zeros(accounts, np.int64), np.zeros(accounts, np.int64)
    for part in parts:
        carried[part.members] += 1
        # at least as many of an account's exchanges carry a wording of the family as carry its most frequent one
        np.maximum.at(counts, part.members, part.counts)
    largest = max(parts, key=lambda part: len(part.members))
    members = np.flatnonzero(counts)
    # where each account is dealt several of them in turn, a customer who happens to use one is none of theirs
    members = members[carried[members] >= DEALT_SHARE * np.median(carried[members])]
    return Candidate(
        kind=largest.kind,
        traces=tuple(trace for part in parts for trace in part.traces),
        members=members,
        counts=counts[members],
        explained=frozenset().union(*(part.explained for part in parts)),
        worth=float(np.log((accounts + 1) / (len(members) + 1))),
        family=True,
    )
