"""The benchmark's made-up logs and its verdicts; a tiny run of the whole."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import EXCHANGES

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def made_log() -> Iterator[ModuleType]:
    yield from _imported("made_log")


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    yield from _imported("scan")


def _imported(name: str) -> Iterator[ModuleType]:
    """A script of the benchmarks folder, whose scripts import each other by bare names."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))
        for script in BENCHMARKS.glob("*.py"):
            sys.modules.pop(script.stem, None)


@pytest.fixture(scope="module")
def rows(made_log: ModuleType) -> pa.Table:
    shape = made_log.Shape(rows=6_000, accounts=40, group=40)
    return made_log.rows_of(made_log.draw_world(shape), shape, 0, 6_000)


def test_a_made_log_has_the_columns_of_the_exchanges_table(rows: pa.Table) -> None:
    assert rows.schema.equals(arrow_schema(EXCHANGES))
    rows.validate(full=True)
    for column in EXCHANGES.columns:
        assert column.nullable or rows[column.name].null_count == 0, column.name


def test_texts_have_the_promised_lengths_and_prompts_do_not_repeat(rows: pa.Table) -> None:
    assert pc.mean(pc.binary_length(rows["prompt_text"])).as_py() == pytest.approx(300, rel=0.1)
    assert pc.mean(pc.binary_length(rows["response_text"])).as_py() == pytest.approx(600, rel=0.1)
    assert pc.count_distinct(rows["prompt_text"]).as_py() == len(rows)
    assert pc.count_distinct(rows["exchange_id"]).as_py() == len(rows)


def test_the_log_is_in_order_of_time(rows: pa.Table) -> None:
    times = rows["started_at"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) >= 0).all()


def test_the_group_and_the_others_send_as_much_and_only_the_group_shares_its_prompt(made_log: ModuleType, rows: pa.Table) -> None:
    shape = made_log.Shape(rows=6_000, accounts=40, group=40)
    world = made_log.draw_world(shape)
    inside = pc.is_in(rows["account_id"], value_set=world.ids.slice(40)).to_numpy()
    heads = np.array([text[:40] for text in rows["prompt_text"].to_pylist()])
    assert 0.35 < inside.mean() < 0.65
    assert len(set(heads[inside].tolist())) == 1
    assert heads[inside][0] not in set(heads[~inside].tolist())


def test_the_same_seed_makes_the_same_files_and_a_finished_log_is_used_again(made_log: ModuleType, tmp_path: Path) -> None:
    shape = made_log.Shape(rows=500, accounts=10)
    first, second = made_log.make(tmp_path / "a", shape), made_log.make(tmp_path / "b", shape)
    assert pq.read_table(first[0]).equals(pq.read_table(second[0]))
    before = first[0].stat().st_mtime_ns
    assert made_log.make(tmp_path / "a", shape)[0].stat().st_mtime_ns == before
    assert json.loads((tmp_path / "a" / made_log.MADE).read_text("utf-8"))["seed"] == shape.seed
    assert pq.read_metadata(made_log.make(tmp_path / "a", made_log.Shape(rows=600, accounts=10))[0]).num_rows == 600


def _case(bench: ModuleType, name: str, rows: int, seconds: float, *, floor_seconds: float, groups: tuple[int, ...] = (), links: int = 0):
    def measured(took: float) -> object:
        return bench.Measured(seconds=took, cpu_seconds=took, peak_bytes=1 << 30)

    return bench.Case(
        name=name,
        rows=rows,
        scan=measured(seconds),
        floors=(measured(floor_seconds), measured(floor_seconds)),
        stages={"read": seconds / 2},
        accounts=rows // 400,
        groups=groups,
        links=links,
    )


@pytest.mark.parametrize(("seconds", "groups", "links", "holds"), [(60, (25,), 500, True), (61, (25,), 500, False), (60, (), 0, False)])
def test_a_missed_target_is_told_as_missed(bench: ModuleType, seconds: float, groups: tuple[int, ...], links: int, *, holds: bool) -> None:
    cases = [
        _case(bench, "small", 1_000, 6, floor_seconds=1),
        _case(bench, "large", 10_000, seconds, floor_seconds=10),
        _case(bench, "large-group", 10_000, 60, floor_seconds=10, groups=groups, links=links),
    ]
    assert all(target[-1] for target in bench.targets(cases)) == holds


def test_memory_of_a_process_is_what_it_holds_at_most(bench: ModuleType) -> None:
    code = "import time; held = bytearray(200 << 20); del held; time.sleep(0.3)"
    measured = bench.measure([sys.executable, "-c", code])
    assert 200 << 20 <= measured.peak_bytes < 400 << 20
    assert measured.seconds > 0.3


def test_a_failing_scan_stops_the_benchmark(bench: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="status 3"):
        bench.measure([sys.executable, "-c", "raise SystemExit(3)"])


def test_a_tiny_run_scans_every_log_and_writes_its_results(bench: ModuleType, tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    status = bench.main(["--rows", "2000", "--out", str(tmp_path / "out"), "--results", str(results)])
    text = results.read_text("utf-8")
    assert status in (0, 1)
    assert "2,000 exchanges, one large group" in text
    assert "scan over floor" in text
    assert str(tmp_path) not in text
