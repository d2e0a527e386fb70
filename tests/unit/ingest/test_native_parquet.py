"""Native Parquet is validated without being copied, and its shards leave out exactly the refused rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import UnreadableInputError
from stillwatch.ingest import IngestSettings, ingest, plan_inputs


@pytest.fixture
def write(tmp_path: Path, exchange):
    def make(*, name: str = "log.parquet", group: int = 100, **columns: pa.Array) -> Path:
        rows = [exchange(number, started_at=datetime(2026, 11, 23, 19, tzinfo=UTC)) for number in range(1_000)]
        table = pa.Table.from_pylist(rows)
        for column, values in columns.items():
            if column in table.schema.names:
                table = table.drop_columns([column])
            if values is not None:
                table = table.append_column(column, values)
        path = tmp_path / name
        pq.write_table(table, path, row_group_size=group)
        return path

    return make


def test_nothing_is_copied(run, write) -> None:
    outcome = run(write())
    assert len(outcome.rows) == 1_000
    assert [path.name for path in outcome.work.iterdir()] == ["quarantine.jsonl"]
    assert {row["source"] for row in outcome.rows} == {"parquet"}
    assert {row["text_state"] for row in outcome.rows} == {"full"}


def test_refused_rows_are_left_out_of_their_shards(run, write) -> None:
    bad = {3, 99, 100, 101, 555, 999}
    path = write(output_tokens=pa.array([-1 if row in bad else row for row in range(1_000)]))
    outcome = run(path, settings=IngestSettings(shard_rows=250))
    assert [(line["line"], line["reason"], line["byte_offset"]) for line in outcome.refused] == [
        (row + 1, "negative_number", None) for row in sorted(bad)
    ]
    assert '"account_id"' in outcome.refused[0]["head"]
    assert [row["output_tokens"] for row in outcome.rows] == [row for row in range(1_000) if row not in bad]
    assert len(outcome.result.shards) == 4


def test_a_whole_row_group_may_be_refused(run, write) -> None:
    path = write(account_id=pa.array([None if 200 <= row < 400 else "a" for row in range(1_000)]))
    outcome = run(path, settings=IngestSettings(shard_rows=300))
    assert outcome.result.reasons == {"missing_account_id": 200}
    assert len(outcome.rows) == 800


def test_rows_without_an_id_get_one_that_stays_the_same(run, write) -> None:
    path = write(exchange_id=None)
    first, second = run(path), run(path, settings=IngestSettings(shard_rows=100))
    ids = [row["exchange_id"] for row in first.rows]
    assert len(set(ids)) == 1_000
    assert ids == [row["exchange_id"] for row in second.rows]


@pytest.mark.slow
def test_small_batches_hold_the_same_rows(run, write) -> None:
    outcome = run(write(status=pa.array([-5 if row % 7 == 0 else 200 for row in range(1_000)])))
    batches = [batch for shard in outcome.result.shards for batch in shard.batches(13)]
    assert max(batch.num_rows for batch in batches) <= 13
    assert pa.Table.from_batches(batches).to_pylist() == outcome.rows


def test_values_that_do_not_fit_are_refused_not_guessed(run, write) -> None:
    words = pa.array(["12" if row else "twelve" for row in range(1_000)])
    outcome = run(write(input_tokens=words, seed=pa.array([0.5 if row == 1 else 2.0 for row in range(1_000)])))
    assert [(line["line"], line["reason"]) for line in outcome.refused] == [(1, "wrong_type"), (2, "wrong_type")]
    assert {(row["input_tokens"], row["seed"]) for row in outcome.rows} == {(12, 2)}


def test_bytes_that_are_no_text_are_replaced_in_labels_and_texts(run, write) -> None:
    raw = pa.array([b"\xff\xfe agent"] * 1_000, pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 1_000, raw.buffers())
    outcome = run(write(user_agent=broken, response_text=broken))
    assert {row["user_agent"] for row in outcome.rows} == {"\ufffd\ufffd agent"}
    assert {row["response_text"] for row in outcome.rows} == {"\ufffd\ufffd agent"}


def test_a_damaged_row_group_is_one_refused_row_and_the_others_are_read(run, write) -> None:
    path = write(group=500)
    metadata = pq.read_metadata(path)
    columns = [metadata.row_group(1).column(place) for place in range(metadata.num_columns)]
    column = next(column for column in columns if column.path_in_schema == "account_id")
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    outcome = run(path)
    assert outcome.result.reasons == {"unreadable_row_group": 1}
    assert len(outcome.rows) == 500


def test_damaged_text_is_an_error_that_names_the_place(write, tmp_path: Path) -> None:
    path = write(group=500)
    metadata = pq.read_metadata(path)
    columns = [metadata.row_group(0).column(place) for place in range(metadata.num_columns)]
    column = next(column for column in columns if column.path_in_schema == "prompt_text")
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    work = tmp_path / "work"
    work.mkdir()
    result = ingest(plan_inputs([path]), work=work, settings=IngestSettings(), progress=lambda rows, read: None)
    with pytest.raises(UnreadableInputError, match=r"log\.parquet: row 1 "):
        list(result.shards[0].batches())


def test_not_a_number_in_a_column_of_numbers_is_a_missing_value(run, write) -> None:
    gaps = pa.array([float("nan") if row % 2 else 12.0 for row in range(1_000)])
    empty = pa.array([float("nan")] * 1_000)
    outcome = run(write(input_tokens=gaps, temperature=gaps, sampling_rate=empty, output_tokens=empty, asn=gaps.dictionary_encode()))
    assert outcome.refused == []
    for name in ("input_tokens", "temperature", "asn"):
        assert [row[name] for row in outcome.rows[:3]] == [12, None, 12]
    assert {row["sampling_rate"] for row in outcome.rows} == {None}
    assert not {"sampling_rate", "output_tokens"} & set(outcome.result.filled_columns)
