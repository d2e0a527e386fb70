"""What a match is worth: how many of one's own accounts carry an indicator decides whether it says anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from stillwatch.share.indicators import KINDS
from stillwatch.share.matching import Indicator, Seen, account_counts, carriers
from stillwatch.share.profile import Profile

COMMON = 0.01
"""What a larger share of one's own accounts carries is common: shared software would give as much."""

FEWEST_ACCOUNTS = 100
"""With fewer accounts a single one is more than COMMON of them, and nothing can be told from common software."""

SEVERAL = 3
"""Rare indicators of one group on one account: single ones meet by chance."""

FEWEST_HOURS_EXCHANGES = 100
"""With fewer exchanges the hours of a week say nothing."""

_ORDINARY = {kind.name: kind.ordinary for kind in KINDS}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OBSERVATION = (
    "A match is an observation and no accusation. Rare indicators are a reason to look at what carries them; common ones are what shared "
    "software gives, and say nothing about an account."
)


class Worth(StrEnum):
    """What an indicator's occurrence says, the most telling first."""

    RARE = "rare"
    SINGLE = "single"
    COMMON = "common"
    UNWEIGHED = "unweighed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedIndicator:
    """One indicator of the profile in one's own traffic.

    Attributes:
        group: id of the profile's group.
        kind, value: as in the profile.
        worth: rare, common (more than 1 % of one's own accounts carry it), unweighed (fewer than 100 accounts) or absent.
        exchanges, accounts: of one's own that carry it.
        share: of one's own accounts.
        first_at, last_at: of those exchanges; None: there are none.
        ordinary: the honest explanation.
    """

    group: str
    kind: str
    value: str
    worth: Worth
    exchanges: int
    accounts: int
    share: float
    first_at: datetime | None
    last_at: datetime | None
    ordinary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedGroup:
    """A group of the profile in one's own traffic.

    Attributes:
        id: of the profile's group.
        worth: rare where one of one's own accounts carries three or more rare indicators, single where none carries so many; else of the
            most telling indicator.
        sentence: what was seen, in words.
        given, found, rare: kind to number of indicators in the profile, of those that occur, and of those that are rare.
        accounts: of one's own that carry a rare indicator.
        several: those that carry three or more.
        exchanges: that carry an indicator of text.
        hours_alike: cosine of the hours of the week of those exchanges with the profile's, 0 to 1; None: too few exchanges.
        own_hours_alike: the same of all of one's own exchanges: what any traffic would give.
    """

    id: str
    worth: Worth
    sentence: str
    given: dict[str, int]
    found: dict[str, int]
    rare: dict[str, int]
    accounts: int
    several: int
    exchanges: int
    hours_alike: float | None
    own_hours_alike: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAccount:
    """One of one's own accounts that carries rare indicators of a group; it stays with whoever matched."""

    group: str
    account_id: str
    rare: int


def weighed(profile: Profile, seen: Seen) -> tuple[tuple[MatchedIndicator, ...], tuple[MatchedGroup, ...], tuple[LocalAccount, ...]]:
    """Every indicator in the profile's order, every group, and the accounts that carry rare indicators, most of them first."""
    counts = account_counts(seen)
    worths = [_worth(int(count), len(seen.accounts)) for count in counts]
    indicators = tuple(
        _indicator(profile, indicator, seen, number, int(counts[number]), worths[number])
        for number, indicator in enumerate(seen.indicators)
    )
    # where nothing can be weighed, the accounts that carry anything are named, and the words say what that is worth
    telling = np.array([worth in (Worth.RARE, Worth.UNWEIGHED) for worth in worths], np.bool_)
    held = carriers(seen, telling)
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    numbers = _placed(seen.indicators, len(profile.groups))
    groups = tuple(_group(profile, place, seen, worths, held.get(place, none)[1], numbers[place]) for place in range(len(profile.groups)))
    local = tuple(
        LocalAccount(group=profile.groups[place].id, account_id=seen.accounts[ids[row]], rare=int(counts[row]))
        for place, (ids, counts) in sorted(held.items())
        for row in np.lexsort((ids, -counts)).tolist()
    )
    return indicators, groups, local


