"""Requests that need a second person: made, answered, lifted and listed, each of them a record of the evidence log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.app.governance import Keeper, recorded
from stillwatch.app.state import write_text
from stillwatch.errors import UnreadableInputError, UsageError
from stillwatch.govern.access import said
from stillwatch.govern.approvals import Recorded, Request, State, check_answer, new_request, requests, suspended, suspension_sha256
from stillwatch.govern.policy import Act
from stillwatch.govern.refusals import ApprovalError
from stillwatch.ledger.notes import VerifierKey
from stillwatch.ledger.reading import LogReader
from stillwatch.records.governance import Answer, Approval, ApprovalRequest, SuspensionLift, TwoPersonAct

KINDS = ("approval_request", "approval", "suspension_lift", "export")
FORMAT = "stillwatch-suspensions-1"
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who says something, and why."""

    by: str
    why: str


def request_suspension(keeper: Keeper, accounts: Sequence[str], who: Said, *, until: str | None, case: str | None) -> dict[str, Any]:
    """Ask for the suspension of accounts; a second person has to approve it before it stands in the list."""
    named = tuple(sorted(set(accounts)))
    now = keeper.clock()
    if until is not None and datetime.fromisoformat(until) <= now:
        raise UsageError(f"--until is {until}, which is past; name a time to come, or leave it out")
    asked = ApprovalRequest(
        act=TwoPersonAct.SUSPEND,
        by=keeper.policy.check(Act.REQUEST_SUSPENSION, who.by),
        why=said(who.why, "the reason"),
        subject_sha256=suspension_sha256(named, until),
        accounts=named,
        until=until,
        expires_at=expiry(keeper),
        case=case,
    )
    with keeper.writing() as writer:
        index = keeper.append(writer, new_request(keeper.policy, asked))
    return asked_words(index, asked)


def expiry(keeper: Keeper) -> str:
    """Until when a request that is made now may be answered."""
    return (keeper.clock() + timedelta(hours=keeper.policy.approval_hours)).isoformat()


def asked_words(index: int, asked: ApprovalRequest) -> dict[str, Any]:
    """What was asked for, for whoever asked."""
    return {
        "request": index,
        "act": asked.act.value,
        "accounts": len(asked.accounts),
        "subject_sha256": asked.subject_sha256,
        "expires_at": asked.expires_at,
        "next": "another person answers it: stillwatch govern approve, or govern decline",
    }


def answer(keeper: Keeper, index: int, who: Said, given: Answer) -> dict[str, Any]:
    """Record what a second person says to a request.

    Raises ApprovalError where none waits under this index or both are one person; DeniedError and PersonError as the policy does.
    """
    with keeper.writing() as writer:
        request = requests(recorded(keeper.folder, keeper.keys, KINDS), keeper.clock()).get(index)
        if request is None:
            raise ApprovalError(f"record {index} is no request; `stillwatch govern requests` lists them")
        by = check_answer(request, keeper.policy, by=who.by)
        record = Approval(by=by, why=said(who.why, "the reason"), answer=given, subject_sha256=request.asked.subject_sha256)
        written = keeper.append(writer, record, concerns=(index,))
    return {"request": index, "answer": given.value, "recorded_in": written, "asked_by": request.asked.by, "answered_by": by}


def lift(keeper: Keeper, accounts: Sequence[str], who: Said) -> dict[str, Any]:
    """End suspensions; one person may, since it takes nothing from anybody. ApprovalError for an account that is not suspended."""
    by = keeper.policy.check(Act.LIFT_SUSPENSION, who.by)
    with keeper.writing() as writer:
        found = requests(recorded(keeper.folder, keeper.keys, KINDS), keeper.clock())
        standing = suspended(found)
        missing = sorted(set(accounts) - set(standing))
        if missing or not accounts:
            what = f"{ascii(missing[0])[:120]} is not suspended" if missing else "no account was named"
            raise ApprovalError(f"{what}; `stillwatch govern suspend list` says which are")
        resting = tuple(
            sorted(
                index for index, request in found.items() if request.state is State.APPROVED and set(request.asked.accounts) & set(accounts)
            )
        )
        record = SuspensionLift(by=by, why=said(who.why, "the reason"), accounts=tuple(sorted(set(accounts))))
        index = keeper.append(writer, record, concerns=resting)
    return {"lifted": len(set(accounts)), "recorded_in": index}


def listed(folder: Path, keys: Sequence[VerifierKey], now: datetime) -> list[dict[str, Any]]:
    """Every request and where it stands."""
    return [_listed(request) for request in _requests(folder, keys, now).values()]


def suspension_list(folder: Path, keys: Sequence[VerifierKey], now: datetime) -> dict[str, Any]:
    """The accounts that are suspended now, and the checkpoint that says so: what a gateway reads."""
    reader = LogReader(folder, keys)
    standing = suspended(_requests(folder, keys, now))
    checkpoint = reader.opened.checkpoint
    return {
        "format": FORMAT,
        "log": checkpoint.origin,
        "records": checkpoint.size,
        "root": checkpoint.root.hex(),
        "made_at": now.isoformat(),
        "accounts": [
            {"account_id": account, "until": request.asked.until, "request": request.index} for account, request in sorted(standing.items())
        ],
    }


def write_suspensions(out: Path, found: dict[str, Any]) -> None:
    """Put the list in place: whoever reads it sees the old one or the whole new one."""
    write_text(out, json.dumps(found, ensure_ascii=True, indent=1) + "\n")


def accounts_of_file(path: Path) -> list[str]:
    """Accounts from a file of one on each line."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableInputError(
            f"{path} cannot be read ({type(error).__name__}); name a text file with an account on each line"
        ) from None
    if len(text) > _MOST_BYTES:
        raise UnreadableInputError(f"{path} has more than {_MOST_BYTES:,} bytes; split it")
    return [line.strip() for line in text.split("\n") if line.strip()]


def _requests(folder: Path, keys: Sequence[VerifierKey], now: datetime) -> dict[int, Request]:
    found: list[Recorded] = recorded(folder, keys, KINDS)
    return requests(found, now)


def _listed(request: Request) -> dict[str, Any]:
    asked = request.asked
    return {
        "request": request.index,
        "at": request.at.isoformat(),
        "act": asked.act.value,
        "state": request.state.value,
        "by": asked.by,
        "why": asked.why,
        "answered_by": request.answered_by,
        "accounts": len(asked.accounts),
        "until": asked.until,
        "to": asked.to,
        "expires_at": asked.expires_at,
        "case": asked.case,
        "answers_that_do_not_count": list(request.ignored),
    }
