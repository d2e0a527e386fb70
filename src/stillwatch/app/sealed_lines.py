"""Lines of private files as they are stored: plain, sealed by a vault, or erased; each with the digest of what it says in plain.

The digest of a line is that of its plain bytes, however it is stored. So a chain of digests, a published head and the sha256 that a plan
names stay what they are when a file is encrypted, when its key is changed, and when lines of it are erased. A sealed line opens only behind
the line that it was written behind.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from stillwatch.errors import UnreadableInputError
from stillwatch.govern.refusals import VaultError
from stillwatch.govern.vault import Vault

START = "0" * 64
"""What the first line follows on."""

_PLACE = "private line"
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SEALED, _ERASED = b'{"sealed":', b'{"erased":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A line as it lies in its file.

    Attributes:
        raw: its bytes, without the line's end.
        digest: SHA-256 of its plain bytes, hexadecimal; for sealed and erased lines what the file says.
        sealed: what the vault sealed; None for other lines.
        erased: the ground of its erasure; None for other lines.
    """

    raw: bytes = field(repr=False)
    digest: str
    sealed: bytes | None = field(default=None, repr=False)
    erased: str | None = None


def stored_line(raw: bytes) -> Stored:
    """What a line of a file is, without its end. A line that only looks sealed or erased is a plain one."""
    if raw.startswith((_SEALED, _ERASED)):
        found = _marked(raw)
        if found is not None:
            return found
    return Stored(raw=raw, digest=hashlib.sha256(raw).hexdigest())


def _marked(raw: bytes) -> Stored | None:
    try:
        value: Any = json.loads(raw)
        digest = value["sha256"]
        if _HASH.fullmatch(digest) is None or len(cast("dict[str, Any]", value)) != 2:
            return None
        if "sealed" in value:
            return Stored(raw=raw, digest=digest, sealed=base64.b64decode(value["sealed"], validate=True))
        return Stored(raw=raw, digest=digest, erased=str(value["erased"]))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def seal_line(plain: bytes, previous: str, vault: Vault) -> bytes:
    """The bytes of a sealed line, without its end, that stands behind the line of digest `previous`."""
    sealed = base64.b64encode(vault.seal(plain, (_PLACE, previous))).decode()
    return json.dumps({"sealed": sealed, "sha256": hashlib.sha256(plain).hexdigest()}, separators=(",", ":")).encode()


def rewrap_line(line: Stored, previous: str, vault: Vault) -> bytes:
    """A sealed line under the vault's present key. Raises VaultError as `Vault.open` does."""
    sealed = base64.b64encode(vault.rewrap(line.sealed or b"", (_PLACE, previous))).decode()
    return json.dumps({"sealed": sealed, "sha256": line.digest}, separators=(",", ":")).encode()


def erased_line(line: Stored, ground: str) -> bytes:
    """What stands in the place of an erased line: its digest, so that the lines behind it still follow on it, and the ground."""
    return json.dumps({"erased": ground, "sha256": line.digest}, separators=(",", ":")).encode()


def plain_line(line: Stored, previous: str, vault: Vault | None, place: str) -> bytes:
    """A line's plain bytes; an erased one gives none.

    Raises VaultError, naming `place`, where it is sealed and there is no key, another key or another place, or it says something else than
    its digest.
    """
    if line.erased is not None:
        return b""
    if line.sealed is None:
        return line.raw
    if vault is None:
        raise VaultError(f"{place} is encrypted, and no key is given; give --vault-key FILE, or set STILLWATCH_VAULT_KEY")
    try:
        plain = vault.open(line.sealed, (_PLACE, previous))
    except VaultError as error:
        raise VaultError(f"{place}: {error}") from None
    if hashlib.sha256(plain).hexdigest() != line.digest:
        raise VaultError(f"{place} is sealed under another digest than it has; the file was changed, restore it from a copy")
    return plain


def stored_lines(file: Iterable[bytes]) -> Iterator[tuple[Stored, str, bytes]]:
    """(line, digest of the line before, line's end) of every line of an open file."""
    previous = START
    for whole in file:
        raw = whole.removesuffix(b"\n")
        line = stored_line(raw)
        yield line, previous, whole[len(raw) :]
        previous = line.digest


def plain_lines(path: Path, vault: Vault | None) -> Iterator[tuple[int, bytes]]:
    """(number, plain bytes) of every line that was not erased. Raises UnreadableInputError, and VaultError as `plain_line`."""
    try:
        with path.open("rb") as file:
            for number, (line, previous, _) in enumerate(stored_lines(file), 1):
                if line.erased is None:
                    yield number, plain_line(line, previous, vault, f"{path}, line {number}")
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a file that you may read") from None


def plain_sha256(path: Path, vault: Vault | None) -> str:
    """SHA-256 of a file as it is in plain: the same before and after it was encrypted. Raises UnreadableInputError, and VaultError.

    Erased lines are not there; with them the file is another one.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for number, (line, previous, end) in enumerate(stored_lines(file), 1):
                if line.erased is None:
                    digest.update(plain_line(line, previous, vault, f"{path}, line {number}") + end)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read ({error.strerror}); check that it is still there") from None
    return digest.hexdigest()
