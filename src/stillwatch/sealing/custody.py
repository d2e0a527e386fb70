"""The chain of custody: events, each with the hash of the one before it, and with the evidence's hash before and after. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.entries import time_text
from stillwatch.records.cases import CustodyEvent
from stillwatch.sealing.refusals import RefusedCaseError, SealError

SEALED = "sealed"


def event_hash(event: Mapping[str, Any]) -> str:
    """SHA-256 of the event's canonical JSON, 64 hexadecimal digits; the next event states it."""
    return hashlib.sha256(canonical_json(dict(event))).hexdigest()


def chained(events: Sequence[CustodyEvent]) -> list[dict[str, Any]]:
    """The events as a statement holds them, linked. Raises SealError where hashes or times do not follow each other."""
    linked: list[dict[str, Any]] = []
    for place, event in enumerate(events, 1):
        last = linked[-1] if linked else None
        if event.before != (last["after"] if last else None):
            raise SealError(
                f"event {place} of custody ({event.action[:60]!a}) begins with the evidence {event.before}, and the one before it ended "
                f"with {last['after'] if last else None}; record what was done in between"
            )
        at = time_text(event.at)
        if last and at < last["at"]:
            raise SealError(f"event {place} of custody is of {at}, before the one that precedes it ({last['at']}); put them in order")
        linked.append(
            {
                "action": event.action,
                "after": event.after,
                "at": at,
                "before": event.before,
                "previous": event_hash(last) if last else None,
                "who": event.who,
                "why": event.why,
            }
        )
    return linked


def check_chain(events: Sequence[Mapping[str, Any]], evidence: str, sealed_at: str) -> None:
    """Nothing where the chain is whole and ends with the sealing of this very evidence; else RefusedCaseError."""
    last: Mapping[str, Any] | None = None
    for place, event in enumerate(events, 1):
        where = f"event {place}"
        _same("custody-link", where, event_hash(last) if last else None, event["previous"])
        _same("custody-hash", where, last["after"] if last else None, event["before"])
        if last and event["at"] < last["at"]:
            raise RefusedCaseError("custody-time", where, expected=f"no time before {last['at']}", got=str(event["at"]))
        last = event
    end = (last or {}).get("action"), (last or {}).get("after"), (last or {}).get("at")
    for expected, got in zip((SEALED, evidence, sealed_at), end, strict=True):
        _same("custody-end", "the last event", expected, got)


def _same(defect: str, place: str, expected: str | None, got: str | None) -> None:
    if expected != got:
        raise RefusedCaseError(defect, place, expected=str(expected)[:90], got=ascii(got)[:90])
