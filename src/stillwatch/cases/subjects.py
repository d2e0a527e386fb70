"""What cases hold about one account, as that account may see it: no other account, no words and no name of whoever worked on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from stillwatch.cases.reading import case_row
from stillwatch.cases.store import CaseStore, family
from stillwatch.cases.tables import CaseRow, ClaimRow, ExhibitRow, MemberRow
from stillwatch.cases.words import Status

_NAMING = ("account_id", "entity_id")
"""Columns of rows by which it is told whose they are."""


def held_about(store: CaseStore, account: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(case, rows) of every case that holds rows about the account. Raises VaultError where rows are sealed and the key is not given."""
    with store.reading() as session:
        heads = session.scalars(select(CaseRow.number).where(CaseRow.merged_into.is_(None)).order_by(CaseRow.number)).all()
        for number in heads:
            mine = family(session, number)
            rows = [*_memberships(session, number, mine, account), *_rows(store, session, mine, account)]
            if rows:
                yield number, rows


def _memberships(session: Session, number: int, mine: Sequence[int], account: str) -> Iterator[dict[str, Any]]:
    case, key = case_row(session, number), hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()
    wanted = (
        select(MemberRow, ClaimRow)
        .join(ClaimRow, ClaimRow.id == MemberRow.claim_id)
        .where(MemberRow.key == key, ClaimRow.case_number.in_(mine))
        .order_by(ClaimRow.id)
    )
    for member, claim in session.execute(wanted):
        yield {
            "state": case.status,
            "decided": None if case.status != Status.CLOSED else f"{case.disposition} ({case.reason})",
            "finding": claim.uid,
            "severity": claim.severity,
            "membership": member.membership,
            "reasons": list(member.reasons),
            "exchanges": member.exchanges,
            "first_at": member.first_at,
            "last_at": member.last_at,
        }


def _rows(store: CaseStore, session: Session, mine: Sequence[int], account: str) -> Iterator[dict[str, Any]]:
    """Rows of exhibits that are the account's own, the text of its exchanges among them."""
    exhibits = session.scalars(
        select(ExhibitRow).where(ExhibitRow.case_number.in_(mine), ExhibitRow.kind == "rows").order_by(ExhibitRow.id)
    )
    for exhibit in exhibits.all():
        content = store.content(session, exhibit.content_id)
        if content is None:
            continue
        held = json.loads(content)
        names = [column["name"] for column in held["columns"]]
        places = [names.index(name) for name in _NAMING if name in names]
        for row in held["rows"]:
            if any(row[place] == account for place in places):
                yield {"exhibit": exhibit.id, "table": held["table"], **dict(zip(names, row, strict=True))}
