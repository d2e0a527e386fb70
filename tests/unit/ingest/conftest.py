"""What the ingest tests share: running ingest on some bytes, and reading everything that came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson
import pyarrow as pa
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.ingest import IngestResult, IngestSettings, ingest, plan_inputs
from stillwatch.ingest.secrets import mask
from stillwatch.records.tables import EXCHANGES


@dataclass(frozen=True)
class Outcome:
    """A result with its rows and quarantine lines read."""

    result: IngestResult
    rows: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    work: Path

    @property
    def reasons(self) -> list[str]:
        return [line["reason"] for line in self.refused]


def _run(paths: list[Path], work: Path, settings: IngestSettings, wanted: str) -> Outcome:
    work.mkdir()
    result = ingest(plan_inputs(paths, format=wanted), work=work, settings=settings, progress=lambda rows, read: None)
    rows: list[dict[str, Any]] = []
    for shard in result.shards:
        for batch in shard.batches():
            assert batch.schema.equals(arrow_schema(EXCHANGES))
            batch.validate(full=True)
            rows += pa.Table.from_batches([batch]).to_pylist()
    refused = [orjson.loads(line) for line in result.quarantine.read_bytes().splitlines()]
    for count in result.files:
        assert count.rows_in == count.rows_out + count.quarantined
    assert sum(count.rows_out for count in result.files) == len(rows) == sum(shard.rows for shard in result.shards)
    assert sum(count.quarantined for count in result.files) == len(refused) == sum(result.reasons.values())
    return Outcome(result, rows, refused, work)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Outcome]:
    """Ingest paths, check that the counts reconcile, and read everything."""

    def call(*paths: Path, settings: IngestSettings | None = None, wanted: str = "auto") -> Outcome:
        work = tmp_path / f"work-{len(list(tmp_path.glob('work-*')))}"
        return _run(list(paths), work, settings or IngestSettings(), wanted)

    return call


@pytest.fixture
def exchange() -> Callable[..., dict[str, Any]]:
    """A sound native record; arguments change it, None leaves a field out."""

    def make(number: int = 0, **changes: Any) -> dict[str, Any]:
        record = {
            "exchange_id": f"x-{number}",
            "started_at": "2026-11-23T19:00:00Z",
            "account_id": f"acct_{number % 7}",
            "input_tokens": 10,
            "prompt_text": f"question {number}",
            "response_text": f"answer {number}",
        } | changes
        return {name: value for name, value in record.items() if value is not None}

    return make


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    """A file of JSON Lines; a bytes entry is written as it is."""

    def write(*records: dict[str, Any] | bytes, name: str = "log.jsonl", end: bytes = b"\n") -> Path:
        path = tmp_path / name
        path.write_bytes(b"".join((record if isinstance(record, bytes) else orjson.dumps(record)) + end for record in records))
        return path

    return write


@pytest.fixture(scope="session")
def masks_in_linear_time() -> Callable[[str, str], bool]:
    """Whether ten times as much of a piece of hostile text takes about ten times as long to mask."""

    def seconds(before: str, piece: str, chars: int) -> float:
        text = before + piece * (chars // len(piece))
        started = perf_counter()
        mask(text)
        return perf_counter() - started

    return lambda before, piece: seconds(before, piece, 200_000) < 20 * seconds(before, piece, 20_000) + 1.0
