"""What other commands record: a scan with its inputs and findings, commitments to keys."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.cli import main
from stillwatch.ledger.reading import LogReader
from stillwatch.records.evidence import ACTS, record_of


def _contents(log: Path) -> list[tuple[str, Any]]:
    reader = LogReader(log)
    with reader.contents() as contents:
        found = {index: json.loads(content) for index, _, content in contents.openings(0, reader.size)}
    return [(entry.kind, record_of(ACTS[entry.kind], found[index], "x")) for index, entry in reader.entries()]


def _log(folder: Path) -> list[str]:
    made = ["log", "init", str(folder / "log"), "--origin", "example.com/evidence", "--key", str(folder / "log.key"), "--json"]
    assert main(made) == 0
    return ["--log", str(folder / "log"), "--log-key", str(folder / "log.key")]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_a_scan_is_recorded_with_its_inputs_settings_and_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged = _log(tmp_path)
    world, out = tmp_path / "world", tmp_path / "out"
    small = ["--days", "1", "--honest-accounts", "20", "--tactic", "fixed_prompt", "--accounts", "10", "--format", "jsonl"]
    assert main(["simulate", "--out", str(world), *small]) == 0
    logs = [path for path in world.rglob("*.jsonl*") if "account" not in path.name]
    assert main(["scan", *map(str, logs), "--out", str(out), "--json", *logged]) == 0
    (_, _), (kind, run), *findings = _contents(tmp_path / "log")
    assert kind == "scan_run"
    assert {found.sha256 for found in run.inputs} == {_sha256(path) for path in logs}
    assert run.rows_in == run.rows_out + run.quarantined == sum(found.rows or 0 for found in run.inputs)
    assert run.settings["seed"] == run.seed
    assert {found.name: found.sha256 for found in run.results}["run.json"] == _sha256(out / "run.json")
    assert len(findings) == run.findings
    assert main(["log", "verify", str(tmp_path / "log"), "--json"]) == 0
    capsys.readouterr()


def test_a_scan_without_a_place_to_record_it_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "x.jsonl"
    source.write_text("{}\n")
    for more in (["--log", str(tmp_path / "none"), "--log-key", str(tmp_path / "none.key")], ["--log-key", str(source)]):
        assert main(["scan", str(source), "--out", str(tmp_path / "out"), *more]) in (1, 2)
        assert not (tmp_path / "out").exists()
    capsys.readouterr()


def test_commitments_to_mark_keys_are_recorded_and_no_key_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged = _log(tmp_path)
    key = tmp_path / "master.key"
    assert main(["mark", "keys", "--out", str(key), *logged]) == 0
    purposes = ["--purpose", "twins", "--period", "2026-11", "--account", "acme"]
    assert main(["mark", "commit", "--key", str(key), *purposes, *logged, "--json"]) == 0
    master, twins = (record for kind, record in _contents(tmp_path / "log") if kind == "mark_key")
    assert (master.purpose, twins.purpose, twins.account, twins.period) == ("master", "twins", "acme", "2026-11")
    assert master.commitment.startswith("sha256:")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "log").rglob("*") if path.is_file())
    assert key.read_text().split(":")[1].strip().encode() not in stored
    assert twins.commitment in capsys.readouterr().out
