"""Keys of the vault from files and the environment, and private files of lines that are encrypted, wrapped anew or thinned out in place."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stillwatch.app.private_files import create_private, read_private, require_private
from stillwatch.app.sealed_lines import Stored, plain_line, rewrap_line, seal_line, stored_lines
from stillwatch.errors import OutputError, UnreadableInputError, UsageError, naming
from stillwatch.govern.vault import KEY_BYTES, Vault, VaultKey, key_text, keys_of_text, sealed_under
from stillwatch.settings import vault_key_lines

Change = Callable[[Stored, str, int], bytes]
"""A line, the digest of the line before and its number, to the bytes that stand there afterwards."""


@dataclass(slots=True, kw_only=True)
class _Counted:
    """What became of the lines of a file."""

    lines: int = 0
    changed: int = 0


def make_vault_key(out: Path) -> dict[str, str]:
    """A new key in a new file with mode 0600; its id. OutputError where something is there already."""
    key = VaultKey(secrets.token_bytes(KEY_BYTES))
    create_private(out, key_text(key))
    return {"file": str(out), "key_id": key.key_id}


def load_vault(path: Path | None) -> Vault | None:
    """The vault of a key file, or of STILLWATCH_VAULT_KEY where no file is named; None where neither is there.

    Raises UnreadableInputError for a file that others may read, VaultError for another content.
    """
    if path is not None:
        return Vault(keys_of_text(read_private(path), str(path)))
    lines = vault_key_lines()
    return None if lines is None else Vault(keys_of_text(lines, "STILLWATCH_VAULT_KEY"))


def needed_vault(path: Path | None) -> Vault:
    """The same where there must be one; else UsageError."""
    vault = load_vault(path)
    if vault is None:
        raise UsageError(
            "no key of the vault: --vault-key names no file and STILLWATCH_VAULT_KEY is not set; see `stillwatch govern vault-key`"
        )
    return vault


def encrypt_file(path: Path, vault: Vault) -> dict[str, Any]:
    """Seal every plain line of a private file, and wrap lines anew that are sealed under an older key; counts.

    Heads and digests of the file stay what they were. Everything is opened once on the way: a file that cannot be read is
    left as it is.
    """
    already = 0

    def change(line: Stored, previous: str, number: int) -> bytes:
        nonlocal already
        if line.erased is not None:
            return line.raw
        plain = plain_line(line, previous, vault, f"{path}, line {number}")
        if line.sealed is None:
            return seal_line(plain, previous, vault)
        already += 1
        return line.raw if sealed_under(line.sealed) == vault.key_id else rewrap_line(line, previous, vault)

    counted = change_lines(path, change)
    return {"file": str(path), "lines": counted.lines, "changed": counted.changed, "sealed_before": already, "key_id": vault.key_id}


def change_lines(path: Path, change: Change) -> _Counted:
    """Put other lines in the place of a private file's, at once: readers and writers see the old file or the whole new one.

    Whatever appends to the file in the meantime waits, and then finds the new one. Where nothing changes the file is left alone.
    Raises UnreadableInputError where it cannot be read or others may use it, OutputError where it cannot be written.
    """
    counted = _Counted()
    partial = path.with_name(f".{path.name}.partial")
    try:
        with held(path) as file, naming(partial):
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600), "wb") as new:
                for counted.lines, (line, previous, end) in enumerate(stored_lines(file), 1):
                    stands = change(line, previous, counted.lines)
                    counted.changed += stands != line.raw
                    new.write(stands + end)
                new.flush()
                os.fsync(new.fileno())
            if counted.changed:
                partial.replace(path)
                _settle(path.parent)
    except OSError as error:
        raise OutputError(f"{path} cannot be changed: {error.strerror}; it is as it was") from None
    finally:
        partial.unlink(missing_ok=True)
    return counted


@contextmanager
def held(path: Path) -> Generator[IO[bytes]]:
    """A private file to be read, held against whoever appends to it."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a file that you may read") from None
    with file:
        require_private(path, os.fstat(file.fileno()))
        try:
            import fcntl
        except ImportError:
            raise OutputError(f"{path} cannot be changed: this system has no file locks; do it on Linux or macOS") from None
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield file


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
