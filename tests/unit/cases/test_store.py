"""Laws of the case store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from stillwatch.app.case_sources import gather
from stillwatch.cases.claims import NewExhibit, NewTask
from stillwatch.cases.making import LARGEST_EXHIBIT, added, claimed, new_case, tasked
from stillwatch.cases.opening import Place
from stillwatch.cases.reading import case_view, list_cases, timeline
from stillwatch.cases.refusals import BusyStoreError, CaseStateError, CaseStoreError, StaleCaseError, UnknownCaseError
from stillwatch.cases.store import Acting, CaseStore, open_store
from stillwatch.cases.tables import ActRow, ContentRow, MemberRow
from stillwatch.cases.working import assign, comment, due, erase_exhibit, finish_task, look_at
from stillwatch.errors import UsageError
from stillwatch.records.findings import Report

Act = Callable[..., Acting]
New = Callable[..., int]


def note(content: bytes = b"called them", *, private: bool = False) -> NewExhibit:
    return NewExhibit(kind="note", label="note", media_type="text/plain; charset=utf-8", content=content, private=private)


def test_a_case_holds_what_the_scan_said_with_its_numbers_members_ties_and_hashes(
    store: CaseStore, new: New, report: Report, result: Path
) -> None:
    number = new("group-0000", "acct_2_000", title="Two of them")
    found = case_view(store, number)
    finding = report.findings[0]
    assert (found.summary.title, found.summary.status, found.summary.severity, found.summary.claims) == (
        "Two of them",
        "open",
        "critical",
        2,
    )
    assert found.summary.members == 65
    claim = found.claims[0]
    assert (claim.entity_id, claim.uid, claim.title, claim.statement, claim.severity) == (
        *(finding.entity_id, finding.uid, finding.title),
        *(finding.summary, "critical"),
    )
    assert {name: claim.numbers[name] for name in ("strength", "q_value", "exchanges", "harvest")} == {
        "strength": finding.strength,
        "q_value": finding.q_value,
        "exchanges": finding.tally.exchanges,
        "harvest": "yes",
    }
    assert claim.ordinary == finding.ordinary
    edges = {(edge.kind, edge.trace) for edge in finding.pictures.edges}
    assert {(tie.kind, tie.trace) for tie in claim.ties} == edges
    assert {tie.kind for tie in claim.ties if tie.infrastructure} == {"payment"}
    facts = claim.source.facts
    assert (facts["seed"], facts["inputs"], facts["settings"]["fdr"]) == (report.run.seed, report.run.inputs, 0.05)
    from stillwatch.app.state import file_sha256

    assert facts["results"]["findings.jsonl"] == file_sha256(result / "findings.jsonl")
    assert claim.source.sha256 == file_sha256(result / "run.json")
    with store.reading() as session:
        rows = session.scalars(select(MemberRow).where(MemberRow.claim_id == claim.id)).all()
        assert {row.account_id: (row.membership, tuple(row.reasons), row.first_at) for row in rows} == {
            member.account_id: (member.membership, member.reasons, member.first_at) for member in finding.members
        }


@pytest.mark.slow
def test_texts_that_a_database_cannot_hold_come_back_as_they_were(
    store: CaseStore, act: Act, nasty: Report, nasty_texts: tuple[str, ...], result_of: Callable[[Report], Path]
) -> None:
    texts = [*nasty_texts, "zero \x00 and \\u0000 and \\", "\ud800\udfff"]
    base = gather(result_of(replace(nasty, findings=nasty.findings[:1])), (nasty_texts[0],), ())
    for place, poison in enumerate(texts):
        claim = replace(
            base.claims[0],
            entity_id=poison,
            uid=f"uid-{place}-{poison}"[:200],
            members=(replace(base.claims[0].members[0], account_id=poison, reasons=(poison,)),),
            numbers={"said": poison},
            ordinary=(poison,),
        )
        number = new_case(store, act(), title="x", sources=base.sources, claims=[claim])
        found = case_view(store, number).claims[0]
        assert (found.entity_id, found.accounts, found.numbers, found.ordinary) == (poison, (poison,), {"said": poison}, (poison,))
        comment(store, number, act(), f"said {poison[:1000]}")
        assert timeline(store, number)[-1].words == f"said {poison[:1000]}".strip()


@pytest.mark.slow
def test_acts_of_many_people_at_once_are_all_kept_in_one_chain(store: CaseStore, place: Place, new: New, act: Act) -> None:
    number = new()
    before = len(timeline(store, number))
    errors: list[BaseException] = []

    def work(name: str) -> None:
        own = open_store(place)
        try:
            for turn in range(5):
                comment(own, number, act(name, minutes=turn), f"{name} {turn}")
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            errors.append(error)
        finally:
            own.close()

    people = [threading.Thread(target=work, args=(f"person-{place}",)) for place in range(6)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert not errors
    acts = timeline(store, number)
    assert len(acts) == before + 30
    assert sorted(act.words or "" for act in acts if act.act == "commented") == sorted(
        f"person-{who} {turn}" for who in range(6) for turn in range(5)
    )
    assert case_view(store, number).summary.version == before + 30


def test_who_decides_on_what_was_seen_is_refused_where_the_case_moved_on(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    seen = case_view(store, number).summary.version
    comment(store, number, act("bob"), "wait")
    with pytest.raises(StaleCaseError, match=rf"version {seen + 1} and you looked at {seen}"):
        assign(store, number, act("ann", expected=seen), "ann")
    assert case_view(store, number).summary.assignee is None
    assign(store, number, act("ann", expected=seen + 1), "ann")
    assert case_view(store, number).summary.assignee == "ann"


def test_an_error_within_a_change_leaves_the_store_as_it_was(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    before = (asdict(case_view(store, number)), [asdict(line) for line in timeline(store, number)])

    def half() -> None:
        with store.changing(number, act("bob")) as change:
            change.case.assignee = "bob"
            change.act("assigned", {"to": "bob"}, words="because")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        half()
    assert (asdict(case_view(store, number)), [asdict(line) for line in timeline(store, number)]) == before


@pytest.mark.slow
def test_who_waits_too_long_for_somebody_else_is_told(
    store: CaseStore, place: Place, new: New, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = new()
    monkeypatch.setattr("stillwatch.cases.opening._BUSY_S", 1)
    impatient = open_store(place)
    with store.changing(number, act("bob")) as change:
        change.act("held", {})
        with pytest.raises(BusyStoreError, match="in use by somebody else"):
            comment(impatient, number, act(), "now")
    comment(impatient, number, act(), "later")
    assert [line.act for line in timeline(store, number)][-2:] == ["held", "commented"]
    impatient.close()


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from stillwatch.cases.opening import place_of
from stillwatch.cases.store import Acting, open_store
store = open_store(place_of(sys.argv[1]))
with store.changing(int(sys.argv[2]), Acting(by="bob", at=datetime(2026, 11, 2, tzinfo=UTC))) as change:
    change.case.title = "half"
    change.act("renamed", {}, words="x" * 100_000)
    change.session.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_within_a_change_leaves_the_store_as_it_was(store: CaseStore, place: Place, new: New, act: Act) -> None:
    number = new()
    before = (asdict(case_view(store, number)), [asdict(line) for line in timeline(store, number)])
    address = str(place.file) if place.file else place.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-c", KILLED, address, str(number)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (asdict(case_view(store, number)), [asdict(line) for line in timeline(store, number)]) == before
    comment(store, number, act("carl"), "and it goes on")
    assert timeline(store, number)[-1].words == "and it goes on"


def test_every_act_names_its_predecessor_and_a_changed_one_is_told(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    comment(store, number, act("bob"), "first")
    comment(store, number, act("bob"), "second")
    acts = timeline(store, number)
    with store.writing() as session:
        session.execute(update(ActRow).where(ActRow.case_number == number, ActRow.number == 1).values(by="eve"))
    with pytest.raises(CaseStoreError, match="act 1 in the timeline of case-1"):
        timeline(store, number)
    with store.writing() as session:
        session.execute(update(ActRow).where(ActRow.case_number == number, ActRow.number == 1).values(by="ann"))
    assert timeline(store, number) == acts
    with store.writing() as session:
        session.execute(text(f"DELETE FROM acts WHERE case_number = {number} AND number = {len(acts)}"))
    with pytest.raises(CaseStoreError, match=rf"has {len(acts) - 1} acts and its case says {len(acts)}"):
        timeline(store, number)


def test_a_content_that_was_exchanged_is_refused(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    _, exhibit = added(store, number, act(), note())
    with store.writing() as session:
        session.execute(update(ContentRow).where(ContentRow.media_type.like("text/plain%")).values(sealed=b"never said"))
    with pytest.raises(CaseStoreError, match="is not the one that was stored"):
        look_at(store, number, act(), exhibit, "to see")


def test_a_content_is_stored_once_and_erased_with_the_timeline_whole(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    _, first = added(store, number, act(), note(b"same"))
    _, second = added(store, number, act(), note(b"same"))
    views = {exhibit.id: exhibit for exhibit in case_view(store, number).exhibits}
    assert views[first].commitment == views[second].commitment
    assert look_at(store, number, act("bob"), first, "to check")[1] == b"same"
    erase_exhibit(store, number, act("ann"), first, ground="data_subject", why="asked for")
    views = {exhibit.id: exhibit for exhibit in case_view(store, number).exhibits}
    assert (views[first].sha256, views[first].note, views[first].bytes) == (None, "[erased]", 4)
    assert [line.act for line in timeline(store, number)][-2:] == ["exhibit_read", "exhibit_erased"]
    with pytest.raises(CaseStateError, match="was erased"):
        look_at(store, number, act(), second, "again")
    with pytest.raises(CaseStateError, match="erased before"):
        erase_exhibit(store, number, act(), first, ground="retention", why="again")


def test_reading_an_exhibit_is_an_act_with_its_reason(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    _, exhibit = added(store, number, act(), note(b"secret", private=True))
    assert case_view(store, number).exhibits[-1].note is None
    with pytest.raises(UsageError, match="--why"):
        look_at(store, number, act("bob"), exhibit, "  ")
    assert timeline(store, number)[-1].act == "exhibit_added"
    look_at(store, number, act("bob"), exhibit, "the customer asks")
    last = timeline(store, number)[-1]
    assert (last.by, last.act, last.words, last.detail["exhibit"]) == ("bob", "exhibit_read", "the customer asks", exhibit)


@pytest.mark.parametrize("size", [0, LARGEST_EXHIBIT + 1])
def test_an_empty_or_too_large_exhibit_is_refused_and_nothing_is_kept(store: CaseStore, new: New, act: Act, size: int) -> None:
    number = new()
    before = timeline(store, number)
    with pytest.raises(UsageError, match=r"it may have 1 to"):
        added(store, number, act(), note(b"x" * size))
    assert timeline(store, number) == before


def test_a_task_is_dated_assigned_and_done_once(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    _, task = tasked(store, number, act(), NewTask(title="Ask", due_days=2))
    assign(store, number, act(), "bob", task=task)
    due(store, number, act(), act(minutes=60).at, task=task)
    finish_task(store, number, act("bob", minutes=5), task, words="asked")
    (found,) = case_view(store, number).tasks
    assert (found.assignee, found.due_at, found.done_by, found.done_at) == ("bob", act(minutes=60).at, "bob", act(minutes=5).at)
    with pytest.raises(CaseStateError, match=f"task {task} was done by bob"):
        finish_task(store, number, act("ann"), task)
    other = new("group-0001")
    with pytest.raises(UnknownCaseError, match=f"case-{other} has no task {task}"):
        assign(store, other, act(), "bob", task=task)


def test_a_finding_stands_in_a_case_once(store: CaseStore, new: New, act: Act, result: Path) -> None:
    number = new("group-0000")
    again = gather(result, ("group-0000",), ())
    with pytest.raises(UsageError, match="twice"):
        claimed(store, number, act(), again.sources, again.claims)
    more = gather(result, ("group-0003",), ())
    claimed(store, number, act(), more.sources, more.claims)
    assert [claim.entity_id for claim in case_view(store, number).claims] == ["group-0000", "group-0003"]


def test_cases_are_listed_by_state_assignee_and_severity(store: CaseStore, new: New, act: Act) -> None:
    first, second = new("group-0000"), new("group-0003")
    assign(store, second, act(), "bob")
    assert [case.number for case in list_cases(store)] == [second, first]
    assert [case.number for case in list_cases(store, assignee="bob")] == [second]
    assert [case.number for case in list_cases(store, severity="critical")] == [first]
    assert list_cases(store, status=("closed",)) == []


def test_a_case_that_is_not_there_is_told(store: CaseStore, act: Act) -> None:
    for ask in (lambda: case_view(store, 99), lambda: timeline(store, 99), lambda: comment(store, 99, act(), "x")):
        with pytest.raises(UnknownCaseError, match="no case-99"):
            ask()


class Turned:
    """A box that tests use: it turns bytes around under a place, and knows its own."""

    name = "turned key-1"

    def __init__(self, place: str = "") -> None:
        self._place = place

    def at(self, *place: str) -> Turned:
        return Turned("/".join(place))

    def seal(self, content: bytes) -> bytes:
        return self._place.encode() + b"|" + content[::-1]

    def open(self, sealed: bytes) -> bytes:
        head, _, kept = sealed.partition(b"|")
        if head != self._place.encode():
            raise CaseStoreError("sealed for another place")
        return kept[::-1]


def test_contents_go_through_the_box_and_open_in_their_place_alone(place: Place, result: Path, act: Act) -> None:
    found = gather(result, ("group-0000",), ())
    boxed = open_store(place, Turned())
    number = new_case(boxed, act(), title="Boxed", sources=found.sources, claims=found.claims)
    _, exhibit = added(boxed, number, act(), note(b"private words"))
    comment(boxed, number, act(), "spoken words")
    assert look_at(boxed, number, act(), exhibit, "why")[1] == b"private words"
    with boxed.reading() as session:
        stored = session.execute(select(ContentRow.id, ContentRow.sealed).where(ContentRow.sealed.is_not(None))).all()
        assert stored
        assert not [kept for _, kept in stored if b"private words" in (kept or b"") or b"spoken words" in (kept or b"")]
    plain = open_store(place)
    with pytest.raises(CaseStoreError, match="sealed by 'turned key-1'"):
        timeline(plain, number)
    (one, first), (other, _) = stored[:2]
    with boxed.writing() as session:
        session.execute(update(ContentRow).where(ContentRow.id == other).values(sealed=first))
        with pytest.raises(CaseStoreError, match="another place"):
            boxed.content(session, other)
    assert one != other
    plain.close()
    boxed.close()


def test_the_file_of_a_store_is_its_owners_alone(tmp_path: Path, sqlite_template: Path) -> None:
    from stillwatch.cases.opening import place_of
    from stillwatch.errors import UnreadableInputError

    assert sqlite_template.stat().st_mode & 0o777 == 0o600
    sqlite_template.chmod(0o640)
    try:
        with pytest.raises(UnreadableInputError, match="chmod 600"):
            open_store(place_of(str(sqlite_template)))
    finally:
        sqlite_template.chmod(0o600)
    link = tmp_path / "link.db"
    link.symlink_to(sqlite_template)
    with pytest.raises(UnreadableInputError, match="no ordinary file"):
        open_store(place_of(str(link)))
