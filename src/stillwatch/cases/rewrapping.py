"""Contents of the whole store under the vault's present key: plain ones are sealed, sealed ones are wrapped anew, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stillwatch.cases.box import ContentBox, PlainBox
from stillwatch.cases.refusals import CaseStoreError
from stillwatch.cases.store import PLACE, CaseStore
from stillwatch.cases.tables import ContentRow
from stillwatch.ledger.entries import commitment

BATCH = 100
"""Contents that are changed in one transaction: others who work in the store wait for no longer than these take."""


class WrappingBox(ContentBox, Protocol):
    """A box whose key can be changed without the content being encrypted anew."""

    def at(self, *place: str) -> WrappingBox:
        """See ContentBox."""
        ...

    def rewrap(self, sealed: bytes) -> bytes:
        """The same content under the key in use; raises a StillwatchError as `open`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """What became of every content: `contents` is the sum of the others.

    Attributes:
        contents: in the store when it began.
        sealed: that were plain.
        rewrapped: that were under another key.
        already: that were under the key in use, those of an interrupted run among them.
        erased: that hold nothing any longer.
    """

    contents: int
    sealed: int
    rewrapped: int
    already: int
    erased: int


def rewrap(store: CaseStore, box: WrappingBox, *, batch: int = BATCH) -> Rewrapped:
    """Bring every content under the box's key. What is done stays done: an interrupted run is run again, and goes on.

    Every content that is changed is opened once and held against its commitment.

    Raises CaseStoreError for one that cannot be read, naming it, with all batches before it kept.
    """
    counts = dict[str, int](sealed=0, rewrapped=0, already=0, erased=0)
    for ids in _batches(store, batch):
        with store.writing() as session:
            done = [_under(session, store, box, uid) for uid in ids]
        for fate in done:
            counts[fate] += 1
    return Rewrapped(contents=sum(counts.values()), **counts)


def left_behind(store: CaseStore, box: ContentBox) -> int:
    """Contents that are not under the box's key now: such as somebody put in meanwhile who works with another one."""
    wanted = select(func.count()).select_from(ContentRow).where(ContentRow.sealed.is_not(None), ContentRow.box != box.name)
    with store.reading() as session:
        return session.scalar(wanted) or 0


def _batches(store: CaseStore, batch: int) -> Iterator[Sequence[str]]:
    last = ""
    while True:
        with store.reading() as session:
            ids = session.scalars(select(ContentRow.id).where(ContentRow.id > last).order_by(ContentRow.id).limit(batch)).all()
        if not ids:
            return
        yield ids
        last = ids[-1]


def _under(session: Session, store: CaseStore, box: WrappingBox, uid: str) -> str:
    row = session.scalars(select(ContentRow).where(ContentRow.id == uid).with_for_update()).one()
    if row.sealed is None or row.salt is None:
        return "erased"
    if row.box == box.name:
        return "already"
    here, plain = box.at(PLACE, uid), row.box == PlainBox.name
    content = row.sealed if plain else here.open(row.sealed)
    if commitment(row.salt, content) != row.commitment:
        raise CaseStoreError(f"content {uid} in {store.place.shown} is not the one that was stored; restore the store from a copy")
    row.sealed, row.box = here.seal(content) if plain else here.rewrap(row.sealed), box.name
    return "sealed" if plain else "rewrapped"
