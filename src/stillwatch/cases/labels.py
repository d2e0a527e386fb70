"""Labels: what closed cases say about findings, and how often the detectors were right by them. The arithmetic is pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from stillwatch.cases.dispositions import LABELS, SUPPRESSES, Disposition
from stillwatch.cases.store import CaseStore, family
from stillwatch.cases.suppressing import Suppression, overlap
from stillwatch.cases.tables import CaseRow, ClaimRow, MemberRow, SourceRow
from stillwatch.cases.words import Status
from stillwatch.errors import TooFewSamplesError
from stillwatch.records.findings import Finding, Severity
from stillwatch.stats.intervals import clopper_pearson

SAME = 0.8
"""Least Jaccard index of accounts for a label to speak of a finding of another scan."""
FEWEST = 10
"""Labelled findings below which no share is stated: the exact interval of 5 in 10 already spans 0.19 to 0.81."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a closed case says about one finding.

    Attributes:
        case, case_uid: of the case.
        kind: `account` or `group`.
        entity_id, finding_uid, severity: of the finding that was decided on.
        scan_sha256: of the `run.json` of its scan.
        members: its accounts.
        disposition, reason, decided_at, decided_by: how the case was closed.
        suppressed_until, overlap: of the suppression; None where there is none.
    """

    case: int
    case_uid: str
    kind: str
    entity_id: str
    finding_uid: str
    severity: str
    scan_sha256: str
    members: tuple[str, ...]
    disposition: str
    reason: str
    decided_at: datetime
    decided_by: str
    suppressed_until: datetime | None
    overlap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How often findings of a severity were right, among those that a label speaks of.

    Attributes:
        severity: of the findings; `all` for every severity.
        findings: how many the scan has.
        labelled: how many of them a label says to be true, benign true or false.
        as_found, harm: how many of those happened as found (true or benign true), and how many were harm (true).
        as_found_interval, harm_interval: exact two-sided 95 % intervals of the two shares; None: fewer than FEWEST labels.
    """

    severity: str
    findings: int
    labelled: int
    as_found: int
    harm: int
    as_found_interval: tuple[float, float] | None
    harm_interval: tuple[float, float] | None


def labels_of(store: CaseStore) -> list[Label]:
    """Every label that closed cases give, in the order in which they were decided."""
    return [label for label in _decided(store) if label.disposition in LABELS]


def suppressions_of(store: CaseStore, *, at: datetime) -> list[Suppression]:
    """Every suppression that is in force at that moment."""
    return [
        Suppression(
            case=label.case,
            case_uid=label.case_uid,
            entity_id=label.entity_id,
            members=label.members,
            severity=Severity(label.severity),
            disposition=label.disposition,
            reason=label.reason,
            decided_at=label.decided_at,
            decided_by=label.decided_by,
            until=label.suppressed_until,
            overlap=label.overlap,
        )
        for label in _decided(store)
        if label.disposition in SUPPRESSES
        and label.suppressed_until is not None
        and label.overlap is not None
        and label.suppressed_until > at
    ]


def measure(findings: Sequence[Finding], labels: Sequence[Label]) -> list[Precision]:
    """How often the findings were right, by severity, gravest first, and over all.

    A label speaks of a finding with its id, or about nearly the same accounts (Jaccard index of SAME or more); where several do, the last
    decided counts. Suppressed findings are counted as all others.

    Assumption: within a severity, the findings that somebody decided on are an independent random draw of all of them, and the decisions
    are right. Who decides only on what looks bad measures that choice. Intervals: `stats.intervals.clopper_pearson`.

    Raises TooFewSamplesError where not even all severities together have FEWEST labels.
    """
    said = [(finding.severity.value, label_for(finding, labels)) for finding in findings]
    labelled = sum(disposition is not None for _, disposition in said)
    if labelled < FEWEST:
        raise TooFewSamplesError("precision from labels of closed cases", needed=FEWEST, got=labelled)
    rows = [_precision(severity.value, [found for name, found in said if name == severity.value]) for severity in reversed(Severity)]
    return [*(row for row in rows if row.findings), _precision("all", [found for _, found in said])]


def label_for(finding: Finding, labels: Sequence[Label]) -> Disposition | None:
    """What is known of a finding; None: nothing."""
    members = frozenset(member.account_id for member in finding.members)
    fitting = [label for label in labels if label.finding_uid == finding.uid or overlap(members, frozenset(label.members)) >= SAME]
    return Disposition(max(fitting, key=lambda label: label.decided_at).disposition) if fitting else None


def _precision(severity: str, said: Sequence[Disposition | None]) -> Precision:
    known = [disposition for disposition in said if disposition is not None]
    as_found = sum(disposition is not Disposition.FALSE for disposition in known)
    harm = sum(disposition is Disposition.TRUE for disposition in known)
    enough = len(known) >= FEWEST
    return Precision(
        severity=severity,
        findings=len(said),
        labelled=len(known),
        as_found=as_found,
        harm=harm,
        as_found_interval=clopper_pearson(as_found, len(known), CONFIDENCE) if enough else None,
        harm_interval=clopper_pearson(harm, len(known), CONFIDENCE) if enough else None,
    )


def _decided(store: CaseStore) -> list[Label]:
    closed = select(CaseRow).where(CaseRow.status == Status.CLOSED).order_by(CaseRow.closed_at, CaseRow.number)
    with store.reading() as session:
        return [label for case in session.scalars(closed).all() for label in _labels(session, case)]


def _labels(session: Session, case: CaseRow) -> list[Label]:
    mine = ClaimRow.case_number.in_(family(session, case.number))
    claims = session.execute(
        select(ClaimRow, SourceRow)
        .join(SourceRow, SourceRow.id == ClaimRow.source_id)
        .where(mine, ClaimRow.kind != "verdict")
        .order_by(ClaimRow.id)
    )
    return [_label(session, case, claim, source) for claim, source in claims.all()]


def _label(session: Session, case: CaseRow, claim: ClaimRow, source: SourceRow) -> Label:
    members = session.scalars(select(MemberRow.account_id).where(MemberRow.claim_id == claim.id).order_by(MemberRow.account_id))
    return Label(
        case=case.number,
        case_uid=case.uid,
        kind=claim.kind,
        entity_id=claim.entity_id,
        finding_uid=claim.uid,
        severity=claim.severity,
        scan_sha256=source.sha256,
        members=tuple(members),
        disposition=case.disposition or Disposition.UNDETERMINED,
        reason=case.reason or "",
        decided_at=case.closed_at or case.changed_at,
        decided_by=case.closed_by or "",
        suppressed_until=case.suppressed_until,
        overlap=case.overlap,
    )
