"""`stillwatch govern retain`, `erase` and `access`: how long things are kept, and what people may ask of what is held about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import Actor, Governance, Json, LogFolder, LogKey, NeededWhy, VaultKey, keeper_of, named_actor, say, stoppable
from stillwatch.errors import UsageError

Roots = Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders that hold results, exports and matches; those below count too.")]
Pairs = Annotated[list[Path] | None, typer.Option(help="File of twin pairs; repeatable.")]
Cases = Annotated[
    str | None, typer.Option(help="Case store to look through as well; default: the variable STILLWATCH_CASES, else none is.")
]
AccountName = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Account, as the logs name it.")]
_INTERRUPTED = "interrupted; run the same command again to go on"


def retain(
    roots: Roots,
    log: LogFolder,
    why: NeededWhy,
    pairs: Pairs = None,
    cases: Cases = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is due; default: a dry run that deletes nothing.")] = False,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Say what is older than its class of data is kept, and why it goes or stays; with --delete it goes, on record.

    Legal holds (stillwatch log hold) stop it. Without --delete nothing is deleted and nothing recorded.

    \b
    stillwatch govern retain results/ exports/ --pairs pairs.jsonl --log evidence --as root --why "monthly" --governance governance.toml
    """
    from stillwatch.app.approving import Said
    from stillwatch.app.case_keeping import named_store
    from stillwatch.app.retaining import RetentionRequest
    from stillwatch.app.retaining import retain as run
    from stillwatch.app.vaulting import load_vault

    given: dict[str, Any] = {"roots": tuple(roots), "pairs": tuple(pairs or ()), "vault": load_vault(vault_key)}
    with stoppable(_INTERRUPTED), named_store(cases, given["vault"]) as store:
        request = RetentionRequest(delete=delete, cases=store, **given)
        found = run(keeper_of(governance, log, log_key), request, Said(by=named_actor(actor), why=why))
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_governance import retention_table

    new_console(stderr=False).print(retention_table(found))


def erase(
    account: AccountName,
    roots: Roots,
    log: LogFolder,
    why: NeededWhy,
    ground: Annotated[str, typer.Option(help="data_subject, court_order, retention or mistake.")] = "data_subject",
    pairs: Pairs = None,
    cases: Cases = None,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Erase what is held about an account: from results, pairs, closed cases, and the contents of the evidence log, whose proofs hold.

    Legal holds stop it. The record of it names no account, so --why must not either. What is left, and why, is said.
    """
    from stillwatch.app.approving import Said
    from stillwatch.app.case_keeping import named_store
    from stillwatch.app.erasing import ErasureRequest, erase_account
    from stillwatch.app.vaulting import load_vault
    from stillwatch.records.inputs import Ground

    if ground not in set(Ground):
        raise UsageError(f"--ground is {ground!r}; it takes one of {', '.join(Ground)}")
    given: dict[str, Any] = {"roots": tuple(roots), "pairs": tuple(pairs or ()), "vault": load_vault(vault_key)}
    with stoppable(_INTERRUPTED), named_store(cases, given["vault"]) as store:
        request = ErasureRequest(account=account, ground=Ground(ground), cases=store, **given)
        say(erase_account(keeper_of(governance, log, log_key), request, Said(by=named_actor(actor), why=why)), as_json=as_json)


def access(
    account: AccountName,
    roots: Roots,
    log: LogFolder,
    why: NeededWhy,
    to: Annotated[str, typer.Option(help="Who gets it; recorded.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for access.json and access.html.")],
    pairs: Pairs = None,
    cases: Cases = None,
    actor: Actor = None,
    governance: Governance = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Write everything that is held about an account, as JSON and as a page, with what was withheld and why."""
    from stillwatch.app.approving import Said
    from stillwatch.app.case_keeping import named_store
    from stillwatch.app.subject_access import AccessRequest, give_access
    from stillwatch.app.vaulting import load_vault

    given: dict[str, Any] = {"roots": tuple(roots), "pairs": tuple(pairs or ()), "vault": load_vault(vault_key)}
    with stoppable(_INTERRUPTED), named_store(cases, given["vault"]) as store:
        request = AccessRequest(account=account, out=out, to=to, cases=store, **given)
        say(give_access(keeper_of(governance, log, log_key), request, Said(by=named_actor(actor), why=why)), as_json=as_json)
