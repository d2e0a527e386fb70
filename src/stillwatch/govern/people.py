"""People and their names: one person is one name, however it is spelled, and no two names may be taken for each other. Pure.

A name is a login, and no display name: ASCII letters, digits and `. _ - @ +`. Capitals, outer blanks and compatibility forms (full-width
letters) are one spelling of the same; letters of other scripts are refused, because some of them look like others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum

from stillwatch.govern.refusals import PersonError

LONGEST_NAME = 100
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]*[a-z0-9])?", re.ASCII)
_TAG = re.compile(r"\+[^@]*")
_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "8": "b"})


class Role(StrEnum):
    """What a person may be."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"


def person(name: str) -> str:
    """The one spelling of a name. Raises PersonError for a name that nobody may go by."""
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    if not 1 <= len(plain) <= LONGEST_NAME or _NAME.fullmatch(plain) is None:
        raise PersonError(
            f"{ascii(name)[:80]} is no name that a person can go by here: 1 to {LONGEST_NAME} ASCII letters, digits and . _ - @ +, "
            "beginning and ending with a letter or digit; use the person's login or address"
        )
    return plain


def same_person(one: str, other: str) -> bool:
    """Whether two names could be one person's: they are spelled alike, or could be taken for each other."""
    return _looks(person(one)) == _looks(person(other))


def _looks(name: str) -> str:
    """What a name looks like: signs that are taken for each other are one, tags of addresses and punctuation are nothing."""
    return re.sub(r"[._-]", "", _TAG.sub("", name).translate(_ALIKE).replace("rn", "m").replace("vv", "w"))


def people_of(given: Mapping[str, Iterable[str]], place: str) -> dict[str, frozenset[Role]]:
    """People by name, with their roles.

    Raises PersonError, naming `place`, for a name nobody may go by, an unknown role, and two names that could be taken for each other.
    """
    people: dict[str, frozenset[Role]] = {}
    looks: dict[str, str] = {}
    for name, roles in given.items():
        known = person(name)
        look = _looks(known)
        if look in looks:
            raise PersonError(f"{place}: {name!a} and {looks[look]!a} could be taken for each other; give each person one name")
        looks[look] = name
        people[known] = frozenset(_role(role, f"{place}: {name!a}") for role in roles)
    return people


def _role(name: str, place: str) -> Role:
    if name not in set(Role):
        raise PersonError(f"{place} has the role {ascii(name)[:40]}; roles are {', '.join(Role)}")
    return Role(name)
