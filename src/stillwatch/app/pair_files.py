"""The file of twin pairs: JSON Lines, appended only, mode 0600, each line chained to the one before by its SHA-256.

Nothing can be taken out, changed or put in between without every later line showing it; the digest of the last line, published from time to
time, fixes everything before it. A line that was torn by a crash stays where it is, is counted, and the chain goes on over it. Lines may be
sealed by a vault and erased; the chain is over what they say in plain, so that it stays what it was.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from stillwatch.app.private_files import require_private
from stillwatch.app.sealed_lines import START, plain_line, seal_line, stored_line, stored_lines
from stillwatch.errors import OutputError, SchemaError, StillwatchError, UnreadableInputError, naming
from stillwatch.govern.vault import Vault
from stillwatch.records.pairs import TwinPair
from stillwatch.report.codec import from_plain, to_plain

_TAIL = 64 * 1024
_SALT_BYTES = 16


class BrokenChainError(StillwatchError):
    """A line of a pairs file does not follow on the line before it: something was changed, taken out or put in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsFile:
    """What a pairs file holds.

    Attributes:
        pairs: in the order in which they were appended.
        lines: all lines.
        torn: lines that a crash cut off.
        head: SHA-256 of the last line in plain, hexadecimal; `START` for an empty file.
        sealed: lines that a vault sealed.
        erased: lines whose pair was erased.
    """

    pairs: tuple[TwinPair, ...] = field(repr=False)
    lines: int
    torn: int
    head: str
    sealed: int = 0
    erased: int = 0


def append_pair(path: Path, pair: TwinPair, vault: Vault | None = None) -> None:
    """Add a pair to the end of the file, made if it is not there; safe for several processes on one machine.

    With a vault the line is sealed: the withheld answer is on the disk only under the vault's key.

    Raises UnreadableInputError where others may use the file; OutputError where it cannot be written, the system has no such locks, or its
    lines are sealed and no vault is given.
    """
    lock = _file_lock(path)
    try:
        with naming(path), _held(path, lock) as file:
            last, torn = _last_line(file)
            line = None if last is None else stored_line(last)
            if vault is None and line is not None and line.sealed is not None:
                raise OutputError(
                    f"{path} is encrypted and no vault is given; give `append_pair` the vault. The pair is lost, the answer was not"
                )
            whole = (b"\n" if torn else b"") + _encoded(pair, START if line is None else line.digest, vault) + b"\n"
            if file.write(whole) != len(whole):
                raise OutputError(f"{path} cannot be written to the end: the disk is full; the pair is lost, the answer was not")
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; the pair is lost, the answer was not") from None


def _encoded(pair: TwinPair, previous: str, vault: Vault | None) -> bytes:
    """A line without its end. A sealed one holds a salt, so that its digest, which stays readable, confirms no guessed answer."""
    line: dict[str, Any] = {"previous": previous, "pair": to_plain(pair)}
    if vault is not None:
        line["salt"] = secrets.token_hex(_SALT_BYTES)
    plain = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return plain if vault is None else seal_line(plain, previous, vault)


@contextmanager
def _held(path: Path, lock: Callable[[int], None]) -> Generator[IO[bytes]]:
    """The file, held alone. Whoever encrypts or thins it out puts a new one in its place, which is then opened instead."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0) as file:
            require_private(path, os.fstat(file.fileno()))
            lock(file.fileno())
            if _still_there(path, os.fstat(file.fileno())):
                yield file
                return


def _still_there(path: Path, mine: os.stat_result) -> bool:
    try:
        return os.path.samestat(mine, path.lstat())
    except FileNotFoundError:
        return False


def _file_lock(path: Path) -> Callable[[int], None]:
    """What waits for the file and holds it until it is closed. Without such locks, as on Windows, two writers would tear the chain."""
    try:
        import fcntl
    except ImportError:
        message = (
            f"{path} cannot be written: pairs are appended under a file lock that this system has not; run the gateway on Linux or macOS"
        )
        raise OutputError(message) from None
    return lambda descriptor: fcntl.flock(descriptor, fcntl.LOCK_EX)


def read_pairs(path: Path, vault: Vault | None = None) -> PairsFile:
    """Every pair of the file, the chain checked line by line. Erased lines are counted, and the chain goes on over them.

    Raises BrokenChainError at the first line that does not follow on the one before, SchemaError at a line that is whole and holds no pair,
    VaultError at a sealed line without its key, UnreadableInputError where the file cannot be read or others may use it.
    """
    pairs: list[TwinPair] = []
    head, lines, torn, sealed, erased = START, 0, 0, 0, 0
    try:
        with path.open("rb") as file:
            require_private(path, os.fstat(file.fileno()))
            for lines, (line, previous, _) in enumerate(stored_lines(file), 1):
                head, sealed, erased = line.digest, sealed + (line.sealed is not None), erased + (line.erased is not None)
                if line.erased is not None:
                    continue
                entry = _entry(plain_line(line, previous, vault, f"{path}, line {lines}"))
                if entry is None:
                    torn += 1
                    continue
                _check_follows(entry, previous, f"{path}, line {lines}")
                pairs.append(_pair(path, lines, entry))
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a pairs file that you may read") from None
    return PairsFile(pairs=tuple(pairs), lines=lines, torn=torn, head=head, sealed=sealed, erased=erased)


def pair_of(plain: bytes, path: Path, number: int) -> TwinPair | None:
    """The pair that a line says in plain; None for a torn one."""
    entry = _entry(plain)
    return None if entry is None else _pair(path, number, entry)


def _check_follows(entry: dict[str, Any], previous: str, place: str) -> None:
    if "previous" not in entry:
        raise BrokenChainError(f"{place}, does not say which line it follows, as lines of a pairs file do; name the gateway's pairs file")
    if entry["previous"] != previous:
        found = f"{place}, follows on {str(entry['previous'])[:64]}, the line before it is {previous}"
        raise BrokenChainError(f"{found}: the file was changed; use a copy from before, and find out who changed it")


def _entry(line: bytes) -> dict[str, Any] | None:
    """The line's object; None for a line that was cut off."""
    try:
        entry = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _pair(path: Path, place: int, entry: dict[str, Any]) -> TwinPair:
    try:
        return from_plain(TwinPair, entry.get("pair"))
    except SchemaError:
        raise SchemaError(f"{path}, line {place}, holds no pair of this version; name a file that `append_pair` wrote") from None


def _last_line(file: IO[bytes]) -> tuple[bytes | None, bool]:
    """The last line without its end, None for an empty file; and whether it has no end."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return None, False
    tail, start = b"", size
    while start > 0 and b"\n" not in tail[:-1]:
        start = max(0, start - _TAIL)
        file.seek(start)
        tail = file.read(size - start)
    torn = not tail.endswith(b"\n")
    return tail.removesuffix(b"\n").rsplit(b"\n", 1)[-1], torn
