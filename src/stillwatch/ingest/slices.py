"""Reads Parquet in batches of bounded bytes: a dictionary may hold a large text once and a hundred thousand rows that repeat it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BATCH_BYTES = 64 * 1024 * 1024
"""How many bytes of decoded columns a batch may hold, where one row alone does not hold more."""

_UNEVEN = 2
"""How much longer than on average the texts of one read may be; what is read is counted, but only after it was read."""

_ROWS_OF_UNKNOWN_SIZE = 256
_LEAST_VALUE_BYTES = 8
_TEXT = "BYTE_ARRAY"
_SHARES_PREFIXES = "DELTA_BYTE_ARRAY"


def slices(
    file: pq.ParquetFile, path: Path, groups: Sequence[int], names: Sequence[str], rows: int, *, use_threads: bool = False
) -> Iterator[pa.RecordBatch]:
    """The rows of the row groups in order, at most `rows` and about BATCH_BYTES at a time; dictionaries are decoded.

    Args:
        file: the opened file.
        path: where it lies; its dictionaries are looked at through a second handle.
        groups: numbers of row groups.
        names: columns to read.
        rows: most rows of a batch.
        use_threads: whether columns are decoded side by side.
    """
    if names:
        sized = ((group, _rows_at_once(file, path, group, names, rows)) for group in groups)
        yield from _merged(_reads(file, sized, list(names), use_threads=use_threads), rows)


def _reads(file: pq.ParquetFile, sized: Iterable[tuple[int, int]], names: list[str], *, use_threads: bool) -> Iterator[pa.RecordBatch]:
    """Neighbouring row groups of one size are read as one, so that many small groups do not make many small batches."""
    for rows, run in groupby(sized, key=lambda pair: pair[1]):
        for batch in file.iter_batches(rows, row_groups=[group for group, _ in run], columns=names, use_threads=use_threads):
            yield _decoded(batch)


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    if not any(pa.types.is_dictionary(field.type) for field in batch.schema):
        return batch
    columns = [column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _merged(reads: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Small reads put together up to the bounds; a read that has the wanted rows is passed on as it is."""
    waiting: list[pa.RecordBatch] = []
    for batch in reads:
        if waiting and not _fits([*waiting, batch], rows):
            yield _taken(waiting)
        waiting.append(batch)
        if batch.num_rows == rows:
            yield _taken(waiting)
    if waiting:
        yield _taken(waiting)


def _fits(batches: list[pa.RecordBatch], rows: int) -> bool:
    return sum(batch.num_rows for batch in batches) <= rows and sum(batch.nbytes for batch in batches) <= BATCH_BYTES


def _taken(waiting: list[pa.RecordBatch]) -> pa.RecordBatch:
    """All that waits as one batch; nothing waits afterwards, so that no second copy is held while the batch is used."""
    batch = waiting[0] if len(waiting) == 1 else pa.concat_batches(waiting)
    waiting.clear()
    return batch


def _rows_at_once(file: pq.ParquetFile, path: Path, group: int, names: Sequence[str], rows: int) -> int:
    """How many rows of a group to read at a time, from what its columns take in the file and from the largest text of each dictionary."""
    size = max(1, file.metadata.row_group(group).num_rows)
    chunks = _chunks(file, group, frozenset(names))
    if any(_SHARES_PREFIXES in chunk.encodings or chunk.path_in_schema not in names for chunk in chunks):
        # neither a text that is written as its difference from the one before, nor a nested one, says how large it becomes
        rows = min(rows, _ROWS_OF_UNKNOWN_SIZE)
    plain = sum(max(_LEAST_VALUE_BYTES, chunk.total_uncompressed_size / size) for chunk in chunks)
    rows = min(rows, int(BATCH_BYTES / (_UNEVEN * plain)) if plain else rows)
    repeating = [chunk for chunk in chunks if chunk.has_dictionary_page and chunk.physical_type == _TEXT and chunk.path_in_schema in names]
    # no value is larger than its chunk: a group of few or short texts needs no look
    if sum(min(rows, size) * chunk.total_uncompressed_size for chunk in repeating) > BATCH_BYTES:
        largest = _largest_texts(path, file.metadata, group, [chunk.path_in_schema for chunk in repeating])
        rows = min(rows, BATCH_BYTES // max(1, largest))
    return max(1, rows)


def _chunks(file: pq.ParquetFile, group: int, names: frozenset[str]) -> list[pq.ColumnChunkMetaData]:
    meta = file.metadata.row_group(group)
    chunks = [meta.column(place) for place in range(meta.num_columns)]
    return [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in names]


def _largest_texts(path: Path, metadata: pq.FileMetaData, group: int, names: list[str]) -> int:
    """Bytes of a row that has the largest text of every dictionary. One row is read; its dictionaries come whole."""
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=names, pre_buffer=False) as file:
        batch = next(file.iter_batches(1, row_groups=[group], columns=names, use_threads=False), None)
    columns = [] if batch is None else batch.columns
    return sum(_largest(column.dictionary) for column in columns if pa.types.is_dictionary(column.type))


def _largest(values: pa.Array) -> int:
    return pc.max(pc.binary_length(values)).as_py() or 0
