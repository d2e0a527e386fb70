"""A suspension needs two people who are two, who mean the same, and in time; whatever else is in the log does not count."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.govern.approvals import Recorded, State, requests, suspended, suspension_sha256, text_sha256
from stillwatch.ledger.signing import parse_signers
from stillwatch.ledger.writing import Act as LogAct
from stillwatch.ledger.writing import LogWriter
from stillwatch.records.evidence import Export, Input, content_of
from stillwatch.records.governance import Answer, Approval, ApprovalRequest, SuspensionLift, TwoPersonAct

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SUSPEND = ("govern", "suspend")
LOG = ("--log", "ev")


def _asked(**others: Any) -> ApprovalRequest:
    given: dict[str, Any] = {"act": TwoPersonAct.SUSPEND, "by": "ann", "why": "f-7", "accounts": ("a", "b")}
    given |= {"subject_sha256": suspension_sha256(("a", "b"), None), "expires_at": (NOW + timedelta(hours=72)).isoformat()}
    return ApprovalRequest(**given | others)


def _log(*records: object, hours: float = 1) -> list[Recorded]:
    """A log in which every later record speaks of the first one."""
    return [
        Recorded(index=place, at=NOW + timedelta(hours=hours * place), record=record, concerns=(0,) if place else ())
        for place, record in enumerate(records)
    ]


def _approval(by: str = "bob", subject: str = suspension_sha256(("b", "a", "a"), None), answer: Answer = Answer.APPROVED) -> Approval:
    return Approval(by=by, why="seen", answer=answer, subject_sha256=subject)


def test_a_request_suspends_nobody_until_another_person_approves() -> None:
    assert suspended(requests(_log(_asked()), NOW)) == {}
    assert set(suspended(requests(_log(_asked(), _approval()), NOW))) == {"a", "b"}
    assert requests(_log(_asked(), _approval(answer=Answer.DECLINED)), NOW)[0].state is State.DECLINED


@pytest.mark.parametrize("by", ["ann", "Ann", " ANN ", "ａｎｎ", "a-n-n", "аnn", "ann\u200b"])
def test_one_person_under_two_spellings_is_one_person(by: str) -> None:
    request = requests(_log(_asked(), _approval(by)), NOW)[0]
    assert request.state is State.WAITING
    assert len(request.ignored) == 1
    assert suspended({0: request}) == {}


def test_an_answer_to_something_else_or_too_late_does_not_count() -> None:
    others = suspension_sha256(("a", "b", "c"), None)
    assert requests(_log(_asked(), _approval(subject=others)), NOW)[0].ignored == ("record 1: it names another subject than the request",)
    late = requests(_log(_asked(), _approval(), hours=73), NOW + timedelta(hours=80))[0]
    assert late.state is State.EXPIRED
    assert late.ignored == ("record 1: the request had expired",)
    # accounts that were put into the request behind its digest's back
    forged = _asked(accounts=("a", "b", "victim"))
    assert requests(_log(forged, _approval()), NOW)[0].state is State.WAITING


def test_the_first_answer_that_counts_stands() -> None:
    found = requests(_log(_asked(), _approval("ann"), _approval("bob", answer=Answer.DECLINED), _approval("cat")), NOW)[0]
    assert (found.state, found.answered_by) == (State.DECLINED, "bob")


def test_suspensions_end_by_their_time_and_by_a_lift() -> None:
    until = (NOW + timedelta(days=2)).isoformat()
    asked = _asked(until=until, subject_sha256=suspension_sha256(("a", "b"), until))
    log = _log(asked, _approval(subject=asked.subject_sha256))
    assert set(suspended(requests(log, NOW + timedelta(days=1)))) == {"a", "b"}
    assert requests(log, NOW + timedelta(days=3))[0].state is State.ENDED
    lifted = _log(_asked(), _approval(), SuspensionLift(by="bob", why="honest", accounts=("a",)))
    assert set(suspended(requests(lifted, NOW))) == {"b"}
    assert requests(_log(_asked(), _approval(), SuspensionLift(by="bob", why="honest")), NOW)[0].state is State.LIFTED


def test_a_text_leaves_once() -> None:
    digest = text_sha256("f" * 64, ("a",), "court")
    asked = _asked(act=TwoPersonAct.EXPORT_TEXT, accounts=("a",), to="court", file=Input(name="x", sha256="f" * 64), subject_sha256=digest)
    approved = _approval(subject=digest)
    assert requests(_log(asked, approved), NOW)[0].state is State.APPROVED
    used = Export(by="ann", to="court", why="x", form="text", files=())
    assert requests(_log(asked, approved, used), NOW)[0].state is State.USED
    assert requests(_log(asked, approved), NOW + timedelta(hours=73))[0].state is State.EXPIRED
    assert suspended(requests(_log(asked, approved), NOW)) == {}


@pytest.mark.slow
def test_two_people_suspend_and_a_gateway_reads_the_list(run: Any) -> None:
    asked = run(*SUSPEND, "request", "acct_2", "acct_1", "acct_2", *LOG, "--as", "ann", "--why", "finding f-7")
    assert asked["accounts"] == 2
    assert run(*SUSPEND, "list", *LOG)["accounts"] == []
    index = str(asked["request"])
    assert "may not approve suspension" in run("govern", "approve", index, *LOG, "--as", "Ann", "--why", "seen it", fails=1)
    assert "is not among the people" in run("govern", "approve", index, *LOG, "--as", "mallory", "--why", "seen it", fails=1)
    assert "no name that a person can go by" in run("govern", "approve", index, *LOG, "--as", "bоb", "--why", "seen it", fails=1)
    done = run("govern", "approve", index, *LOG, "--as", " BOB ", "--why", "seen it")
    assert (done["asked_by"], done["answered_by"]) == ("ann", "bob")
    run(*SUSPEND, "list", *LOG, "--out", "suspended.json")
    listed = json.loads(Path("suspended.json").read_text())
    assert [row["account_id"] for row in listed["accounts"]] == ["acct_1", "acct_2"]
    assert listed["format"] == "stillwatch-suspensions-1"
    assert listed["log"] == "example.com/evidence"
    assert "does not wait for an answer: it is approved" in run(
        "govern", "decline", index, *LOG, "--as", "cat", "--why", "seen it", fails=1
    )
    run(*SUSPEND, "lift", "acct_1", *LOG, "--as", "bob", "--why", "a university")
    assert [row["account_id"] for row in run(*SUSPEND, "list", *LOG)["accounts"]] == ["acct_2"]
    assert "acct_1' is not suspended" in run(*SUSPEND, "lift", "acct_1", *LOG, "--as", "bob", "--why", "again", fails=1)
    assert run("log", "verify", "ev")["kinds"] == {"log_start": 1, "approval_request": 1, "approval": 1, "suspension_lift": 1}
    assert "acct_2" in run(*SUSPEND, "list", *LOG, plain=True)
    assert "approved" in run("govern", "requests", *LOG, plain=True)


@pytest.mark.slow
def test_who_may_both_ask_and_approve_still_needs_another(run: Any) -> None:
    index = str(run(*SUSPEND, "request", "acct_1", *LOG, "--as", "cat", "--why", "finding f-7")["request"])
    for spelling in ("cat", "CAT", " cat", "ｃａｔ"):
        assert "is the same person" in run("govern", "approve", index, *LOG, "--as", spelling, "--why", "seen it", fails=1)
    assert run("govern", "decline", index, *LOG, "--as", "bob", "--why", "too little")["answer"] == "declined"
    assert run("govern", "requests", *LOG)[0]["state"] == "declined"


@pytest.mark.slow
def test_an_approval_that_was_written_into_the_log_by_hand_counts_only_where_it_would_have_been_let_through(run: Any) -> None:
    index = run(*SUSPEND, "request", "acct_1", *LOG, "--as", "ann", "--why", "finding f-7")["request"]
    line = json.dumps(content_of(_approval("Ann ", suspension_sha256(("acct_1",), None))))
    Path("forged.jsonl").write_text(line + "\n")
    said = run("log", "append", "ev", "forged.jsonl", "--kind", "approval", "--concerns", str(index), fails=2)
    assert "govern approve" in said
    signers = parse_signers(Path("log.key").read_text(), "log.key")
    with LogWriter(Path("ev"), signers) as writer:
        writer.append([LogAct(kind="approval", content=json.loads(line), concerns=(index,))], at=datetime.now(UTC))
    assert run(*SUSPEND, "list", *LOG)["accounts"] == []
    (row,) = run("govern", "requests", *LOG)
    assert row["answers_that_do_not_count"] == [f"record {index + 1}: the same person asked and answered"]


@pytest.mark.slow
def test_what_says_nothing_is_refused_before_it_is_recorded(run: Any) -> None:
    assert "the reason is '.'" in run(*SUSPEND, "request", "a", *LOG, "--as", "ann", "--why", ".", fails=1)
    assert "--as NAME" in run(*SUSPEND, "request", "a", *LOG, "--why", "finding", fails=2)
    assert "0 accounts were named" in run(*SUSPEND, "request", *LOG, "--as", "ann", "--why", "finding", fails=1)
    for until in ("tomorrow", "2030-01-01", "2020-01-01T00:00:00Z"):
        assert "--until is" in run(*SUSPEND, "request", "a", *LOG, "--as", "ann", "--why", "finding", "--until", until, fails=2)
    assert run("log", "verify", "ev")["size"] == 1
