"""Accounts that draw from one source without sharing a word of it: a dealt-out list, or one clock.

Two accounts' subjects are compared by the unbiased squared distance between their distributions over subject cells (the unbiased MMD of
Gretton et al. 2012, equation 3, with a kernel that is 1 within a cell), relative to their own concentration: 0 for two samples of one
list, whatever their sizes. Lockstep is the correlation of hourly activity after each account's own rhythm of working days and weekends
is taken out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from stillwatch.link.closeness import drawn_from_one_list
from stillwatch.link.nominate import Candidate
from stillwatch.link.profiles import Profiles, own_rhythm_removed
from stillwatch.link.settings import LinkSettings

BLOCK = 1024
NEIGHBOURS = 12
MOST_ACCOUNTS = 30_000
"""Accounts compared with each other, most active first: bounds the work to a few seconds."""

BROAD_SHARE = 0.5
"""Of the breadth of its language's whole traffic, that an account needs to count as broad where the language has few cells."""

SMALLEST_COMMUNITY = 5
"""Accounts of the smallest community that is a candidate; four accounts are alike by chance in any log."""

RESOLUTIONS = {"subjects": (0.5, 0.1), "lockstep": (0.5,)}
"""How finely communities are cut. A list that is hidden in each account's own traffic falls into several of the fine ones."""

LOCKSTEP_ACCOUNTS = 8_000
LOCKSTEP_SCORE = 7.0
"""Standard deviations above which two accounts move together; beyond chance among tens of millions of pairs."""


class _SeededRandom:
    """The part of Python's random interface that igraph asks for, over a named generator."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def random(self) -> float:
        """A float in [0, 1)."""
        return float(self._generator.random())

    def randint(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self._generator.integers(low, high + 1))

    def gauss(self, mean: float, deviation: float) -> float:
        """A normal draw."""
        return float(self._generator.normal(mean, deviation))


def alike_candidates(profiles: Profiles, settings: LinkSettings, generator: np.random.Generator) -> list[Candidate]:
    """Candidates by likeness of subjects and by lockstep; `generator` is what communities are found with."""
    return [*_by_subject(profiles, settings, generator), *_by_clock(profiles, settings, generator)]


def _by_subject(profiles: Profiles, settings: LinkSettings, generator: np.random.Generator) -> list[Candidate]:
    counts = profiles.accounts.subjects.astype(np.float64)
    totals = counts.sum(axis=1)
    pairs = np.maximum(totals * (totals - 1), 1)
    collision = (counts * (counts - 1)).sum(axis=1) / pairs
    enough = np.minimum(settings.broad_subjects, BROAD_SHARE * _breadth_of_language(profiles, counts))
    broad = (totals >= _least(settings)) & (collision > 0) & (collision * enough <= 1)
    chosen = _most_active(np.flatnonzero(broad), totals, MOST_ACCOUNTS)
    if len(chosen) < settings.smallest_group:
        return []
    shares = (counts[chosen] / totals[chosen, None]).astype(np.float32)
    own = collision[chosen].astype(np.float32)
    noise = (2.0 / (np.sqrt(own) * totals[chosen])).astype(np.float32)
    edges: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(chosen), BLOCK):
        block = slice(start, start + BLOCK)
        joint = own[block, None] + own[None, :]
        distance = (joint - 2 * shares[block] @ shares.T) / joint
        near = distance <= settings.alike + np.sqrt(noise[block, None] * noise[None, :])
        edges.append(_nearest(distance, near, start))
    return _communities("subjects", np.concatenate(edges), chosen, profiles, generator, settings, frozenset({"subjects"}))


def _least(settings: LinkSettings) -> int:
    """Exchanges from which an account is asked whether it is like another."""
    return 2 * settings.least_exchanges


def _breadth_of_language(profiles: Profiles, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[A] effective number of subjects of all exchanges in each account's language; a language that few write has few cells."""
    language = profiles.accounts.languages.argmax(axis=1)
    whole = np.zeros((int(language.max(initial=0)) + 1, counts.shape[1]))
    np.add.at(whole, language, counts)
    shares = whole / np.maximum(whole.sum(axis=1, keepdims=True), 1)
    return (1 / np.maximum((shares**2).sum(axis=1), 1e-9))[language]


