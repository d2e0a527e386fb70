"""Opens case stores: a SQLite file that only its owner may use, or a PostgreSQL database. Passwords stay out of every message."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from stillwatch.cases.refusals import BusyStoreError, CaseStoreError
from stillwatch.errors import MissingExtraError, OutputError, UnreadableInputError, UsageError, naming

WRITING = "stillwatch_writing"
"""Execution option of a connection whose transaction changes something."""

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_BUSY_S = 20
_CONNECT_S = 10
_LONGEST_SAID = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store lies.

    Attributes:
        shown: for messages; without a password.
        file: of SQLite; None: a database server.
        url: for the driver. A secret: it may hold a password.
    """

    shown: str
    file: Path | None
    url: URL

    def __repr__(self) -> str:
        return f"Place({self.shown!r})"

    def without_password(self, text: str) -> str:
        """The text with the password left out, should a driver have quoted it."""
        password = self.url.password
        return text.replace(password, "***") if password else text


def place_of(given: str) -> Place:
    """The place that a path or an address names. Raises UsageError for addresses of other kinds of databases."""
    if "://" not in given:
        path = Path(given)
        return Place(given, path, URL.create("sqlite+pysqlite", database=str(path)))
    scheme = given.split("://", 1)[0]
    if scheme not in _SCHEMES:
        raise UsageError(f"a case store is a file or a postgresql:// address, and this begins with {scheme[:40]!r}; give one of the two")
    try:
        url = make_url("postgresql+psycopg://" + given.split("://", 1)[1])
    except (ArgumentError, ValueError):
        raise UsageError("the address of the case store cannot be read; its form is postgresql://USER@HOST/DATABASE") from None
    if not url.database:
        raise UsageError("the address of the case store names no database; its form is postgresql://USER@HOST/DATABASE")
    shown = f"postgresql://{url.host or 'local socket'}{f':{url.port}' if url.port else ''}/{url.database}"
    return Place(shown, None, url)


def make_file(path: Path) -> None:
    """A new, empty file with mode 0600. Raises OutputError where something is there already or the folder is not."""
    try:
        with naming(path):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600))
    except FileExistsError:
        raise OutputError(f"{path} is there already; to bring an older store up to date, run: stillwatch case upgrade") from None
    except OSError as error:
        raise OutputError(
            f"{path} cannot be made: {error.strerror}; name a file in a folder that is there and that you may write"
        ) from None


def engine_of(place: Place) -> Engine:
    """An engine without a pool. Nothing is opened yet but a file is seen to be there and to be its owner's alone."""
    try:
        if place.file is not None:
            _check_file(place.file)
            engine = create_engine(place.url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": _BUSY_S})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        patience: dict[str, Any] = {"connect_timeout": _CONNECT_S, "options": f"-c lock_timeout={_BUSY_S}s"}
        return create_engine(place.url, poolclass=NullPool, hide_parameters=True, connect_args=patience)
    except ModuleNotFoundError:
        raise MissingExtraError("psycopg", extra="postgres") from None


@contextmanager
def told(place: Place) -> Generator[None]:
    """Errors of the database in one sentence, without parameters and passwords."""
    try:
        yield
    except SQLAlchemyError as error:
        # the lines after the first may quote what a row holds
        cause = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        said = place.without_password(" ".join(cause.split()))[:_LONGEST_SAID]
        if isinstance(error, OperationalError) and ("locked" in said or "lock timeout" in said):
            raise BusyStoreError(f"{place.shown} is in use by somebody else for more than {_BUSY_S} s; repeat the command") from None
        if isinstance(error, OperationalError) and "full" in said:
            raise OutputError(f"{place.shown}: {said}; nothing of this act is kept: free some room and repeat the command") from None
        raise CaseStoreError(f"{place.shown} failed: {said}; nothing of this act is kept: mend that and repeat the command") from None


def _check_file(path: Path) -> None:
    try:
        found = path.lstat()
    except OSError as error:
        raise UnreadableInputError(
            f"{path} is no case store ({error.strerror}); make one with: stillwatch case init --cases {path}"
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableInputError(f"{path} is no ordinary file; name the file of a case store")
    if os.name != "nt" and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(found.st_mode)
        raise UnreadableInputError(f"{path} may be used by others (mode {mode:04o}, 0600 was expected); run: chmod 600 {path}")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # the driver begins no transactions by itself, so that DDL and data stand in the one that we begin
    connection.isolation_level = None
    for pragma in ("foreign_keys=ON", "secure_delete=ON", "trusted_schema=OFF", "cell_size_check=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITING) else "BEGIN")
