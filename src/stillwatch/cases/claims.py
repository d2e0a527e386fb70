"""What a new claim brings into a case, as values; the app makes them of results of a scan or a proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MOST_TIES = 5_000
"""Traces that are kept of one finding, the most telling ones; how many were left out is noted."""
LONGEST_TRACE = 500

INFRASTRUCTURE = frozenset({"network", "asn", "tls", "user_agent", "payment", "email_domain", "org", "release"})
"""Kinds of traces that are networks, software, payment or organisation; the others are wording and conduct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A scan or a proof.

    Attributes:
        kind: `scan` or `verdict`.
        name: of the folder or file, without its path.
        sha256: of `run.json` or `verdict.json`.
        made_at: when it was made.
        facts: versions, settings, seeds, inputs and results by hash.
    """

    kind: str
    name: str
    sha256: str
    made_at: datetime
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """An account of the entity."""

    account_id: str
    membership: float
    reasons: tuple[str, ...]
    exchanges: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTie:
    """A trace that ties members; `key` is the sha256 of its kind and value."""

    key: str
    kind: str
    trace: str
    accounts: int
    sharing: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExhibit:
    """Something to be shown.

    Attributes:
        kind: `rows`, `file`, `note`, `finding` or `verdict`.
        label: in a few words; no text of exchanges.
        media_type: of the content.
        content: the bytes.
        private: whether it may hold text of requests, answers or customers, so that listings mask it.
        rows: how many, where it has rows.
        facts: where it comes from: file names, hashes, selection.
    """

    kind: str
    label: str
    media_type: str
    content: bytes = field(repr=False)
    private: bool
    rows: int | None = None
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClaim:
    """What a finding or verdict says.

    Attributes:
        source: place of its source in the list that it is given with.
        kind: `account`, `group` or `verdict`.
        entity_id: of the scan; a verdict's suspect.
        uid: of the finding, or the plan's hash.
        title, statement: in words, without text of exchanges; very long ones are cut, and the exhibit holds all.
        severity: of the finding; `none` for a verdict.
        numbers: as found, each under its name.
        ordinary: ordinary explanations.
        members, ties: of the entity; none for a verdict.
        ties_left_out: traces beyond MOST_TIES.
        exhibit: all of the finding or verdict.
    """

    source: int
    kind: str
    entity_id: str
    uid: str
    title: str
    statement: str
    severity: str
    numbers: dict[str, Any]
    ordinary: tuple[str, ...]
    members: tuple[NewMember, ...]
    ties: tuple[NewTie, ...]
    ties_left_out: int
    exhibit: NewExhibit


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """Something to do; `due_days` after the case was made."""

    title: str
    detail: str = ""
    due_days: float | None = None
