"""Two people: what was asked for, what a second person said, and what follows from it. Pure: it is given the log's records.

A request is bound to what is to be done by a hash of it; an approval names the same hash. Both are read again whenever something rests on
them, so that an approval that was recorded in another way than by `govern approve` counts only where it would have been let through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stillwatch.govern.people import person, same_person
from stillwatch.govern.policy import Act, Policy
from stillwatch.govern.refusals import ApprovalError, PersonError
from stillwatch.ledger.canonical import canonical_json
from stillwatch.records.evidence import Export
from stillwatch.records.governance import Answer, Approval, ApprovalRequest, SuspensionLift, TwoPersonAct

REQUESTING = {TwoPersonAct.EXPORT_TEXT: Act.REQUEST_TEXT_EXPORT, TwoPersonAct.SUSPEND: Act.REQUEST_SUSPENSION}
APPROVING = {TwoPersonAct.EXPORT_TEXT: Act.APPROVE_TEXT_EXPORT, TwoPersonAct.SUSPEND: Act.APPROVE_SUSPENSION}
MOST_ACCOUNTS = 50_000
TEXT_FORM = "text"
"""Form of the export record of a text that left by a request."""


class State(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    USED = "used"
    LIFTED = "lifted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A record as the log holds it: its index, its time, what it says, and which records it speaks of."""

    index: int
    at: datetime
    record: object
    concerns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request and what became of it.

    Attributes:
        index: of its record.
        asked: what was asked for.
        state: where it stands.
        answered_by: who approved or declined it; None: nobody yet.
        ignored: answers that do not count, in sentences.
        lifted: accounts of a suspension that is lifted in part.
    """

    index: int
    at: datetime
    asked: ApprovalRequest
    state: State
    answered_by: str | None = None
    ignored: tuple[str, ...] = ()
    lifted: frozenset[str] = frozenset()


def suspension_sha256(accounts: Sequence[str], until: str | None) -> str:
    """What a suspension is bound to: the accounts, in any order, and its end."""
    return hashlib.sha256(canonical_json({"accounts": sorted(set(accounts)), "act": "suspend", "until": until})).hexdigest()


def text_sha256(file_sha256: str, accounts: Sequence[str], to: str) -> str:
    """What the export of a text is bound to: the file that is to leave, whose text it is, and who is to get it."""
    return hashlib.sha256(
        canonical_json({"accounts": sorted(set(accounts)), "act": "export_text", "file": file_sha256, "to": to})
    ).hexdigest()


def requests(records: Iterable[Recorded], now: datetime) -> dict[int, Request]:
    """Every request of a log, by the index of its record, with where it stands at `now`."""
    held = list(records)
    answers, lifts, exports = _by_request(held, Approval), _by_request(held, SuspensionLift), _by_request(held, Export)
    found: dict[int, Request] = {}
    for recorded in held:
        asked = recorded.record
        if isinstance(asked, ApprovalRequest):
            index = recorded.index
            found[index] = _request(recorded, asked, answers.get(index, []), lifts.get(index, []), exports.get(index, []), now)
    return found


def check_answer(request: Request, policy: Policy, *, by: str) -> str:
    """Who answers, where they may.

    Raises ApprovalError where nothing waits, or the second person is the first one; DeniedError and PersonError as the policy does.
    """
    who = policy.check(APPROVING[request.asked.act], by)
    if request.state is not State.WAITING:
        raise ApprovalError(f"record {request.index} does not wait for an answer: it is {request.state}; make a new request")
    if same_person(request.asked.by, who):
        raise ApprovalError(
            f"record {request.index} was asked for by {request.asked.by}, and {who} is the same person; another one has to answer it"
        )
    return who


def check_export(request: Request | None, index: int, *, file_sha256: str, accounts: Sequence[str], to: str) -> ApprovalRequest:
    """The approved request that lets this text leave, once.

    Raises ApprovalError where there is none, it does not stand approved, or it was approved for another text or recipient.
    """
    if request is None or request.asked.act is not TwoPersonAct.EXPORT_TEXT:
        raise ApprovalError(f"record {index} is no request to export text; make one with `stillwatch govern text request`")
    if request.state is not State.APPROVED:
        raise ApprovalError(f"record {index} is {request.state}; a text leaves only by a request that stands approved")
    wanted = text_sha256(file_sha256, accounts, to)
    if wanted != request.asked.subject_sha256:
        raise ApprovalError(
            f"what is to leave now ({wanted[:16]}…) is not what record {index} approved ({request.asked.subject_sha256[:16]}…): "
            "text, accounts or recipient are others; make a new request"
        )
    return request.asked


def suspended(found: Mapping[int, Request]) -> dict[str, Request]:
    """Accounts that are suspended, with the request that each rests on: the newest where there are several."""
    standing: dict[str, Request] = {}
    for index in sorted(found):
        request = found[index]
        if request.asked.act is TwoPersonAct.SUSPEND and request.state is State.APPROVED:
            standing |= {account: request for account in request.asked.accounts if account not in request.lifted}
    return standing


def _by_request(records: Sequence[Recorded], kind: type) -> dict[int, list[Recorded]]:
    found: dict[int, list[Recorded]] = {}
    for recorded in records:
        if isinstance(recorded.record, kind):
            for index in recorded.concerns:
                found.setdefault(index, []).append(recorded)
    return found


def _request(
    recorded: Recorded,
    asked: ApprovalRequest,
    answers: Sequence[Recorded],
    lifts: Sequence[Recorded],
    exports: Sequence[Recorded],
    now: datetime,
) -> Request:
    ignored: list[str] = []
    counted: Approval | None = None
    for answer in answers:
        said = answer.record
        if not isinstance(said, Approval):
            continue
        reason = _unfit(recorded, asked, answer, said)
        if reason:
            ignored.append(f"record {answer.index}: {reason}")
        elif counted is None:
            counted = said
    lifted = _lifted(asked, lifts)
    used = any(isinstance(export.record, Export) and export.record.form == TEXT_FORM for export in exports)
    return Request(
        index=recorded.index,
        at=recorded.at,
        asked=asked,
        state=_state(asked, counted, lifted, now, used=used),
        answered_by=counted.by if counted else None,
        ignored=tuple(ignored),
        lifted=lifted,
    )


def _unfit(recorded: Recorded, asked: ApprovalRequest, answer: Recorded, said: Approval) -> str:
    """Why an answer does not count; empty where it does."""
    if said.subject_sha256 != asked.subject_sha256:
        return "it names another subject than the request"
    if _bound_to(asked) != asked.subject_sha256:
        return "the request does not say what it is bound to"
    if answer.index <= recorded.index or answer.at > _moment(asked.expires_at):
        return "the request had expired"
    try:
        if same_person(said.by, asked.by):
            return "the same person asked and answered"
    except PersonError:
        return "it is by a name that nobody may go by"
    return ""


def _bound_to(asked: ApprovalRequest) -> str:
    if asked.act is TwoPersonAct.SUSPEND:
        return suspension_sha256(asked.accounts, asked.until)
    return text_sha256(asked.file.sha256 if asked.file else "", asked.accounts, asked.to or "")


def _state(asked: ApprovalRequest, answer: Approval | None, lifted: frozenset[str], now: datetime, *, used: bool) -> State:
    late = now > _moment(asked.expires_at)
    if answer is None:
        return State.EXPIRED if late else State.WAITING
    if answer.answer is Answer.DECLINED:
        return State.DECLINED
    if asked.act is TwoPersonAct.EXPORT_TEXT:
        return State.USED if used else State.EXPIRED if late else State.APPROVED
    if lifted >= set(asked.accounts):
        return State.LIFTED
    return State.ENDED if asked.until is not None and now > _moment(asked.until) else State.APPROVED


def _lifted(asked: ApprovalRequest, lifts: Sequence[Recorded]) -> frozenset[str]:
    accounts: set[str] = set()
    for lift in lifts:
        if isinstance(lift.record, SuspensionLift):
            accounts |= set(lift.record.accounts or asked.accounts)
    return frozenset(accounts & set(asked.accounts))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def new_request(policy: Policy, asked: ApprovalRequest) -> ApprovalRequest:
    """The request, seen to be one that this person may make. Raises as the policy does, and ApprovalError for no or too many accounts."""
    who = policy.check(REQUESTING[asked.act], asked.by)
    if not 1 <= len(asked.accounts) <= MOST_ACCOUNTS:
        raise ApprovalError(f"{len(asked.accounts)} accounts were named, 1 to {MOST_ACCOUNTS:,} were expected; name those that are meant")
    if person(asked.by) != who or _bound_to(asked) != asked.subject_sha256:
        raise ApprovalError("the request is not bound to what it says; make it again")
    return asked
