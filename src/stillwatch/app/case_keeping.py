"""Cases under retention, erasure by account and subject access: which contents go, which stay and why, what an account may see of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stillwatch.app.casework import Desk, store_place
from stillwatch.app.governance import Keeper
from stillwatch.app.recording import Recorder
from stillwatch.cases.erasing import Erased, KeptCase, erase_account, erase_contents, kept_cases, speaks_of
from stillwatch.cases.rewrapping import left_behind, rewrap
from stillwatch.cases.store import Acting, CaseStore, open_store
from stillwatch.cases.words import case_name
from stillwatch.errors import StillwatchError
from stillwatch.govern.policy import DataClass
from stillwatch.govern.retention import Fate, Holding, Holds, Judged, judged
from stillwatch.govern.vault import Vault
from stillwatch.records.governance import Disposed
from stillwatch.records.inputs import Ground
from stillwatch.settings import case_store_address

CASE_TEXT = DataClass.CASE_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCase:
    """A case that still holds contents, and what becomes of them."""

    kept: KeptCase
    fate: Judged


@contextmanager
def named_store(given: str | None, vault: Vault | None) -> Generator[CaseStore | None]:
    """The case store of --cases, else of STILLWATCH_CASES, open while the block runs; None where neither names one."""
    if given is None and case_store_address() is None:
        yield None
        return
    store = open_store(store_place(given), None if vault is None else vault.box("case store"))
    try:
        yield store
    finally:
        store.close()


def encrypt_store(given: str | None, vault: Vault) -> dict[str, Any]:
    """Bring every content of the case store under the vault's present key; counts that add up to `contents`, and what is left."""
    store, box = open_store(store_place(given), vault.box("case store")), vault.box("case store")
    try:
        done = rewrap(store, box)
        return {"case_store": store.place.shown, **asdict(done), "key_id": vault.key_id, "left_behind": left_behind(store, box)}
    finally:
        store.close()


def judged_cases(store: CaseStore | None, days: Mapping[DataClass, int], holds: Holds, now: datetime) -> list[JudgedCase]:
    """What becomes of the contents of every case that has any. The period counts from the day on which a case was closed.

    A content goes with the last case that shows it: what is due is narrowed to the contents that no case that stays shows.
    """
    if store is None:
        return []
    found = [JudgedCase(kept=kept, fate=_judged(store, kept, days, holds, now)) for kept in kept_cases(store) if kept.contents]
    taken = {content for one in found if one.fate.fate is not Fate.DUE for content in one.kept.contents}
    for place, one in enumerate(found):
        if one.fate.fate is Fate.DUE:
            found[place] = _narrowed(one, taken)
            taken |= set(one.kept.contents)
    return found


def _narrowed(one: JudgedCase, taken: set[str]) -> JudgedCase:
    """A case that is due without what another one keeps, or takes along."""
    contents = tuple(content for content in one.kept.contents if content not in taken)
    fate = one.fate
    if not contents:
        fate = replace(
            fate, fate=Fate.KEPT, why=f"{fate.why}; other cases that are kept or go now show its {len(one.kept.contents)} contents"
        )
    return JudgedCase(kept=replace(one.kept, contents=contents), fate=fate)


def _judged(store: CaseStore, kept: KeptCase, days: Mapping[DataClass, int], holds: Holds, now: datetime) -> Judged:
    def names(account: str) -> bool:
        return speaks_of(store, kept, account)

    holding = Holding(name=case_name(kept.number), data_class=CASE_TEXT, made_at=kept.ended_at or kept.changed_at, names=names)
    if kept.ended_at is None:
        age = (now - kept.changed_at).days
        return Judged(
            holding=holding, fate=Fate.KEPT, why=f"it is open, last changed {age:,} days ago; its period begins when it is closed"
        )
    return judged([holding], days, holds, now)[0]


def disposed_cases(found: list[JudgedCase]) -> list[Disposed]:
    """What the record of the disposal says of the cases that are due."""
    due = [one.kept for one in found if one.fate.fate is Fate.DUE]
    return [Disposed(name=case_name(kept.number), data_class=CASE_TEXT.value, rows=len(kept.contents)) for kept in due]


def erase_due(keeper: Keeper, store: CaseStore | None, found: list[JudgedCase], *, by: str, disposal: int | None) -> int:
    """Erase the contents of the cases that are due, each with an act in its timeline that the log holds too; how many went.

    What is shown in a case that stays is left. Raises StaleCaseError where a case moved on since it was judged.
    """
    due = [one.kept for one in found if one.fate.fate is Fate.DUE]
    if store is None or not due:
        return 0
    numbers = [kept.number for kept in due]
    gone = sum(
        erase_contents(store, kept.number, _acting(keeper, by, kept), numbers, ground=Ground.RETENTION, disposal=disposal).contents
        for kept in due
    )
    _settle(keeper, store)
    return gone


def erased_cases(
    keeper: Keeper, store: CaseStore | None, account: str, *, by: str, ground: Ground, disposal: int | None
) -> tuple[list[Disposed], list[str]]:
    """Erase what closed cases hold about an account: what went, and what is left and why, in sentences."""
    items: list[Disposed] = []
    left: list[str] = []
    for kept in kept_cases(store) if store is not None else ():
        if store is None or not speaks_of(store, kept, account):
            continue
        name = case_name(kept.number)
        if kept.ended_at is None:
            left.append(f"{name}: it is open and rests on what it holds about the account; close it, then run this again")
            continue
        try:
            gone = erase_account(store, kept, _acting(keeper, by, kept), account, ground=ground, disposal=disposal)
        except StillwatchError as error:
            left.append(f"{name}: {error}")
            continue
        items += _disposed(name, gone)
        left += _left(store, kept, gone, account)
    if store is not None and items:
        _settle(keeper, store)
    return items, left


def _disposed(name: str, gone: Erased) -> list[Disposed]:
    rows = gone.contents + gone.members
    return [Disposed(name=name, data_class=CASE_TEXT.value, rows=rows)] if rows else []


def _left(store: CaseStore, kept: KeptCase, gone: Erased, account: str) -> Iterator[str]:
    name = case_name(kept.number)
    if gone.acts:
        acts = ", ".join(map(str, gone.acts[:10]))
        yield f"{name}: its timeline names the account in {len(gone.acts)} acts ({acts}); they are chained, and stay"
    after = next(one for one in kept_cases(store) if one.number == kept.number)
    shared = [uid for uid in after.contents if uid in kept.contents]
    if not gone.acts and shared and speaks_of(store, after, account):
        yield f"{name}: a content that an open case shows as well names the account; close that one, then run this again"


def _acting(keeper: Keeper, by: str, kept: KeptCase) -> Acting:
    return Acting(by=by, at=keeper.clock().astimezone(UTC), logged=True, expected=kept.version)


def _settle(keeper: Keeper, store: CaseStore) -> None:
    recorder = Recorder(folder=keeper.folder, signers=keeper.signers, clock=keeper.clock)
    Desk(store=store, clock=keeper.clock, recorder=recorder).settle()


def held_in_cases(store: CaseStore | None, account: str) -> Iterator[dict[str, Any]]:
    """What every case holds about an account, as a subject may see it: its own membership, rows and text, and what was decided."""
    from stillwatch.cases.subjects import held_about

    if store is not None:
        for number, rows in held_about(store, account):
            yield {"where": case_name(number), "class": CASE_TEXT.value, "rows": rows}
