"""`stillwatch case open-text`, `request-text` and `encrypt`: text of customers into a case, leave to let it out, and its key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.case_desk import As, Case, Cases, Json, Version, Why, acted, at_desk
from stillwatch.cli.running import Governance, LogFolder, LogKey, VaultKey, keeper_of, named_actor, said, say, stoppable

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of the scan.")]
Entity = Annotated[str, typer.Option(help="Entity, finding or member account whose finding's text is opened; the case claims it.")]
Shown = Annotated[list[str], typer.Option("--show", help="A column of text of customers that is to leave, such as E4.prompt; repeatable.")]
Recipient = Annotated[
    str | None,
    typer.Option(help="Who the sealed case is for, as case seal will name them; default: the house (--keep-identifiers)."),
]


def open_text(
    case: Case,
    folder: Folder,
    entity: Entity,
    why: Why,
    log: LogFolder,
    cases: Cases = None,
    by: As = None,
    version: Version = None,
    governance: Governance = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Put the text of a finding's exhibits into the open case that is about it, where the governance file lets you open text.

    Who did, for which case, why and whose text it is stands in the evidence log before it is read. It is kept encrypted, so
    STILLWATCH_VAULT_KEY is needed; --vault-key is that of the result folder, where it is another one.

    \b
    stillwatch case open-text case-1 result --entity group-1 --why "is it a class?" --log evidence --log-key log.key
    """
    from stillwatch.app.approving import Said
    from stillwatch.app.case_texts import take_in
    from stillwatch.app.explaining import find_finding
    from stillwatch.app.vaulting import load_vault
    from stillwatch.cases.words import case_number

    who, keeper = Said(by=named_actor(by), why=said(why)), keeper_of(governance, log, log_key)
    source, vault = (folder, find_finding(folder, entity)), load_vault(vault_key)
    with at_desk(cases, log, log_key) as desk:
        made = take_in(desk, keeper, case_number(case), source, who, vault=vault, expected=version)
    what = f"the text of {made['rows']} exchanges is exhibit {made['exhibit']}; record {made['viewed_in']} says who opened it"
    acted(case, made.pop("act"), what, as_json=as_json, **made)


def request_text(
    case: Case,
    show: Shown,
    why: Why,
    log: LogFolder,
    recipient: Recipient = None,
    cases: Cases = None,
    by: As = None,
    governance: Governance = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Ask that columns of text may leave with the sealed case; another person answers with stillwatch govern approve.

    The request is bound to these cells, whose text they are, and the recipient.

    \b
    stillwatch case request-text case-1 --show E4.prompt --show E4.response --recipient "the court" --why "docket 3" --log evidence
    """
    from stillwatch.app.approving import Said
    from stillwatch.app.case_texts import HOUSE, request_leaving
    from stillwatch.cases.content import content_of
    from stillwatch.cases.words import case_name, case_number
    from stillwatch.sealing.commitments import evidence_digest

    who, number, keeper = Said(by=named_actor(by), why=said(why)), case_number(case), keeper_of(governance, log, log_key)
    with at_desk(cases) as desk:
        content = content_of(desk.store, number, evidence_digest)
    say(request_leaving(keeper, content, show, who, to=recipient or HOUSE, case=case_name(number)), as_json=as_json)


def encrypt(cases: Cases = None, vault_key: VaultKey = None, as_json: Json = False) -> None:
    """Encrypt every content of the case store that is plain, and bring encrypted ones under the vault's present key.

    It goes on where it was interrupted; the counts add up. Once nothing is left behind, the old line can be taken out of the key file.

    \b
    stillwatch case encrypt --cases cases.db --vault-key vault.key
    """
    from stillwatch.app.case_keeping import encrypt_store
    from stillwatch.app.vaulting import needed_vault

    with stoppable("interrupted; what was done is kept: run the same command again to go on"):
        say(encrypt_store(cases, needed_vault(vault_key)), as_json=as_json)