def _by_clock(profiles: Profiles, settings: LinkSettings, generator: np.random.Generator) -> list[Candidate]:
    hours = profiles.accounts.hours
    totals = hours.sum(axis=1, dtype=np.int64)
    days = hours.shape[1] // 24
    chosen = _most_active(np.flatnonzero(totals >= _least(settings)), totals, LOCKSTEP_ACCOUNTS)
    if days < 2 or len(chosen) < settings.smallest_group:
        return []
    residual = own_rhythm_removed(hours[chosen], profiles.start_us)
    # what the whole service does in an hour (a release, an outage) is nobody's lockstep
    residual -= residual.mean(axis=0, keepdims=True)
    residual /= np.maximum(np.linalg.norm(residual, axis=1, keepdims=True), 1e-6)
    squares = residual * residual
    edges: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(chosen), BLOCK):
        block = slice(start, start + BLOCK)
        # a self-normalised sum, as in `likeness.by_clock`: two nightly jobs meet in a few hours, and a few hours prove nothing
        closeness = (residual[block] @ residual.T) / np.sqrt(np.maximum(squares[block] @ squares.T, 1e-12))
        edges.append(_nearest(-closeness, closeness >= LOCKSTEP_SCORE, start))
    return _communities("lockstep", np.concatenate(edges), chosen, profiles, generator, settings, frozenset({"lockstep"}))


def _most_active(chosen: npt.NDArray[np.intp], totals: npt.NDArray[np.number], most: int) -> npt.NDArray[np.intp]:
    return np.sort(chosen[np.argsort(-totals[chosen], kind="stable")[:most]])


def _nearest(distance: npt.NDArray[np.float32], near: npt.NDArray[np.bool_], start: int) -> npt.NDArray[np.int64]:
    """[e, 2] pairs of positions: for each row of the block its NEIGHBOURS nearest among those near enough."""
    rows = np.arange(len(distance))
    distance[rows, rows + start] = np.inf
    keep = min(NEIGHBOURS, distance.shape[1] - 1)
    best = np.argpartition(distance, keep - 1, axis=1)[:, :keep]
    fits = np.take_along_axis(near, best, axis=1) & np.isfinite(np.take_along_axis(distance, best, axis=1))
    return np.column_stack([np.repeat(rows + start, keep)[fits.ravel()], best.ravel()[fits.ravel()]]).astype(np.int64)


def _largest_component(edges: npt.NDArray[np.int64], nodes: int) -> int:
    """Nodes of the largest connected component; no community is larger."""
    graph = sparse.coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(nodes, nodes))
    return int(np.bincount(csgraph.connected_components(graph, directed=False)[1]).max())


def _communities(
    kind: str,
    edges: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.intp],
    profiles: Profiles,
    generator: np.random.Generator,
    settings: LinkSettings,
    explained: frozenset[str],
) -> list[Candidate]:
    """Communities of the neighbour graph (Leiden, Traag et al. 2019), each a candidate."""
    smallest = max(SMALLEST_COMMUNITY, settings.smallest_group)
    if _largest_component(edges, len(chosen)) < smallest:
        return []
    import igraph  # here, because it brings a drawing library along, and most logs of honest traffic need neither

    igraph.set_random_number_generator(_SeededRandom(generator))
    graph = igraph.Graph(n=len(chosen), edges=edges.tolist()).simplify()
    graph.vs["exchanges"] = profiles.accounts.counts[chosen].tolist()
    parts = [
        part
        for resolution in RESOLUTIONS[kind]
        for part in graph.community_leiden(objective_function="modularity", resolution=resolution, n_iterations=4)
    ]
    candidates: list[Candidate] = []
    for part in parts:
        members = np.sort(chosen[np.asarray(part, np.int64)]).astype(np.int64)
        if kind == "subjects" and len(members) >= smallest:
            members = members[drawn_from_one_list(profiles.accounts, members)]
        if len(members) < smallest or any(np.array_equal(members, other.members) for other in candidates):
            continue
        counts = profiles.accounts.counts[members]
        worth = float(np.log(len(profiles.ids) / len(members)))
        candidates.append(
            Candidate(kind=kind, traces=(), members=members, counts=counts, explained=explained, worth=worth, least=_least(settings))
        )
    return candidates
