"""Hands out cleaned exchanges in batches, from normalised files and from native Parquet as it lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UnreadableInputError
from stillwatch.ingest.cleaning import SCHEMA, clean
from stillwatch.ingest.convert import Refusals, from_array
from stillwatch.ingest.slices import slices
from stillwatch.records.tables import EXCHANGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Some consecutive row groups of one Parquet file; cheap to pickle, so that another process can read it.

    Attributes:
        path: the file.
        name: the file as shown to the user.
        row_groups: the ones that belong to the shard.
        first_row: number (from 0) of the shard's first row in the file.
        rows: how many rows come out.
        refused: little-endian int64 numbers of the rows (from 0, within the shard) that are left out.
        id_prefix: what the ids of rows without one begin with; empty: the rows were normalised before and only need reading.
        max_id_chars: see IngestSettings.
    """

    path: Path
    name: str
    row_groups: tuple[int, ...]
    first_row: int
    rows: int
    refused: bytes = b""
    id_prefix: str = ""
    max_id_chars: int = 512

    def batches(self, rows: int = 50_000, columns: Sequence[str] = SCHEMA.names) -> Iterator[pa.RecordBatch]:
        """The accepted rows, at most `rows` and about 64 MiB at a time, of exactly the schema of the exchanges table.

        Columns that are not among `columns` are null.
        """
        refused = np.frombuffer(self.refused, dtype="<i8")
        at = 0
        try:
            with pq.ParquetFile(self.path) as file:
                names = [name for name in columns if name in file.schema_arrow.names]
                # a shard is read by one thread; its neighbours keep the other cores busy
                for batch in slices(file, self.path, self.row_groups, names, rows):
                    low, high = np.searchsorted(refused, (at, at + batch.num_rows))
                    ready = self._ready(batch, at, refused[low:high] - at)
                    at += batch.num_rows
                    if ready.num_rows:
                        yield ready
        except (pa.ArrowException, OSError) as error:
            raise UnreadableInputError(
                f"{self.name}: row {self.first_row + at + 1} and after cannot be read ({type(error).__name__})"
            ) from None

    def _ready(self, batch: pa.RecordBatch, at: int, refused: np.ndarray) -> pa.RecordBatch:
        if not self.id_prefix:
            given = dict(zip(batch.schema.names, batch.columns, strict=True))
            return pa.RecordBatch.from_arrays([given.get(field.name, pa.nulls(len(batch), field.type)) for field in SCHEMA], schema=SCHEMA)
        first = self.first_row + at
        columns = converted(batch, first, self.id_prefix, Refusals.none(batch.num_rows))
        kept = batch.num_rows - len(refused)
        if len(refused):
            keep = np.ones(batch.num_rows, dtype=np.bool_)
            keep[refused] = False
            mask = pa.array(keep)
            columns = {name: array.filter(mask) for name, array in columns.items()}
        return clean(columns, rows=kept, source="parquet", max_id_chars=self.max_id_chars, mask_text=False)


def converted(batch: pa.RecordBatch, first_row: int, id_prefix: str, refusals: Refusals) -> dict[str, pa.Array]:
    """The batch's columns in the types of the exchanges table; rows without an id get one made of their number.

    Args:
        batch: columns of the exchanges table, of any type.
        first_row: number of the batch's first row in its file.
        id_prefix: what made ids begin with.
        refusals: gets the rows with a value that does not fit.
    """
    columns = {name: from_array(batch.column(name), EXCHANGES.column(name), refusals) for name in batch.schema.names}
    ids = columns.get("exchange_id")
    if ids is None or ids.null_count:
        given: list[str | None] = [None] * batch.num_rows if ids is None else ids.to_pylist()
        made = [f"{id_prefix}:{first_row + row}" if value is None else value for row, value in enumerate(given)]
        columns["exchange_id"] = pa.array(made, type=pa.string())
    return columns


def grouped(sizes: Sequence[int], least: int, left_out: frozenset[int] = frozenset()) -> list[range]:
    """Consecutive row groups of the given sizes, put together until a range holds at least `least` rows.

    A group in `left_out` belongs to no range and ends the one before it.
    """
    ranges: list[range] = []
    start = rows = 0
    for group, size in enumerate(sizes):
        if group in left_out:
            ranges.append(range(start, group))
            start, rows = group + 1, 0
            continue
        rows += size
        if rows >= least:
            ranges.append(range(start, group + 1))
            start, rows = group + 1, 0
    ranges.append(range(start, len(sizes)))
    return [groups for groups in ranges if len(groups)]
