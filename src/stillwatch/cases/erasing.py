"""What cases hold, for whoever has to let go of it: contents whose time is over, and what speaks of one account.

A content may be shown in several cases; it goes only with all of them. Commitments, the timeline and its chain stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from stillwatch.cases.joining import heads_of
from stillwatch.cases.store import Acting, CaseStore, family
from stillwatch.cases.tables import ActRow, CaseRow, ClaimRow, ContentRow, ExhibitRow, LinkRow, MemberRow, SourceRow, TaskRow, TieRow
from stillwatch.cases.words import Status
from stillwatch.errors import StillwatchError
from stillwatch.govern.retention import mentions, without
from stillwatch.records.inputs import Ground

ERASED = "[erased]"
_NAMING: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (ClaimRow, ("entity_id", "title", "statement", "numbers", "ordinary")),
    (ExhibitRow, ("label", "facts")),
    (SourceRow, ("name", "facts")),
    (TaskRow, ("title", "detail")),
)
"""Columns beside contents and members that an account's name may stand in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCase:
    """A case, with those that were merged into it, and the contents that it still holds.

    Attributes:
        number, status, version: of the case.
        ended_at: when it was closed; None: it is open.
        changed_at: of its last act.
        contents: ids of the contents that are there.
    """

    number: int
    status: str
    version: int
    ended_at: datetime | None
    changed_at: datetime
    contents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What went from a case: contents, rows of members; and acts of the timeline that name the account still, by number."""

    case: int
    contents: int
    members: int = 0
    acts: tuple[int, ...] = ()


def kept_cases(store: CaseStore) -> list[KeptCase]:
    """Every case that was not merged into another one, by number."""
    with store.reading() as session:
        there, users = _there(session), _users(session)
        rows = session.scalars(select(CaseRow).where(CaseRow.merged_into.is_(None)).order_by(CaseRow.number)).all()
        return [
            KeptCase(
                number=row.number,
                status=row.status,
                version=row.version,
                ended_at=row.closed_at if row.status == Status.CLOSED else None,
                changed_at=row.changed_at,
                contents=tuple(sorted(content for content, cases in users.items() if row.number in cases and content in there)),
            )
            for row in rows
        ]


def erase_contents(store: CaseStore, number: int, acting: Acting, due: Sequence[int], *, ground: Ground, disposal: int | None) -> Erased:
    """Erase the contents of a closed case that no case outside of `due` shows; `disposal` is the record that says so.

    Raises StaleCaseError where the case is not of the version that `acting` expects, CaseStateError where it is not closed.
    """
    with store.changing(number, acting, states=(Status.CLOSED,)) as change:
        session = change.session
        mine = _alone(session, number, frozenset(due))
        _erase(session, mine, acting.at)
        if mine:
            change.act("contents_erased", {"ground": ground.value, "contents": len(mine), "disposal": disposal})
        return Erased(case=number, contents=len(mine))


def speaks_of(store: CaseStore, kept: KeptCase, account: str) -> bool:
    """Whether a case names an account: in its members, rows, acts or contents. Where a content cannot be opened it says yes."""
    with store.reading() as session:
        mine = family(session, kept.number)
        if _members(session, mine, account) or _naming(session, mine, account) or _acts(session, mine, account):
            return True
        return any(_content_names(store, session, content, account) for content in kept.contents)


def erase_account(store: CaseStore, kept: KeptCase, acting: Acting, account: str, *, ground: Ground, disposal: int | None) -> Erased:
    """Erase what a closed case holds about an account: contents that name it, its rows as a member, its name elsewhere.

    A content that an open case shows as well stays. The timeline is whole: acts that name the account stay, and are told.

    Raises as `erase_contents`, and VaultError where a content cannot be opened, so that it cannot be told whom it names.
    """
    with store.changing(kept.number, acting, states=(Status.CLOSED,)) as change:
        session = change.session
        mine = family(session, kept.number)
        closed = frozenset(session.scalars(select(CaseRow.number).where(CaseRow.status == Status.CLOSED)))
        named = [one for one in _alone(session, kept.number, closed) if _content_names(store, session, one, account, strict=True)]
        _erase(session, named, acting.at)
        members = _members(session, mine, account)
        for claim, key in members:
            session.execute(delete(MemberRow).where(MemberRow.claim_id == claim, MemberRow.key == key))
        rows = _naming(session, mine, account)
        for row, columns in rows:
            for column in columns:
                setattr(row, column, without(getattr(row, column), account, ERASED))
        if mentions(change.case.title, account):
            change.case.title = without(change.case.title, account, ERASED)
        acts = _acts(session, mine, account)
        if named or members or rows:
            change.act("account_erased", {"ground": ground.value, "contents": len(named), "members": len(members), "disposal": disposal})
        return Erased(case=kept.number, contents=len(named), members=len(members), acts=tuple(acts))


def _users(session: Session) -> dict[str, set[int]]:
    """Each content's id to the cases that it is shown in, merged ones counted as the case that they are read with."""
    heads = heads_of(session)
    found: dict[str, set[int]] = {}
    for content, number in (
        (CaseRow.key_id, CaseRow.number),
        (CaseRow.words_id, CaseRow.number),
        (ExhibitRow.content_id, ExhibitRow.case_number),
        (ActRow.words_id, ActRow.case_number),
        (LinkRow.words_id, LinkRow.first),
        (LinkRow.words_id, LinkRow.second),
    ):
        for uid, case in session.execute(select(content, number).where(content.is_not(None))):
            found.setdefault(str(uid), set()).add(heads[case])
    return found


