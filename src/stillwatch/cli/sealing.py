"""`seal`: a case into one file. It joins the command group that keeps cases: `attach(group, handing)`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.case_desk import As, Case, Cases, now
from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import Governance
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.app.sealing import SealedCase
    from stillwatch.records.cases import CaseContent

Out = Annotated[Path, typer.Option("--out", "-o", help="New file with mode 0600, such as case-7.zip.")]
Log = Annotated[Path, typer.Option(help="Evidence log that the exhibits stand in.")]
LogKey = Annotated[Path | None, typer.Option("--log-key", help="The log's private key file; default: the variable STILLWATCH_LOG_KEY.")]
Recipient = Annotated[str | None, typer.Option(help="Who it is for; accounts get pseudonyms that hold for this recipient alone.")]
Key = Annotated[
    Path | None, typer.Option(help="Master secret that pseudonyms are derived from; default: the variable STILLWATCH_MASTER_KEY.")
]
KeepIdentifiers = Annotated[bool, typer.Option("--keep-identifiers", help="Keep identifiers as they are: for use within the house.")]
Withhold = Annotated[
    list[str] | None, typer.Option(help="What does not leave: an exhibit (E3), a column (E1.price), a file's bytes (E2.file); repeatable.")
]
Show = Annotated[
    list[str] | None, typer.Option(help="A column of text of customers that is to leave, such as E1.prompt; needs --approved; repeatable.")
]
Approved = Annotated[
    int | None, typer.Option(min=0, help="Record of the request (stillwatch case request-text) by which text of customers may leave.")
]

Why = Annotated[str, typer.Option(help="What for; recorded, and read by the recipient.")]
Pdf = Annotated[bool, typer.Option("--pdf/--no-pdf", help="Add the narrative as a PDF, to be printed.")]
Json = Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handing:
    """A case that is handed over: what it holds, by whom, and what keeps in it that it was."""

    content: CaseContent
    by: str
    noted: Callable[[SealedCase], None]


HandingOver = Callable[[str, tuple[str | None, str | None, Path | None, Path | None]], AbstractContextManager[Handing]]
"""Finds a case by its argument, and by --cases, --as, --log and --log-key."""


def attach(group: typer.Typer, handing: HandingOver) -> None:
    """Give a command group the command `seal`."""

    @group.command()
    def seal(  # pyright: ignore[reportUnusedFunction] - the group keeps it
        case: Case,
        out: Out,
        log: Log,
        why: Why,
        cases: Cases = None,
        by: As = None,
        recipient: Recipient = None,
        key: Key = None,
        keep_identifiers: KeepIdentifiers = False,
        withhold: Withhold = None,
        show: Show = None,
        approved: Approved = None,
        governance: Governance = None,
        log_key: LogKey = None,
        pdf: Pdf = True,
        as_json: Json = False,
    ) -> None:
        """Seal a case into one file for a recipient, who verifies it without us: claims, evidence, numbers, custody, narrative.

        Text of customers is withheld unless --show names it and another person approved it; what is withheld stands as a hash that can be
        opened later. The exhibits are recorded in the evidence log, and so is that the file was handed over.
        """
        from stillwatch.app.sealing import withholding_of

        if (recipient is None) != keep_identifiers:
            raise UsageError("give --recipient NAME and --key FILE for a partner, or --keep-identifiers for use within the house")
        given: dict[str, Any] = {"log": log, "log_key": log_key, "out": out, "printed": pdf, "approved": approved, "governance": governance}
        given["withholding"] = withholding_of(withhold or [], show or [])
        with handing(case, (cases, by, log, log_key)) as handed:
            _seal(handed, {**given, "why": why, "recipient": recipient, "key": key}, as_json=as_json)


def _seal(handed: Handing, given: dict[str, Any], *, as_json: bool) -> None:
    from stillwatch.app.sealing import SealRequest, seal_case, seal_json

    made = seal_case(handed.content, SealRequest(by=handed.by, **given), now=now())
    handed.noted(made)
    if as_json:
        print_json(seal_json(made))
        return
    kinds = list(made.numbers.values())
    said = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("recomputed", "withheld", "stated"))
    lines = (f"{made.path}: {made.size:,} bytes, sha256 {made.sha256}", f"numbers: {said}", f"to be checked with: --key {made.vkey}")
    new_console(stderr=False).print("\n".join(lines), markup=False, soft_wrap=True)
