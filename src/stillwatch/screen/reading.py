"""Reads the documents of one file in bounded batches; what cannot be read is quarantined with its reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from stillwatch.errors import UnreadableInputError
from stillwatch.ingest.compression import ByteSource, TornArchiveError
from stillwatch.ingest.parsing import parse
from stillwatch.ingest.quarantine import Quarantine
from stillwatch.ingest.splitting import LINES, TORN, Raw, splitter
from stillwatch.ingest.values import RefusedRowError
from stillwatch.screen.corpus import JSON, TEXT, CorpusFile
from stillwatch.screen.documents import Documents, RowBatch, checked
from stillwatch.screen.fields import Fields
from stillwatch.screen.settings import ScreenSettings

UNREADABLE = "unreadable_file"
_TOO_LONG = "record_too_long"
_NOT_UTF8 = "invalid_utf8"
_WITHOUT_GAP = 8
"""How many times longer a document may become where no blank line comes."""


@dataclass(slots=True)
class Reading:
    """The reading of one file.

    Attributes:
        file: what is read.
        settings, fields: how.
        quarantine: where refused rows go.
        told: called with the documents done so far.
        rows_out: documents that were read.
        reasons: refused rows by reason.
        sha256: of the file's bytes, once it was read to its end.
    """

    file: CorpusFile
    settings: ScreenSettings
    fields: Fields
    quarantine: Quarantine
    told: Callable[[int], None] = lambda _rows: None
    rows_out: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    sha256: str = ""

    def refuse(self, line: int, reason: str, detail: str, *, offset: int | None = None, head: bytes = b"", rows: int = 1) -> None:
        """Quarantine a row, or `rows` that are lost together and noted once."""
        self.reasons[reason] += rows
        self.quarantine.add(file=self.file.name, line=line, byte_offset=offset, reason=reason, detail=detail, head=head)

    def documents(self) -> Iterator[Documents]:
        """Every document of the file; afterwards the counts and the hash are there."""
        read = {JSON: self._json, TEXT: self._text}.get(self.file.format, self._table)
        for batch in read():
            documents = checked(batch, self.settings, self.refuse)
            if len(documents):
                self.rows_out += len(documents)
                yield documents
            self.told(self.rows_out)

    def _table(self) -> Iterator[RowBatch]:
        from stillwatch.screen.tables import read_table

        yield from read_table(self.file, self.settings, self.fields, self.refuse)
        with self.file.path.open("rb") as stream:
            self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()

    def _json(self) -> Iterator[RowBatch]:
        source = ByteSource(self.file.path, self.file.compression)
        waiting = _Waiting(self.settings)
        split = splitter(self.file.layout)
        for raw in self._sound(split(self._blocks(source), self.settings.max_record_bytes)):
            try:
                record = parse(raw.data, self.settings.max_depth)
            except RefusedRowError as refused:
                self.refuse(raw.number, refused.reason, refused.detail, offset=raw.offset, head=raw.data)
                continue
            fields = self.fields
            row = (raw.number, fields.id_of(record), fields.text_of(record), fields.tokens_of(record))
            yield from waiting.add(row, len(raw.data))
        yield from waiting.rest()
        self.sha256 = source.digest()

    def _text(self) -> Iterator[RowBatch]:
        """Blocks of lines between blank ones, put together until they are long enough to be told apart."""
        source = ByteSource(self.file.path, self.file.compression)
        waiting = _Waiting(self.settings)
        lines: list[Raw] = []
        held = 0
        for raw in self._sound(splitter(LINES)(self._blocks(source), self.settings.max_record_bytes)):
            gap = bool(lines) and raw.number > lines[-1].number + 1
            # a text without blank lines is cut at a line's end, so that no document is a whole library
            most = self.settings.paragraph_bytes * (1 if gap else _WITHOUT_GAP)
            if lines and (held >= most or held + len(raw.data) > self.settings.max_record_bytes):
                yield from self._paragraph(lines, waiting)
                lines, held = [], 0
            lines.append(raw)
            held += len(raw.data) + 1
        if lines:
            yield from self._paragraph(lines, waiting)
        yield from waiting.rest()
        self.sha256 = source.digest()

    def _paragraph(self, lines: list[Raw], waiting: _Waiting) -> Iterator[RowBatch]:
        data = b"\n".join(raw.data for raw in lines)
        try:
            text = data.decode()
        except UnicodeDecodeError as bad:
            detail = f"expected UTF-8, got byte 0x{data[bad.start]:02x} at byte {bad.start} of the paragraph"
            self.refuse(lines[0].number, _NOT_UTF8, detail, offset=lines[0].offset, head=data)
            return
        yield from waiting.add((lines[0].number, None, text, None), len(data))

    def _sound(self, raws: Iterator[Raw]) -> Iterator[Raw]:
        """The records that are whole; the others are quarantined."""
        for raw in raws:
            if raw.problem:
                detail = (
                    f"expected at most {self.settings.max_record_bytes} bytes, got {raw.size}" if raw.problem == _TOO_LONG else raw.problem
                )
                self.refuse(raw.number, raw.problem, detail, offset=raw.offset, head=raw.data)
            else:
                yield raw

    def _blocks(self, source: ByteSource) -> Iterator[bytes]:
        """The unpacked blocks; damage ends them and is quarantined as one row."""
        try:
            yield from source.blocks()
        except TornArchiveError as torn:
            self.refuse(1, TORN, f"expected a whole archive; {torn}")
        except OSError as error:
            raise UnreadableInputError(f"{self.file.name}: cannot be read ({error.strerror}); check that it is still there") from None


class _Waiting:
    """Rows until there are enough for a batch."""

    def __init__(self, settings: ScreenSettings) -> None:
        self._settings = settings
        self._rows: list[tuple[int, str | None, str | None, list[Any] | None]] = []
        self._bytes = 0

    def add(self, row: tuple[int, str | None, str | None, list[Any] | None], size: int) -> Iterator[RowBatch]:
        self._rows.append(row)
        self._bytes += size
        if len(self._rows) >= self._settings.batch_rows or self._bytes >= self._settings.batch_bytes:
            yield from self.rest()

    def rest(self) -> Iterator[RowBatch]:
        if self._rows:
            numbers, ids, texts, tokens = zip(*self._rows, strict=True)
            self._rows, self._bytes = [], 0
            yield RowBatch(
                numbers=list(numbers),
                ids=pa.array([None if one is None else one.encode("utf-8", "replace").decode() for one in ids], pa.string()),
                texts=pa.array(texts, pa.large_string()),
                tokens=list(tokens),
            )
