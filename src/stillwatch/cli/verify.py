"""`stillwatch verify`: is a sealed case what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import FAILED


def verify(
    case: Annotated[Path, typer.Argument(metavar="FILE", help="A sealed case.")],
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="The evidence log's verifier key (NAME+ID+KEY) or a file of it, from whom you trust; without it who sealed is unknown."
        ),
    ] = None,
    disclosure: Annotated[
        Path | None, typer.Option(help="Cells that were withheld and opened later (stillwatch case disclose), to be checked as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")] = False,
) -> None:
    """Verify a sealed case in twelve steps, each of which passes or names what failed, what was expected and what is there.

    It needs neither the log nor a connection. verify_case.py at the repository's root does the same without this program.

    Exit status: 0 every step passed; 1 the case or its disclosure is refused; 2 wrong usage.

    \b
    stillwatch verify case-7.zip --key example.com/evidence+…
    """
    if not _verified(case, key or [], disclosure, as_json=as_json):
        raise typer.Exit(FAILED)


def _verified(case: Path, key: list[str], disclosure: Path | None, *, as_json: bool) -> bool:
    """Whether every step passed; what was seen is printed. RefusedCaseError where the case holds and its disclosure does not."""
    from stillwatch.app.case_verifying import (
        disclosed_in,
        disclosed_json,
        disclosed_lines,
        verification_json,
        verification_lines,
        verify_file,
    )
    from stillwatch.app.log_keys import read_vkeys
    from stillwatch.errors import StillwatchError, UsageError

    try:
        trusted = read_vkeys(key)
    except StillwatchError as error:
        raise UsageError(f"--key: {error}") from None
    found = verify_file(case, trusted)
    cells = disclosed_in(case, disclosure, found) if disclosure is not None and found.failure is None else None
    if as_json:
        print_json(verification_json(found) | ({} if cells is None else {"disclosed": disclosed_json(cells)}))
        return found.failure is None
    console = new_console(stderr=False)
    console.print(verification_lines(found), markup=False, soft_wrap=True)
    if cells is not None:
        console.print(disclosed_lines(cells), markup=False, soft_wrap=True)
    return found.failure is None
