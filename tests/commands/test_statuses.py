"""Exit statuses and what goes to which stream."""

from __future__ import annotations

import errno
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stillwatch import __version__
from stillwatch.cli import FORMATS, SEVERITIES, main
from stillwatch.detect.catalogue import CATALOGUE
from stillwatch.errors import StoppedError
from stillwatch.ingest import FORMATS as READABLE
from stillwatch.records.findings import Severity
from stillwatch.simulate import LogFormat, Paraphrase, Tactic

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
        ["scan", "LOG", "--accounts", "nowhere.csv"],
        ["scan", "LOG", "--accounts", "nowhere.csv", "--dry-run"],
        ["scan", "nowhere.jsonl"],
        ["scan", "nowhere*.jsonl"],
        ["explain"],
        ["explain", "nowhere", "anybody"],
        ["simulate"],
        ["simulate", "--out", "OUT", "--days", "0"],
        ["simulate", "--out", "OUT", "--tactic", "charm"],
        ["simulate", "--out", "OUT", "--format", "clay"],
        ["simulate", "--out", "OUT", "--dilution", "2"],
        ["simulate", "--out", "OUT", "--tactic", "relay", "--requests-per-day", "nan"],
        ["simulate", "--out", "OUT", "--tactic", "relay", "--requests-per-day", "inf"],
        ["simulate", "--out", "OUT", "--tactic", "relay", "--requests-per-day", "-1"],
        ["simulate", "--out", "OUT", "--tactic", "relay", "--dilution", "nan"],
        ["demo", "--out", "OUT", "--scale", "nan"],
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


