"""Text of a finding's exhibits in a case: seen to belong there before anybody opens it, and kept with the record of who did."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from stillwatch.cases.claims import NewExhibit
from stillwatch.cases.making import exhibit_detail, put_exhibit
from stillwatch.cases.refusals import CaseStateError
from stillwatch.cases.store import Acting, CaseStore, family
from stillwatch.cases.tables import ClaimRow, ContentRow, ExhibitRow
from stillwatch.cases.words import bounded, case_name

TEXT_TABLE = "exhibits"
"""Table that such an exhibit says that its rows are of."""


def check_wanted(store: CaseStore, number: int, acting: Acting, finding: str) -> None:
    """Nothing where the case is open, claims the finding and does not hold its text yet.

    Raises UnknownCaseError, StaleCaseError, and CaseStateError for the rest.
    """
    with store.changing(number, acting) as change:
        _check(change.session, number, finding)


def text_opened(
    store: CaseStore, number: int, acting: Acting, exhibit: NewExhibit, *, finding: str, view: int, why: str
) -> tuple[int, int]:
    """Keep the text of a finding in an open case; (number of the act, id of the exhibit). `view` is the record of who opened it."""
    reason = bounded(why, "--why")
    with store.changing(number, acting) as change:
        _check(change.session, number, finding)
        row, content = put_exhibit(change, exhibit)
        act = change.act("text_opened", exhibit_detail(row, content) | {"finding": finding, "view": view}, words=reason)
        return act.number, row.id


def _check(session: Session, number: int, finding: str) -> None:
    name, mine = case_name(number), family(session, number)
    claims = select(ClaimRow.id).where(ClaimRow.case_number.in_(mine), ClaimRow.uid == finding, ClaimRow.kind != "verdict")
    if session.scalars(claims).first() is None:
        raise CaseStateError(
            f"{name} claims nothing of finding {finding[:80]!r}, and text is opened for a case that is about it; add it with: stillwatch "
            f"case claim {name}"
        )
    held = (
        select(ExhibitRow)
        .join(ContentRow, ContentRow.id == ExhibitRow.content_id)
        .where(ExhibitRow.case_number.in_(mine), ExhibitRow.kind == "rows", ContentRow.erased_at.is_(None))
        .order_by(ExhibitRow.id)
    )
    for row in session.scalars(held):
        if row.facts.get("table") == TEXT_TABLE and row.facts.get("finding") == finding:
            raise CaseStateError(f"{name} holds the text of finding {finding[:80]!r} already: read exhibit {row.id}")
