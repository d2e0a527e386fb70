"""The link stage from nominations to groups."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stillwatch.link.alike import alike_candidates
from stillwatch.link.families import families
from stillwatch.link.group import Group, form_groups
from stillwatch.link.membership import weigh
from stillwatch.link.nominate import CONTENT_KINDS, Candidate, TraceRows, nominate
from stillwatch.link.profiles import Profiles, Watched
from stillwatch.link.settings import LinkSettings
from stillwatch.link.settle import settle
from stillwatch.link.validate import Sides, Tested, Validator
from stillwatch.stats.multiplicity import benjamini_hochberg


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What linking found.

    Attributes:
        groups: accounts that act as one, most certain first.
        tested: every candidate with its q-value, also those that turned out to be independent customers.
        suspects: [A] accounts that stood in a block, also those too weak to be named; they are no baseline for others. Those who share
            a popular attribute with a campaign, and behave as anybody once the campaign is set aside, are none.
        untested: nominations beyond the limit of the settings.
    """

    groups: tuple[Group, ...]
    tested: tuple[tuple[Tested, float], ...]
    suspects: npt.NDArray[np.bool_]
    untested: int


def watch(candidates: list[Candidate]) -> tuple[Watched, dict[int, int]]:
    """What the profile pass looks out for: the wordings of content candidates; and which watched trace each candidate (by index) is.

    A family is no trace of its own: its numbers are the sums of its wordings'.
    """
    content = [index for index, candidate in enumerate(candidates) if candidate.kind in CONTENT_KINDS and not candidate.family]
    if not content:
        return Watched.nothing(), {}
    owner: dict[int, int] = {}
    for place, index in enumerate(content):
        for trace in candidates[index].traces:
            owner.setdefault(int(trace), place)
    related = [index for index, candidate in enumerate(candidates) if candidate.family]
    keys = np.array(sorted(owner), np.int64)
    watched = Watched(
        keys=keys,
        traces=np.array([owner[key] for key in keys.tolist()], np.int64),
        members=[candidates[index].members for index in content],
        families=[np.unique([owner[int(trace)] for trace in candidates[index].traces if int(trace) in owner]) for index in related],
    )
    return watched, {index: place for place, index in enumerate([*content, *related])}


def nominations(rows: TraceRows, exchanges: npt.NDArray[np.int64], settings: LinkSettings) -> tuple[list[Candidate], int]:
    """The candidates that shared traces give, half of them by content at most, and how many were left out by the limit."""
    found = nominate(rows, exchanges, settings)
    content = [candidate for candidate in found if candidate.kind in CONTENT_KINDS]
    content = [*families(content, rows.accounts, settings), *content]
    others = [candidate for candidate in found if candidate.kind not in CONTENT_KINDS]
    room = max(settings.nominations // 2, settings.nominations - len(others))
    kept = [*content[:room], *others[: settings.nominations - min(room, len(content))]]
    return kept, len(content) + len(others) - len(kept)


def link_accounts(
    rows: TraceRows,
    candidates: list[Candidate],
    watched: dict[int, int],
    profiles: Profiles,
    sides: Sides,
    settings: LinkSettings,
    generator: np.random.Generator,
    *,
    untested: int = 0,
) -> Linked:
    """Validate every candidate, add those by likeness, and form groups."""
    validator = Validator(profiles, rows, sides, settings, generator)
    tested = [validator.test(candidate, _rows_of(profiles, watched, index, candidate)) for index, candidate in enumerate(candidates)]
    content = [candidate for candidate in candidates if candidate.kind in CONTENT_KINDS]
    alike = [explained_by(content, candidate) for candidate in alike_candidates(profiles, settings, generator)]
    tested += [validator.test(candidate, None) for candidate in alike]
    judged = _with_q_values(tested)
    carriers = [_rows_of(profiles, watched, index, test.candidate) for index, test in enumerate(tested)]
    blocks, suspected = settle(judged, validator, carriers, lambda block: set(weigh(block, rows, profiles, settings)[0].tolist()), settings)
    groups = form_groups(blocks, rows, profiles, settings)
    suspects = np.zeros(len(profiles.ids), np.bool_)
    suspects[sorted(suspected)] = True
    return Linked(groups=tuple(groups), tested=tuple(judged), suspects=suspects, untested=untested)


def explained_by(content: list[Candidate], candidate: Candidate) -> Candidate:
    """The candidate, with all that wordings explain which most of its members carry: another door to the same accounts."""
    explained = candidate.explained
    for wording in content:
        if np.isin(candidate.members, wording.members).sum() * 2 >= len(candidate.members):
            explained |= wording.explained
    return replace(candidate, explained=explained)


def _rows_of(profiles: Profiles, watched: dict[int, int], index: int, candidate: Candidate) -> npt.NDArray[np.int64] | None:
    """The rows of `profiles.carriers` that belong to candidate number `index`; None where it is judged by whole accounts."""
    if index not in watched:
        return None
    rows = _carriers(profiles, watched[index])
    # a family leaves out carriers of one of its wordings
    return rows[np.isin(profiles.carrier_account[rows], candidate.members)]


def _carriers(profiles: Profiles, trace: int) -> npt.NDArray[np.int64]:
    return np.flatnonzero(profiles.carrier_trace == trace).astype(np.int64)


def _with_q_values(tested: list[Tested]) -> list[tuple[Tested, float]]:
    """Candidates that could not be tested get q = 1."""
    able = [test.p_value for test in tested if test.p_value is not None]
    q_values = iter(benjamini_hochberg(able).tolist()) if able else iter(())
    return [(test, next(q_values) if test.p_value is not None else 1.0) for test in tested]