@pytest.mark.parametrize("option", ["--accounts", "--prices"])
@pytest.mark.parametrize("name", ["none.csv", "."])
def test_an_option_that_names_no_file_is_wrong_usage_in_one_sentence(
    option: str, name: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = str(tmp_path / name)
    assert main(["scan", str(log), option, given, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert given in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_an_out_that_is_a_file_is_wrong_usage(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(log), "--out", str(log)]) == 2
    assert "is a file" in capsys.readouterr().err


def test_the_help_of_an_option_with_choices_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert FORMATS == READABLE
    assert tuple(Severity) == SEVERITIES
    assert main(["scan", "--help"]) == 0
    shown = "".join(capsys.readouterr().out.split())  # a line may end after a hyphen
    for known in (FORMATS, SEVERITIES):
        assert ",".join(known) in shown
    assert main(["simulate", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for choices in (Tactic, Paraphrase, LogFormat):
        assert all(choice.value in shown for choice in choices)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database or disk is full")])
def test_a_full_disk_is_one_sentence_that_says_how_much_room_there_is(
    error: Exception, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object, **others: object) -> None:
        raise error

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    assert main(["scan", str(log), "--out", str(tmp_path / "out")]) == 1
    (said,) = capsys.readouterr().err.strip().splitlines()
    if isinstance(error, OSError):
        assert str(tmp_path / "out" / ".work" / "exchanges-text" / "part-00000.parquet") in said
    assert "the disk is full" in said
    assert re.search(r"more than the [\d.]+ [kMGB]+ that are free", said)
    assert "--resume" in said


def test_another_failed_write_is_not_called_a_full_disk(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: object, **others: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", refused)
    assert main(["scan", str(log), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "part-00000.parquet: Permission denied" in said
    assert "full" not in said


def test_an_earlier_result_is_told_and_is_back_when_the_scan_that_replaces_it_is_stopped_at_once(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*arguments: object, **others: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stillwatch.app.scanning.ingest", stop)
    out = tmp_path / "out"
    out.mkdir()
    earlier = {"version": "0", "engine": "duckdb", "settings": {}, "stages": [], "created_at": "2026-11-01T06:30:00Z"}
    (out / "run.json").write_text(json.dumps(earlier), "utf-8")
    assert main(["scan", str(log), "--out", str(out)]) == 130
    told, ended = capsys.readouterr().err.splitlines()
    assert told == f"The earlier result in {out}, of 1 Nov 2026, 06:30 UTC, is replaced once this scan is done."
    assert ended.endswith(f"with --resume to go on; the earlier result is back in {out}")
    assert json.loads((out / "run.json").read_text("utf-8")) == earlier
    assert not (out / ".previous").exists()


@pytest.mark.slow
def test_a_scan_that_reads_nothing_leaves_the_earlier_result_as_it_was(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, bad = tmp_path / "out", tmp_path / "bad.jsonl"
    assert main(["scan", str(log), "--out", str(out), "--json"]) == 0
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file() and ".work" not in path.parts}
    bad.write_text('{"account_id": "a", "started_at": "never"}\n', "utf-8")
    capsys.readouterr()
    for _attempt in range(2):
        assert main(["scan", str(bad), "--out", str(out), "--json"]) == 1
        said = capsys.readouterr().err
        assert "none of the 1 rows could be read" in said
        assert said.endswith(f"the earlier result is back in {out}\n")
        assert (out / ".work" / "quarantine.jsonl").read_bytes().count(b"\n") == 1
        after = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file() and ".work" not in path.parts}
        assert after == before
    assert main(["scan", str(log), "--out", str(out), "--json", "--resume"]) == 0


@pytest.mark.slow
def test_a_scan_that_fails_late_says_where_the_earlier_result_lies_until_it_is_resumed(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*arguments: object, **others: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    assert main(["scan", str(log), "--out", str(out), "--json"]) == 0
    before = (out / "run.json").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("stillwatch.app.concluding.write_findings", stop)
        for more in ([], ["--resume"]):
            capsys.readouterr()
            assert main(["scan", str(log), "--out", str(out), "--json", "--seed", "5", *more]) == 130
            assert f"the earlier result lies in {out / '.previous'} until" in capsys.readouterr().err
            assert (out / ".previous" / "run.json").read_bytes() == before
            assert not (out / "run.json").exists()
    assert main(["scan", str(log), "--out", str(out), "--json", "--seed", "5", "--resume"]) == 0
    assert not (out / ".previous").exists()
    assert json.loads((out / "run.json").read_text("utf-8"))["seed"] == 5


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


def test_the_list_of_signals_fits_a_terminal_and_says_everything_of_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["signals"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "│" not in shown
    flowing = " ".join(shown.split())
    assert flowing.index("Pooling: ") < flowing.index("Harvest: ")
    for signal in CATALOGUE:
        for fact in (signal.id, signal.family, signal.ordinary, signal.blind_spot, *signal.columns[0].split("|")):
            assert fact in flowing
        assert signal.says.format(value="X", median="M", high="H") in flowing


@pytest.mark.parametrize("command", [[], ["scan"], ["demo"], ["simulate"], ["explain"], ["signals"], ["version"]])
def test_every_command_has_help_on_standard_output(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    said = capsys.readouterr()
    assert " ".join(["Usage: stillwatch", *command]) in said.out
    assert said.err == ""


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, StoppedError("interrupted")])
def test_an_interrupt_is_one_sentence_and_130(
    stopped: Any, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object, **others: object) -> None:
        raise stopped

    monkeypatch.setattr("stillwatch.app.scanning.plan_inputs", interrupt)
    assert main(["scan", str(log), "--out", str(tmp_path / "out")]) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip() == "stillwatch: interrupted; what was finished is kept: run the same command with --resume to go on"


def test_an_interrupted_command_that_has_nothing_to_go_on_from_names_no_option_that_it_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(*arguments: object, **others: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stillwatch.app.case_verifying.verify_file", interrupt)
    assert main(["verify", str(tmp_path / "case.zip")]) == 130
    assert capsys.readouterr().err.strip() == "stillwatch: interrupted; run the same command again"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_what_standard_output_could_not_take_is_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([sys.executable, "-m", "stillwatch", "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_version_is_an_option_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_the_process_ends_with_the_status_and_all_it_said() -> None:
    ended = subprocess.run([sys.executable, "-m", "stillwatch", "version"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{__version__}\n", "")
    ended = subprocess.run([sys.executable, "-m", "stillwatch", "scan", "nowhere"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "no such file" in ended.stderr


@pytest.mark.slow
def test_what_a_scan_left_aside_and_whom_the_accounts_table_knows_is_said_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    logs, out = Path("logs"), Path("out")
    logs.mkdir()
    rows = [ROW | {"account_id": f"a{place}", "exchange_id": str(place)} for place in range(30)]
    (logs / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (logs / "torn.parquet").write_bytes(b"PAR1 torn")
    (logs / "notes.md").write_text("notes", "utf-8")
    Path("side.csv").write_text("account_id,plan\nnobody,free\n", "utf-8")
    assert main(["scan", "logs", "--accounts", "side.csv", "--out", "out"]) == 0
    shown = capsys.readouterr().out
    for name in ("torn.parquet", "notes.md"):
        assert f"Not read: logs/{name}: not recognised: " in shown
    assert "Warning: 0 of 30 accounts" in shown
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert [file["path"] for file in run["left_aside"]] == ["logs/torn.parquet", "logs/notes.md"]
    assert (run["accounts_known"], run["quarantined"], run["rows_in"]) == (0, 1, 31)
    assert run["prices"]["models"]
    page = (out / "report.html").read_text("utf-8")
    assert "torn.parquet: not recognised" in page
    assert "Warning: 0 of 30 accounts" in page
    assert main(["scan", "logs", "--out", "out", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [file["path"] for file in told["left_aside"]] == ["logs/torn.parquet", "logs/notes.md"]
    assert any("torn.parquet" in note for note in told["notes"])


def test_the_old_spelling_of_the_served_log_says_the_new_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["screen", str(tmp_path), "--log", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "the served log of screen is now --served" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
