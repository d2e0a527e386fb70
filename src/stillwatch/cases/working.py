"""What people do in an open case: comment, assign, set dates, finish tasks, look at private exhibits, reopen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from stillwatch.cases.refusals import CaseStateError, UnknownCaseError
from stillwatch.cases.store import Acting, CaseStore, Change, check_state, family, locked
from stillwatch.cases.tables import ContentRow, ExhibitRow, TaskRow
from stillwatch.cases.words import Status, bounded, case_name, person
from stillwatch.records.evidence import Ground

_ANY = (Status.OPEN, Status.CLOSED)


def comment(store: CaseStore, number: int, acting: Acting, text: str) -> int:
    """Say something about a case, open or closed; the number of the act."""
    with store.changing(number, acting, states=_ANY) as change:
        return change.act("commented", {}, words=bounded(text, "the comment")).number


def assign(store: CaseStore, number: int, acting: Acting, assignee: str | None, *, task: int | None = None) -> int:
    """Give a case, or one task of it, to somebody; None takes it back. The number of the act."""
    to = None if assignee is None else person(assignee, "the assignee")
    with store.changing(number, acting) as change:
        row = change.case if task is None else task_of(change, task)
        before, row.assignee = row.assignee, to
        return change.act("assigned", {"to": to, "before": before} | _which(task)).number


def due(store: CaseStore, number: int, acting: Acting, at: datetime | None, *, task: int | None = None) -> int:
    """Set the date by which a case, or one task of it, is to be done; None: no date. The number of the act."""
    with store.changing(number, acting) as change:
        row = change.case if task is None else task_of(change, task)
        before, row.due_at = row.due_at, at
        return change.act("due_set", {"due": _iso(at), "before": _iso(before)} | _which(task)).number


def finish_task(store: CaseStore, number: int, acting: Acting, task: int, *, words: str | None = None) -> int:
    """Note that a task is done; the number of the act. Raises CaseStateError for one that is done already."""
    said = None if words is None else bounded(words, "--why")
    with store.changing(number, acting) as change:
        row = task_of(change, task)
        if row.done_at is not None:
            raise CaseStateError(f"task {task} was done by {row.done_by} already; see stillwatch case show {case_name(number)}")
        row.done_at, row.done_by = acting.at, acting.by
        return change.act("task_done", _which(task), words=said).number


def look_at(store: CaseStore, number: int, acting: Acting, exhibit: int, why: str) -> tuple[ExhibitRow, bytes]:
    """The content of an exhibit, after it is noted who looked and why.

    Raises UnknownCaseError for an exhibit that is not of the case, CaseStateError for an erased one.
    """
    reason = bounded(why, "--why")
    with store.changing(number, acting, states=_ANY) as change:
        row = exhibit_of(change.session, number, exhibit)
        content = store.content(change.session, row.content_id)
        if content is None:
            raise CaseStateError(f"the content of exhibit {exhibit} was erased; the timeline says when")
        change.act("exhibit_read", {"exhibit": exhibit, "private": row.private}, words=reason)
        change.session.expunge(row)
    return row, content


def handed_over(store: CaseStore, number: int, acting: Acting, *, to: str, why: str, sha256: str, log_index: int) -> int:
    """Note that a sealed file of the case was made for somebody; the number of the act."""
    with store.changing(number, acting, states=_ANY) as change:
        return change.act(
            "sealed", {"to": person(to, "--recipient"), "sha256": sha256, "export": log_index}, words=bounded(why, "--why")
        ).number


def disclosed(store: CaseStore, number: int, acting: Acting, *, to: str, why: str, sha256: str, cells: int, log_index: int) -> int:
    """Note that withheld cells of the case were opened for somebody; the number of the act."""
    detail = {"to": person(to, "--to"), "sha256": sha256, "cells": cells, "export": log_index}
    with store.changing(number, acting, states=_ANY) as change:
        return change.act("disclosed", detail, words=bounded(why, "--why")).number


def handed_out(store: CaseStore, numbers: Sequence[int], acting: Acting, *, what: str, name: str, sha256: str) -> None:
    """Note in each of these closed cases that what it decided was written to a file; all of them or none."""
    with store.writing() as session:
        for number in sorted(numbers):
            case = locked(session, number)
            check_state(case, acting, (Status.CLOSED,))
            Change(session, case, acting, store.box).act("decision_exported", {"what": what, "file": name, "sha256": sha256})


def erase_exhibit(store: CaseStore, number: int, acting: Acting, exhibit: int, *, ground: str, why: str) -> int:
    """Erase the content of an exhibit, wherever it is shown; its commitment stays, and the timeline is whole. The number of the act.

    `ground` as in `stillwatch.records.evidence.Ground`. Raises CaseStateError for a content that was erased before.
    """
    reason, word = bounded(why, "--why"), Ground(ground).value
    with store.changing(number, acting, states=_ANY) as change:
        row = exhibit_of(change.session, number, exhibit)
        content = change.session.get_one(ContentRow, row.content_id)
        if content.erased_at is not None:
            raise CaseStateError(f"the content of exhibit {exhibit} was erased before; the timeline says when")
        content.sealed = content.salt = content.sha256 = None
        content.erased_at = acting.at
        detail = {"exhibit": exhibit, "ground": word, "commitment": content.commitment}
        return change.act("exhibit_erased", detail, words=reason).number


def exhibit_of(session: Session, number: int, exhibit: int) -> ExhibitRow:
    """An exhibit of the case, or of one that was merged into it."""
    row = session.get(ExhibitRow, exhibit)
    if row is None or row.case_number not in family(session, number):
        raise UnknownCaseError(f"{case_name(number)} has no exhibit {exhibit}; see stillwatch case show {case_name(number)}")
    return row


def task_of(change: Change, task: int) -> TaskRow:
    """A task of the case, or of one that was merged into it."""
    row = change.session.get(TaskRow, task)
    if row is None or row.case_number not in family(change.session, change.case.number):
        name = case_name(change.case.number)
        raise UnknownCaseError(f"{name} has no task {task}; see stillwatch case show {name}")
    return row


def _which(task: int | None) -> dict[str, int]:
    return {} if task is None else {"task": task}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
