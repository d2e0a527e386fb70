"""New cases, and what is added to them: claims, exhibits."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from stillwatch.cases.claims import INFRASTRUCTURE, NewClaim, NewExhibit, NewSource, NewTask
from stillwatch.cases.store import KEY, Acting, CaseStore, Change, put_content
from stillwatch.cases.tables import CaseRow, ClaimRow, ContentRow, ExhibitRow, MemberRow, SourceRow, TaskRow, TieRow
from stillwatch.cases.words import LONGEST_TITLE, Status, bounded, person
from stillwatch.errors import UsageError
from stillwatch.records.findings import Severity

LARGEST_EXHIBIT = 16 * 1024 * 1024
LARGEST_FINDING = 256 * 1024 * 1024
"""Of a finding or a verdict, which is kept whole: 25,000 accounts with their reasons take 10 MiB."""
LONGEST_STATEMENT = 5_000
MOST_TASKS = 200
_SALT_KEY_BYTES = 32
_RANK = {"none": -1} | {severity.value: severity.rank for severity in Severity}


def new_case(
    store: CaseStore,
    acting: Acting,
    *,
    title: str,
    sources: Sequence[NewSource],
    claims: Sequence[NewClaim],
    tasks: Sequence[NewTask] = (),
    assignee: str | None = None,
) -> int:
    """Make a case with its claims, exhibits and tasks, in one transaction; its number."""
    named = bounded(title, "the title", LONGEST_TITLE)
    assigned = None if assignee is None else person(assignee, "--assignee")
    with store.writing() as session:
        key = put_content(session, store.box, secrets.token_bytes(_SALT_KEY_BYTES), KEY)
        case = CaseRow(
            uid=str(uuid.uuid4()),
            key_id=key.id,
            title=named,
            status=Status.OPEN,
            severity="none",
            version=0,
            created_at=acting.at,
            created_by=acting.by,
            changed_at=acting.at,
            assignee=assigned,
        )
        session.add(case)
        session.flush()
        change = Change(session, case, acting, store.box)
        change.act("created", {"title": named} | ({"assignee": assigned} if assigned else {}))
        add_claims(change, sources, claims)
        add_tasks(change, tasks)
        return case.number


def add_claims(change: Change, sources: Sequence[NewSource], claims: Sequence[NewClaim]) -> list[int]:
    """Add what findings and verdicts say; ids of the claims. One that the case holds already is refused."""
    rows = [_source(change, source) for source in sources]
    _refuse_twice(change, claims)
    return [_claim(change, claim, rows[claim.source]) for claim in claims]


def add_exhibit(change: Change, exhibit: NewExhibit) -> int:
    """Add something to be shown; its id. Raises UsageError for an empty or too large one."""
    row, content = put_exhibit(change, exhibit)
    change.act("exhibit_added", exhibit_detail(row, content))
    return row.id


def added(store: CaseStore, number: int, acting: Acting, exhibit: NewExhibit) -> tuple[int, int]:
    """Add something to be shown to an open case; (number of the act, id of the exhibit)."""
    with store.changing(number, acting) as change:
        made = add_exhibit(change, exhibit)
        return change.case.version, made


def claimed(
    store: CaseStore, number: int, acting: Acting, sources: Sequence[NewSource], claims: Sequence[NewClaim]
) -> tuple[int, list[int]]:
    """Add what findings and verdicts say to an open case; (number of the last act, ids of the claims)."""
    with store.changing(number, acting) as change:
        made = add_claims(change, sources, claims)
        return change.case.version, made


def tasked(store: CaseStore, number: int, acting: Acting, task: NewTask) -> tuple[int, int]:
    """Add something to do to an open case; (number of the act, id of the task)."""
    with store.changing(number, acting) as change:
        (made,) = add_tasks(change, [task])
        return change.case.version, made


def put_exhibit(change: Change, exhibit: NewExhibit) -> tuple[ExhibitRow, ContentRow]:
    """The rows of an exhibit and its content, without an act."""
    largest = LARGEST_FINDING if exhibit.kind in ("finding", "verdict") else LARGEST_EXHIBIT
    if not 0 < len(exhibit.content) <= largest:
        raise UsageError(
            f"the exhibit has {len(exhibit.content):,} bytes, it may have 1 to {largest:,}; add fewer rows, or a note of its sha256"
        )
    content = put_content(change.session, change.box, exhibit.content, exhibit.media_type, shared=True)
    row = ExhibitRow(
        case_number=change.case.number,
        kind=exhibit.kind,
        label=bounded(exhibit.label, "the label", LONGEST_TITLE),
        private=exhibit.private,
        rows=exhibit.rows,
        facts=exhibit.facts,
        content_id=content.id,
        added_at=change.acting.at,
        added_by=change.acting.by,
    )
    change.session.add(row)
    change.session.flush()
    return row, content


def add_tasks(change: Change, tasks: Sequence[NewTask]) -> list[int]:
    """Add things to do; their ids."""
    made = [
        TaskRow(
            case_number=change.case.number,
            title=bounded(task.title, "a task's title", LONGEST_TITLE),
            detail=task.detail,
            due_at=None if task.due_days is None else change.acting.at + timedelta(days=task.due_days),
        )
        for task in tasks
    ]
    there = len(list(change.session.scalars(select(TaskRow.id).where(TaskRow.case_number == change.case.number))))
    if there + len(made) > MOST_TASKS:
        raise UsageError(f"the case would have {there + len(made)} tasks, at most {MOST_TASKS} are kept; make a second case")
    change.session.add_all(made)
    change.session.flush()
    for row in made:
        change.act("task_added", {"task": row.id, "title": row.title} | ({"due": row.due_at.isoformat()} if row.due_at else {}))
    return [row.id for row in made]


def severest(one: str, other: str) -> str:
    """The graver of two severities; `none` is the least."""
    return max(one, other, key=_RANK.__getitem__)


def _source(change: Change, source: NewSource) -> SourceRow:
    row = SourceRow(
        case_number=change.case.number, kind=source.kind, name=source.name, sha256=source.sha256, made_at=source.made_at, facts=source.facts
    )
    change.session.add(row)
    change.session.flush()
    return row


def _refuse_twice(change: Change, claims: Sequence[NewClaim]) -> None:
    held = set(change.session.scalars(select(ClaimRow.uid).where(ClaimRow.case_number == change.case.number)))
    uids = [claim.uid for claim in claims]
    for uid in uids:
        if uid in held or uids.count(uid) > 1:
            raise UsageError(f"the case would hold {uid[:80]!r} twice; name each finding once")


def _claim(change: Change, claim: NewClaim, source: SourceRow) -> int:
    exhibit, content = put_exhibit(change, claim.exhibit)
    row = ClaimRow(
        case_number=change.case.number,
        source_id=source.id,
        exhibit_id=exhibit.id,
        kind=claim.kind,
        entity_id=claim.entity_id,
        uid=claim.uid,
        title=claim.title[:LONGEST_TITLE],
        statement=claim.statement[:LONGEST_STATEMENT],
        severity=claim.severity,
        numbers=claim.numbers,
        ordinary=list(claim.ordinary),
        members=len(claim.members),
        ties_left_out=claim.ties_left_out,
    )
    change.session.add(row)
    change.session.flush()
    _claim_parts(change.session, row.id, claim)
    change.case.severity = severest(change.case.severity, claim.severity)
    detail: dict[str, Any] = {
        "claim": row.id,
        "kind": claim.kind,
        "entity_id": claim.entity_id,
        "uid": claim.uid,
        "severity": claim.severity,
        "members": len(claim.members),
        "ties": len(claim.ties),
        "source": {"kind": source.kind, "name": source.name, "sha256": source.sha256},
    }
    change.act("claim_added", detail | exhibit_detail(exhibit, content))
    return row.id


def _claim_parts(session: Session, claim_id: int, claim: NewClaim) -> None:
    members = [
        {
            "claim_id": claim_id,
            "key": sha256(member.account_id.encode("utf-8", "surrogatepass")).hexdigest(),
            "account_id": member.account_id,
            "membership": member.membership,
            "reasons": list(member.reasons),
            "exchanges": member.exchanges,
            "first_at": member.first_at,
            "last_at": member.last_at,
        }
        for member in claim.members
    ]
    ties = [
        {
            "claim_id": claim_id,
            "key": tie.key,
            "kind": tie.kind,
            "trace": tie.trace,
            "infrastructure": tie.kind in INFRASTRUCTURE,
            "accounts": tie.accounts,
            "sharing": tie.sharing,
            "weight": tie.weight,
        }
        for tie in claim.ties
    ]
    for table, rows in ((MemberRow, members), (TieRow, ties)):
        if rows:
            session.execute(insert(table), rows)


def exhibit_detail(row: ExhibitRow, content: ContentRow) -> dict[str, Any]:
    """How an act names an exhibit: no word of what it holds."""
    detail = {"exhibit": row.id, "exhibit_kind": row.kind, "private": row.private, "bytes": content.size, "commitment": content.commitment}
    return detail | ({"rows": row.rows} if row.rows is not None else {})
