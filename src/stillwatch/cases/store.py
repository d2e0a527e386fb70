"""The store: transactions in which a case is read or changed, the timeline that every change is written into, and contents.

A change locks its case, so that two people's acts follow each other and none is lost. Whoever decides on what was seen gives the version
that was seen, and is refused where the case has moved on.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from stillwatch.cases.box import ContentBox, PlainBox
from stillwatch.cases.columns import storable
from stillwatch.cases.opening import WRITING, Place, engine_of, told
from stillwatch.cases.refusals import CaseStateError, CaseStoreError, StaleCaseError, UnknownCaseError
from stillwatch.cases.tables import ActRow, CaseRow, ContentRow
from stillwatch.cases.versions import check_version
from stillwatch.cases.words import Status, case_name
from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.entries import SALT_BYTES, commitment

WORDS, KEY = "text/plain; charset=utf-8", "application/vnd.stillwatch.salt-key"
PLACE = "content"
"""First part of the place that a content is sealed for; the second is its id."""
FIRST = "0" * 64
"""What the first act of a case names as its predecessor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Who acts, and when.

    Attributes:
        by: the person's name.
        at: UTC.
        logged: whether the act is to have a record in the evidence log.
        expected: version of the case that the act rests on; None: any.
    """

    by: str
    at: datetime
    logged: bool = False
    expected: int | None = None


@dataclass(slots=True)
class CaseStore:
    """An open case store.

    Attributes:
        place: where it lies.
        box: what contents are sealed with; plain ones can always be read.
    """

    place: Place
    box: ContentBox
    _engine: Engine = field(repr=False)

    @contextmanager
    def reading(self) -> Generator[Session]:
        """A transaction that sees one state of the store and changes nothing."""
        options = {} if self.place.file is not None else {"isolation_level": "REPEATABLE READ"}
        with told(self.place), Session(self._engine.execution_options(**options)) as session, session.begin():
            session.connection()
            yield session

    @contextmanager
    def writing(self) -> Generator[Session]:
        """A transaction that is kept whole, or not at all."""
        with told(self.place), Session(self._engine.execution_options(**{WRITING: True})) as session:
            try:
                with session.begin():
                    session.connection()
                    yield session
            except StaleDataError:
                raise StaleCaseError("the case was changed by somebody else at the same moment; look at it again, then repeat") from None

    @contextmanager
    def changing(self, number: int, acting: Acting, *, states: Sequence[Status] = (Status.OPEN,)) -> Generator[Change]:
        """A change of one case, which is locked until it is kept.

        Raises UnknownCaseError, CaseStateError where the case is in none of `states`, StaleCaseError where it is not of the version that
        `acting` expects.
        """
        with self.writing() as session:
            case = locked(session, number)
            check_state(case, acting, states)
            yield Change(session, case, acting, self.box)

    def content(self, session: Session, content_id: str) -> bytes | None:
        """A content, seen to be the one that was stored; None: it was erased."""
        row = session.get_one(ContentRow, content_id)
        if row.sealed is None or row.salt is None:
            return None
        content = self.opened(row, row.sealed)
        if commitment(row.salt, content) != row.commitment:
            raise CaseStoreError(f"content {row.id} in {self.place.shown} is not the one that was stored; restore the store from a copy")
        return content

    def words(self, session: Session, content_id: str | None) -> str | None:
        """Words of a person; None: there are none. What was erased says so."""
        if content_id is None:
            return None
        content = self.content(session, content_id)
        return "[erased]" if content is None else content.decode("utf-8", "surrogatepass")

    def opened(self, row: ContentRow, sealed: bytes) -> bytes:
        """What was sealed for that row."""
        if row.box == PlainBox.name:
            return sealed
        if self.box.name == PlainBox.name:
            raise CaseStoreError(f"{self.place.shown} holds contents that were sealed by {row.box[:40]!r}; give the key that they need")
        return self.box.at(PLACE, row.id).open(sealed)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def open_store(place: Place, box: ContentBox | None = None) -> CaseStore:
    """The store at that place, of this program's version.

    Raises UnreadableInputError where none is there, StoreVersionError for another version, MissingExtraError for a missing driver.
    """
    engine = engine_of(place)
    check_version(engine, place)
    return CaseStore(place, box or PlainBox(), engine)


def locked(session: Session, number: int) -> CaseRow:
    """The case, locked for this transaction. Raises UnknownCaseError."""
    case = session.scalars(select(CaseRow).where(CaseRow.number == number).with_for_update()).one_or_none()
    if case is None:
        raise UnknownCaseError(f"there is no {case_name(number)}; see stillwatch case list")
    return case


def check_state(case: CaseRow, acting: Acting, states: Sequence[Status] = (Status.OPEN,)) -> None:
    """Nothing for a case in one of `states` and of the version that is expected; else CaseStateError or StaleCaseError."""
    name = case_name(case.number)
    if acting.expected is not None and acting.expected != case.version:
        raise StaleCaseError(
            f"{name} has version {case.version} and you looked at {acting.expected}: somebody changed it since; see stillwatch case "
            f"timeline {name}, then repeat with --version {case.version}"
        )
    if case.status in states:
        return
    if case.merged_into is not None:
        raise CaseStateError(f"{name} was merged into {case_name(case.merged_into)}; work there")
    raise CaseStateError(
        f"{name} is {case.status}; this needs a case that is {' or '.join(states)}"
        + (f"; open it again with: stillwatch case reopen {name}" if case.status == Status.CLOSED else "")
    )


class Change:
    """A case within the transaction that changes it.

    Attributes:
        session: of the transaction.
        case: the row.
        acting: who and when.
        box: what contents are sealed with.
    """

    def __init__(self, session: Session, case: CaseRow, acting: Acting, box: ContentBox) -> None:
        self.session = session
        self.case = case
        self.acting = acting
        self.box = box

    def act(self, name: str, detail: dict[str, Any], *, words: str | None = None) -> ActRow:
        """Write a line of the timeline: what was done, chained to the line before. Words of the person are stored as a content."""
        said = None if words is None else put_content(self.session, self.box, words.encode("utf-8", "surrogatepass"), WORDS)
        before = self.session.scalars(
            select(ActRow.sha256).where(ActRow.case_number == self.case.number, ActRow.number == self.case.version)
        ).one_or_none()
        row = ActRow(
            case_number=self.case.number,
            number=self.case.version + 1,
            at=self.acting.at,
            by=self.acting.by,
            act=name,
            detail=detail | ({"words_commitment": said.commitment} if said else {}),
            words_id=said.id if said else None,
            previous=before or FIRST,
            log_wanted=self.acting.logged,
        )
        row.sha256 = act_sha256(row, self.case.uid)
        self.session.add(row)
        self.case.version, self.case.changed_at = row.number, self.acting.at
        self.session.flush()
        return row


def act_sha256(row: ActRow, uid: str) -> str:
    """What chains an act to the next: over its canonical JSON, the case's uid and the hash before it among it."""
    return hashlib.sha256(canonical_json(act_content(row, uid))).hexdigest()


