"""A batch of Parquet is bounded in bytes, whatever a file's encoding hides, and files of small texts are read as before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest import IngestSettings, ingest, plan_inputs
from stillwatch.ingest.slices import BATCH_BYTES, slices

pytestmark = pytest.mark.slow

ROWS = 30_000
LARGE = "all work and no play " * 2_000


def _column(kind: str) -> pa.Array:
    repeated = pa.DictionaryArray.from_arrays(pa.nulls(ROWS, pa.int32()).fill_null(0), pa.array([LARGE]))
    if kind == "dictionary":
        return repeated
    return pa.chunked_array([repeated.slice(at, 10_000).dictionary_decode() for at in range(0, ROWS, 10_000)])


def _write(path: Path, *, rows: int = ROWS, **others: object) -> Path:
    table = pa.table(
        {
            "exchange_id": pa.array([f"x-{row}" for row in range(rows)]),
            "account_id": pa.array([f"a-{row % 7}" for row in range(rows)]),
            "started_at": pa.array([datetime(2026, 11, 23, 19, tzinfo=UTC)] * rows),
        }
        | {name: value for name, value in others.items() if name not in ("use_dictionary", "column_encoding")}
    )
    how = {name: others[name] for name in ("use_dictionary", "column_encoding") if name in others}
    pq.write_table(table, path, compression="zstd", **how)
    return path


def _peak(path: Path, work: Path) -> int:
    """The most bytes that Arrow held while the file was validated and its shards were read."""
    work.mkdir()
    usual, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    try:
        result = ingest(plan_inputs([path]), work=work, settings=IngestSettings(), progress=lambda rows, read: None)
        assert sum(batch.num_rows for shard in result.shards for batch in shard.batches(16_384)) == ROWS
    finally:
        pa.set_memory_pool(usual)
    return pool.max_memory()


@pytest.mark.parametrize("kind", ["dictionary", "plain"])
@pytest.mark.parametrize("name", ["prompt_text", "account_id"])
def test_one_large_text_repeated_is_never_held_as_often_as_it_is_repeated(tmp_path: Path, kind: str, name: str) -> None:
    path = _write(tmp_path / "log.parquet", **{name: _column(kind)})
    assert path.stat().st_size < 1_000_000
    assert _peak(path, tmp_path / "work") < 8 * BATCH_BYTES


@pytest.mark.parametrize(
    "how",
    [
        {"use_dictionary": False},
        {"use_dictionary": False, "column_encoding": {"prompt_text": "DELTA_BYTE_ARRAY"}},
    ],
)
def test_text_written_without_a_dictionary_is_bounded_too(tmp_path: Path, how: dict[str, object]) -> None:
    path = _write(tmp_path / "log.parquet", prompt_text=_column("plain"), **how)
    with pq.ParquetFile(path) as file:
        batches = slices(file, path, [0], ["exchange_id", "prompt_text"], 16_384)
        assert max(next(batches).nbytes for _ in range(3)) < 2 * BATCH_BYTES


def test_a_large_text_costs_bytes_only_where_it_stands(tmp_path: Path) -> None:
    texts = pa.array([LARGE * 5 if row == 20_000 else f"question {row % 50}" for row in range(ROWS)])
    path = _write(tmp_path / "log.parquet", prompt_text=texts)
    with pq.ParquetFile(path) as file:
        batches = list(slices(file, path, [0], ["prompt_text"], 16_384))
    # no read has exactly the wanted number of rows, and yet the batches are about as many as without the large text
    assert len(batches) <= 4
    assert pa.Table.from_batches(batches)["prompt_text"].combine_chunks().equals(texts)


def test_small_texts_come_in_batches_of_the_wanted_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"prompt_text": [f"question {row}" for row in range(1_000)]}), path, row_group_size=30)
    with pq.ParquetFile(path) as file:
        assert [batch.num_rows for batch in slices(file, path, range(file.num_row_groups), ["prompt_text"], 400)] == [400, 400, 200]
