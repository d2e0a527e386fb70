"""Scanning again: the same log gives the same answer, a killed run goes on, and nothing depends on the wall clock."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.app.progress import Quiet
from stillwatch.settings import ScanSettings

pytestmark = pytest.mark.slow

FINAL = ("report.html", "findings.jsonl", "entities.parquet", "members.parquet", "links.parquet", "features.parquet", "run.json")
KEPT = ("read", "sketch", "describe", "trace")


class _StopAt(Quiet):
    """Raises KeyboardInterrupt as a stage begins, or once it has done some rows."""

    def __init__(self, stage: str, *, rows: int = 0) -> None:
        self.stage, self.rows, self.now = stage, rows, ""

    def begin(self, stage: str, total: int | None) -> None:
        self.now = stage
        if stage == self.stage and not self.rows:
            raise KeyboardInterrupt

    def advance(self, rows: int) -> None:
        if self.now == self.stage and self.rows and rows >= self.rows:
            raise KeyboardInterrupt


def _resumed(folder: Path) -> dict[str, bool]:
    run = json.loads((folder / "run.json").read_text("utf-8"))
    return {stage["name"]: stage["resumed"] for stage in run["stages"]}


def _whole(path: Path) -> bool:
    """Whether a file of the result folder can be read to its end."""
    if path.suffix == ".parquet":
        return pq.read_table(path).num_rows >= 0
    text = path.read_text("utf-8")
    if path.suffix == ".html":
        return text.rstrip().endswith("</html>")
    return all(json.loads(line) for line in ([text] if path.suffix == ".json" else text.splitlines()))


def test_the_same_log_and_seed_give_the_same_answer(scanned: Any, scan_into: Any, outcome: Any, tmp_path: Path) -> None:
    scan_into(tmp_path / "again", scanned.world.logs, accounts=scanned.world.accounts)
    assert outcome(tmp_path / "again") == outcome(scanned.folder)


def test_a_finished_run_is_resumed_without_doing_its_stages_again(scanned: Any, scan_into: Any, outcome: Any, tmp_path: Path) -> None:
    out = tmp_path / "result"
    with pytest.raises(KeyboardInterrupt):
        scan_into(out, scanned.world.logs, accounts=scanned.world.accounts, progress=_StopAt("link"))
    assert not [name for name in FINAL if (out / name).exists()]
    parts = {path.name: path.stat().st_mtime_ns for path in (out / "exchanges").iterdir()}
    for kept in (KEPT, (*KEPT, "link")):
        settings = replace(ScanSettings(), threads=1, memory_limit="1GB")
        scan_into(out, scanned.world.logs, accounts=scanned.world.accounts, resume=True, settings=settings)
        assert [name for name, resumed in _resumed(out).items() if resumed] == list(kept)
        assert {path.name: path.stat().st_mtime_ns for path in (out / "exchanges").iterdir()} == parts
        assert outcome(out) == outcome(scanned.folder)


def test_a_run_that_was_stopped_before_its_report_concludes_nothing_again(
    scanned: Any, scan_into: Any, outcome: Any, tmp_path: Path
) -> None:
    out = tmp_path / "result"
    with pytest.raises(KeyboardInterrupt):
        scan_into(out, scanned.world.logs, accounts=scanned.world.accounts, progress=_StopAt("report"))
    assert not [name for name in FINAL if (out / name).exists()]
    scan_into(out, scanned.world.logs, accounts=scanned.world.accounts, resume=True)
    assert [name for name, resumed in _resumed(out).items() if resumed] == [*KEPT, "link", "judge"]
    assert outcome(out) == outcome(scanned.folder)


def test_a_finished_run_over_lines_is_resumed_though_its_text_is_gone(
    lines_world: Any, scan_into: Any, outcome: Any, tmp_path: Path
) -> None:
    out = tmp_path / "result"
    with pytest.raises(KeyboardInterrupt):
        scan_into(out, lines_world.logs, accounts=lines_world.accounts, progress=_StopAt("sketch", rows=1))
    assert _texts(out)
    first = scan_into(out, lines_world.logs, accounts=lines_world.accounts, resume=True)
    assert [name for name, resumed in _resumed(out).items() if resumed] == ["read"]
    assert not _texts(out)
    before = outcome(out)
    again = scan_into(out, lines_world.logs, accounts=lines_world.accounts, resume=True)
    assert [name for name, resumed in _resumed(out).items() if resumed] == ["sketch", "describe", "trace", "link"]
    assert not _texts(out)
    assert outcome(out) == before
    assert [finding.exhibits for finding in again.findings] == [finding.exhibits for finding in first.findings]
    assert first.findings[0].exhibits


def _texts(out: Path) -> list[Path]:
    """Files below the result folder that hold text."""
    files = [path for path in out.rglob("*.parquet") if path.is_file()]
    return [path for path in files if {"prompt_text", "response_text"} & set(pq.read_schema(path).names)]


def test_another_input_is_not_resumed(scanned: Any, scan_into: Any, tmp_path: Path) -> None:
    out = tmp_path / "result"
    small = tmp_path / "small.parquet"
    rows = pq.read_table(sorted(scanned.world.logs.glob("*.parquet"))[0])
    pq.write_table(rows.slice(0, 400), small)
    with pytest.raises(KeyboardInterrupt):
        scan_into(out, small, progress=_StopAt("describe"))
    pq.write_table(rows.slice(0, 500), small)
    report = scan_into(out, small, resume=True)
    assert not any(_resumed(out).values())
    assert report.run.rows_out == 500
    assert sum(pq.read_metadata(path).num_rows for path in (out / "exchanges").iterdir()) == 500


def test_an_interrupted_process_leaves_no_half_result_and_goes_on(scanned: Any, outcome: Any, tmp_path: Path) -> None:
    out = tmp_path / "result"
    command = [
        sys.executable,
        "-m",
        "stillwatch",
        "scan",
        str(scanned.world.logs),
        "--accounts",
        str(scanned.world.accounts),
        "--out",
        str(out),
    ]
    environment = {**os.environ, "STILLWATCH_THREADS": "2"}
    for _attempt in range(4):
        shutil.rmtree(out, ignore_errors=True)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        deadline = time.monotonic() + 60
        while not list((out / "exchanges").glob("*part-*")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
        if process.returncode != 0:  # on a starved machine the scan can end before the signal is sent; then it is begun anew
            break
    assert process.returncode == 130, said
    assert printed == ""
    sentences = [line for line in said.splitlines() if line.startswith("stillwatch:")]
    assert sentences == ["stillwatch: interrupted; what was finished is kept: run the same command with --resume to go on"]
    assert "Traceback" not in said
    assert all(_whole(out / name) for name in FINAL if (out / name).exists())
    assert not (out / "run.json").exists()
    done = subprocess.run([*command, "--resume", "--json"], capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"] == str(out)
    assert _resumed(out)["read"]
    assert all(_whole(out / name) for name in FINAL)
    assert outcome(out) == outcome(scanned.folder)


def test_whole_years_later_the_same_accounts_are_found(scanned: Any, scan_into: Any, outcome: Any, tmp_path: Path) -> None:
    """The log moved by 4 times 364 days, so that weekdays stay: nothing may depend on the date or on the clock."""
    shift = timedelta(days=4 * 364)
    logs = tmp_path / "later"
    logs.mkdir()
    for path in sorted(scanned.world.logs.glob("*.parquet")):
        pq.write_table(_moved(pq.read_table(path), shift), logs / path.name)
    accounts = tmp_path / "accounts.parquet"
    pq.write_table(_moved(pq.read_table(scanned.world.accounts), shift), accounts)
    scan_into(tmp_path / "result", logs, accounts=accounts)
    found, before = outcome(tmp_path / "result"), outcome(scanned.folder)
    assert found["entities"] == before["entities"]
    assert _undated(found["members"]) == _undated(before["members"])
    assert _undated(found["links"]) == _undated(before["links"])


def _moved(table: pa.Table, shift: timedelta) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            moved = pc.add(table.column(place), pa.scalar(shift, pa.duration("us"))).cast(field.type)
            table = table.set_column(place, field, moved)
    return table


def _undated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("first_at", "last_at")} for row in rows]


@pytest.mark.parametrize("stage", ["sketch", "report"])
def test_a_full_disk_is_one_sentence(
    stage: str, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import errno

    from stillwatch.cli import main

    def full(*arguments: object, **others: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = "stillwatch.app.sketching.pq.ParquetWriter" if stage == "sketch" else "stillwatch.app.concluding.write_findings"
    small = tmp_path / "small.parquet"
    pq.write_table(pq.read_table(sorted(world.logs.glob("*.parquet"))[0]).slice(0, 300), small)
    with monkeypatch.context() as patched:
        patched.setattr(target, full)
        assert main(["scan", str(small), "--out", str(tmp_path / "out"), "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert "the disk is full" in said.err
    assert not (tmp_path / "out" / "run.json").exists()
    with contextlib.suppress(FileNotFoundError):
        assert not [path for path in (tmp_path / "out" / "exchanges").iterdir() if path.name.endswith(".partial")]
    assert main(["scan", str(small), "--out", str(tmp_path / "out"), "--json", "--resume"]) == 0
