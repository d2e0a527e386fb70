"""Fits the subject space on a sample and sketches every shard, several at a time; text goes in, fingerprints come out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import naming
from stillwatch.ingest import Shard
from stillwatch.ingest.secrets import mask_array
from stillwatch.records.tables import SKETCHED
from stillwatch.sketch.codebook import Codebook, fit_codebook, subject_text
from stillwatch.sketch.sketcher import Sketcher

SAMPLED_SHARDS = 16
_SAMPLED_COLUMNS = ("exchange_id", "account_id", "prompt_text", "response_text")
BATCH_ROWS = 16_384
GROUP_ROWS = 122_880
"""Rows of a row group, as many as DuckDB reads at a time."""

SCHEMA = arrow_schema(SKETCHED)
_HARDLY_REPEATED = frozenset(
    {
        *("exchange_id", "started_at", "ended_at", "session_id", "trace_id", "raw_sha256", "input_tokens", "output_tokens"),
        *("prompt_chars", "response_chars", "prompt_key", "prompt_bucket", "wording", "embedding", "reasoning_share"),
    }
)
_REPEATED = [name for name in SCHEMA.names if name not in _HARDLY_REPEATED]
"""Columns that are worth a dictionary; for the others, to build one and to give it up again costs a fifth of the writing."""


def fit_on_sample(shards: Sequence[Shard], *, texts: int, cells: int, generator: np.random.Generator) -> Codebook:
    """A codebook fitted on exchanges from shards spread evenly over the input."""
    places = np.unique(np.linspace(0, max(0, len(shards) - 1), min(SAMPLED_SHARDS, len(shards))).astype(int)) if shards else []
    wanted = -(-texts // max(1, len(places)))
    found: list[str] = []
    prompts: list[str] = []
    owners: list[str] = []
    for place in places:
        batch = next(iter(shards[place].batches(2 * wanted, _SAMPLED_COLUMNS)), None)
        if batch is None:
            continue
        order = pc.sort_indices(batch.column("exchange_id")).to_numpy()
        # drawn by id, so that the order of a file's lines changes nothing
        rows = order[np.sort(generator.choice(batch.num_rows, min(wanted, batch.num_rows), replace=False))]
        picked = batch.select(["account_id", "prompt_text", "response_text"]).take(pa.array(rows))
        # the labels of the subjects show words of these texts; a piece of a key that several accounts paste must not be one
        columns = [mask_array(column).to_pylist() for column in picked.columns]
        for owner, prompt, response in zip(*columns, strict=True):
            if prompt or response:
                found.append(subject_text(prompt, response))
                prompts.append(prompt or "")
                owners.append(owner)
    return fit_codebook(found, owners, generator, prompts=prompts, cells=cells)


def sketch_shards(shards: Sequence[Shard], codebook: Codebook, folder: Path, *, threads: int, progress: Callable[[int], None]) -> int:
    """Write folder/part-NNNNN.parquet for every shard, in the shard's order of rows; parts that exist are kept. Returns the rows."""
    folder.mkdir(parents=True, exist_ok=True)
    sketcher = Sketcher(codebook)
    stop = threading.Event()
    lock = threading.Lock()
    done = 0

    def add(rows: int) -> None:
        nonlocal done
        with lock:
            done += rows
            progress(done)

    def work(place: int) -> int:
        return _sketch(shards[place], sketcher, part_path(folder, place), stop, add)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            return sum(pool.map(work, range(len(shards))))
        except BaseException:
            # an interrupt must not wait for the shards that are under way
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def part_path(folder: Path, place: int) -> Path:
    """The sketches of shard number `place`."""
    return folder / f"part-{place:05d}.parquet"


def _sketch(shard: Shard, sketcher: Sketcher, path: Path, stop: threading.Event, add: Callable[[int], None]) -> int:
    if path.exists():
        rows = int(pq.read_metadata(path).num_rows)
        add(rows)
        return rows
    partial = path.with_name(f".{path.name}.partial")
    rows = 0
    try:
        with naming(path), pq.ParquetWriter(partial, SCHEMA, compression="lz4", use_dictionary=_REPEATED, write_statistics=False) as writer:
            waiting: list[pa.RecordBatch] = []
            for batch in shard.batches(BATCH_ROWS):
                if stop.is_set():
                    break
                waiting.append(pa.RecordBatch.from_arrays(sketcher(batch).columns, schema=SCHEMA))
                rows += batch.num_rows
                add(batch.num_rows)
                if sum(done.num_rows for done in waiting) >= GROUP_ROWS - BATCH_ROWS:
                    writer.write_table(pa.Table.from_batches(waiting, schema=SCHEMA), row_group_size=GROUP_ROWS)
                    waiting = []
            writer.write_table(pa.Table.from_batches(waiting, schema=SCHEMA), row_group_size=GROUP_ROWS)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if stop.is_set():
        partial.unlink(missing_ok=True)
        return 0
    partial.replace(path)
    return rows
