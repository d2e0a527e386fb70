"""What the store gives of cases: frozen values, without the text of private exhibits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """A case as lists show it.

    Attributes:
        number, uid: its names here, and outside.
        status: `open`, `closed` or `merged`; `merged_into` is the number of the case that took it in.
        version: number of its last act.
        severity: the gravest of its claims.
        claims, members, open_tasks: how many; merged cases counted in.
        suppressed_until: until when the same finding is shown as suppressed; None: it is not.
    """

    number: int
    uid: str
    title: str
    status: str
    severity: str
    version: int
    assignee: str | None
    due_at: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    merged_into: int | None
    disposition: str | None
    reason: str | None
    closed_at: datetime | None
    closed_by: str | None
    suppressed_until: datetime | None
    claims: int
    members: int
    open_tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """What a finding or verdict says; `case` is where it was put in, `accounts` the first of its members, `ties` its heaviest traces."""

    id: int
    case: int
    kind: str
    entity_id: str
    uid: str
    title: str
    statement: str
    severity: str
    numbers: dict[str, Any]
    ordinary: tuple[str, ...]
    members: int
    accounts: tuple[str, ...]
    ties: tuple[TieView, ...]
    ties_left_out: int
    exhibit: int
    source: SourceView


@dataclass(frozen=True, slots=True, kw_only=True)
class TieView:
    """A trace that ties members; see `stillwatch.cases.tables.TieRow`."""

    kind: str
    trace: str
    infrastructure: bool
    accounts: int
    sharing: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """A scan or a proof; `facts` are versions, settings, seeds, inputs and results."""

    kind: str
    name: str
    sha256: str
    made_at: datetime
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhibitView:
    """An exhibit without its content; `sha256` is None where it was erased, `note` the words of a note that is not private."""

    id: int
    case: int
    kind: str
    label: str
    media_type: str
    private: bool
    rows: int | None
    bytes: int
    sha256: str | None
    commitment: str
    facts: dict[str, Any]
    added_at: datetime
    added_by: str
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """Something to do."""

    id: int
    case: int
    title: str
    detail: str
    assignee: str | None
    due_at: datetime | None
    done_at: datetime | None
    done_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActView:
    """A line of the timeline; `words` are the person's, `log_index` is its record in the evidence log."""

    case: int
    number: int
    at: datetime
    by: str
    act: str
    detail: dict[str, Any]
    words: str | None
    sha256: str
    log_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case and all that is in it, the cases that were merged into it among it."""

    summary: CaseSummary
    words: str | None
    merged: tuple[int, ...]
    linked: tuple[int, ...]
    claims: tuple[ClaimView, ...]
    exhibits: tuple[ExhibitView, ...]
    tasks: tuple[TaskView, ...]
