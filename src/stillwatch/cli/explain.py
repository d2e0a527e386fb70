"""`stillwatch explain`: why an entity was found; its text only for a case, with a reason, and on record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import Actor, Governance, Json, Log, LogKey, VaultKey, Why, keeper_of, named_actor, said
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.records.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Who wants text opened, for which case and why, on which record; as the options said it."""

    case: str | None
    why: str | None
    actor: str | None
    governance: Path | None
    log: Path | None
    log_key: Path | None
    vault_key: Path | None


def opened(folder: Path, finding: Finding, wanted: Opening) -> Finding:
    """The finding with its text, of which the log was told first."""
    if wanted.log is None:
        raise UsageError("text is opened on record only: give the evidence log with --log and --log-key")
    from stillwatch.app.approving import Said
    from stillwatch.app.opening import break_glass
    from stillwatch.app.vaulting import load_vault

    who, case = Said(by=named_actor(wanted.actor), why=said(wanted.why)), said(wanted.case, "--case")
    keeper = keeper_of(wanted.governance, wanted.log, wanted.log_key)
    shown, index = break_glass(keeper, folder, finding, who, case=case, vault=load_vault(wanted.vault_key))
    new_console(stderr=True).print(
        f"Recorded in {wanted.log}: record {index}, that {who.by} opened this text.", markup=False, soft_wrap=True
    )
    return shown


def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of a scan.")],
    entity: Annotated[str, typer.Argument(help="Entity id, finding id, or an account that is a member.")],
    exchanges: Annotated[int, typer.Option(min=0, max=1000, help="How many exchanges to list.")] = 10,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every signal, account, link and example; default: the first few.")
    ] = False,
    opens: Annotated[bool, typer.Option("--open", help="Show the text of exhibits: needs --case, --why, --as and --log.")] = False,
    case: Annotated[str | None, typer.Option(help="Case that opens the text; recorded.")] = None,
    why: Why = None,
    actor: Actor = None,
    governance: Governance = None,
    log: Log = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Say why an entity was found: links, signals, baselines and exchanges, from the files of the result folder.

    It begins with a summary and the first few of each; --all shows the rest, and --json gives everything. Text of prompts and responses is
    masked until a case opens it (--open): who did, and why, stands in the evidence log before it is shown.
    """
    from stillwatch.app.explaining import find_finding

    finding = find_finding(folder, entity)
    if opens:
        given: dict[str, Any] = {"governance": governance, "log": log, "log_key": log_key, "vault_key": vault_key}
        finding = opened(folder, finding, Opening(case=case, why=why, actor=actor, **given))
    _print_finding(folder, finding, exchanges, everything=everything, as_json=as_json)


def _print_finding(folder: Path, finding: Finding, exchanges: int, *, everything: bool, as_json: bool) -> None:
    from stillwatch.app.explaining import exchanges_of, links_of
    from stillwatch.report import explain_text, ocsf_finding

    links, rows = links_of(folder, finding), exchanges_of(folder, finding, exchanges)
    if as_json:
        from stillwatch.app.explaining import read_run

        print_json({"finding": ocsf_finding(finding, read_run(folder)), "links": links, "exchanges": rows})
        return
    from stillwatch.app.showing import exchange_table, link_table

    console = new_console(stderr=False)
    console.print(explain_text(finding, everything=everything))
    if everything:
        console.print(link_table(links))
    elif links:
        console.print(f"{len(links):,} links of accounts stand in links.parquet; --all lists them.", markup=False)
    console.print(exchange_table(rows))
