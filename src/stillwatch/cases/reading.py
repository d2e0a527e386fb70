"""Reads cases: lists, one case, its timeline with the chain checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stillwatch.cases.refusals import CaseStoreError, UnknownCaseError
from stillwatch.cases.store import FIRST, CaseStore, act_sha256, family
from stillwatch.cases.tables import ActRow, CaseRow, ClaimRow, ContentRow, ExhibitRow, LinkRow, MemberRow, SourceRow, TaskRow, TieRow
from stillwatch.cases.views import ActView, CaseSummary, CaseView, ClaimView, ExhibitView, SourceView, TaskView, TieView
from stillwatch.cases.words import Status, case_name

SHOWN_MEMBERS, SHOWN_TIES = 20, 12


def list_cases(
    store: CaseStore, *, status: Sequence[str] = (), assignee: str | None = None, severity: str | None = None
) -> list[CaseSummary]:
    """Cases, newest first; of these states, this assignee, this severity, where they are given."""
    wanted = select(CaseRow).order_by(CaseRow.number.desc())
    if status:
        wanted = wanted.where(CaseRow.status.in_(status))
    if assignee is not None:
        wanted = wanted.where(CaseRow.assignee == assignee)
    if severity is not None:
        wanted = wanted.where(CaseRow.severity == severity)
    with store.reading() as session:
        return [_summary(session, row, family(session, row.number)) for row in session.scalars(wanted).all()]


def case_view(store: CaseStore, number: int) -> CaseView:
    """A case and all that is in it. Raises UnknownCaseError."""
    with store.reading() as session:
        row = case_row(session, number)
        mine = family(session, number)
        links = session.execute(select(LinkRow.first, LinkRow.second).where(LinkRow.first.in_(mine) | LinkRow.second.in_(mine)))
        exhibits = session.execute(
            select(ExhibitRow, ContentRow)
            .join(ContentRow, ContentRow.id == ExhibitRow.content_id)
            .where(ExhibitRow.case_number.in_(mine))
            .order_by(ExhibitRow.id)
        )
        return CaseView(
            summary=_summary(session, row, mine),
            words=store.words(session, row.words_id),
            merged=tuple(mine[1:]),
            linked=tuple(sorted({other for pair in links for other in pair} - set(mine))),
            claims=tuple(_claim(session, claim) for claim in _claims(session, mine)),
            exhibits=tuple(_exhibit(store, session, exhibit, content) for exhibit, content in exhibits.all()),
            tasks=tuple(_task(task) for task in session.scalars(_of(TaskRow, mine).order_by(TaskRow.id))),
        )


def timeline(store: CaseStore, number: int) -> list[ActView]:
    """Everything that was done in a case and in those that were merged into it, oldest first.

    Raises CaseStoreError where an act is missing or was changed: the chain of hashes is checked for each case.
    """
    with store.reading() as session:
        case_row(session, number)
        found: list[tuple[int, ActView]] = []
        for member in family(session, number):
            case = case_row(session, member)
            acts = list(session.scalars(select(ActRow).where(ActRow.case_number == member).order_by(ActRow.number)))
            check_chain(acts, case)
            found += [(act.id, _act(store, session, act)) for act in acts]
    # in the order in which they were written: clocks of two people may differ
    return [act for _, act in sorted(found, key=lambda pair: pair[0])]


def check_chain(acts: Sequence[ActRow], case: CaseRow) -> None:
    """Nothing where each act is hashed right and names the one before, to the case's last; else CaseStoreError."""
    name, before = case_name(case.number), FIRST
    for number, act in enumerate(acts, 1):
        if act.number != number or act.previous != before or act_sha256(act, case.uid) != act.sha256:
            raise CaseStoreError(
                f"act {number} in the timeline of {name} is not the one that was written: its hash is {act.sha256[:16]}…, and what stands "
                f"there gives {act_sha256(act, case.uid)[:16]}…; compare with the evidence log and restore the store from a copy"
            )
        before = act.sha256
    if len(acts) != case.version:
        raise CaseStoreError(f"the timeline of {name} has {len(acts)} acts and its case says {case.version}; restore the store from a copy")


