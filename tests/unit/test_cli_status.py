"""Exit statuses and what goes to which stream."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch import __version__
from stillwatch.cli import main

ROW = {"account_id": "a", "started_at": "2026-09-07T08:00:00Z", "prompt_text": "hello there"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(ROW) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing-of-the-kind"],
        ["scan"],
        ["scan", "--no-such-option"],
        ["scan", "LOG", "--engine", "abacus"],
        ["scan", "LOG", "--fail-on", "terrible"],
        ["scan", "LOG", "--format", "hieroglyphs"],
        ["scan", "LOG", "--seed", "many"],
        ["scan", "LOG", "--prices", "nowhere.toml"],
        ["scan", "nowhere.jsonl"],
        ["scan", "nowhere*.jsonl"],
        ["explain"],
        ["simulate"],
        ["simulate", "--out", "OUT", "--days", "0"],
        ["simulate", "--out", "OUT", "--tactic", "charm"],
        ["simulate", "--out", "OUT", "--format", "clay"],
        ["simulate", "--out", "OUT", "--dilution", "2"],
        ["demo", "--scale", "0"],
    ],
)
def test_wrong_usage_is_two_and_says_why_on_standard_error(
    arguments: list[str], log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = [{"LOG": str(log), "OUT": str(out)}.get(argument, argument) for argument in arguments]
    assert main([*given, "--out", str(out)] if arguments[:1] == ["scan"] and "--no-such-option" not in arguments else given) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip()
    assert "Traceback" not in said.err
    assert not out.exists()


def test_an_accounts_table_that_is_not_there_is_a_failure_in_one_sentence(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", str(log), "--accounts", str(tmp_path / "none.csv"), "--out", str(tmp_path / "out")]) in (1, 2)
    said = capsys.readouterr()
    assert "none.csv" in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_file_that_no_reader_knows_fails_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"colour": "green"}\n', "utf-8")
    assert main(["scan", str(odd), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("stillwatch: ")
    assert "odd.jsonl" in said.err


def test_a_foreign_folder_fails_with_one_and_is_untouched(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine"
    (out / "exchanges").mkdir(parents=True)
    (out / "exchanges" / "precious.parquet").write_bytes(b"precious")
    assert main(["scan", str(log), "--out", str(out)]) == 1
    assert "choose another --out" in capsys.readouterr().err
    assert (out / "exchanges" / "precious.parquet").read_bytes() == b"precious"
    assert [path.name for path in out.iterdir()] == ["exchanges"]


def test_explain_without_a_finished_scan_fails_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(tmp_path), "anybody"]) == 1
    said = capsys.readouterr()
    assert "no run.json" in said.err
    assert said.out == ""


def test_a_dry_run_writes_nothing(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert main(["scan", str(log), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "Columns that no file fills" in shown
    assert "client_ip" in shown
    assert "Signals that would be silent" in shown
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_dry_run_for_machines_is_one_document(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(log), "--out", str(tmp_path / "out"), "--dry-run", "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert {"plan", "filled", "missing", "silent"} <= set(told)
    assert said.err == ""


def test_signals_and_version_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip() == __version__
    assert main(["signals", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len({signal["id"] for signal in listed}) == len(listed) > 20
    assert main(["signals"]) == 0
    assert "ordinary" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["scan"], ["demo"], ["simulate"], ["explain"], ["signals"], ["version"]])
def test_every_command_has_help_on_standard_output(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    said = capsys.readouterr()
    assert " ".join(["Usage: stillwatch", *command]) in said.out
    assert said.err == ""


def test_an_interrupt_is_one_sentence_and_130(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object, **others: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stillwatch.app.scanning.plan_inputs", interrupt)
    assert main(["scan", str(log), "--out", str(tmp_path / "out")]) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip() == "stillwatch: interrupted; finished stages are kept: run the same command with --resume to go on"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_what_standard_output_could_not_take_is_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([sys.executable, "-m", "stillwatch", "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_process_ends_with_the_status_and_all_it_said() -> None:
    ended = subprocess.run([sys.executable, "-m", "stillwatch", "version"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{__version__}\n", "")
    ended = subprocess.run([sys.executable, "-m", "stillwatch", "scan", "nowhere"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "no such file" in ended.stderr
