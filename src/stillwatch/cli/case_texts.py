"""`stillwatch case open-text`, `request-text`, `disclose` and `encrypt`: private contents into a case and out of it, and their key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.case_desk import As, Case, Cases, Json, Version, Why, acted, at_desk, now
from stillwatch.cli.running import Governance, LogFolder, LogKey, VaultKey, keeper_of, named_actor, said, say, stoppable

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of the scan.")]
Entity = Annotated[str, typer.Option(help="Entity, finding or member account whose finding's text is opened; the case claims it.")]
Shown = Annotated[
    list[str],
    typer.Option("--show", help="What is to leave: a column (E4.prompt) or a row of it (E4.prompt:3); repeatable."),
]
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

    The request is bound to these cells, whose they are, and the recipient. Columns that name accounts, exchanges or groups leave by
    stillwatch case disclose alone; ask for them, and for text, by themselves.

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


def disclose(
    case: Case,
    cell: Annotated[
        list[str], typer.Option(help="What is opened: a row of a column (E4.prompt:3, from 1) or the column (E4.prompt); repeatable.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file with mode 0600 for values and salts.")],
    to: Annotated[str, typer.Option(help="For whom; recorded.")],
    why: Why,
    log: LogFolder,
    approved: Annotated[
        int | None, typer.Option(min=0, help="Record of the request (stillwatch case request-text) by which text and names may leave.")
    ] = None,
    cases: Cases = None,
    by: As = None,
    governance: Governance = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Open cells of a sealed case that were withheld, or stand as pseudonyms: the values, with the salts that give the hashes in the file.

    Whoever has the sealed case checks it with stillwatch verify CASE --disclosure FILE. Text of customers and names take two people.

    \b
    stillwatch case disclose case-1 --cell E1.price --to "the court" --why "order of May" --out opened.json --log evidence
    """
    given: dict[str, Any] = {"log": log, "log_key": log_key, "out": out, "approved": approved, "governance": governance}
    number, found = _disclosed(case, cases, by, given | {"cells": tuple(cell), "to": to, "why": why})
    acted(case, number, f"{found['cells']:,} cells opened in {out}, sha256 {found['sha256']}", as_json=as_json, file=str(out), **found)


def _disclosed(case: str, cases: str | None, by: str | None, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Open the cells, and note it in the timeline; the number of that act, and what was written."""
    from stillwatch.app.disclosing import DisclosureRequest
    from stillwatch.app.disclosing import disclose as run
    from stillwatch.cases.content import content_of
    from stillwatch.cases.words import case_number
    from stillwatch.cases.working import disclosed
    from stillwatch.sealing.commitments import evidence_digest

    number = case_number(case)
    with at_desk(cases, given["log"], given["log_key"]) as desk:
        acting = desk.acting(by)
        made = run(content_of(desk.store, number, evidence_digest), DisclosureRequest(by=acting.by, **given), now=now())
        found: dict[str, Any] = {"sha256": made.sha256, "cells": made.cells, "log_index": made.recorded_in}
        act = disclosed(desk.store, number, acting, to=given["to"], why=given["why"], **found)
        desk.settle()
    return act, found
