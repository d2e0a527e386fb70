"""Which sets of accounts are worth testing: every trace nominates the accounts that carry it; nothing is concluded here.

A trace that two thousand customers share nominates them all, and `validate` then finds that they behave as two thousand customers.
Traces with nearly the same carriers (the many fingerprints of one prompt, or one address and its payment card) are one nomination.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse
from scipy.sparse import csgraph

from stillwatch.link.settings import LinkSettings

CONTENT_KINDS = ("wording", "system")
SHARED_KINDS = (
    "network",
    "payment",
    "email_domain",
    "tls",
    "signup",
    "session",
    "session_rule",
    "prompt",
    "parameters",
    "user_agent",
    "asn",
)
NOMINATING_KINDS = tuple(kind for kind in SHARED_KINDS if kind not in ("user_agent", "asn"))
"""A client library or a network operator is a fact about the market: it weighs in a group's infrastructure, but it nominates nobody."""

MARKET_KINDS = ("tls", "parameters", "email_domain")
POPULAR, FEW_SHARING = 0.05, 30
"""What so large a share of all accounts has (and more than a few accounts) is a fact about the market as well, in these kinds."""

SAME_CARRIERS = 0.6
"""Jaccard overlap of carriers above which two traces are one nomination."""

MOST_TRACES = 3000
"""Traces of one family that are compared with each other, the most shared first: bounds the overlap matrix."""

