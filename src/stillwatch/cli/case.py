"""`stillwatch case`: the store, new cases, exhibits, and what is in a case."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli import sealing
from stillwatch.cli.case_desk import As, Case, Cases, Json, Log, LogKey, Version, Why, act, acted, at_desk, now
from stillwatch.cli.case_outcome import close, labels, measure, reasons, reopen, suppressions
from stillwatch.cli.case_texts import disclose, encrypt, open_text, request_text
from stillwatch.cli.case_work import assign, comment, done, due, link, merge, related, task
from stillwatch.cli.output import new_console, print_json

if TYPE_CHECKING:
    from stillwatch.app.casework import Desk
    from stillwatch.app.sealing import SealedCase
    from stillwatch.cases.store import Acting
    from stillwatch.cases.tables import ExhibitRow

case = typer.Typer(
    name="case",
    help="Work on cases: claims of findings and verdicts, exhibits, tasks, a timeline, dispositions, and what follows from them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path | None, typer.Argument(metavar="DIR", help="Result folder of a scan.")]
Entity = Annotated[list[str] | None, typer.Option(help="Entity, finding or member account that a claim is about; repeatable.")]
Verdicts = Annotated[list[Path] | None, typer.Option("--verdict", help="Folder of stillwatch prove, or its verdict.json; repeatable.")]


@case.command()
def init(cases: Cases = None) -> None:
    """Make a case store: a SQLite file with mode 0600, or the tables of a PostgreSQL database.

    \b
    stillwatch case init --cases cases.db
    STILLWATCH_CASES=postgresql://analyst@db.example.com/cases stillwatch case init
    """
    from stillwatch.app.casework import store_place
    from stillwatch.cases.versions import init_store

    place = store_place(cases)
    version = init_store(place)
    new_console(stderr=False).print(f"{place.shown} is a case store of version {version}", markup=False, soft_wrap=True)


@case.command()
def upgrade(cases: Cases = None) -> None:
    """Bring a case store that an older version made to this one, all of it or nothing. Make a copy first."""
    from stillwatch.app.casework import store_place
    from stillwatch.cases.versions import upgrade_store

    place = store_place(cases)
    before, after = upgrade_store(place)
    said = f"{place.shown} had version {before} and has {after}" if before != after else f"{place.shown} has version {after} already"
    new_console(stderr=False).print(said, markup=False, soft_wrap=True)


@case.command()
def new(
    title: Annotated[str, typer.Option(help="What the case is about, in a line.")],
    folder: Folder = None,
    entity: Entity = None,
    verdict: Verdicts = None,
    template: Annotated[Path | None, typer.Option(help="Tasks to begin with (TOML); default: the shipped ones.")] = None,
    no_tasks: Annotated[bool, typer.Option("--no-tasks", help="Begin without tasks.")] = False,
    assignee: Annotated[str | None, typer.Option(help="Whose case it is.")] = None,
    cases: Cases = None,
    by: As = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Make a case from findings of a scan, verdicts of proofs, or both, with their numbers, members, traces, versions and hashes.

    \b
    stillwatch case new result --entity group-1 --title "Twenty accounts, one instruction"
    stillwatch case new --verdict proof --title "Suspect model"
    """
    from stillwatch.app.case_sources import gather, tasks_from
    from stillwatch.cases.making import new_case
    from stillwatch.cases.words import case_name

    gathered = gather(folder, tuple(entity or ()), tuple(verdict or ()))
    tasks = () if no_tasks else tasks_from(template)
    number = act(
        (cases, by, log, log_key),
        lambda desk, acting: new_case(
            desk.store, acting, title=title, sources=gathered.sources, claims=gathered.claims, tasks=tasks, assignee=assignee
        ),
    )
    if as_json:
        print_json({"case": case_name(number), "claims": len(gathered.claims), "tasks": len(tasks)})
        return
    said = f"{case_name(number)}: made with {len(gathered.claims)} claims and {len(tasks)} tasks"
    new_console(stderr=False).print(said, markup=False, soft_wrap=True)


