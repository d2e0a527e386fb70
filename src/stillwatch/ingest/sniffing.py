"""Recognises a file by its first bytes and records, never by its name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.access_log import is_access_log
from stillwatch.ingest.compression import PLAIN, ByteSource, TornArchiveError, compression_of
from stillwatch.ingest.inputs import ACCESS_LOG, PARQUET
from stillwatch.ingest.parsing import Record, parse
from stillwatch.ingest.readers import READERS
from stillwatch.ingest.splitting import ARRAY, LINES, VALUES, Raw, splitter
from stillwatch.ingest.values import RefusedRowError

_PARQUET_MAGIC = b"PAR1"
_HEAD_BYTES = 1 << 20
_MOST_HEAD_BYTES = 1 << 24
_SNIFFED = 20
_SHOWN_NAMES = 8
_DEPTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What a file looks like; `format` is empty when no reader knows it, and `seen` then says what it looks like.

    `lost` says that the file has bytes and not one record of them can be read.
    """

    format: str = ""
    compression: str = PLAIN
    layout: str = LINES
    seen: str = ""
    lost: bool = False


def sniff(path: Path) -> Sniffed:
    """Recognise one file. Raises OSError when it cannot be opened."""
    with path.open("rb") as stream:
        magic = stream.read(4)
    if not magic:
        return Sniffed(seen="an empty file")
    if magic == _PARQUET_MAGIC:
        return _sniff_parquet(path)
    compression = compression_of(magic)
    head = _head(path, compression)
    layout = _layout(head)
    records = head_records(path, compression, layout, _SNIFFED) if layout else []
    if not records:
        # many broken lines hide the sound ones after them
        records = head_records(path, compression, LINES, _SNIFFED)
        layout = LINES if records else layout
    if not layout:
        return Sniffed(compression=compression, seen=_plain_words(head), lost=True)
    return Sniffed(format=_format(records), compression=compression, layout=layout, seen=_names(records), lost=not records)


def _head(path: Path, compression: str) -> bytes:
    head = b""
    try:
        for block in ByteSource(path, compression).blocks():
            head += block
            if len(head) >= _HEAD_BYTES:
                break
    except TornArchiveError:
        pass  # ingest quarantines the tear; what came before it is enough to look at
    return head[:_HEAD_BYTES]


def _layout(head: bytes) -> str:
    """How the records stand in the file; empty when it holds no JSON."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lines = [line for line in text.split(b"\n", _SNIFFED)[:_SNIFFED] if line.strip()]
    if any(_is_object(line) for line in lines):
        return LINES
    if text.startswith(b"["):
        return ARRAY
    if not text.startswith(b"{"):
        return ""
    return VALUES if len(lines) > 1 or len(head) < _HEAD_BYTES else LINES


def _is_object(line: bytes) -> bool:
    try:
        parse(line, _DEPTH)
    except RefusedRowError:
        return False
    return True


def head_records(path: Path, compression: str, layout: str, count: int) -> list[Record]:
    """The first `count` readable records of a file, looking no further than its first tens of MiB."""
    records: list[Record] = []
    source = ByteSource(path, compression)
    try:
        for raw in splitter(layout)(source.blocks(), _MOST_HEAD_BYTES):
            record = _readable(raw)
            if record is not None:
                records.append(record)
            if len(records) >= count or raw.offset > _MOST_HEAD_BYTES:
                break
    except TornArchiveError:
        pass  # the same
    return records


def _readable(raw: Raw) -> Record | None:
    if raw.problem or not raw.data.lstrip().startswith(b"{"):
        return None
    try:
        return parse(raw.data, _DEPTH)
    except RefusedRowError:
        return None


def _format(records: list[Record]) -> str:
    """The format that most of the records are recognised as, of equals the first; an access log only if no reader knows any record."""
    votes = Counter(name for record in records for name, reader in READERS.items() if reader.sniff(record))
    if votes:
        return votes.most_common(1)[0][0]
    return ACCESS_LOG if any(is_access_log(record) for record in records) else ""


def _names(records: list[Record]) -> str:
    if not records:
        return "JSON without a single readable object"
    names = sorted(records[0])[:_SHOWN_NAMES]
    return f"JSON objects with the fields {', '.join(_quoted(name) for name in names)}"


def _quoted(name: str) -> str:
    return orjson.dumps(name[:40]).decode()


def _plain_words(head: bytes) -> str:
    return "bytes that are not text" if b"\0" in head else "text that is not JSON"


def _sniff_parquet(path: Path) -> Sniffed:
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return Sniffed(layout=PARQUET, seen="a Parquet file whose footer cannot be read; copy it again from its source", lost=True)
    if {"account_id", "started_at"} <= set(names):
        return Sniffed(format=PARQUET, layout=PARQUET)
    if {"account_id", "campaign_id"} <= set(names):
        return Sniffed(layout=PARQUET, seen="a truth table, which only benchmarks read")
    if {"account_id", "created_at"} <= set(names):
        return Sniffed(layout=PARQUET, seen="an account table, which is given by --accounts")
    shown = ", ".join(_quoted(name) for name in names[:_SHOWN_NAMES])
    return Sniffed(layout=PARQUET, seen=f"a Parquet table with the columns {shown}, without account_id and started_at")
