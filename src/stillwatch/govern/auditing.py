"""Who saw, decided, erased and exported what: the acts of people, read from the log's records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.govern.approvals import Recorded
from stillwatch.govern.people import same_person
from stillwatch.govern.refusals import PersonError
from stillwatch.govern.retention import mentions
from stillwatch.records.evidence import KIND_OF, content_of

DID: Mapping[str, str] = {
    "view": "saw",
    "decision": "decided",
    "export": "exported",
    "erasure": "erased",
    "disposal": "disposed",
    "hold": "held",
    "release": "released",
    "key_rotation": "changed the key",
    "approval_request": "asked for",
    "approval": "answered",
    "suspension_lift": "lifted",
}
"""Kinds of records that are acts of people, and the verb of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One act of a person.

    Attributes:
        index: of its record.
        at: when it was recorded, UTC.
        kind: of the record.
        by: who; `erased` where the content is gone.
        what: in words.
        why: as they said it.
        concerns: records that it speaks of.
    """

    index: int
    at: datetime
    kind: str
    by: str
    what: str
    why: str
    concerns: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which acts are asked for; None and empty: all.

    Attributes:
        by: a person, however spelled.
        kinds: of records.
        since, until: times, UTC.
        account: that the act names.
    """

    by: str | None = None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    account: str | None = None


def audited(records: Iterable[Recorded], wanted: Wanted) -> list[AuditRow]:
    """The acts that are asked for, in the order of the log."""
    rows: list[AuditRow] = []
    for recorded in records:
        kind = KIND_OF.get(type(recorded.record), "")
        if kind not in DID or (wanted.kinds and kind not in wanted.kinds) or not _within(recorded.at, wanted):
            continue
        content = content_of(recorded.record)
        by = str(content.get("by") or content.get("decided_by") or "")
        if (wanted.by is None or _is(by, wanted.by)) and (wanted.account is None or mentions(content, wanted.account)):
            why = str(content.get("why") or content.get("reason") or "")
            rows.append(
                AuditRow(
                    index=recorded.index, at=recorded.at, kind=kind, by=by, what=_what(kind, content), why=why, concerns=recorded.concerns
                )
            )
    return rows


def _within(at: datetime, wanted: Wanted) -> bool:
    return (wanted.since is None or at >= wanted.since) and (wanted.until is None or at < wanted.until)


def _is(by: str, asked: str) -> bool:
    """Whether two names are one person's; names that nobody may go by here are compared as they stand."""
    try:
        return same_person(by, asked)
    except PersonError:
        return by.strip().casefold() == asked.strip().casefold()


def _what(kind: str, content: Mapping[str, Any]) -> str:
    """An act in words, without a verb."""
    if kind == "view":
        case = f" for case {content['case']}" if content["case"] else ""
        return f"{content['what']}{case}"
    if kind == "decision":
        approved = f", approved by {content['approved_by']}" if content["approved_by"] else ""
        return f"{content['decision']} ({content['entity_id']}){approved}"
    if kind == "export":
        return f"{content['form']} to {content['to']}, {len(content['files']):,} files"
    if kind == "approval_request":
        end = f" to {content['to']}" if content["to"] else f" until {content['until']}" if content["until"] else ""
        return f"{str(content['act']).replace('_', ' ')} of {len(content['accounts']):,} accounts{end}"
    return _further(kind, content)


def _further(kind: str, content: Mapping[str, Any]) -> str:
    if kind in ("hold", "suspension_lift"):
        scope = [*content["accounts"], *content.get("classes", ())]
        return ", ".join(scope[:5]) + (" …" if len(scope) > 5 else "") or "all that is named"
    given = {"approval": "answer", "erasure": "ground"}.get(kind)
    if given:
        return str(content[given])
    return f"{len(content['items']):,} items ({content['ground']})" if kind == "disposal" else ""
