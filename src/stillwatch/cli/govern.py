"""`stillwatch govern`: who may do what, what is encrypted, how long things are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.approvals import approve, decline, requests, suspend, text
from stillwatch.cli.keeping import access, erase, retain
from stillwatch.cli.running import Json, VaultKey, say

govern = typer.Typer(
    name="govern",
    help="Keep private data as private data must be kept: encryption, roles, approvals, retention, erasure, access.",
    epilog="Start with: stillwatch govern init --out governance.toml",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NewFile = Annotated[Path, typer.Option("--out", "-o", help="New file with mode 0600; an existing one is never overwritten.")]

govern.add_typer(suspend, name="suspend")
govern.add_typer(text, name="text")
govern.command()(approve)
govern.command()(decline)
govern.command()(requests)
govern.command()(retain)
govern.command()(erase)
govern.command()(access)


@govern.command()
def init(out: NewFile, as_json: Json = False) -> None:
    """Write a governance file to be filled in: people and their roles, who may do what, how long each class of data is kept."""
    from stillwatch.app.governance import write_policy

    say(write_policy(out), as_json=as_json)


@govern.command("vault-key")
def vault_key(out: NewFile, as_json: Json = False) -> None:
    """Make a key of the vault in a new file: withheld answers and case text are encrypted under it.

    Keep it on another disk than what it opens, and keep a copy: what is sealed under a lost key is lost. To change keys put the new line
    above the old one and run stillwatch govern encrypt; then take the old line away.
    """
    from stillwatch.app.vaulting import make_vault_key

    say(make_vault_key(out), as_json=as_json)


@govern.command()
def encrypt(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pairs files and scored pairs, whose lines are plain or sealed.")],
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Encrypt private files of lines in place, and bring encrypted ones under the vault's present key.

    A published head and the sha256 that a sealed plan names stay what they are: both are over the plain lines. What was on the disk before
    may still be there in blocks that the drive put aside; use an encrypted disk as well.
    """
    from stillwatch.app.vaulting import encrypt_file, needed_vault

    vault = needed_vault(vault_key)
    for file in files:
        say(encrypt_file(file, vault), as_json=as_json)
