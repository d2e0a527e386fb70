"""What is due to go, what is kept, and what a hold stops. Pure: it is given what there is and what the log says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from stillwatch.govern.approvals import Recorded
from stillwatch.govern.policy import DataClass
from stillwatch.ledger.refusals import HeldError
from stillwatch.records.evidence import Hold, Release

_SHORTEST = 4
"""Shorter identifiers are looked for as whole values and not within sentences: there, `7` is a number."""


class Fate(StrEnum):
    """What happens to something that is kept."""

    DUE = "due"
    KEPT = "kept"
    HELD = "held"
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Something that is kept.

    Attributes:
        name: of the folder, file or record.
        data_class: that it belongs to.
        made_at: when it was made, UTC.
        names: whether it speaks of an account; where that cannot be told it says yes.
    """

    name: str
    data_class: DataClass
    made_at: datetime
    names: Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What becomes of a holding, and why, in words."""

    holding: Holding
    fate: Fate
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Holds that stand, by the index of their record."""

    standing: Mapping[int, tuple[Hold, frozenset[int]]]

    def on(self, holding: Holding) -> int | None:
        """The first hold that keeps something outside the log; None: none does."""
        for index, (hold, records) in self.standing.items():
            if not hold.accounts and not hold.classes:
                if not records:
                    return index
            elif holding.data_class in hold.classes or any(holding.names(account) for account in hold.accounts):
                return index
        return None

    def on_account(self, account: str) -> int | None:
        """The first hold that forbids to erase what is held about an account; any hold on a whole class does."""
        for index, (hold, records) in self.standing.items():
            if account in hold.accounts or hold.classes or (not records and not hold.accounts):
                return index
        return None

    def on_record(self, index: int, content: object) -> int | None:
        """The first hold that keeps a record of the log."""
        for held_by, (hold, records) in self.standing.items():
            scoped = bool(hold.accounts or hold.classes)
            if index in records or (not records and not scoped) or DataClass.LOG_CONTENTS in hold.classes:
                return held_by
            if any(mentions(content, account) for account in hold.accounts):
                return held_by
        return None


def holds_of(records: Iterable[Recorded]) -> Holds:
    """The holds of a log that were not released."""
    standing: dict[int, tuple[Hold, frozenset[int]]] = {}
    for recorded in records:
        if isinstance(recorded.record, Hold):
            standing[recorded.index] = (recorded.record, frozenset(recorded.concerns))
        elif isinstance(recorded.record, Release):
            for index in recorded.concerns:
                standing.pop(index, None)
    return Holds(standing=standing)


def judged(holdings: Iterable[Holding], days: Mapping[DataClass, int], holds: Holds, now: datetime) -> list[Judged]:
    """What becomes of every holding at `now`."""
    return [_judged(holding, days[holding.data_class], holds, now) for holding in holdings]


def _judged(holding: Holding, days: int, holds: Holds, now: datetime) -> Judged:
    age = (now - holding.made_at).days
    if days == 0:
        return Judged(holding=holding, fate=Fate.UNLIMITED, why=f"{age:,} days old; no period is set for {holding.data_class}")
    if now - holding.made_at <= timedelta(days=days):
        return Judged(holding=holding, fate=Fate.KEPT, why=f"{age:,} days old, kept for {days:,}")
    held_by = holds.on(holding)
    if held_by is not None:
        return Judged(holding=holding, fate=Fate.HELD, why=f"{age:,} days old, kept for {days:,}, and held by record {held_by}")
    return Judged(holding=holding, fate=Fate.DUE, why=f"{age:,} days old, kept for {days:,}")


def check_free(holds: Holds, account: str) -> None:
    """Nothing where no hold forbids to erase what is held about an account; else HeldError."""
    index = holds.on_account(account)
    if index is not None:
        raise HeldError(
            f"what is held about the account is held by record {index}; nothing was erased; release the hold first, where that is lawful"
        )


def mentions(value: object, account: str) -> bool:
    """Whether a text, or any text within lists and objects, is the account's identifier or holds it as a word of its own."""
    if isinstance(value, str):
        return value == account or (len(account) >= _SHORTEST and word(account).search(value) is not None)
    if isinstance(value, Mapping):
        return any(mentions(inner, account) for pair in cast("Mapping[Any, Any]", value).items() for inner in pair)
    if isinstance(value, list | tuple):
        return any(mentions(inner, account) for inner in cast("list[object]", value))
    return False


def without(value: Any, account: str, instead: str) -> Any:
    """A JSON value in which the account's identifier is replaced wherever `mentions` finds it."""
    if isinstance(value, str):
        if value == account:
            return instead
        return word(account).sub(lambda _: instead, value) if len(account) >= _SHORTEST else value
    if isinstance(value, dict):
        return {name: without(inner, account, instead) for name, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [without(inner, account, instead) for inner in cast("list[Any]", value)]
    return value


def word(account: str) -> re.Pattern[str]:
    """An identifier as a word of its own: `acct_1` is not in `acct_12`."""
    return re.compile(rf"(?<![\w.@+-]){re.escape(account)}(?![\w@+-])")