def _there(session: Session) -> set[str]:
    return set(session.scalars(select(ContentRow.id).where(ContentRow.erased_at.is_(None))))


def _alone(session: Session, number: int, cases: frozenset[int]) -> list[str]:
    """Contents of a case that are there and shown in these cases alone, so far as those are closed."""
    closed = cases & frozenset(session.scalars(select(CaseRow.number).where(CaseRow.status == Status.CLOSED)))
    there = _there(session)
    return sorted(uid for uid, users in _users(session).items() if number in users and users <= closed and uid in there)


def _erase(session: Session, contents: Sequence[str], at: datetime) -> None:
    for uid in contents:
        content = session.get_one(ContentRow, uid)
        content.sealed = content.salt = content.sha256 = None
        content.erased_at = at
    session.flush()


def _content_names(store: CaseStore, session: Session, uid: str, account: str, *, strict: bool = False) -> bool:
    """Whether a content holds the account's identifier, as text or within JSON that writes its letters as escapes."""
    try:
        content = store.content(session, uid)
    except StillwatchError:
        if strict:
            raise
        return True
    if content is None:
        return False
    try:
        text = content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return account.encode("utf-8", "surrogatepass") in content
    return mentions(text, account) or (text[:1] in "{[" and mentions(_json(text), account))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _claims(mine: Sequence[int]) -> Any:
    return select(ClaimRow.id).where(ClaimRow.case_number.in_(mine))


def _members(session: Session, mine: Sequence[int], account: str) -> list[tuple[int, str]]:
    key = hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()
    rows = session.execute(select(MemberRow.claim_id, MemberRow.key).where(MemberRow.key == key, MemberRow.claim_id.in_(_claims(mine))))
    return [(claim, found) for claim, found in rows]


def _naming(session: Session, mine: Sequence[int], account: str) -> list[tuple[Any, tuple[str, ...]]]:
    """Rows that name the account, with the columns in which they do."""
    tables = [(select(table).where(table.case_number.in_(mine)), columns) for table, columns in _NAMING]
    tables.append((select(TieRow).where(TieRow.claim_id.in_(_claims(mine))), ("trace",)))
    rows = [(row, columns) for wanted, columns in tables for row in session.scalars(wanted).all()]
    named = [(row, tuple(column for column in columns if mentions(getattr(row, column), account))) for row, columns in rows]
    return [(row, columns) for row, columns in named if columns]


def _acts(session: Session, mine: Sequence[int], account: str) -> list[int]:
    rows = session.scalars(select(ActRow).where(ActRow.case_number.in_(mine)).order_by(ActRow.id)).all()
    return [row.number for row in rows if mentions(row.detail, account)]