@case.command()
def claim(
    case: Case,
    folder: Folder = None,
    entity: Entity = None,
    verdict: Verdicts = None,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Add a further claim to an open case: of a scan's finding, or of a verdict.

    \b
    stillwatch case claim case-1 result --entity group-2
    """
    from stillwatch.app.case_sources import gather
    from stillwatch.cases.making import claimed
    from stillwatch.cases.words import case_number

    gathered = gather(folder, tuple(entity or ()), tuple(verdict or ()))
    number, made = act(
        (cases, by, log, log_key),
        lambda desk, acting: claimed(desk.store, case_number(case), acting, gathered.sources, gathered.claims),
        expected=version,
    )
    acted(case, number, f"claims {', '.join(str(claim) for claim in made)} added", as_json=as_json, claims=made)


@case.command()
def add(
    case: Case,
    rows: Annotated[str | None, typer.Option(help="Rows of a table: members, links, features or quarantine; with --from.")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="Result folder that the rows are in.")] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Only rows of this entity; repeatable.")] = None,
    account: Annotated[list[str] | None, typer.Option(help="Only rows of this account; repeatable.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file of at most 16 MiB.")] = None,
    note: Annotated[str | None, typer.Option(help="A note; - reads it from standard input.")] = None,
    private: Annotated[bool, typer.Option("--private", help="It may hold private text: listings mask it.")] = False,
    label: Annotated[str | None, typer.Option(help="What it is, in a few words.")] = None,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Add an exhibit to an open case: rows of a result folder, a file or a note. One at a time.

    \b
    stillwatch case add case-1 --rows members --from result --entity group-1
    stillwatch case add case-1 --file contract.pdf --private --label "Contract of 2025"
    stillwatch case add case-1 --note "Called the customer; waits for an answer"
    """
    from stillwatch.app.case_exhibits import exhibit_of
    from stillwatch.cases.making import added
    from stillwatch.cases.words import case_number

    words = sys.stdin.read(1_000_000) if note == "-" else note
    chosen = (source, tuple(entity or ()), tuple(account or ()))
    exhibit = exhibit_of(rows=rows, chosen=chosen, file=file, note=words, private=private, label=label)
    given = (cases, by, log, log_key)
    number, made = act(given, lambda desk, acting: added(desk.store, case_number(case), acting, exhibit), expected=version)
    acted(case, number, f"exhibit {made} added", as_json=as_json, exhibit=made)


@case.command("list")
def list_(
    status: Annotated[list[str] | None, typer.Option(help="open, closed or merged; repeatable. Default: open.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only cases of this person.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only cases of this severity.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Cases in every state.")] = False,
    cases: Cases = None,
    as_json: Json = False,
) -> None:
    """List cases, newest first."""
    from stillwatch.cases.reading import list_cases, status_of

    states = () if everything else tuple(status_of(given) for given in status or ["open"])
    with at_desk(cases) as desk:
        found = list_cases(desk.store, status=states, assignee=assignee, severity=severity)
    if as_json:
        print_json([asdict(summary) for summary in found])
        return
    from stillwatch.app.showing_case import list_table

    new_console(stderr=False).print(list_table(found, now=now()))


@case.command()
def show(case: Case, cases: Cases = None, as_json: Json = False) -> None:
    """Show a case: where it stands, what is claimed with its numbers, what ties the accounts, exhibits, tasks. Private text is masked."""
    from stillwatch.cases.reading import case_view
    from stillwatch.cases.words import case_number

    with at_desk(cases) as desk:
        found = case_view(desk.store, case_number(case))
    if as_json:
        print_json(asdict(found))
        return
    from stillwatch.app.showing_case import case_page

    new_console(stderr=False).print(case_page(found, now=now()))


@case.command()
def timeline(case: Case, cases: Cases = None, as_json: Json = False) -> None:
    """Show everything that was done in a case, and check that nothing in it was changed: each act is hashed with the one before."""
    from stillwatch.cases.reading import timeline as acts_of
    from stillwatch.cases.words import case_number

    with at_desk(cases) as desk:
        acts = acts_of(desk.store, case_number(case))
    if as_json:
        print_json([asdict(act) for act in acts])
        return
    from stillwatch.app.showing_case import timeline_table

    new_console(stderr=False).print(timeline_table(acts))


@case.command()
def read(
    case: Case,
    exhibit: Annotated[int, typer.Argument(metavar="EXHIBIT", min=1, help="Number of the exhibit.")],
    why: Why,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="New file for the content, mode 0600; needed for what is no text.")
    ] = None,
    cases: Cases = None,
    by: As = None,
    log: Log = None,
    log_key: LogKey = None,
) -> None:
    """Show the content of an exhibit. Who looked, at what and why is recorded first.

    Where STILLWATCH_GOVERNANCE names a governance file, only those whom it lets open text may.
    """
    from stillwatch.app.case_exhibits import shown_text, write_content

    row, content = act((cases, by, log, log_key), lambda desk, acting: _read(desk, acting, case, exhibit, why))
    if out is not None:
        write_content(out, content)
        new_console(stderr=False).print(f"exhibit {exhibit}: {len(content):,} bytes in {out}", markup=False, soft_wrap=True)
        return
    sys.stdout.write(shown_text(row.label, content) + "\n")


def _read(desk: Desk, acting: Acting, case: str, exhibit: int, why: str) -> tuple[ExhibitRow, bytes]:
    from stillwatch.cases.words import case_number
    from stillwatch.cases.working import look_at
    from stillwatch.govern.policy import Act

    desk.may(Act.OPEN_TEXT, acting.by)
    return look_at(desk.store, case_number(case), acting, exhibit, why)


@contextmanager
def _handing(case: str, given: tuple[str | None, str | None, Path | None, Path | None]) -> Generator[sealing.Handing]:
    """A case as it is sealed, and the note of that in its timeline. It is found before anything is recorded."""
    from stillwatch.cases.content import content_of
    from stillwatch.cases.words import case_number
    from stillwatch.cases.working import handed_over
    from stillwatch.sealing.commitments import evidence_digest

    number, (cases, by, log, log_key) = case_number(case), given
    with at_desk(cases, log, log_key) as desk:
        acting = desk.acting(by)

        def noted(made: SealedCase) -> None:
            handed_over(desk.store, number, acting, to=made.recipient, why=made.why, sha256=made.sha256, log_index=made.recorded_in)
            desk.settle()

        yield sealing.Handing(content=content_of(desk.store, number, evidence_digest), by=acting.by, noted=noted)


sealing.attach(case, _handing)
case.command("open-text")(open_text)
case.command("request-text")(request_text)
case.command()(disclose)
case.command()(encrypt)
for command in (comment, assign, due, task, done, related, link, merge, close, reopen, reasons, suppressions, labels, measure):
    case.command()(command)
