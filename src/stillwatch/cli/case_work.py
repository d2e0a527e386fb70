"""`stillwatch case`: comments, tasks, dates, and cases that belong together."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from stillwatch.cli.case_desk import As, Case, Cases, Json, Log, LogKey, Version, Why, act, acted, at_desk
from stillwatch.cli.output import new_console, print_json
from stillwatch.errors import UsageError

Other = Annotated[str, typer.Argument(metavar="OTHER", help="The other case.")]
Task = Annotated[int | None, typer.Option(min=1, help="A task of the case, instead of the case.")]
Day = Annotated[
    datetime | None, typer.Option("--due", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="The day, as 2026-12-31, or the minute, UTC.")
]


def comment(
    case: Case,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say; - reads it from standard input.")],
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Say something about a case, open or closed."""
    from stillwatch.cases.words import case_number
    from stillwatch.cases.working import comment as run

    said = sys.stdin.read(1_000_000) if text == "-" else text
    number = act((cases, by, log, log_key), lambda desk, acting: run(desk.store, case_number(case), acting, said), expected=version)
    acted(case, number, "commented", as_json=as_json)


def assign(
    case: Case,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Whose it is; left out: nobody's.")] = None,
    task: Task = None,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Give a case, or a task of it, to somebody."""
    from stillwatch.cases.words import case_number
    from stillwatch.cases.working import assign as run

    number = act(
        (cases, by, log, log_key), lambda desk, acting: run(desk.store, case_number(case), acting, name, task=task), expected=version
    )
    acted(case, number, f"assigned to {name or 'nobody'}", as_json=as_json)


def due(
    case: Case,
    day: Day = None,
    never: Annotated[bool, typer.Option("--never", help="Take the date away.")] = False,
    task: Task = None,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Set the day by which a case, or a task of it, is to be done."""
    from stillwatch.cases.words import case_number
    from stillwatch.cases.working import due as run

    if (day is None) != never:
        raise UsageError("give either --due DAY or --never")
    at = None if day is None else day.replace(tzinfo=UTC)
    number = act(
        (cases, by, log, log_key), lambda desk, acting: run(desk.store, case_number(case), acting, at, task=task), expected=version
    )
    acted(case, number, "due date set", as_json=as_json)


def task(
    case: Case,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is to be done.")],
    detail: Annotated[str, typer.Option(help="More of it.")] = "",
    due_days: Annotated[float | None, typer.Option(min=0, max=3650, help="Days from now by which it is to be done.")] = None,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Add a task to an open case."""
    from stillwatch.cases.claims import NewTask
    from stillwatch.cases.making import tasked
    from stillwatch.cases.words import case_number

    wanted = NewTask(title=title, detail=detail, due_days=due_days)
    number, made = act(
        (cases, by, log, log_key), lambda desk, acting: tasked(desk.store, case_number(case), acting, wanted), expected=version
    )
    acted(case, number, f"task {made} added", as_json=as_json, task=made)


def done(
    case: Case,
    task: Annotated[int, typer.Argument(metavar="TASK", min=1, help="Number of the task.")],
    why: Annotated[str | None, typer.Option(help="How it was done, in words; recorded.")] = None,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Note that a task is done."""
    from stillwatch.cases.words import case_number
    from stillwatch.cases.working import finish_task

    number = act(
        (cases, by, log, log_key),
        lambda desk, acting: finish_task(desk.store, case_number(case), acting, task, words=why),
        expected=version,
    )
    acted(case, number, f"task {task} is done", as_json=as_json)


def related(case: Case, cases: Cases = None, as_json: Json = False) -> None:
    """Find cases that share accounts, traces or infrastructure with this one. What common software gives everybody relates nothing."""
    from stillwatch.cases.joining import related as run
    from stillwatch.cases.reading import case_row
    from stillwatch.cases.words import case_number

    with at_desk(cases) as desk, desk.store.reading() as session:
        case_row(session, case_number(case))
        found = run(session, case_number(case))
    if as_json:
        print_json([asdict(other) for other in found])
        return
    from stillwatch.app.showing_case import related_table

    new_console(stderr=False).print(related_table(found))


def link(
    case: Case,
    other: Other,
    why: Why,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Note that two cases belong together, open or closed; both timelines say so, with what they share."""
    from stillwatch.cases.joining import link as run
    from stillwatch.cases.words import case_number

    pair = case_number(case), case_number(other)
    number = act((cases, by, log, log_key), lambda desk, acting: run(desk.store, *pair, acting, why), expected=version)
    acted(case, number, f"linked with case-{pair[1]}", as_json=as_json)


def merge(
    case: Case,
    into: Annotated[str, typer.Option(help="The case that goes on.")],
    why: Why,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Put an open case into another. Nothing is moved or lost: it points to the other, which shows all of both from then on."""
    from stillwatch.cases.joining import merge as run
    from stillwatch.cases.words import case_number

    pair = case_number(case), case_number(into)
    number = act((cases, by, log, log_key), lambda desk, acting: run(desk.store, *pair, acting, why), expected=version)
    acted(into, number, f"took in case-{pair[0]}", as_json=as_json)
