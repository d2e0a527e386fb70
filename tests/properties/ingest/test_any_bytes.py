"""Whatever bytes a log holds, ingest reads it to its end and the counts reconcile."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ingest import IngestResult, IngestSettings, ingest, plan_inputs
from stillwatch.ingest.compression import ByteSource, TornArchiveError
from stillwatch.ingest.readers import READERS
from stillwatch.ingest.splitting import split_lines, split_values
from stillwatch.records.tables import EXCHANGES

pytestmark = pytest.mark.slow

SOUND = orjson.dumps({"exchange_id": "first", "started_at": "2026-11-23T19:00:00Z", "account_id": "a"})
SETTINGS = IngestSettings(max_record_bytes=2_000, batch_rows=7, max_depth=20)

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=8
)
FIELDS = (
    *EXCHANGES.names,
    *("messages", "id", "call_type", "request_id", "startTime", "metadata", "model_parameters", "response", "request", "user", "api_key"),
    *("resourceSpans", "resourceLogs", "scopeSpans", "spans", "attributes", "key", "value", "kind", "traceId", "role", "content", "parts"),
    *("schemaType", "input", "output", "inputBodyJson", "outputBodyJson", "identity", "requestMetadata", "custom_id", "body", "error"),
    *("full_request", "full_response", "logging_time", "endpoint", "contents", "candidates", "choices", "message", "usage", "type"),
    *("headers", "status", "url", "created_at", "usageDetails", "modelParameters", "trace_id", "start_time", "proxy_server_request"),
)
shapes = st.recursive(
    scalars | st.sampled_from(["GENERATION", "user", "2026-11-23T19:00:00Z", "ModelInvocationLog", "[]", '{"messages":[1]}', "data: {}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=20,
)


def run(data: bytes, *, wanted: str = "auto") -> IngestResult:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(data)
        work = Path(folder) / "work"
        work.mkdir()
        result = ingest(plan_inputs([path], format=wanted), work=work, settings=SETTINGS, progress=lambda rows, read: None)
        rows = [row for shard in result.shards for batch in shard.batches() for row in batch.to_pylist()]
        quarantined = [orjson.loads(line) for line in result.quarantine.read_bytes().splitlines()]
        (count,) = result.files
        assert count.rows_in == count.rows_out + count.quarantined
        assert (count.rows_out, count.quarantined) == (len(rows), len(quarantined))
        assert sum(result.reasons.values()) == count.quarantined
        ids = [row["exchange_id"] for row in rows]
        assert len(set(ids)) == len(ids)
        assert all(row["account_id"] and row["started_at"] and row["raw_sha256"] for row in rows)
    return result


def row_lines(data: bytes) -> int:
    return sum(1 for line in data.split(b"\n") if line.strip(b" \t\r\x0b\x0c"))


@given(st.lists(st.binary(max_size=60), max_size=25))
@settings(deadline=None)
def test_arbitrary_lines_reconcile(lines: list[bytes]) -> None:
    data = b"\n".join([SOUND, *lines])
    (count,) = run(data).files
    assert count.rows_in == row_lines(data)


@given(st.lists(st.dictionaries(st.sampled_from(EXCHANGES.names), values, max_size=12), max_size=20))
@settings(deadline=None)
def test_arbitrary_values_in_known_columns_reconcile(records: list[dict[str, Any]]) -> None:
    (count,) = run(b"\n".join([SOUND, *(orjson.dumps(record) for record in records)])).files
    assert count.rows_in == len(records) + 1


@given(st.sampled_from(sorted(READERS)), st.lists(st.dictionaries(st.sampled_from(FIELDS), shapes, max_size=8), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_reader_raises_on_any_shape(wanted: str, records: list[dict[str, Any]]) -> None:
    data = b"\n".join(orjson.dumps(record) for record in records)
    result = run(data, wanted=wanted)
    if wanted not in {"otlp", "openai-batch", "langfuse"}:
        assert result.files[0].rows_in == len(records)


@given(st.binary(max_size=400), st.integers(1, 50), st.integers(0, 1))
@settings(max_examples=200, deadline=None)
def test_splitting_depends_on_the_bytes_and_not_on_the_blocks(data: bytes, size: int, level: int) -> None:
    def blocks(step: int) -> list[bytes]:
        return [data[start : start + step] for start in range(0, len(data), step)]

    whole = max(len(data), 1)
    assert list(split_lines(iter(blocks(size)), 10_000)) == list(split_lines(iter(blocks(whole)), 10_000))
    in_pieces = list(split_values(iter(blocks(size)), 10_000, level=level))
    assert in_pieces == list(split_values(iter(blocks(whole)), 10_000, level=level))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(0, 400), st.sampled_from(["gzip", "zstd"]))
@settings(max_examples=150, deadline=None)
def test_unpacking_gives_a_beginning_of_the_data_and_says_when_it_is_not_all(members: list[bytes], cut: int, kind: str) -> None:
    pack = gzip.compress if kind == "gzip" else zstandard.ZstdCompressor().compress
    packed = b"".join(pack(member) for member in members)
    kept = packed[: len(packed) - cut] if cut else packed
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(kept)
        unpacked = b""
        torn = False
        try:
            for block in ByteSource(path, kind).blocks():
                unpacked += block
        except TornArchiveError:
            torn = True
    assert b"".join(members).startswith(unpacked)
    assert torn or unpacked == b"".join(members) or cut
    assert not torn or cut
