"""`stillwatch govern suspend …` and `stillwatch govern text …`: what two people have to agree on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import Actor, Governance, Json, LogFolder, LogKey, NeededWhy, VaultKey, keeper_of, named_actor, now, say

if TYPE_CHECKING:
    from stillwatch.app.approving import Said

suspend = typer.Typer(help="Suspend accounts: one person asks, another one approves; a gateway reads the list.", no_args_is_help=True)
text = typer.Typer(help="Let the text of exhibits leave: one person asks, another one approves, then it leaves once.", no_args_is_help=True)

Request = Annotated[int, typer.Argument(metavar="REQUEST", min=0, help="Record of the request in the evidence log.")]
Accounts = Annotated[list[str] | None, typer.Argument(metavar="ACCOUNT", help="Accounts that are meant.")]
AccountsFile = Annotated[Path | None, typer.Option("--accounts-file", help="File with an account on each line, in addition.")]
Case = Annotated[str | None, typer.Option(help="Case that it belongs to; recorded.")]
Result = Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of a scan.")]
Entity = Annotated[str, typer.Argument(help="Entity id, finding id, or an account that is a member.")]
Vkey = Annotated[list[str] | None, typer.Option(help="The log's verifier key; default: what the folder itself says.")]


@suspend.command("request")
def request_suspension(
    log: LogFolder,
    why: NeededWhy,
    accounts: Accounts = None,
    accounts_file: AccountsFile = None,
    until: Annotated[str | None, typer.Option(help="End of the suspension, ISO 8601 with its offset; default: until it is lifted.")] = None,
    case: Case = None,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Ask for the suspension of accounts. Nothing is suspended before another person approves exactly these accounts and this end.

    \b
    stillwatch govern suspend request acct_17 acct_18 --log evidence --as ann --why "finding f-7, case 12"
    """
    from stillwatch.app import approving

    end = _moment(until)
    keeper = keeper_of(governance, log, log_key)
    say(approving.request_suspension(keeper, _named(accounts, accounts_file), _who(actor, why), until=end, case=case), as_json=as_json)


@suspend.command("lift")
def lift(
    log: LogFolder,
    why: NeededWhy,
    accounts: Accounts = None,
    accounts_file: AccountsFile = None,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """End suspensions of accounts; one person may."""
    from stillwatch.app import approving

    say(approving.lift(keeper_of(governance, log, log_key), _named(accounts, accounts_file), _who(actor, why)), as_json=as_json)


@suspend.command("list")
def suspended(
    log: LogFolder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for a gateway, put in place at once; default: print.")] = None,
    vkey: Vkey = None,
    as_json: Json = False,
) -> None:
    """List the accounts that are suspended now, with the checkpoint that says so. It needs no key and no governance file.

    An account stands in it only where one person asked and another one approved in time, and until the end or a lift.
    """
    from stillwatch.app import approving
    from stillwatch.app.log_keys import read_vkeys

    found = approving.suspension_list(log, read_vkeys(vkey or []), now())
    if out is not None:
        approving.write_suspensions(out, found)
        say({"file": str(out), "accounts": len(found["accounts"]), "records": found["records"]}, as_json=as_json)
        return
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_governance import suspension_table

    new_console(stderr=False).print(suspension_table(found))


@text.command("request")
def request_text(
    folder: Result,
    entity: Entity,
    log: LogFolder,
    why: NeededWhy,
    to: Annotated[str, typer.Option(help="Who is to get the text; recorded.")],
    case: Case = None,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Ask to hand over the text of a finding's exhibits. The request is bound to the bytes that would leave, and to who gets them."""
    from stillwatch.app.explaining import find_finding
    from stillwatch.app.opening import request_text as run
    from stillwatch.app.vaulting import load_vault

    keeper = keeper_of(governance, log, log_key)
    finding = find_finding(folder, entity)
    say(run(keeper, folder, finding, _who(actor, why), to=to, case=case, vault=load_vault(vault_key)), as_json=as_json)


@text.command("export")
def export_text(
    request: Request,
    folder: Result,
    entity: Entity,
    log: LogFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="New file with mode 0600 for the text.")],
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Write the text that a request was approved for. That it left is recorded first; it leaves once, and only as it was approved."""
    from stillwatch.app.explaining import find_finding
    from stillwatch.app.opening import export_text as run
    from stillwatch.app.vaulting import load_vault

    keeper = keeper_of(governance, log, log_key)
    finding = find_finding(folder, entity)
    say(run(keeper, request, folder, finding, out, by=named_actor(actor), vault=load_vault(vault_key)), as_json=as_json)


def approve(
    request: Request,
    log: LogFolder,
    why: NeededWhy,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Approve a request of another person: a suspension, or the export of a text. Look at it with stillwatch govern requests first."""
    _answer(request, log, _who(actor, why), governance, log_key, "approved", as_json=as_json)


def decline(
    request: Request,
    log: LogFolder,
    why: NeededWhy,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Decline a request of another person."""
    _answer(request, log, _who(actor, why), governance, log_key, "declined", as_json=as_json)


def requests(log: LogFolder, vkey: Vkey = None, as_json: Json = False) -> None:
    """List requests that need a second person, and where each stands."""
    from stillwatch.app.approving import listed
    from stillwatch.app.log_keys import read_vkeys

    found = listed(log, read_vkeys(vkey or []), now())
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_governance import request_table

    new_console(stderr=False).print(request_table(found))


def _answer(request: int, log: Path, who: Said, governance: Path | None, log_key: Path | None, given: str, *, as_json: bool) -> None:
    from stillwatch.app.approving import answer
    from stillwatch.records.governance import Answer

    say(answer(keeper_of(governance, log, log_key), request, who, Answer(given)), as_json=as_json)


def _named(accounts: list[str] | None, file: Path | None) -> list[str]:
    from stillwatch.app.approving import accounts_of_file

    return [*(accounts or []), *(accounts_of_file(file) if file else [])]


def _who(actor: str | None, why: str) -> Said:
    from stillwatch.app.approving import Said

    return Said(by=named_actor(actor), why=why)


def _moment(text: str | None) -> str | None:
    """A time as records hold it. Raises UsageError for another form, and for one without its offset from UTC."""
    from datetime import UTC, datetime

    from stillwatch.errors import UsageError

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"--until is {text!r}; it takes a time with its offset, such as 2027-01-31T00:00:00Z")
    return moment.astimezone(UTC).isoformat()
