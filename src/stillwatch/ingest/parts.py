"""Writes normalised exchanges, text included, into Parquet files of the work folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import naming
from stillwatch.ingest.cleaning import SCHEMA
from stillwatch.ingest.settings import IngestSettings
from stillwatch.ingest.shards import Shard, grouped
from stillwatch.records.tables import EXCHANGES, STRING

_GROUP_ROWS = 65_536
_GROUP_BYTES = 128 * 1024 * 1024
_DISTINCT = frozenset({"exchange_id", "trace_id", "raw_sha256", "system_text", "prompt_text", "response_text", "reasoning_text"})
_DICTIONARY = [column.name for column in EXCHANGES.columns if column.type == STRING and column.name not in _DISTINCT]


class Parts:
    """An open series of `part-*.parquet` files in one folder; the folder is made with the first row."""

    def __init__(self, folder: Path, settings: IngestSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._paths: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._part_rows = 0
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch of exactly the exchanges schema."""
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= _GROUP_ROWS or self._waiting_bytes >= _GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if not self._waiting_rows:
            return
        writer = self._writer
        if writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._paths.append(self._folder / f"part-{len(self._paths):05d}.parquet")
            writer = self._writer = pq.ParquetWriter(
                self._paths[-1], SCHEMA, compression="zstd", compression_level=1, use_dictionary=_DICTIONARY, write_statistics=False
            )
        with naming(self._paths[-1]):
            writer.write_table(pa.Table.from_batches(self._waiting, schema=SCHEMA), row_group_size=self._waiting_rows)
        self._part_rows += self._waiting_rows
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        if self._part_rows >= self._settings.part_rows:
            self._end_part()

    def _end_part(self) -> None:
        if self._writer is not None:
            with naming(self._paths[-1]):
                self._writer.close()
        self._writer, self._part_rows = None, 0

    def close(self) -> list[Shard]:
        """Finish the files and give the shards that read them."""
        self._write_group()
        self._end_part()
        return [shard for path in self._paths for shard in _shards(path, self._settings.shard_rows)]


def _shards(path: Path, least: int) -> list[Shard]:
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    shards: list[Shard] = []
    first = 0
    for groups in grouped(sizes, least):
        rows = sum(sizes[group] for group in groups)
        shards.append(Shard(path=path, name=path.name, row_groups=tuple(groups), first_row=first, rows=rows))
        first += rows
    return shards
