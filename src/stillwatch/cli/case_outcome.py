"""`stillwatch case`: how cases end, and what scans and detectors learn from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.case_desk import As, Case, Cases, Json, Log, LogKey, Version, Why, act, acted, at_desk, now
from stillwatch.cli.output import new_console, print_json

Out = Annotated[Path, typer.Option("--out", "-o", help="File to write; an earlier one is replaced.")]


def close(
    case: Case,
    disposition: Annotated[str, typer.Option(help="true, benign-true, false or undetermined.")],
    reason: Annotated[str, typer.Option(help="Reason code; stillwatch case reasons lists them.")],
    why: Why,
    suppress_days: Annotated[
        float | None,
        typer.Option(help="Days for which the same finding is shown as suppressed; default: 90 after benign-true and false, else 0."),
    ] = None,
    overlap: Annotated[
        float, typer.Option(help="Share of accounts in common (Jaccard) for a finding to count as the same, 0.5 to 1.")
    ] = 0.8,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Close a case with a disposition, a reason code and a reason in words.

    \b
    stillwatch case close case-1 --disposition benign-true --reason evaluation --why "Agreed benchmark, contract of May"
    """
    from stillwatch.cases.closing import DAYS, Closing
    from stillwatch.cases.closing import close as run
    from stillwatch.cases.dispositions import SUPPRESSES, disposition_of
    from stillwatch.cases.words import case_number

    found = disposition_of(disposition)
    days = (DAYS if found in SUPPRESSES else 0.0) if suppress_days is None else suppress_days
    closing = Closing(disposition=found, reason=reason, words=why, suppress_days=days, overlap=overlap)
    number = act((cases, by, log, log_key), lambda desk, acting: run(desk.store, case_number(case), acting, closing), expected=version)
    said = f"closed as {found.value.replace('_', '-')}" + (f", suppressed for {days:g} days" if days else "")
    acted(case, number, said, as_json=as_json, disposition=found.value, suppress_days=days)


def reopen(
    case: Case,
    why: Why,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Open a closed case again; its disposition, label and suppression count no longer."""
    from stillwatch.cases.closing import reopen as run
    from stillwatch.cases.words import case_number

    number = act((cases, by, log, log_key), lambda desk, acting: run(desk.store, case_number(case), acting, why), expected=version)
    acted(case, number, "open again", as_json=as_json)


def reasons(as_json: Json = False) -> None:
    """List dispositions and the reason codes that go with each."""
    from stillwatch.cases.dispositions import REASONS

    if as_json:
        print_json([asdict(reason) for reason in REASONS])
        return
    from stillwatch.app.showing_case import reasons_table

    new_console(stderr=False).print(reasons_table(REASONS))


def suppressions(out: Out, cases: Cases = None, by: As = None, log: Log = None, log_key: LogKey = None, as_json: Json = False) -> None:
    """Write the suppressions that are in force, for stillwatch scan --suppressions. The file names accounts.

    That it was written, and by whom, is an act of every case that it names.

    \b
    stillwatch case suppressions --out suppressions.json
    stillwatch scan logs/ --suppressions suppressions.json --out result
    """
    from stillwatch.app.case_files import hand_out
    from stillwatch.app.suppressing import suppressions_content
    from stillwatch.cases.labels import suppressions_of

    at = now()
    with at_desk(cases, log, log_key) as desk:
        found = suppressions_of(desk.store, at=at)
        hand_out(desk, by, out, suppressions_content(found, at=at), (one.case for one in found), "suppressions")
    _written(out, len(found), "suppressions in force", as_json=as_json)


def labels(out: Out, cases: Cases = None, by: As = None, log: Log = None, log_key: LogKey = None, as_json: Json = False) -> None:
    """Write what closed cases say about findings: entity, accounts, disposition, when, by whom.

    The file is a .parquet or a .jsonl, and names accounts. That it was written, and by whom, is an act of every case that it names.
    """
    from stillwatch.app.case_files import hand_out, labels_content
    from stillwatch.cases.labels import labels_of

    with at_desk(cases, log, log_key) as desk:
        found = labels_of(desk.store)
        hand_out(desk, by, out, labels_content(out, found), (one.case for one in found), "labels")
    _written(out, len(found), "labels", as_json=as_json)


def measure(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of a scan.")],
    cases: Cases = None,
    as_json: Json = False,
) -> None:
    """Say how often the findings of a scan were right by the labels of closed cases: precision by severity, with exact intervals.

    Fewer than 10 labelled findings in all are an error; a severity with fewer gets no number.
    """
    from stillwatch.app.explaining import read_run
    from stillwatch.cases.labels import labels_of
    from stillwatch.cases.labels import measure as run
    from stillwatch.report import read_findings

    read_run(folder)
    findings = read_findings(folder / "findings.jsonl")
    with at_desk(cases) as desk:
        rows = run(findings, labels_of(desk.store))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    from stillwatch.app.showing_case import precision_table

    new_console(stderr=False).print(precision_table(rows))


def _written(out: Path, count: int, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(out), "count": count})
        return
    new_console(stderr=False).print(f"{count:,} {what} in {out}", markup=False, soft_wrap=True)