_EXPLAINED = {
    # one library brings its wording, its parameters and its way of calling the model
    "wording": frozenset({"parameters", "manner"}),
    "system": frozenset({"parameters", "manner"}),
    "prompt": frozenset({"subjects", "parameters", "manner"}),
    "parameters": frozenset({"parameters", "manner"}),
    "user_agent": frozenset({"infrastructure", "parameters", "manner"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Accounts that share something, before anyone asks whether they act as one.

    Attributes:
        kind: the kind of trace that nominates, or `subjects` or `lockstep`.
        traces: the traces, most carried first; empty for kinds that are likenesses and not traces.
        members: [m] positions of the accounts, sorted.
        counts: [m] exchanges of each that carry a trace.
        explained: aspects that the nomination itself explains, so that they corroborate nothing.
        worth: how much the sharing is worth, nats; orders the nominations.
        family: whether it unites wordings that are candidates of their own as well.
        least: exchanges that an account needed to be asked at all.
    """

    kind: str
    traces: tuple[str, ...]
    members: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    explained: frozenset[str]
    worth: float
    family: bool = False
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRows:
    """The traces table as arrays: account position, trace position and count per row; kind and value per trace."""

    account: npt.NDArray[np.int64]
    trace: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.str_]
    values: npt.NDArray[np.str_]
    accounts: int

    @property
    def sharing(self) -> npt.NDArray[np.int64]:
        """How many accounts carry each trace."""
        return np.bincount(self.trace, minlength=len(self.values))

    def worth(self) -> npt.NDArray[np.float64]:
        """What sharing each trace is worth, nats: minus the log of its popularity, were traces picked by popularity alone."""
        return np.log((self.accounts + 1) / (self.sharing + 1))


def trace_rows(traces: pa.Table, ids: npt.NDArray[np.str_]) -> TraceRows:
    """TRACES as arrays; rows of accounts that are not in `ids` are dropped."""
    account = pc.index_in(traces["account_id"], value_set=pa.array(ids.tolist(), pa.string()))
    known = account.is_valid()
    table = traces.filter(known)
    labels = pc.binary_join_element_wise(table["kind"], table["trace"], "\x1f").combine_chunks().dictionary_encode()
    names = [label.split("\x1f", 1) for label in labels.dictionary.to_pylist()]
    return TraceRows(
        account=account.filter(known).to_numpy().astype(np.int64),
        trace=labels.indices.to_numpy().astype(np.int64),
        count=table["count"].to_numpy().astype(np.int64),
        kinds=np.array([name[0] for name in names], dtype=np.str_),
        values=np.array([name[1] for name in names], dtype=np.str_),
        accounts=len(ids),
    )


def nominate(rows: TraceRows, exchanges: npt.NDArray[np.int64], settings: LinkSettings) -> list[Candidate]:
    """Candidates from shared traces, the most telling first; `exchanges` [A] counts each account's exchanges."""
    content = _content_traces(rows, exchanges, settings)
    sharing = rows.sharing
    rare = ~np.isin(rows.kinds, MARKET_KINDS) | (sharing <= max(FEW_SHARING, POPULAR * rows.accounts))
    shared = np.flatnonzero((sharing >= settings.smallest_group) & np.isin(rows.kinds, NOMINATING_KINDS) & rare)
    found = [*_merged(rows, content, settings), *_merged(rows, shared, settings)]
    found.sort(key=lambda candidate: (candidate.kind not in CONTENT_KINDS, -candidate.worth * len(candidate.members)))
    return _distinct(found)


def _content_traces(rows: TraceRows, exchanges: npt.NDArray[np.int64], settings: LinkSettings) -> npt.NDArray[np.int64]:
    """Wordings that make up a real share of what their carriers send; phrases of everyday use fall out here."""
    content = np.isin(rows.kinds, CONTENT_KINDS)[rows.trace]
    share = rows.count[content] / np.maximum(exchanges[rows.account[content]], 1)
    heavy = np.bincount(rows.trace[content], weights=share >= settings.least_share, minlength=len(rows.values))
    sharing = rows.sharing
    kept = (heavy >= settings.smallest_group) & (heavy * 2 >= sharing) & np.isin(rows.kinds, CONTENT_KINDS)
    return np.flatnonzero(kept)


def _merged(rows: TraceRows, chosen: npt.NDArray[np.int64], settings: LinkSettings) -> list[Candidate]:
    """One candidate per set of traces with nearly the same carriers."""
    if len(chosen) == 0:
        return []
    chosen = chosen[np.argsort(-rows.sharing[chosen], kind="stable")][:MOST_TRACES]
    place = np.full(len(rows.values), -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    kept = place[rows.trace] >= 0
    carried = sparse.csr_array(
        (rows.count[kept], (place[rows.trace[kept]], rows.account[kept])), shape=(len(chosen), rows.accounts), dtype=np.int64
    )
    groups = _same_carriers(carried, rows.kinds[chosen])
    worth = rows.worth()[chosen]
    candidates: list[Candidate] = []
    for group in range(int(groups.max()) + 1):
        inside = np.flatnonzero(groups == group)
        # an account's exchanges that carry the group's traces are at least those that carry its most frequent one
        counts = carried[inside].max(axis=0).toarray().ravel()
        members = np.flatnonzero(counts)
        if len(members) >= settings.smallest_group:
            kind = str(rows.kinds[chosen[inside[0]]])
            candidates.append(
                Candidate(
                    kind=kind,
                    traces=tuple(rows.values[chosen[inside]].tolist()),
                    members=members,
                    counts=counts[members],
                    explained=_EXPLAINED.get(kind, frozenset({"infrastructure"})),
                    worth=float(worth[inside].max()),
                )
            )
    return candidates


def _same_carriers(carried: sparse.csr_array, kinds: npt.NDArray[np.str_]) -> npt.NDArray[np.integer]:
    """Group number per trace: connected by carriers that overlap by SAME_CARRIERS and by the same family of kinds."""
    present = sparse.csr_array(carried.astype(bool).astype(np.float32))
    both = sparse.coo_array(present @ present.T)
    sizes = np.asarray(present.sum(axis=1)).ravel()
    overlap = both.data / (sizes[both.row] + sizes[both.col] - both.data)
    alike = (overlap >= SAME_CARRIERS) & (kinds[both.row] == kinds[both.col])
    graph = sparse.coo_array((np.ones(int(alike.sum())), (both.row[alike], both.col[alike])), shape=both.shape)
    return csgraph.connected_components(graph, directed=False)[1]


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Drop a candidate whose accounts are exactly another's; its kind and traces add nothing to test."""
    seen: dict[bytes, int] = {}
    kept: list[Candidate] = []
    for candidate in candidates:
        key = candidate.members.tobytes()
        if key in seen:
            first = kept[seen[key]]
            kept[seen[key]] = replace(first, explained=first.explained | candidate.explained)
            continue
        seen[key] = len(kept)
        kept.append(candidate)
    return kept
