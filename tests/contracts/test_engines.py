"""What every engine must do, run on every engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.engines.base import Engine
from stillwatch.engines.duckdb import DuckEngine
from stillwatch.errors import EngineError, StoppedError

WORDS = pa.schema([("exchange_id", pa.string()), ("words", pa.list_(pa.int64())), ("length", pa.int64())])


def _kernel() -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    # A nested function travels to Spark's workers by value: they cannot import a test module.
    def kernel(batch: pa.RecordBatch) -> pa.RecordBatch:
        lists = batch.column("wording")
        return pa.RecordBatch.from_arrays(
            [batch.column("exchange_id"), lists, pc.cast(pc.list_value_length(lists), pa.int64())], schema=WORDS
        )

    return kernel


def _rows(table: pa.Table, key: str) -> list[dict[str, object]]:
    return table.sort_by(key).to_pylist()


def test_a_table_comes_back_as_it_went_in(engine: Engine, log: pa.Table) -> None:
    back = engine.arrow(engine.table(log, "whole_log"))
    assert back.schema.types == log.schema.types
    assert _rows(back, "exchange_id") == _rows(log, "exchange_id")


def test_a_name_used_again_replaces_the_table(engine: Engine) -> None:
    engine.table(pa.table({"a": [1]}), "replaced")
    second = engine.table(pa.table({"b": ["x", None]}), "replaced")
    assert _rows(engine.arrow(second), "b") == [{"b": "x"}, {"b": None}]
    third = engine.cache(engine.table(pa.table({"c": [3]}), "replacing"), "replaced")
    assert engine.arrow(third).to_pylist() == [{"c": 3}]


def test_what_is_written_is_what_is_read(engine: Engine, log: pa.Table, folder: Path) -> None:
    table = engine.table(log, "to_write")
    assert engine.write(table.select("exchange_id", "started_at", "wording"), folder / "x.parquet") == log.num_rows
    assert [path.name for path in folder.iterdir()] == ["x.parquet"]
    written = pq.read_table(folder / "x.parquet")
    assert _rows(written, "exchange_id") == _rows(log.select(["exchange_id", "started_at", "wording"]), "exchange_id")
    for place in (folder, folder / "x.parquet"):
        again = engine.arrow(engine.read([place]))
        assert _rows(again, "exchange_id") == _rows(written, "exchange_id")


def test_nothing_written_is_still_a_readable_file(engine: Engine, log: pa.Table, folder: Path) -> None:
    table = engine.table(log, "to_write_none")
    assert engine.write(table.filter(table.account_id == "nobody"), folder / "none.parquet") == 0
    assert engine.arrow(engine.read([folder / "none.parquet"])).num_rows == 0


def test_a_stream_holds_every_row_once_and_survives_other_queries(engine: Engine, log: pa.Table) -> None:
    table = engine.table(log, "streamed")
    seen: list[str] = []
    for batch in engine.batches(table.select("exchange_id"), rows=100):
        assert batch.num_rows <= 100
        seen += batch.column(0).to_pylist()
        assert engine.arrow(table.aggregate(rows=table.count())).to_pylist() == [{"rows": log.num_rows}]
    assert sorted(seen) == sorted(log.column("exchange_id").to_pylist())


def test_a_kernel_runs_over_every_row(engine: Engine, log: pa.Table) -> None:
    table = engine.table(log, "for_kernel")
    result = engine.apply(table.select("exchange_id", "wording"), _kernel(), WORDS, "lengths")
    back = engine.arrow(result)
    expected = {row["exchange_id"]: None if row["wording"] is None else len(row["wording"]) for row in log.to_pylist()}
    assert {row["exchange_id"]: row["length"] for row in back.to_pylist()} == expected
    assert back.schema.types == WORDS.types


def test_a_kernel_that_breaks_its_promise_is_named(engine: Engine, log: pa.Table) -> None:
    table = engine.table(log, "for_bad_kernel")
    with pytest.raises(EngineError):
        engine.arrow(engine.apply(table.select("exchange_id"), lambda batch: batch, WORDS, "broken"))


def test_an_integer_sum_stays_an_integer(engine: Engine, log: pa.Table) -> None:
    table = engine.table(log, "summed")
    total = engine.arrow(table.aggregate(total=table.input_tokens.sum()))
    assert total.schema.field("total").type == pa.int64()
    assert total.to_pylist() == [{"total": pc.sum(log.column("input_tokens")).as_py()}]


@pytest.mark.parametrize("name", ["Upper", 'quoted"name', "", "x; drop table y", "9lives"])
def test_a_name_that_could_be_a_command_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(EngineError, match="table name"):
        engine.table(pa.table({"a": [1]}), name)


def test_a_place_without_parquet_files_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no Parquet file"):
        engine.read([tmp_path])


def test_a_failure_never_quotes_the_log(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    table = engine.table(pa.table({"secret": ["sk-private-text"]}), "private")
    with pytest.raises(EngineError) as caught:
        engine.arrow(table.select(number=table.secret.cast("int64")))
    assert "sk-private" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "sk-private" not in "".join(capfd.readouterr())


def test_a_closed_engine_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = DuckEngine(tmp_path, threads=1, memory_limit="100MB")
    engine.cache(engine.table(pa.table({"a": [1]}), "kept"), "cached")
    assert any(tmp_path.iterdir())
    engine.close()
    engine.close()
    assert not any(tmp_path.iterdir())


def test_an_interrupt_while_a_query_runs_ends_the_query_and_stays_an_interrupt(tmp_path: Path) -> None:
    with DuckEngine(tmp_path, threads=1, memory_limit="500MB") as engine:
        many = engine.table(pa.table({"a": list(range(100_000))}), "many")
        endless = many.cross_join(many.view()).aggregate(total=lambda pairs: (pairs["a"] * pairs["a_right"] % 7).sum())

        def expressions():
            yield endless
            time.sleep(0.2)
            raise KeyboardInterrupt

        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt) as told:
            engine.arrows(expressions())
        assert time.monotonic() - begun < 10
        assert told.value.__context__ is None
        assert engine.arrow(many.count().as_table())[0].to_pylist() == [100_000]


def test_an_interrupt_that_duckdb_takes_for_itself_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def table(self, _name: str) -> None:
            raise RuntimeError("Query interrupted")

    with DuckEngine(tmp_path, threads=1, memory_limit="500MB") as engine:
        with monkeypatch.context() as patch:
            patch.setattr(engine, "_ibis", Interrupted())
            with pytest.raises(StoppedError):
                engine.table(pa.table({"a": [1]}), "few")
        assert engine.arrow(engine.table(pa.table({"a": [1]}), "few")).to_pylist() == [{"a": 1}]
