"""The contents beside the log, in SQLite: what entries commit to, each with its salt, until it is erased. Private to its owner.

It is also where a batch becomes durable: contents, entries and the signed checkpoint of a batch are one transaction, and only then are
tiles written. Whoever opens the log after a crash finds the batch here, and finishes it.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from stillwatch.errors import OutputError, UnreadableInputError
from stillwatch.ledger.entries import LARGEST_CONTENT, SALT_BYTES
from stillwatch.ledger.refusals import BrokenLogError, BusyLogError

FILE = "contents.sqlite"
SEALED = b"SWV1"
"""What a sealed opening begins with: the vault's mark. No salt is drawn that begins so."""
SEALING = "sealing"
"""Name of the state that says what seals this log's contents; without it they are plain."""
_SCHEMA = (
    "CREATE TABLE contents (idx INTEGER PRIMARY KEY, opening BLOB NOT NULL)",
    "CREATE TABLE erasing (idx INTEGER PRIMARY KEY)",
    "CREATE TABLE pending (idx INTEGER PRIMARY KEY, records BLOB NOT NULL)",
    "CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
)
_PRAGMAS = (
    "page_size=4096",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "secure_delete=ON",
    "synchronous=EXTRA",
    "temp_store=MEMORY",
    "cache_size=-65536",
)
_BUSY_S = 20.0
_MOST_STEPS = 50_000_000
"""Steps of SQLite's machine for one question, so that a hostile file cannot keep it busy for ever."""


class OpeningBox(Protocol):
    """Seals openings before they are stored, and opens them again, each in its own place."""

    @property
    def name(self) -> str:
        """What it seals with, such as a scheme and a key's id."""
        ...

    def at(self, *place: str) -> OpeningBox:
        """The box for one record."""
        ...

    def seal(self, content: bytes) -> bytes:
        """What is stored."""
        ...

    def open(self, sealed: bytes) -> bytes:
        """The opening again; raises a StillwatchError where it cannot be opened or was changed."""
        ...