def case_row(session: Session, number: int) -> CaseRow:
    """The case. Raises UnknownCaseError."""
    row = session.get(CaseRow, number)
    if row is None:
        raise UnknownCaseError(f"there is no {case_name(number)}; see stillwatch case list")
    return row


def _of(table: Any, numbers: list[int]) -> Any:
    return select(table).where(table.case_number.in_(numbers))


def _claims(session: Session, mine: list[int]) -> list[ClaimRow]:
    return list(session.scalars(_of(ClaimRow, mine).order_by(ClaimRow.id)))


def _summary(session: Session, row: CaseRow, mine: list[int]) -> CaseSummary:
    claims = select(ClaimRow.id).where(ClaimRow.case_number.in_(mine))
    accounts = select(func.count(func.distinct(MemberRow.key))).where(MemberRow.claim_id.in_(claims))
    tasks = select(func.count()).where(TaskRow.case_number.in_(mine), TaskRow.done_at.is_(None))
    names = ("number", "uid", "title", "status", "severity", "version", "assignee", "due_at", "created_at", "created_by", "changed_at")
    closing = ("merged_into", "disposition", "reason", "closed_at", "closed_by", "suppressed_until")
    return CaseSummary(
        **{name: getattr(row, name) for name in (*names, *closing)},
        claims=session.scalar(select(func.count()).select_from(claims.subquery())) or 0,
        members=session.scalar(accounts) or 0,
        open_tasks=session.scalar(tasks) or 0,
    )


def _claim(session: Session, row: ClaimRow) -> ClaimView:
    accounts = select(MemberRow.account_id).where(MemberRow.claim_id == row.id).order_by(MemberRow.membership.desc(), MemberRow.account_id)
    ties = select(TieRow).where(TieRow.claim_id == row.id).order_by((TieRow.weight * TieRow.accounts).desc(), TieRow.key).limit(SHOWN_TIES)
    names = ("id", "kind", "entity_id", "uid", "title", "statement", "severity", "numbers", "members", "ties_left_out")
    return ClaimView(
        **{name: getattr(row, name) for name in names},
        case=row.case_number,
        ordinary=tuple(row.ordinary),
        accounts=tuple(session.scalars(accounts.limit(SHOWN_MEMBERS))),
        ties=tuple(tie_view(tie) for tie in session.scalars(ties)),
        exhibit=row.exhibit_id,
        source=source_view(session.get_one(SourceRow, row.source_id)),
    )


def tie_view(row: TieRow) -> TieView:
    """A tie as a value."""
    names = ("kind", "trace", "infrastructure", "accounts", "sharing", "weight")
    return TieView(**{name: getattr(row, name) for name in names})


def source_view(row: SourceRow) -> SourceView:
    """A source as a value."""
    return SourceView(kind=row.kind, name=row.name, sha256=row.sha256, made_at=row.made_at, facts=row.facts)


def _exhibit(store: CaseStore, session: Session, row: ExhibitRow, content: ContentRow) -> ExhibitView:
    names = ("id", "kind", "label", "private", "rows", "facts", "added_at", "added_by")
    return ExhibitView(
        **{name: getattr(row, name) for name in names},
        case=row.case_number,
        media_type=content.media_type,
        bytes=content.size,
        sha256=content.sha256,
        commitment=content.commitment,
        note=store.words(session, content.id) if row.kind == "note" and not row.private else None,
    )


def _task(row: TaskRow) -> TaskView:
    names = ("id", "title", "detail", "assignee", "due_at", "done_at", "done_by")
    return TaskView(**{name: getattr(row, name) for name in names}, case=row.case_number)


def _act(store: CaseStore, session: Session, row: ActRow) -> ActView:
    names = ("number", "at", "by", "act", "detail", "sha256", "log_index")
    return ActView(**{name: getattr(row, name) for name in names}, case=row.case_number, words=store.words(session, row.words_id))


def status_of(given: str) -> Status:
    """The state that a word names. Raises UnknownCaseError for other words."""
    if given not in set(Status):
        raise UnknownCaseError(f"{given[:40]!r} is no state of a case; there are {', '.join(Status)}")
    return Status(given)
