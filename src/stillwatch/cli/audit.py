"""`stillwatch audit`: who saw, decided and exported what, from a log that is verified first; and the map of controls."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import Json, progress, stoppable
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.govern.auditing import Wanted


def audit(
    log: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of the evidence log.")] = None,
    controls: Annotated[bool, typer.Option("--controls", help="Show instead which published requirements the product serves.")] = False,
    by: Annotated[str | None, typer.Option(help="Only acts of this person, however spelled.")] = None,
    act: Annotated[
        list[str] | None, typer.Option(help="Only these kinds: view, decision, export, erasure, approval …; repeatable.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only acts from this time on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only acts before this time (UTC).")] = None,
    account: Annotated[str | None, typer.Option(help="Only acts that name this account.")] = None,
    vkey: Annotated[list[str] | None, typer.Option(help="The log's verifier key or a file of it; default: what the folder says.")] = None,
    earlier: Annotated[list[Path] | None, typer.Option(help="Checkpoint or proof from earlier that the log must still hold.")] = None,
    as_json: Json = False,
) -> None:
    """Say who saw, decided, approved, exported and erased what, when and why. The log is verified first; a broken one is told, not read.

    It needs no key and no governance file, so that an examiner can run it on a copy. An act that was never recorded is not in it.

    \b
    stillwatch audit evidence --by ann --since 2026-11-01
    stillwatch audit evidence --act view --act export --account acct_17 --json
    stillwatch audit --controls
    """
    if controls or log is None:
        _controls(log, wanted=controls, as_json=as_json)
        return
    from stillwatch.govern.auditing import Wanted

    wanted = Wanted(by=by, kinds=tuple(act or ()), since=_utc(since), until=_utc(until), account=account)
    _audited(log, wanted, vkey or [], tuple(earlier or ()), as_json=as_json)


def _audited(log: Path, wanted: Wanted, vkeys: list[str], earlier: tuple[Path, ...], *, as_json: bool) -> None:
    from stillwatch.app.auditing import audit as run
    from stillwatch.app.log_checking import Trust
    from stillwatch.app.log_keys import read_vkeys

    trust = Trust(keys=read_vkeys(vkeys), earlier=earlier)
    with stoppable("interrupted; nothing was changed"), progress(quiet=as_json) as shown:
        found = run(log, trust, wanted, shown.advance)
    if as_json:
        print_json(found.as_json())
        return
    from stillwatch.app.showing_governance import audit_parts

    new_console(stderr=False).print(audit_parts(found))


def _controls(log: Path | None, *, wanted: bool, as_json: bool) -> None:
    from stillwatch.govern.controls import control_map

    if not wanted or log is not None:
        raise UsageError("give either the folder of an evidence log or --controls")
    found = control_map()
    if as_json:
        print_json([control.as_json() for control in found])
        return
    from stillwatch.app.showing_governance import control_table

    new_console(stderr=False).print(control_table(found))


def _utc(moment: datetime | None) -> datetime | None:
    """A time of the command line, which is UTC where it names no offset."""
    return None if moment is None else moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