def act_content(row: ActRow, uid: str) -> dict[str, Any]:
    """An act as it is hashed."""
    return {
        "case": uid,
        "number": row.number,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "by": storable(row.by),
        "act": row.act,
        "detail": storable(row.detail),
        "previous": row.previous,
    }


def put_content(session: Session, box: ContentBox, content: bytes, media_type: str, *, shared: bool = False) -> ContentRow:
    """Store a content; where it may be `shared`, the one that is there already with the same sha256."""
    digest = hashlib.sha256(content).hexdigest()
    if shared:
        there = session.scalars(
            select(ContentRow).where(ContentRow.sha256 == digest, ContentRow.media_type == media_type, ContentRow.box == box.name).limit(1)
        ).one_or_none()
        if there is not None:
            return there
    salt, uid = secrets.token_bytes(SALT_BYTES), str(uuid.uuid4())
    row = ContentRow(
        id=uid,
        media_type=media_type,
        box=box.name,
        size=len(content),
        commitment=commitment(salt, content),
        sha256=None if media_type == KEY else digest,
        salt=salt,
        sealed=box.at(PLACE, uid).seal(content),
    )
    session.add(row)
    session.flush()
    return row


def family(session: Session, number: int) -> list[int]:
    """The case and all that were merged into it, over any number of steps."""
    numbers, new = [number], [number]
    while new:
        new = list(session.scalars(select(CaseRow.number).where(CaseRow.merged_into.in_(new)).order_by(CaseRow.number)))
        numbers += new
    return numbers


def count_of(session: Session, statement: Any) -> int:
    """How many rows a selection has."""
    return session.scalar(select(func.count()).select_from(statement.subquery())) or 0
