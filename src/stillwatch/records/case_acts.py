"""What the evidence log records of work on a case: a line of its timeline."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAct:
    """A line of a case's timeline. Words of people and contents of exhibits are there as commitments.

    Attributes:
        case: uid of the case.
        number: of the act within the case, from 1.
        at: when, ISO 8601, UTC.
        by: who.
        act: what was done, such as `exhibit_added`.
        detail: of what: ids, counts, codes, commitments.
        previous: sha256 of the act before it; 64 zeros before the first.
        act_sha256: of the canonical JSON of all of these but itself.
    """

    case: str
    number: int
    at: str
    by: str
    act: str
    detail: dict[str, object]
    previous: str
    act_sha256: str
