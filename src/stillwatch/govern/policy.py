"""The governance file: people, roles, what each may do, and how long each class of data is kept. Pure: it is given text."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from stillwatch.govern.people import Role, people_of, person
from stillwatch.govern.refusals import DeniedError, PersonError, PolicyError

FORMAT = "stillwatch-governance-1"
LARGEST = 256 * 1024
_SECTIONS = frozenset({"format", "people", "acts", "approvals", "retention"})
_LONGEST_DAYS, _LONGEST_HOURS = 36_500, 24 * 30


class Act(StrEnum):
    """What the policy lets people do, or not."""

    SEE_FINDINGS = "see_findings"
    OPEN_TEXT = "open_text"
    EXPORT_FINDINGS = "export_findings"
    REQUEST_TEXT_EXPORT = "request_text_export"
    APPROVE_TEXT_EXPORT = "approve_text_export"
    REQUEST_SUSPENSION = "request_suspension"
    APPROVE_SUSPENSION = "approve_suspension"
    LIFT_SUSPENSION = "lift_suspension"
    HOLD = "hold"
    ERASE = "erase"
    RETAIN = "retain"
    GIVE_ACCESS = "give_access"
    ROTATE_KEY = "rotate_key"


class DataClass(StrEnum):
    """What retention tells apart."""

    SCAN_RESULTS = "scan_results"
    EXHIBITS = "exhibits"
    WORK_FOLDERS = "work_folders"
    QUARANTINE = "quarantine"
    WITHHELD_TWINS = "withheld_twins"
    CASE_TEXT = "case_text"
    LOG_CONTENTS = "log_contents"
    EXPORTS = "exports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a governance file says.

    Attributes:
        people: name to roles.
        acts: act to the roles that may do it.
        approval_hours: that a request waits for its second person.
        days: class of data to days that it is kept; 0: no end.
        sha256: of the file.
        place: of the file, for messages.
    """

    people: Mapping[str, frozenset[Role]] = field(default_factory=dict[str, frozenset[Role]])
    acts: Mapping[Act, frozenset[Role]]
    approval_hours: int
    days: Mapping[DataClass, int]
    sha256: str
    place: str

    def check(self, act: Act, name: str) -> str:
        """The person's one spelling where the policy lets them do this.

        Raises PersonError for a name nobody may go by, DeniedError for a stranger and for roles that do not suffice.
        """
        who = person(name)
        roles = self.people.get(who)
        if roles is None:
            known = "it names nobody yet" if not self.people else "add them there, or correct the name"
            raise DeniedError(f"{who} is not among the people of {self.place}; {known}")
        allowed = self.acts[act]
        if not roles & allowed:
            has, needs = ", ".join(sorted(roles)) or "no role", " or ".join(sorted(allowed)) or "nobody"
            raise DeniedError(f"{who} ({has}) may not {act.value.replace('_', ' ')}: {self.place} lets {needs} do it; ask one of them")
        return who


def parse_policy(text: str, place: str, shipped: str) -> Policy:
    """The policy of a governance file; what it leaves out stands as in `shipped`, the file that comes with the program.

    Raises PolicyError, naming `place`, for unknown names and values that cannot be kept to, PersonError for its people.
    """
    given, base = _toml(text, place), _toml(shipped, "the shipped policy")
    acts = _section(base, "acts") | _section(given, "acts", place)
    days = _section(base, "retention") | _section(given, "retention", place)
    hours = (_section(base, "approvals") | _section(given, "approvals", place)).get("hours")
    people = {name: _texts(roles, f"{place}: the roles of {name!a}") for name, roles in _section(given, "people", place).items()}
    _known("acts", acts, Act, place)
    _known("retention", days, DataClass, place)
    return Policy(
        people=people_of(people, place),
        acts={act: frozenset(_role(role, f"{place}: acts.{act}") for role in _texts(acts[act], f"{place}: acts.{act}")) for act in Act},
        approval_hours=_whole(hours, 1, _LONGEST_HOURS, f"{place}: approvals.hours"),
        days={kind: _whole(days[kind], 0, _LONGEST_DAYS, f"{place}: retention.{kind}") for kind in DataClass},
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        place=place,
    )


def _toml(text: str, place: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError(f"{place} is no TOML: {error}; see `stillwatch govern init`") from None
    if found.get("format") != FORMAT:
        raise PolicyError(
            f"{place} has the format {ascii(found.get('format'))[:60]}, {FORMAT!r} was expected; see `stillwatch govern init`"
        )
    unknown = sorted(set(found) - _SECTIONS)
    if unknown:
        raise PolicyError(
            f"{place} has {ascii(unknown[0])[:60]}, which no governance file has; sections are {', '.join(sorted(_SECTIONS))}"
        )
    return found


def _section(found: Mapping[str, Any], name: str, place: str = "the shipped policy") -> dict[str, Any]:
    section = found.get(name, {})
    if not isinstance(section, dict):
        raise PolicyError(f"{place}: {name} is {type(section).__name__}, a table was expected; write it as [{name}]")
    return cast("dict[str, Any]", section)


def _known(section: str, given: Iterable[str], names: type[StrEnum], place: str) -> None:
    unknown = sorted(set(given) - {each.value for each in names})
    if unknown:
        raise PolicyError(f"{place}: {section} names {ascii(unknown[0])[:60]}; it takes {', '.join(names)}")


def _texts(value: Any, place: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise PolicyError(f'{place} are no list of texts; write them as ["analyst"]')
    return cast("list[str]", value)


def _role(name: str, place: str) -> Role:
    if name not in set(Role):
        raise PersonError(f"{place} names the role {ascii(name)[:40]}; roles are {', '.join(Role)}")
    return Role(name)


def _whole(value: Any, least: int, most: int, place: str) -> int:
    if type(value) is not int or not least <= value <= most:
        raise PolicyError(f"{place} is {ascii(value)[:40]}; it takes a whole number from {least} to {most:,}")
    return value
