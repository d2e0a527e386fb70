"""Acts of governance that the evidence log records: two-person acts, what was removed outside the log, matches with profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillwatch.records.inputs import Ground, Input


class TwoPersonAct(StrEnum):
    """What one person asks for and another one approves."""

    EXPORT_TEXT = "export_text"
    SUSPEND = "suspend"


class Answer(StrEnum):
    """What the second person said."""

    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """What one person asks another one to approve.

    Attributes:
        act: what is to be done.
        by, why: who asks, and for what.
        subject_sha256: of what is to be done, exactly: the accounts and the end, or the file that is to leave. An approval names the same.
        accounts: that are to be suspended, or whose text is to leave.
        to: who is to get a text.
        file: what is to leave.
        until: end of a suspension, ISO 8601; None: until it is lifted.
        expires_at: until when it may be approved, and the text exported, ISO 8601.
        case: that it belongs to.
    """

    act: TwoPersonAct
    by: str
    why: str
    subject_sha256: str
    expires_at: str
    accounts: tuple[str, ...] = ()
    to: str | None = None
    file: Input | None = None
    until: str | None = None
    case: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a second person said to a request, whose record the entry names.

    Attributes:
        by, why: who, and for what reason.
        answer: `approved` or `declined`.
        subject_sha256: of what was approved, as the request has it.
    """

    by: str
    why: str
    answer: Answer
    subject_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspensionLift:
    """The end of suspensions; the entry names the requests. By whom, why, and of which accounts (none named: all of those requests)."""

    by: str
    why: str
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposed:
    """Something that was removed or thinned out: its name, its class of data, rows that went, and its sha256 before and after."""

    name: str
    data_class: str
    rows: int | None = None
    before_sha256: str | None = None
    after_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposal:
    """What was removed outside the log. It names no account.

    Attributes:
        by, ground, why: who, on which ground, and for what.
        policy_sha256: of the governance file whose periods were applied; None: it was no retention.
        items: what went.
    """

    by: str
    ground: Ground
    why: str
    items: tuple[Disposed, ...]
    policy_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRun:
    """A partner's profile that was matched with one's own logs.

    Attributes:
        version: of the program.
        profile_id, producer: of the profile.
        profile_sha256: of its file.
        inputs: files that were read.
        rows_in, quarantined: how the counts reconcile.
        groups: of the profile, each with what its match is worth.
        results: sha256 of the files of the result folder.
    """

    version: str
    profile_id: str
    producer: str
    profile_sha256: str
    inputs: tuple[Input, ...]
    rows_in: int
    quarantined: int
    groups: dict[str, object]
    results: tuple[Input, ...]


GOVERNANCE_ACTS: Mapping[str, type[Any]] = {
    "approval_request": ApprovalRequest,
    "approval": Approval,
    "suspension_lift": SuspensionLift,
    "disposal": Disposal,
    "match_run": MatchRun,
}
"""Kind of an entry, and the record that its content holds."""
