"""Opens the case store for a command, says who acts and when, and takes every act into the evidence log."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select, update

from stillwatch.app.governance import allowed
from stillwatch.app.recording import PATIENCE_S, Recorder, act, writing
from stillwatch.app.vaulting import load_vault
from stillwatch.cases.box import ContentBox, PlainBox
from stillwatch.cases.opening import Place, place_of
from stillwatch.cases.store import Acting, CaseStore, act_content, open_store
from stillwatch.cases.tables import ActRow, CaseRow
from stillwatch.cases.words import person
from stillwatch.errors import StillwatchError, UsageError
from stillwatch.govern.policy import Act
from stillwatch.records.evidence import CaseAct
from stillwatch.settings import actor_name, case_store_address

Result = TypeVar("Result")

DEFAULT_STORE = "cases.db"
_BATCH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command works with.

    Attributes:
        store: the open store.
        clock: gives the time, UTC.
        recorder: the evidence log that acts are recorded in; None: none.
    """

    store: CaseStore
    clock: Callable[[], datetime]
    recorder: Recorder | None = None

    def acting(self, by: str | None, *, expected: int | None = None) -> Acting:
        """Who acts, now. Raises UsageError where nobody is named."""
        name = by if by is not None else actor_name()
        if name is None:
            raise UsageError("who does this? name yourself with --as NAME, or set STILLWATCH_ACTOR")
        return Acting(by=person(name), at=self.clock().astimezone(UTC), logged=self.recorder is not None, expected=expected)

    def may(self, wanted: Act, by: str) -> None:
        """Nothing where no governance file is named, or it lets this person; else DeniedError or PersonError."""
        allowed(wanted, by)

    def do(self, by: str | None, work: Callable[[Acting], Result], *, expected: int | None = None) -> Result:
        """Do something, and then take it into the log, with all that an interrupted command left behind."""
        acting = self.acting(by, expected=expected)
        done = work(acting)
        self.settle()
        return done

    def settle(self) -> int:
        """Take every act into the log that was to have a record there and has none; how many.

        An act is kept in the store first. What is interrupted between the two is taken in by the next command that names the log; it may
        then stand there twice, under one hash.
        """
        if self.recorder is None:
            return 0
        try:
            return _settle(self.store, self.recorder)
        except StillwatchError as error:
            error.add_note("the act itself is kept in the case store, and the next command with --log takes it into the log")
            raise


@contextmanager
def desk(given: str | None, *, clock: Callable[[], datetime], recorder: Recorder | None = None) -> Generator[Desk]:
    """The store that a command names, open while the block runs."""
    store = open_store(store_place(given), _box())
    try:
        yield Desk(store=store, clock=clock, recorder=recorder)
    finally:
        store.close()


def _box() -> ContentBox:
    """What contents are sealed with: the vault of STILLWATCH_VAULT_KEY where it is set."""
    vault = load_vault(None)
    return PlainBox() if vault is None else vault.box("case store")


def store_place(given: str | None) -> Place:
    """Where the store lies: as the command says, else the environment, else `cases.db` here.

    Raises UsageError for an address on the command line that holds a password: others can read it there.
    """
    if given is None:
        return place_of(case_store_address() or DEFAULT_STORE)
    place = place_of(given)
    if place.url.password:
        raise UsageError(
            f"the address of {place.shown} holds a password, and a command line can be read by others; set STILLWATCH_CASES, PGPASSWORD or "
            "a password file instead"
        )
    return place


def _settle(store: CaseStore, recorder: Recorder) -> int:
    """The log's lock is held from looking to noting, so that two commands do not take the same act in."""
    taken = 0
    with writing(recorder.folder, recorder.signers, patience_s=PATIENCE_S) as writer:
        while waiting := _waiting(store):
            first = writer.append([act(record) for _, record in waiting], at=recorder.clock())
            with store.writing() as session:
                for place, (row, _) in enumerate(waiting):
                    session.execute(update(ActRow).where(ActRow.id == row).values(log_index=first + place))
            taken += len(waiting)
    return taken


def _waiting(store: CaseStore) -> list[tuple[int, CaseAct]]:
    wanted = (
        select(ActRow, CaseRow.uid)
        .join(CaseRow, CaseRow.number == ActRow.case_number)
        .where(ActRow.log_wanted, ActRow.log_index.is_(None))
        .order_by(ActRow.id)
        .limit(_BATCH)
    )
    with store.reading() as session:
        return [(row.id, _record(row, uid)) for row, uid in session.execute(wanted)]


def _record(row: ActRow, uid: str) -> CaseAct:
    content = act_content(row, uid)
    return CaseAct(**content, act_sha256=row.sha256)
