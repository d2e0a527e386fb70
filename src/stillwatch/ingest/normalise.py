"""Turns JSON sources into cleaned exchanges in one streaming pass; every row ends up written or in quarantine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.errors import UnreadableInputError
from stillwatch.ingest.checking import check
from stillwatch.ingest.cleaning import clean
from stillwatch.ingest.compression import ByteSource, TornArchiveError
from stillwatch.ingest.convert import Refusals, from_values
from stillwatch.ingest.inputs import InputFile
from stillwatch.ingest.joins import JoinStore
from stillwatch.ingest.messages import Row
from stillwatch.ingest.parsing import Record, parse
from stillwatch.ingest.parts import Parts
from stillwatch.ingest.readers.base import ODD_SHAPES, Context, Reader
from stillwatch.ingest.splitting import TOO_LONG, TORN, TRUNCATED, Raw, splitter
from stillwatch.ingest.tally import Session, Tally
from stillwatch.ingest.values import RefusedRowError
from stillwatch.records.tables import EXCHANGES

_ODD_DETAIL = "expected the shape that the source documents, got another one"


class RecordStream:
    """The records of one file, to the end of what can be read.

    With `counted` False its bytes do not count as progress, because the file is read once more.
    After the last record `torn` says what is wrong with the archive (empty: nothing), `unpacked` how many bytes were read.
    """

    def __init__(self, file: InputFile, session: Session, *, counted: bool = True) -> None:
        self._file = file
        self._counted = counted
        self._session = session
        self._source = ByteSource(file.path, file.compression)
        self.unpacked = 0
        self.torn = ""

    def _blocks(self) -> Iterator[bytes]:
        before = 0
        try:
            for block in self._source.blocks():
                self.unpacked += len(block)
                self._session.report(bytes_read=self._source.read_bytes - before if self._counted else 0)
                before = self._source.read_bytes
                yield block
        except TornArchiveError as error:
            self.torn = str(error)
        except OSError as error:
            raise UnreadableInputError(f"{self._file.name}: cannot be read ({error.strerror}); check that it is still there") from None
        self._session.hashes[self._file.name] = self._source.digest()

    def record(self, raw: Raw) -> Record:
        """The parsed record; RefusedRowError when it is unusable."""
        settings = self._session.settings
        if raw.problem:
            raise RefusedRowError(*_explain(raw, self.torn, settings.max_record_bytes))
        return parse(raw.data, settings.max_depth)

    def __iter__(self) -> Iterator[Raw]:
        limit = self._session.settings.max_record_bytes
        told = False
        for raw in splitter(self._file.layout)(self._blocks(), limit):
            if self.torn and not told and not _sound(raw, self._session.settings.max_depth):
                told = True
                yield raw._replace(problem=TORN)
            else:
                yield raw
        if self.torn and not told:
            yield Raw(0, self.unpacked, b"", TORN)


def _sound(raw: Raw, max_depth: int) -> bool:
    try:
        parse(raw.data, max_depth)
    except RefusedRowError:
        return False
    return not raw.problem


@dataclass(slots=True)
class _Pending:
    """Rows that wait to be converted together."""

    rows: list[Row] = field(default_factory=list)
    raws: list[Raw] = field(default_factory=list)
    bytes: int = 0


class Normaliser:
    """Reads the JSON files of a run, one after the other, into `parts`."""

    def __init__(self, session: Session, parts: Parts, joins: JoinStore) -> None:
        self._session = session
        self._parts = parts
        self._joins = joins
        self._pending = _Pending()

    def read(self, file: InputFile, reader: Reader, tally: Tally) -> None:
        """Read one file to its end."""
        settings = self._session.settings
        context = Context(
            file=file.name,
            folder=file.folder,
            default_account=settings.default_account,
            max_depth=settings.max_depth,
            account_tag=settings.account_tag,
        )
        stream = RecordStream(file, self._session)
        for raw in stream:
            try:
                self._read_record(stream.record(raw), raw, reader, context, tally)
            except RefusedRowError as refused:
                self.refuse(raw, tally, refused.reason, refused.detail)
            except ODD_SHAPES:
                self.refuse(raw, tally, "unexpected_shape", _ODD_DETAIL)
        self.flush(reader, tally)

    def _read_record(self, record: Record, raw: Raw, reader: Reader, context: Context, tally: Tally) -> None:
        digest = hashlib.sha256(raw.data).hexdigest()
        rows = reader.read(record, context)
        for place, row in enumerate(rows):
            if row is None:
                tally.skipped += 1
                continue
            self.add(row, raw, digest if len(rows) == 1 else f"{digest}:{place}", digest, reader, tally)

    def add(self, row: Row, raw: Raw, made_id: str, digest: str, reader: Reader, tally: Tally) -> None:
        """Take one row; `made_id` is its id if the source gave none."""
        row["raw_sha256"] = digest
        given = row.get("exchange_id")
        if given is None or given == "":
            row["exchange_id"] = made_id
        pending = self._pending
        pending.rows.append(row)
        pending.raws.append(raw)
        pending.bytes += len(raw.data)
        if len(pending.rows) >= self._session.settings.batch_rows or pending.bytes >= self._session.settings.batch_bytes:
            self.flush(reader, tally)

    def refuse(self, raw: Raw, tally: Tally, reason: str, detail: str) -> None:
        """Quarantine one record."""
        self._session.refuse(tally, line=raw.number, offset=raw.offset, reason=reason, detail=detail, head=raw.data)

    def flush(self, reader: Reader, tally: Tally) -> None:
        """Convert, check, clean and write the rows that wait."""
        pending, self._pending = self._pending, _Pending()
        rows = len(pending.rows)
        if not rows:
            return
        refusals = Refusals.none(rows)
        columns = _columns(pending.rows, reader, refusals)
        check(columns, refusals, self._session.settings, self._session.seen)
        for row in sorted(refusals.why):
            self.refuse(pending.raws[row], tally, *refusals.why[row])
        self._joins.fill(columns, pending.rows)
        kept = rows - len(refusals.why)
        tally.rows_out += kept
        self._session.report(rows=rows)
        if not kept:
            return
        if kept < rows:
            mask = pa.array(np.logical_not(refusals.mask))
            columns = {name: array.filter(mask) for name, array in columns.items()}
        batch = clean(columns, rows=kept, source=reader.name, max_id_chars=self._session.settings.max_id_chars, mask_text=True)
        self._session.filled.update(name for name in batch.schema.names if batch.column(name).null_count < kept)
        self._parts.write(batch)


def _columns(rows: list[Row], reader: Reader, refusals: Refusals) -> dict[str, pa.Array]:
    """The columns that hold a value in at least one row."""
    columns: dict[str, pa.Array] = {}
    given: set[str] = set(reader.columns).intersection(set[str]().union(*rows))
    for column in EXCHANGES.columns:
        if column.name in given:
            values: list[Any] = [row.get(column.name) for row in rows]
            columns[column.name] = from_values(values, column, refusals)
    return columns


def _explain(raw: Raw, torn: str, limit: int) -> tuple[str, str]:
    """Reason and detail of a record that the splitter could not give whole."""
    details = {
        TOO_LONG: f"expected at most {limit} bytes, got {raw.size}",
        TRUNCATED: "expected the end of a JSON value, got the end of the file",
        TORN: f"expected a whole archive, got {torn}",
    }
    return raw.problem, details[raw.problem]
