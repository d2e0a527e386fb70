"""The file of twin pairs: JSON Lines, appended only, mode 0600, each line chained to the one before by its SHA-256.

Nothing can be taken out, changed or put in between without every later line showing it; the digest of the last line, published from time to
time, fixes everything before it. A line that was torn by a crash stays where it is, is counted, and the chain goes on over it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from stillwatch.app.private_files import require_private
from stillwatch.errors import OutputError, SchemaError, StillwatchError, UnreadableInputError, naming
from stillwatch.records.pairs import TwinPair
from stillwatch.report.codec import from_plain, to_plain

START = "0" * 64
"""What the first line follows on."""

_TAIL = 64 * 1024


class BrokenChainError(StillwatchError):
    """A line of a pairs file does not follow on the line before it: something was changed, taken out or put in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsFile:
    """What a pairs file holds.

    Attributes:
        pairs: in the order in which they were appended.
        lines: all lines.
        torn: lines that a crash cut off.
        head: SHA-256 of the last line, hexadecimal; `START` for an empty file.
    """

    pairs: tuple[TwinPair, ...] = field(repr=False)
    lines: int
    torn: int
    head: str


def append_pair(path: Path, pair: TwinPair) -> None:
    """Add a pair to the end of the file, made if it is not there; safe for several processes on one machine.

    Raises UnreadableInputError where others may use the file, OutputError where it cannot be written, or the system has no such locks.
    """
    lock = _file_lock(path)
    try:
        with naming(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0) as file:
                require_private(path, os.fstat(file.fileno()))
                lock(file.fileno())
                last, torn = _last_line(file)
                line = {"previous": _digest(last), "pair": to_plain(pair)}
                encoded = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
                whole = (b"\n" if torn else b"") + encoded + b"\n"
                if file.write(whole) != len(whole):
                    raise OutputError(f"{path} cannot be written to the end: the disk is full; the pair is lost, the answer was not")
                os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; the pair is lost, the answer was not") from None


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


def read_pairs(path: Path) -> PairsFile:
    """Every pair of the file, the chain checked line by line.

    Raises BrokenChainError at the first line that does not follow on the one before, SchemaError at a line that is whole and holds no pair,
    UnreadableInputError where the file cannot be read or others may use it.
    """
    pairs: list[TwinPair] = []
    previous, lines, torn = START, 0, 0
    for lines, line in enumerate(_lines(path), 1):
        entry = _entry(line)
        if entry is None:
            torn += 1
        elif entry.get("previous") != previous:
            found = f"{path}, line {lines}, follows on {str(entry.get('previous'))[:64]}, the line before it is {previous}"
            raise BrokenChainError(f"{found}: the file was changed; use a copy from before, and find out who changed it")
        else:
            pairs.append(_pair(path, lines, entry))
        previous = hashlib.sha256(line).hexdigest()
    return PairsFile(pairs=tuple(pairs), lines=lines, torn=torn, head=previous)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            require_private(path, os.fstat(file.fileno()))
            for line in file:
                yield line.removesuffix(b"\n")
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a pairs file that you may read") from None


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


def _digest(last: bytes | None) -> str:
    return START if last is None else hashlib.sha256(last).hexdigest()


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
