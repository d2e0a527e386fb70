"""Documents of every format are read; what is broken is quarantined with its reason, and the counts reconcile."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.errors import UnknownFormatError, UnreadableInputError, UsageError
from stillwatch.ingest.quarantine import Quarantine
from stillwatch.screen.corpus import plan_corpus
from stillwatch.screen.documents import Documents
from stillwatch.screen.fields import Fields
from stillwatch.screen.reading import Reading
from stillwatch.screen.settings import ScreenSettings

SMALL = ScreenSettings(max_record_bytes=4000, batch_rows=7, max_depth=20)


class Read:
    """Everything that the reading of one path gives."""

    def __init__(self, path: Path, fields: Fields | None = None, settings: ScreenSettings = SMALL) -> None:
        (self.file,) = plan_corpus([path]).files
        refused = path.parent / f".{path.name}.refused"
        with Quarantine(refused) as quarantine:
            reading = Reading(file=self.file, settings=settings, fields=fields or Fields(), quarantine=quarantine)
            self.batches: list[Documents] = list(reading.documents())
        self.reasons, self.rows_out, self.sha256 = dict(reading.reasons), reading.rows_out, reading.sha256
        self.lines = [json.loads(line) for line in refused.read_text("utf-8").splitlines()]
        self.texts = [text for batch in self.batches for text in batch.texts.to_pylist()]
        self.tokens = [batch.tokens[low:high].tolist() for batch in self.batches for low, high in pairwise(batch.offsets)]


ROWS = [
    '{"id": 7, "text": "plain"}',
    '{"messages": [{"role": "user", "content": "question"}, {"role": "assistant", "content": [{"type": "text", "text": "answer"}]}]}',
    '{"instruction": "do", "input": "", "output": "done"}',
    '{"input_ids": [1, 2, 4294967295]}',
    '{"text": "",  "tokens": ["not", "ids"]}',
    '{"input_ids": [1, -100]}',
    '{"text": "broken',
    "[1]",
    "",
    '{"text": "' + "x" * 5000 + '"}',
    '{"text": ' + "[" * 30 + "]" * 30 + "}",
    '{"text": "last \\ud800"}',
]


def test_json_lines_are_read_row_by_row_and_each_broken_row_has_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(ROWS), "utf-8")
    found = Read(path)
    assert found.texts == ["plain", "question\nanswer", "do\ndone", None, "last �"]
    assert found.tokens == [[], [], [], [1, 2, 4294967295], []]
    assert [batch.ids.to_pylist()[0] for batch in found.batches][:1] == ["7"]
    expected = {"no_text": 1, "bad_token_ids": 1, "truncated": 1, "not_an_object": 1, "record_too_long": 1, "too_deep": 1}
    assert found.reasons == expected
    assert len(found.lines) == 6
    assert {line["line"] for line in found.lines} == {5, 6, 7, 8, 10, 11}


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["gz", "zst"])
def test_packed_files_read_the_same_and_a_torn_one_keeps_what_came_before(tmp_path: Path, pack: str) -> None:
    data = "".join(f'{{"text": "row {np.base_repr(place * 7919, 36)}"}}\n' for place in range(20_000)).encode()
    packed = gzip.compress(data) if pack == "gz" else zstandard.ZstdCompressor().compress(data)
    path = tmp_path / f"a.jsonl.{pack}"
    path.write_bytes(packed)
    assert Read(path).rows_out == 20_000
    path.write_bytes(packed[: len(packed) // 2])
    torn = Read(path)
    assert 0 < torn.rows_out < 20_000
    assert torn.reasons["torn_archive"] == 1
    assert len(torn.sha256) == 64


def test_parquet_reads_whole_columns_and_messages_row_by_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one", None, "three"], "input_ids": [[1], [2, 3], None], "id": [1, 2, 3]}), tmp_path / "a.parquet")
    found = Read(tmp_path / "a.parquet")
    assert (found.texts, found.tokens) == (["one", None, "three"], [[1], [2, 3], []])
    chats = [[{"role": "user", "content": "hello"}, {"role": "assistant", "content": "bye"}], []]
    pq.write_table(pa.table({"conversations": chats}), tmp_path / "b.parquet")
    chat = Read(tmp_path / "b.parquet")
    assert (chat.texts, chat.reasons) == (["hello\nbye"], {"no_text": 1})


def test_bad_values_of_a_table_cost_their_row_alone(tmp_path: Path) -> None:
    texts = pa.array([b"fine", b"\xff\xfe", b"x" * 5000], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts, "input_ids": [[1, 2], [1], [1]]}), tmp_path / "a.parquet")
    found = Read(tmp_path / "a.parquet")
    assert (found.texts, found.reasons) == (["fine"], {"invalid_utf8": 1, "record_too_long": 1})
    ids = pa.array([[1, -100], [5, None], [2**33], [7]], pa.list_(pa.int64()))
    pq.write_table(pa.table({"input_ids": ids}), tmp_path / "b.parquet")
    tokens = Read(tmp_path / "b.parquet")
    assert (tokens.tokens, tokens.reasons) == ([[7]], {"bad_token_ids": 3})


def test_a_damaged_row_group_costs_its_rows_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text {np.base_repr(place * 104729, 36)} " * 20 for place in range(300)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=100, use_dictionary=False, compression="zstd")
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset : chunk.data_page_offset + 200] = b"\xaa" * 200
    path.write_bytes(bytes(data))
    found = Read(path)
    assert found.rows_out + sum(found.reasons.values()) == 300
    assert found.rows_out >= 200
    assert set(found.reasons) == {"unreadable_row_group"}


def _dataset(folder: Path, rows: int = 50, *, as_file: bool = False) -> Path:
    folder.mkdir(parents=True)
    table = pa.table({"text": [f"document {place}" for place in range(rows)]})
    path = folder / "data-00000-of-00001.arrow"
    write = pa.ipc.new_file if as_file else pa.ipc.new_stream
    with pa.OSFile(str(path), "wb") as sink, write(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": path.name}]}), "utf-8")
    (folder / "dataset_info.json").write_text("{}", "utf-8")
    return path


@pytest.mark.parametrize("as_file", [False, True])
def test_a_dataset_saved_on_disk_is_read_from_its_data_files_alone(tmp_path: Path, *, as_file: bool) -> None:
    path = _dataset(tmp_path / "ds" / "train", as_file=as_file)
    (path.parent / "cache-12.arrow").write_bytes(path.read_bytes())
    plan = plan_corpus([tmp_path / "ds"])
    assert [file.name for file in plan.files] == ["ds/train/data-00000-of-00001.arrow"]
    assert plan.files[0].source == "ds/train"
    assert len(plan.ignored) == 3
    assert Read(path).texts == [f"document {place}" for place in range(50)]


def test_a_torn_arrow_stream_keeps_the_batches_before_the_damage(tmp_path: Path) -> None:
    path = _dataset(tmp_path / "ds")
    path.write_bytes(path.read_bytes()[:-300])
    found = Read(path)
    assert 0 < found.rows_out < 50
    assert found.reasons == {"torn_archive": 1}


def test_text_is_cut_at_blank_lines_into_documents_that_are_long_enough(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(["a line of text\nand another" * 5] * 100) + "\n", "utf-8")
    found = Read(path, settings=ScreenSettings(paragraph_bytes=500))
    assert found.rows_out > 10
    assert all(500 <= len(text) < 1000 for text in found.texts[:-1])
    assert "".join(found.texts).count("another") == 500
    path.write_text("a line of text\n" * 2000, "utf-8")
    long = Read(path, settings=ScreenSettings(paragraph_bytes=100))
    assert max(len(text) for text in long.texts) < 820
    assert sum(text.count("line") for text in long.texts) == 2000
    path.write_bytes(b"fine\n\n" * 100 + b"bad \xff\n")
    bad = Read(path, settings=ScreenSettings(paragraph_bytes=10))
    assert bad.reasons == {"invalid_utf8": 1}


def test_the_columns_that_the_user_names_are_taken_and_a_file_without_them_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["not this"], "body_md": ["this"], "codes": [[5, 6]]}), tmp_path / "a.parquet")
    found = Read(tmp_path / "a.parquet", Fields(text="body_md", tokens="codes"))
    assert (found.texts, found.tokens) == (["this"], [[5, 6]])
    pq.write_table(pa.table({"label": [1]}), tmp_path / "b.parquet")
    with pytest.raises(UnreadableInputError, match="--text-column"):
        Read(tmp_path / "b.parquet")
    with pytest.raises(UnreadableInputError, match="'absent'"):
        Read(tmp_path / "a.parquet", Fields(text="absent", id="label"))


def test_json_over_several_lines_and_arrays_are_told_from_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"text": "one"}, {"text": "two"}]), "utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"text": "spread"}, indent=2), "utf-8")
    (tmp_path / "c.txt").write_text("[INST] a text [/INST]\n{not json}\n", "utf-8")
    (tmp_path / "d.jsonl").write_text('{"text": "torn\n{"text": "whole"}\n', "utf-8")
    assert Read(tmp_path / "a.json").texts == ["one", "two"]
    assert Read(tmp_path / "b.json").texts == ["spread"]
    assert Read(tmp_path / "c.txt").texts == ["[INST] a text [/INST]\n{not json}"]
    assert Read(tmp_path / "d.jsonl").texts == ["whole"]


def test_binary_data_and_missing_paths_are_refused_where_they_are_named_and_left_aside_where_not(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\x80\x04\x00\x01" * 10)
    (tmp_path / "a.txt").write_text("some text", "utf-8")
    assert [name for name, _ in plan_corpus([tmp_path]).ignored] == [f"{tmp_path.name}/weights.bin"]
    with pytest.raises(UnknownFormatError, match="binary"):
        plan_corpus([tmp_path / "weights.bin"])
    for missing in (tmp_path / "none.txt", tmp_path / "*.nothing"):
        with pytest.raises(UsageError):
            plan_corpus([missing])
    with pytest.raises(UsageError, match="result folder"):
        plan_corpus([tmp_path], apart_from=tmp_path)


def _stream(path: Path, table: pa.Table) -> Path:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return path


def test_a_dictionary_of_a_large_text_is_decoded_in_bounded_parts(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 5000, pa.int32()), pa.array(["x" * 3000, "y"]))
    found = Read(_stream(tmp_path / "a.arrow", pa.table({"text": texts})), settings=ScreenSettings(batch_bytes=100_000))
    assert found.rows_out == 10_000
    assert max(sum(len(text) for text in batch.texts.to_pylist()) for batch in found.batches) <= 100_000
    views = pa.table({"text": pa.array(["x" * 3000, "y", None] * 50, pa.string_view())})
    assert Read(_stream(tmp_path / "b.arrow", views)).rows_out == 100


def test_a_batch_with_broken_offsets_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    offsets = pa.py_buffer(np.array([0, 5, 2_000_000_000, 7], np.int32).tobytes())
    broken = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"some text")])
    schema = pa.schema([("text", pa.string())])
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([broken], schema=schema))
        writer.write_batch(pa.RecordBatch.from_arrays([pa.array(["sound"])], schema=schema))
    found = Read(path)
    assert (found.texts, found.reasons) == (["sound"], {"unreadable_row_group": 3})
    beyond = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int32()), pa.array(["only"]), safe=False)
    assert Read(_stream(tmp_path / "b.arrow", pa.table({"text": beyond}))).reasons == {"unreadable_row_group": 2}
