"""Suppressions: which findings were decided to be benign or wrong, for whom, until when. Pure.

A suppressed finding is computed, counted and shown; it only says that it was decided, by which case and until when. It holds while the
finding is about the same accounts, and no longer when more is found than was decided on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stillwatch.records.findings import Finding, Severity, Suppressed

LEAST_OVERLAP = 0.5
"""Below it, most accounts of a finding could be others than those that were decided on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One decided entity.

    Attributes:
        case: number of the case; `case_uid` its name outside.
        entity_id: as the scan that was decided on names it.
        members: its accounts.
        severity: of the finding that was decided on; a graver one is not suppressed.
        disposition, reason: how the case was closed.
        decided_at, decided_by: when and by whom.
        until: when it ends.
        overlap: least Jaccard index of a finding's accounts and `members`.
    """

    case: int
    case_uid: str
    entity_id: str
    members: tuple[str, ...]
    severity: Severity
    disposition: str
    reason: str
    decided_at: datetime
    decided_by: str
    until: datetime
    overlap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of suppressions in one scan.

    Attributes:
        findings: all of them, those that are suppressed marked.
        expired: suppressions that had ended.
        unmatched: (case, why) of those that were in force and fit no finding, or a changed one.
    """

    findings: tuple[Finding, ...]
    expired: int
    unmatched: tuple[tuple[int, str], ...]

    @property
    def suppressed(self) -> int:
        """How many findings are suppressed."""
        return sum(finding.suppressed is not None for finding in self.findings)


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The Jaccard index of two sets of accounts: common ones over all, 0 to 1; 0 for two empty ones.

    Source: Jaccard 1901, "Étude comparative de la distribution florale dans une portion des Alpes et des Jura".
    """
    everybody = len(one | other)
    return len(one & other) / everybody if everybody else 0.0


def suppress(findings: Sequence[Finding], suppressions: Iterable[Suppression], *, at: datetime) -> Applied:
    """Mark the findings that suppressions in force at that moment apply to; the nearest in accounts counts."""
    held = list(suppressions)
    active = [one for one in held if one.until > at]
    decided = [frozenset(one.members) for one in active]
    accounts = [frozenset(member.account_id for member in finding.members) for finding in findings]
    used: set[int] = set()
    marked: list[Finding] = []
    for finding, members in zip(findings, accounts, strict=True):
        fitting = [(overlap(members, decided[place]), place) for place, one in enumerate(active) if _holds(one, finding, members)]
        if not fitting:
            marked.append(finding)
            continue
        share, place = max(fitting, key=lambda pair: (pair[0], active[pair[1]].until, -pair[1]))
        used.update(place for _, place in fitting)
        marked.append(replace(finding, suppressed=_mark(active[place], share)))
    unmatched = tuple((one.case, _why(one, findings, accounts)) for place, one in enumerate(active) if place not in used)
    return Applied(findings=tuple(marked), expired=len(held) - len(active), unmatched=unmatched)


def _holds(one: Suppression, finding: Finding, members: frozenset[str]) -> bool:
    return finding.severity.rank <= one.severity.rank and overlap(members, frozenset(one.members)) >= one.overlap


def _mark(one: Suppression, share: float) -> Suppressed:
    return Suppressed(
        case=f"case-{one.case}",
        case_uid=one.case_uid,
        disposition=one.disposition,
        reason=one.reason,
        decided_by=one.decided_by,
        decided_at=one.decided_at,
        until=one.until,
        overlap=share,
    )


def _why(one: Suppression, findings: Sequence[Finding], accounts: Sequence[frozenset[str]]) -> str:
    """Why a suppression in force applied to nothing."""
    decided = frozenset(one.members)
    shares = [(overlap(members, decided), finding) for finding, members in zip(findings, accounts, strict=True)]
    share, nearest = max(shares, key=lambda pair: pair[0], default=(0.0, None))
    if nearest is None or share == 0.0:
        return "no finding is about its accounts"
    if share < one.overlap:
        return f"{nearest.entity_id} has {share:.2f} of its accounts in common, {one.overlap:g} were needed"
    return f"{nearest.entity_id} is {nearest.severity.value} now, and {one.severity.value} was decided on"
