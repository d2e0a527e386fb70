"""Words and choices of people that a case holds: bounded, and checked before anything is stored."""

from __future__ import annotations

import re
from enum import StrEnum

from stillwatch.cases.refusals import UnknownCaseError
from stillwatch.errors import UsageError

LONGEST_NAME = 100
LONGEST_TITLE = 300
LONGEST_WORDS = 20_000
MOST_DAYS = 366
_CASE = re.compile(r"(?:case-)?([1-9][0-9]{0,8})", re.ASCII)


class Status(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


def case_number(given: str) -> int:
    """The number in `case-12` or `12`. Raises UnknownCaseError for other text."""
    found = _CASE.fullmatch(given.strip())
    if found is None:
        raise UnknownCaseError(f"{given[:40]!r} names no case; a case is named as case-12, see stillwatch case list")
    return int(found.group(1))


def case_name(number: int) -> str:
    """`case-12`."""
    return f"case-{number}"


def person(given: str, what: str = "--as") -> str:
    """A person's name as it is recorded. Raises UsageError for an empty, long or unprintable one."""
    name = given.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{what} is {name[:40]!r}; a name has 1 to {LONGEST_NAME} printable characters")
    return name


def bounded(text: str, what: str, longest: int = LONGEST_WORDS) -> str:
    """The text, stripped. Raises UsageError for an empty or too long one."""
    kept = text.strip()
    if not kept or len(kept) > longest:
        raise UsageError(f"{what} has {len(kept):,} characters; it takes 1 to {longest:,}")
    return kept