class Contents:
    """The content store of one log; use it as a context manager.

    Args:
        path: of the file.
        writable: whether it may be changed; it is made where it is not there.
        box: what openings are sealed with, and opened; None: new ones are plain, and sealed ones cannot be read.

    Raises UnreadableInputError where it is missing, BrokenLogError where it is a link, damaged or holds other tables.
    """

    def __init__(self, path: Path, *, writable: bool, make: bool = False, box: OpeningBox | None = None) -> None:
        self.path = path
        self.box = box
        if make:
            _create(path)
        _check_file(path, writable=writable)
        mode = "rw" if writable else "ro"
        with self._told():
            self._base = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None)
            try:
                self._prepare(make=make)
            except BaseException:
                self._base.close()
                raise

    def __enter__(self) -> Contents:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def _prepare(self, *, make: bool) -> None:
        self._base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_CONTENT + SALT_BYTES + 4096)
        for pragma in _PRAGMAS:
            self._base.execute(f"PRAGMA {pragma}")
        if make:
            self._base.execute("BEGIN IMMEDIATE")
            for table in _SCHEMA:
                self._base.execute(table)
            self._base.execute("COMMIT")
        # a view or trigger in the place of a table would be code of whoever made the file
        found = tuple(sql for (sql,) in self._asked("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"))
        if found != _SCHEMA:
            raise BrokenLogError(f"{self.path} does not hold the tables of an evidence log; restore it from a copy")

    @contextmanager
    def changing(self) -> Generator[None]:
        """One transaction: all of the block or nothing; durable afterwards."""
        with self._told():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def put(self, openings: Iterable[tuple[int, bytes]]) -> None:
        """Add (index, salt and content); within `changing`. Raises as `check_box`."""
        self.check_box()
        if self.box is not None and self.state(SEALING) != self.box.name.encode():
            self.put_state(SEALING, self.box.name.encode())
        self._base.executemany("INSERT INTO contents VALUES (?, ?)", ((index, self._stored(index, opening)) for index, opening in openings))

    def check_box(self) -> None:
        """Nothing where contents may be added; OutputError where the log is sealed and there is no key to seal them with."""
        if self.box is None and self.state(SEALING) is not None:
            raise OutputError(f"{self.path} is encrypted, and nothing is added to it in plain; set STILLWATCH_VAULT_KEY to its key")

    def replace(self, index: int, stored: bytes) -> None:
        """Put another form of the same opening in the place of what is stored; within `changing`."""
        self._base.execute("UPDATE contents SET opening = ? WHERE idx = ?", (stored, index))

    def stored(self, start: int, most: int) -> list[tuple[int, bytes]]:
        """(index, bytes as they are stored) of the next `most` contents from `start` on."""
        asked = self._asked("SELECT idx, opening FROM contents WHERE idx >= ? ORDER BY idx LIMIT ?", start, most)
        return [(int(index), self._blob(opening)) for index, opening in asked]

    def _stored(self, index: int, opening: bytes) -> bytes:
        return opening if self.box is None else self.box.at(str(index)).seal(opening)

    def _opened(self, index: int, stored: bytes) -> bytes:
        """Salt and content. Raises UnreadableInputError where they are sealed and there is no key."""
        if not stored.startswith(SEALED):
            return stored
        if self.box is None:
            raise UnreadableInputError(
                f"{self.path} is encrypted, and no key is given; set STILLWATCH_VAULT_KEY to its vault's key (log verify --no-contents "
                "needs none)"
            )
        return self.box.at(str(index)).open(stored)

    def put_pending(self, bundles: Iterable[tuple[int, bytes]]) -> None:
        """Note (index of the first, records as a bundle) as not yet published, in the place of what was; within `changing`."""
        self._base.execute("DELETE FROM pending")
        self._base.executemany("INSERT INTO pending VALUES (?, ?)", bundles)

    def put_state(self, name: str, value: bytes) -> None:
        """Remember a value by name; within `changing`."""
        self._base.execute("INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))

    def put_erasing(self, indexes: Iterable[int]) -> None:
        """Note what is to be erased once the record of it stands; within `changing`."""
        self._base.executemany("INSERT OR IGNORE INTO erasing VALUES (?)", ((index,) for index in indexes))

    def erase_noted(self) -> int:
        """Erase what was noted, overwriting it in the file; how many contents went."""
        if not list(self._asked("SELECT 1 FROM erasing LIMIT 1")):
            return 0
        with self.changing():
            gone = self._base.execute("DELETE FROM contents WHERE idx IN (SELECT idx FROM erasing)").rowcount
            self._base.execute("DELETE FROM erasing")
        return gone

    def state(self, name: str) -> bytes | None:
        """A value that was remembered."""
        rows = list(self._asked("SELECT value FROM state WHERE name = ?", name))
        return self._blob(rows[0][0]) if rows else None

    def pending(self) -> list[tuple[int, bytes]]:
        """What was noted as not yet published, in order."""
        return [(int(index), self._blob(records)) for index, records in self._asked("SELECT idx, records FROM pending ORDER BY idx")]

    def openings(self, start: int, end: int) -> Iterator[tuple[int, bytes, bytes]]:
        """(index, salt, content) of every content with an index in [start, end), in order."""
        for index, opening in self._asked("SELECT idx, opening FROM contents WHERE idx >= ? AND idx < ? ORDER BY idx", start, end):
            held = self._opened(index, self._blob(opening))
            yield index, held[:SALT_BYTES], held[SALT_BYTES:]

    def beyond(self, size: int) -> bool:
        """Whether contents stand under indexes that a log of `size` records does not have."""
        return bool(list(self._asked("SELECT 1 FROM contents WHERE idx >= ? OR idx < 0 LIMIT 1", size)))

    def _asked(self, question: str, *values: int | str) -> Iterator[tuple[Any, ...]]:
        """Rows of a question, within a bound of work."""
        steps = iter(range(_MOST_STEPS // 1_000_000))
        with self._told():
            self._base.set_progress_handler(lambda: next(steps, None) is None, 1_000_000)
            yield from self._base.execute(question, values)
            self._base.set_progress_handler(None, 0)

    def _blob(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise BrokenLogError(f"{self.path} holds {type(value).__name__} where bytes were expected; restore it from a copy")
        return value

    @contextmanager
    def _told(self) -> Generator[None]:
        """SQLite's errors in our words."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "locked" in text:
                raise BusyLogError(f"{self.path} is in use by another process; wait for its end and run this again") from None
            if "full" in text or "disk I/O" in text:
                raise OutputError(
                    f"{self.path} cannot be written ({text}): the disk is full or fails; nothing of this batch was recorded"
                ) from None
            if "readonly" in text or "unable to open" in text:
                raise UnreadableInputError(
                    f"{self.path} cannot be opened ({text}); after a crash, run `stillwatch log recover` as its owner first"
                ) from None
            raise BrokenLogError(f"{self.path} is damaged ({text}); restore it from a copy") from None
        except sqlite3.IntegrityError as error:
            raise BrokenLogError(f"{self.path} holds contents that the log has no records of ({error}); restore it from a copy") from None
        except (sqlite3.Error, OverflowError) as error:
            raise BrokenLogError(f"{self.path} is damaged ({error}); restore it from a copy") from None


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600))
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror}; name a folder that holds no log yet") from None


def _check_file(path: Path, *, writable: bool) -> None:
    try:
        found = path.lstat()
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name the folder of a log, with its private part") from None
    if not stat.S_ISREG(found.st_mode):
        raise BrokenLogError(f"{path} is a link or no file; restore it from a copy")
    if writable and os.name != "nt" and stat.S_IMODE(found.st_mode) & 0o077:
        raise UnreadableInputError(
            f"{path} may be used by others (mode {stat.S_IMODE(found.st_mode):04o}, 0600 was expected); run: chmod 600 {path}"
        )
