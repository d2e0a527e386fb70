"""Keeps client addresses and user agents by request id on disk, so that rows without them can be filled."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from stillwatch.ingest.messages import Row, label
from stillwatch.ingest.readers.base import REQUEST_ID

_ASKED_AT_ONCE = 500
_KEYS = (REQUEST_ID, "exchange_id", "trace_id")
_FILLED = ("client_ip", "user_agent")


class JoinStore:
    """Request id to (client address, user agent), in a file of the work folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)  # a run that was stopped may have left one behind
        self._database = sqlite3.connect(path, isolation_level=None)
        for command in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"):
            self._database.execute(command).fetchall()
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, client_ip TEXT, user_agent TEXT) WITHOUT ROWID")
        self.entries = 0

    def put(self, entries: Iterable[tuple[str, str | None, str | None]]) -> None:
        """Keep (id, client address, user agent); the first entry of an id stays."""
        self._database.execute("BEGIN")
        count = self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", entries).rowcount
        self._database.execute("COMMIT")
        self.entries += max(count, 0)

    def fill(self, columns: dict[str, pa.Array], rows: Sequence[Row]) -> None:
        """Put addresses and user agents into the columns where they are null and one of the row's ids is known."""
        if not self.entries:
            return
        known = dict(self._known({key for row in rows for key in _keys(row)}))
        if not known:
            return
        for place, name in enumerate(_FILLED):
            given = columns[name].to_pylist() if name in columns else [None] * len(rows)
            values = [value if value else _found(row, known, place) for value, row in zip(given, rows, strict=True)]
            columns[name] = pa.array(values, type=pa.string())

    def _known(self, ids: set[str]) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
        asked = sorted(ids)
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            chunk = asked[start : start + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT id, client_ip, user_agent FROM seen WHERE id IN ({marks})"  # noqa: S608 - only question marks are put in
            for key, client_ip, user_agent in self._database.execute(query, chunk):
                yield key, (client_ip, user_agent)

    def __enter__(self) -> JoinStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)


def _keys(row: Row) -> Iterator[str]:
    for name in _KEYS:
        key = label(row.get(name))
        if key:
            yield key


def _found(row: Row, known: dict[str, tuple[str | None, str | None]], place: int) -> str | None:
    return next((value for key in _keys(row) if key in known and (value := known[key][place])), None)
