"""Reads Parquet and Arrow files in bounded batches; a part that cannot be read is quarantined and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import UnreadableInputError
from stillwatch.ingest.slices import slices
from stillwatch.screen.corpus import PARQUET, CorpusFile
from stillwatch.screen.documents import Refuse, RowBatch
from stillwatch.screen.fields import IDS, TEXTS, TOKENS, Fields
from stillwatch.screen.settings import ScreenSettings

_MAGIC = b"ARROW1"


def read_table(file: CorpusFile, settings: ScreenSettings, fields: Fields, refuse: Refuse) -> Iterator[RowBatch]:
    """The rows of a file, in order.

    Raises UnreadableInputError for a file that has no column of text or token ids, or cannot be opened.
    """
    read = _parquet if file.format == PARQUET else _arrow
    for first, batch in read(file, settings, fields, refuse):
        yield _rows(batch, first, fields)


def _parquet(file: CorpusFile, settings: ScreenSettings, fields: Fields, refuse: Refuse) -> Iterator[tuple[int, pa.RecordBatch]]:
    try:
        opened = pq.ParquetFile(file.path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        refuse(1, "unreadable_file", f"expected a Parquet file, got one that cannot be read ({type(error).__name__})")
        return
    with opened as table:
        names = _names(file, table.schema_arrow, fields)
        first = 1
        for group in range(table.num_row_groups):
            rows, done = table.metadata.row_group(group).num_rows, 0
            try:
                for batch in slices(table, file.path, [group], names, settings.batch_rows):
                    yield first + done, batch
                    done += batch.num_rows
            except (OSError, pa.ArrowException) as error:
                detail = f"expected {rows} rows in row group {group}, got {done} before it became unreadable ({type(error).__name__})"
                refuse(first + done, "unreadable_row_group", detail, rows=rows - done)
            first += rows


def _arrow(file: CorpusFile, settings: ScreenSettings, fields: Fields, refuse: Refuse) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 1
    try:
        with pa.memory_map(str(file.path)) as mapped:
            for batch in _arrow_batches(mapped):
                chosen = batch.select(_names(file, batch.schema, fields))
                wrong = _damage(chosen)
                if wrong:
                    refuse(
                        first, "unreadable_row_group", f"expected a sound batch of {batch.num_rows} rows, got {wrong}", rows=batch.num_rows
                    )
                for start, rows in () if wrong else _cuts(chosen, settings):
                    yield first + start, chosen.slice(start, rows)
                first += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        refuse(
            first, "torn_archive", f"expected a whole Arrow file, got one that is damaged after row {first - 1} ({type(error).__name__})"
        )


def _arrow_batches(mapped: Any) -> Iterator[pa.RecordBatch]:
    """The batches of an Arrow file, or of a stream as the datasets library writes it."""
    if mapped.read(len(_MAGIC)) == _MAGIC:
        mapped.seek(0)
        with pa.ipc.open_file(mapped) as opened:
            for place in range(opened.num_record_batches):
                yield opened.get_batch(place)
        return
    mapped.seek(0)
    with pa.ipc.open_stream(mapped) as stream:
        yield from stream


def _damage(batch: pa.RecordBatch) -> str:
    """What is wrong with a batch that was mapped as it lay, whose offsets nobody has checked; text that is no UTF-8 is left to its row."""
    try:
        for column in batch.columns:
            plain = column.indices if pa.types.is_dictionary(column.type) else column
            column.validate()
            for array in (plain, column.dictionary) if plain is not column else (plain,):
                is_plain = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
                kind = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
                (array.view(kind) if is_plain else array).validate(full=True)
            if plain is not column and len(plain) and (pc.max(plain).as_py() or 0) >= len(column.dictionary):
                return "an index beyond its dictionary"
    except pa.ArrowException as error:
        return type(error).__name__
    return ""


def _cuts(batch: pa.RecordBatch, settings: ScreenSettings) -> Iterator[tuple[int, int]]:
    """(first row, rows) of parts that decode to a bounded size: a dictionary may hold a large text once for many rows."""
    ends = np.cumsum(sum((_decoded_bytes(column) for column in batch.columns), np.full(batch.num_rows, 16, np.int64)))
    start = 0
    while start < batch.num_rows:
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + settings.batch_bytes, side="right")) - start
        rows = max(1, min(settings.batch_rows, fitting, batch.num_rows - start))
        yield start, rows
        start += rows


def _decoded_bytes(column: pa.Array) -> npt.NDArray[np.int64]:
    """[n] bytes of text that each row decodes to; of other columns the mean."""
    if pa.types.is_dictionary(column.type) and _is_text(column.type):
        return _sizes(_sizes_of(column.dictionary).take(column.indices))
    if _is_text(column.type):
        return _sizes(_sizes_of(column))
    return np.full(len(column), column.nbytes // max(1, len(column)), np.int64)


def _sizes_of(texts: pa.Array) -> pa.Array:
    if pa.types.is_string_view(texts.type):
        # the first of the four words of a view is its length
        lengths = np.frombuffer(texts.buffers()[1], np.int32)[4 * texts.offset :: 4][: len(texts)]
        return pa.array(lengths.astype(np.int64))
    return pc.binary_length(texts)


def _sizes(lengths: pa.Array) -> npt.NDArray[np.int64]:
    return pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(np.int64)


def _names(file: CorpusFile, schema: pa.Schema, fields: Fields) -> list[str]:
    names = fields.wanted(schema.names)
    missing = [name for name in (fields.text, fields.tokens) if name and name not in schema.names]
    if len(missing) == sum(name is not None for name in (fields.text, fields.tokens)) > 0:
        raise UnreadableInputError(
            f"{file.name}: expected a column {missing[0]!r}, got {', '.join(schema.names[:8])}; name one that is there"
        )
    only_ids = {fields.id} if fields.id else set(IDS)
    if not set(names) - only_ids:
        found = ", ".join(schema.names[:8])
        raise UnreadableInputError(
            f"{file.name}: expected a column of text or token ids, got {found or 'no column'}; name it with --text-column or --token-column"
        )
    return names


def _rows(batch: pa.RecordBatch, first: int, fields: Fields) -> RowBatch:
    """A batch of a table as rows; whole columns where text and token ids stand in columns of their own."""
    names = batch.schema.names
    text = _single(batch, (fields.text,) if fields.text else TEXTS)
    tokens = next((name for name in ((fields.tokens,) if fields.tokens else TOKENS) if name in names and _is_ids(batch, name)), None)
    ident = next((name for name in ((fields.id,) if fields.id else IDS) if name in names), None)
    rows: list[dict[str, Any]] = [] if text else batch.select([name for name in names if name != tokens]).to_pylist()
    nulls = pa.nulls(batch.num_rows, pa.large_string())
    return RowBatch(
        numbers=range(first, first + batch.num_rows),
        ids=_as_text(batch.column(ident), pa.string()) if ident else nulls.cast(pa.string()),
        texts=_as_text(batch.column(text), pa.large_string())
        if text
        else pa.array([fields.text_of(row) for row in rows], pa.large_string()),
        tokens=batch.column(tokens) if tokens else [None] * batch.num_rows,
    )


def _single(batch: pa.RecordBatch, names: tuple[str | None, ...]) -> str | None:
    """The first of the names whose column is text."""
    return next((name for name in names if name in batch.schema.names and _is_text(batch.column(name).type)), None)


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner)


def _is_ids(batch: pa.RecordBatch, name: str) -> bool:
    kind = batch.column(name).type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return lists and pa.types.is_integer(kind.value_type)


def _as_text(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type) or pa.types.is_integer(column.type):
        return column.cast(kind)
    return pa.nulls(len(column), kind)