def _placed(indicators: Sequence[Indicator], groups: int) -> list[list[int]]:
    """The numbers of each group's indicators."""
    found: list[list[int]] = [[] for _ in range(groups)]
    for number, indicator in enumerate(indicators):
        found[indicator.group].append(number)
    return found


def _worth(accounts: int, of: int) -> Worth:
    if not accounts:
        return Worth.ABSENT
    if of < FEWEST_ACCOUNTS:
        return Worth.UNWEIGHED
    return Worth.COMMON if accounts > COMMON * of else Worth.RARE


def _indicator(profile: Profile, indicator: Indicator, seen: Seen, number: int, accounts: int, worth: Worth) -> MatchedIndicator:
    there = accounts > 0
    return MatchedIndicator(
        group=profile.groups[indicator.group].id,
        kind=indicator.kind,
        value=indicator.value,
        worth=worth,
        exchanges=int(seen.exchanges[number]),
        accounts=accounts,
        share=accounts / max(1, len(seen.accounts)),
        first_at=_EPOCH + timedelta(microseconds=int(seen.first_at[number])) if there else None,
        last_at=_EPOCH + timedelta(microseconds=int(seen.last_at[number])) if there else None,
        ordinary=_ORDINARY[indicator.kind],
    )


def _group(
    profile: Profile, place: int, seen: Seen, worths: Sequence[Worth], held: npt.NDArray[np.int64], numbers: Sequence[int]
) -> MatchedGroup:
    group = profile.groups[place]
    found = dict.fromkeys(group.indicators, 0)
    rare = dict(found)
    for number in numbers:
        found[seen.indicators[number].kind] += worths[number] is not Worth.ABSENT
        rare[seen.indicators[number].kind] += worths[number] is Worth.RARE
    exchanges = int(seen.hours[place].sum())
    enough = exchanges >= FEWEST_HOURS_EXCHANGES
    several = int((held >= SEVERAL).sum())
    most = next(worth for worth in Worth if worth is Worth.ABSENT or any(worths[number] is worth for number in numbers))
    worth = Worth.SINGLE if most is Worth.RARE and not several else most
    return MatchedGroup(
        id=group.id,
        worth=worth,
        sentence=_sentence(worth, sum(rare.values()), sum(found.values()), len(held), several),
        given={kind: len(values) for kind, values in group.indicators.items()},
        found=found,
        rare=rare,
        accounts=len(held),
        several=several,
        exchanges=exchanges,
        hours_alike=_alike(group.hours, seen.hours[place]) if enough else None,
        own_hours_alike=_alike(group.hours, seen.own_hours) if enough else None,
    )


def _sentence(worth: Worth, rare: int, found: int, accounts: int, several: int) -> str:
    if worth is Worth.ABSENT:
        return "None of its indicators was seen. That clears nobody: a group can change its wording, its software and its networks."
    if worth is Worth.UNWEIGHED:
        return (
            f"{found:,} of its indicators were seen, in a log of fewer than {FEWEST_ACCOUNTS} accounts: too few to tell rare from common."
        )
    if worth is Worth.COMMON:
        return "Only indicators were seen that more than 1 % of your accounts carry, as shared software or a public template would give."
    if worth is Worth.SINGLE:
        return (
            f"{rare:,} of its indicators are rare in your traffic and stand in exchanges of {_accounts(accounts)}, but none of these "
            f"carries {SEVERAL} or more: single ones meet by chance, so this says little."
        )
    return (
        f"{rare:,} of its indicators are rare in your traffic and stand in exchanges of {_accounts(accounts)}; {several:,} of "
        f"{'it' if accounts == 1 else 'them'} carry {SEVERAL} or more. Look at these exchanges before anything else."
    )


def _accounts(amount: int) -> str:
    return "1 account" if amount == 1 else f"{amount:,} accounts"


def _alike(profile: Sequence[float], counted: npt.NDArray[np.int64]) -> float | None:
    """Cosine of two weeks; None where one is empty. It is shown beside that of all traffic, and weighed nowhere."""
    told = np.array(profile)
    size = float(np.linalg.norm(told) * np.linalg.norm(counted))
    return round(float(told @ counted) / size, 3) if size else None
