"""Puts the request and response files of batches together, keeping the requests on disk until their answers come."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import orjson

from stillwatch.ingest.inputs import InputFile
from stillwatch.ingest.messages import Row, label
from stillwatch.ingest.normalise import Normaliser, RecordStream
from stillwatch.ingest.parsing import Record
from stillwatch.ingest.readers.base import Context
from stillwatch.ingest.readers.batch import BATCH, is_request, request_row, response_row
from stillwatch.ingest.sniffing import head_records
from stillwatch.ingest.splitting import Raw
from stillwatch.ingest.tally import Session, Tally
from stillwatch.ingest.values import RefusedRowError

_PEEKED = 100
_HEAD = 4096


class _Requests:
    """Requests that wait for their answers, by file and custom_id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)  # a run that was stopped may have left one behind
        self._database = sqlite3.connect(path, isolation_level=None)
        for command in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"):
            self._database.execute(command).fetchall()
        columns = "file TEXT, custom_id TEXT, line INTEGER, at INTEGER, head BLOB, row BLOB, PRIMARY KEY (file, custom_id)"
        self._database.execute(f"CREATE TABLE waiting ({columns}) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def put(self, file: str, custom_id: str, raw: Raw, row: Row) -> bool:
        """Keep a request; False when the file had one of that id before."""
        values = (file, custom_id, raw.number, raw.offset, raw.data[:_HEAD], orjson.dumps(row))
        return self._database.execute("INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, ?, ?, ?)", values).rowcount == 1

    def take(self, file: str, custom_id: str) -> Row | None:
        """Give a request out, once."""
        key = (file, custom_id)
        found = self._database.execute("SELECT row FROM waiting WHERE file = ? AND custom_id = ?", key).fetchone()
        self._database.execute("DELETE FROM waiting WHERE file = ? AND custom_id = ?", key)
        return None if found is None else orjson.loads(found[0])

    def holding(self, file: str, ids: Sequence[str]) -> int:
        """How many of the ids the file has."""
        query = "SELECT COUNT(*) FROM waiting WHERE file = ? AND custom_id = ?"
        return sum(self._database.execute(query, (file, custom_id)).fetchone()[0] for custom_id in ids)

    def left(self, file: str) -> Iterator[tuple[Raw, str]]:
        """The file's requests that nobody took, in the order of the file."""
        query = "SELECT line, at, head, custom_id FROM waiting WHERE file = ? ORDER BY line"
        for line, at, head, custom_id in self._database.execute(query, (file,)):
            yield Raw(line, at, head), custom_id

    def __enter__(self) -> _Requests:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)


def read_batches(files: Sequence[InputFile], tallies: Sequence[Tally], normaliser: Normaliser, session: Session, work: Path) -> None:
    """Read all batch files of a run: requests first, then each response file against the request file that shares most ids with it.

    A pair counts as one row, of the response file; a request that was answered counts as skipped, any other is quarantined.
    """
    with _Requests(work / "batches.sqlite") as requests:
        asking: dict[str, Tally] = {}
        answering: list[tuple[InputFile, Tally]] = []
        for file, tally in zip(files, tallies, strict=True):
            if any(is_request(record) for record in head_records(file.path, file.compression, file.layout, 1)):
                asking[file.name] = tally
                _keep_requests(file, tally, session, requests)
            else:
                answering.append((file, tally))
        for file, tally in answering:
            _read_answers(file, tally, list(asking), normaliser, requests)
        for name, tally in asking.items():
            for raw, custom_id in requests.left(name):
                detail = f"expected a response for custom_id {orjson.dumps(custom_id[:80]).decode()}, got none in this run"
                session.refuse(tally, line=raw.number, offset=raw.offset, reason="unmatched_request", detail=detail, head=raw.data)
                tally.skipped -= 1


def _keep_requests(file: InputFile, tally: Tally, session: Session, requests: _Requests) -> None:
    stream = RecordStream(file, session)
    for raw in stream:
        try:
            _keep_request(stream.record(raw), raw, file.name, requests)
            tally.skipped += 1
        except RefusedRowError as refused:
            reason, detail = refused.reason, refused.detail
            session.refuse(tally, line=raw.number, offset=raw.offset, reason=reason, detail=detail, head=raw.data)


def _keep_request(record: Record, raw: Raw, file: str, requests: _Requests) -> None:
    custom_id = label(record.get("custom_id"))
    if not custom_id or not is_request(record):
        raise RefusedRowError("unexpected_shape", "expected a batch request with custom_id and body, got something else")
    if not requests.put(file, custom_id, raw, request_row(record)):
        raise RefusedRowError("duplicate_id", "custom_id: expected one that is new in this file, got one met before")


def _read_answers(file: InputFile, tally: Tally, asking: Sequence[str], normaliser: Normaliser, requests: _Requests) -> None:
    peeked = head_records(file.path, file.compression, file.layout, _PEEKED)
    ids = [custom_id for record in peeked if (custom_id := label(record.get("custom_id")))]
    partner = max(asking, key=lambda name: requests.holding(name, ids), default="")

    def read(record: Record, context: Context) -> list[Row | None]:
        custom_id = label(record.get("custom_id"))
        asked = requests.take(partner, custom_id) if custom_id else None
        if asked is None:
            raise RefusedRowError("unmatched_response", "expected a request with the same custom_id in this run, got none")
        return [asked | response_row(record, context)]

    normaliser.read(file, replace(BATCH, read=read), tally)
