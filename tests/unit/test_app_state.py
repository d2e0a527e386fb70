"""What a run keeps for --resume, and which folders it refuses to touch."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.alone import alone_in
from stillwatch.app.screen_state import ScreenFolder
from stillwatch.app.state import WORK, RunState, check_folder, prepare_folder, run_key, without_results, write_text
from stillwatch.cli import main
from stillwatch.errors import OutputError, UsageError
from stillwatch.ingest import InputFile, InputPlan
from stillwatch.ingest.inputs import UnreadableFile


def _plan(*paths: Path, logs: tuple[Path, ...] = ()) -> InputPlan:
    def file(path: Path, form: str) -> InputFile:
        return InputFile(name=path.name, path=path, format=form, compression="none", layout="lines", bytes=1)

    return InputPlan(files=tuple(file(path, "native") for path in paths), access_logs=tuple(file(path, "access-log") for path in logs))


def _log(folder: Path, name: str = "a.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("{}", "utf-8")
    return folder / name


def test_the_key_changes_with_whatever_the_finished_stages_depend_on(tmp_path: Path) -> None:
    log, accounts = _log(tmp_path), _log(tmp_path, "accounts.csv")
    settings: dict[str, Any] = {"seed": 1, "threads": 2, "memory_limit": "1GB"}
    key = run_key(_plan(log), accounts, settings, "duckdb", {})
    assert run_key(_plan(log), accounts, settings, "duckdb", {}) == key
    others = [
        run_key(_plan(log), None, settings, "duckdb", {}),
        run_key(_plan(log), accounts, settings | {"seed": 2}, "duckdb", {}),
        run_key(_plan(log), accounts, settings, "spark", {}),
        run_key(_plan(log), accounts, settings, "duckdb", {"currency": "EUR"}),
        run_key(replace(_plan(log), unreadable=(UnreadableFile(name="c", path=log, reason="torn"),)), accounts, settings, "duckdb", {}),
        run_key(_plan(log, _log(tmp_path, "b.jsonl")), accounts, settings, "duckdb", {}),
    ]
    log.write_text("{} ", "utf-8")
    others.append(run_key(_plan(log), accounts, settings, "duckdb", {}))
    assert len({key, *others}) == 8


def test_the_key_does_not_change_with_threads_and_memory(tmp_path: Path) -> None:
    log = _log(tmp_path)
    keys = {
        run_key(_plan(log), None, {"seed": 1, "threads": threads, "memory_limit": f"{threads}GB"}, "duckdb", {}) for threads in (1, 2, 8)
    }
    assert len(keys) == 1


def test_finished_stages_are_found_again_under_the_same_key_only(tmp_path: Path) -> None:
    (tmp_path / ".work").mkdir()
    state = RunState.open(tmp_path, "key", resume=False)
    state.finish("sketch", {"noted": {"labels": ["a"]}, "rows": 5, "seconds": 0.5})
    again = RunState.open(tmp_path, "key", resume=True)
    assert again.done["sketch"]["noted"] == {"labels": ["a"]}
    stage = again.stage("sketch")
    assert (stage.rows, stage.seconds, stage.resumed) == (5, 0.5, True)
    assert RunState.open(tmp_path, "other", resume=True).done == {}
    assert RunState.open(tmp_path, "key", resume=False).done == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"key"', '{"key": "key"}', '{"key": "key", "done": 3}'])
def test_a_damaged_state_is_named_and_not_trusted(tmp_path: Path, text: str) -> None:
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "state.json").write_text(text, "utf-8")
    with pytest.raises(OutputError, match=r"state\.json is damaged.*without --resume"):
        RunState.open(tmp_path, "key", resume=True)


def test_a_text_file_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    write_text(path, "old")

    def fail(_file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stillwatch.app.state.os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new" * 10_000)
    assert path.read_text("utf-8") == "old"


def test_a_folder_of_somebody_else_s_files_is_refused_and_untouched(tmp_path: Path) -> None:
    for name in ("notes.txt", "report.html", "findings.jsonl", "accounts.parquet", "subjects.json"):
        folder = tmp_path / name.replace(".", "-")
        _log(folder, name)
        with pytest.raises(OutputError, match="choose another --out"):
            prepare_folder(folder, resume=False)
        assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("check", [check_folder, lambda out: ScreenFolder(out=out).check()])
def test_a_work_folder_of_somebody_else_s_is_refused_and_untouched(tmp_path: Path, check: Any) -> None:
    (tmp_path / WORK).mkdir()
    check(tmp_path)
    (tmp_path / WORK / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"\.work"):
        check(tmp_path)
    assert (tmp_path / WORK / "thesis.txt").read_text() == "mine"


def test_a_killed_run_s_work_folder_is_known_from_its_beginning(tmp_path: Path) -> None:
    prepare_folder(tmp_path, resume=False)
    RunState.open(tmp_path, "key", resume=False).claim()
    (tmp_path / WORK / "exchanges-text").mkdir()
    check_folder(tmp_path)


def test_a_folder_called_exchanges_is_not_taken_for_a_scan_s(tmp_path: Path) -> None:
    log = _log(tmp_path / "provider" / "exchanges", "day.parquet")
    for resume in (False, True):
        with pytest.raises(OutputError, match="exchanges"):
            prepare_folder(tmp_path / "provider", resume=resume)
    assert log.exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a file"):
        prepare_folder(_log(tmp_path), resume=False)


def test_a_new_an_empty_and_a_finished_folder_are_taken(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "result"
    prepare_folder(out, resume=False)
    assert [path.name for path in out.iterdir()] == [".work"]
    for name in (
        "run.json",
        "report.html",
        "subjects.json",
        ".report.html.partial",
        "exchanges/part-00000.parquet",
        ".work/state.json",
        "mine.txt",
    ):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("{}", "utf-8")
    prepare_folder(out, resume=True)
    assert {path.name for path in out.iterdir()} == {"exchanges", ".work", "mine.txt"}
    assert (out / "exchanges" / "part-00000.parquet").exists()
    prepare_folder(out, resume=False)
    assert {path.name for path in out.iterdir()} == {".work", "mine.txt"}
    assert list((out / ".work").iterdir()) == []


def test_the_result_folder_is_never_its_own_input(tmp_path: Path) -> None:
    out = tmp_path / "logs" / "result"
    log, part, access = _log(tmp_path / "logs"), _log(out / "exchanges", "part-00000.parquet"), _log(out, "access.jsonl")
    plan = without_results(_plan(log, part, logs=(access,)), out)
    assert [file.path for file in plan.files] == [log]
    assert plan.access_logs == ()
    assert [name for name, _ in plan.ignored] == ["part-00000.parquet", "access.jsonl"]
    inside = UnreadableFile(name="half.parquet", path=out / "exchanges" / "half.parquet", reason="torn")
    outside = UnreadableFile(name="half.parquet", path=tmp_path / "logs" / "half.parquet", reason="torn")
    assert without_results(replace(_plan(log), unreadable=(inside, outside)), out).unreadable == (outside,)
    with pytest.raises(UsageError, match="lies in the result folder"):
        without_results(_plan(part), out)
    assert without_results(_plan(log), tmp_path / "log").files == _plan(log).files


def test_read_is_forgotten_once_its_text_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".work").mkdir()
    shard = {"path": "", "name": "a", "row_groups": [0], "first_row": 0, "rows": 3, "refused": "", "id_prefix": "", "max_id_chars": 512}
    quarantine, text = _log(tmp_path, "quarantine.jsonl"), _log(tmp_path, "part.parquet")
    noted = {
        "shards": [shard | {"path": str(text)}], "files": [], "reasons": {}, "filled_columns": [], "input_hashes": {},
        "quarantine": str(quarantine), "skipped": {},
    }  # fmt: skip
    state = RunState(folder=tmp_path / ".work", key="key", done={})
    state.finish("read", {"noted": noted, "rows": 3, "seconds": 0.1})
    state.forget_lost()
    assert "read" in state.done
    text.unlink()
    state.forget_lost()
    assert "read" not in state.done
    assert json.loads((tmp_path / ".work" / "state.json").read_text("utf-8"))["done"]


def test_two_scans_do_not_write_into_one_folder_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with alone_in(out):
        with pytest.raises(OutputError, match="another run writes into"), alone_in(out):
            pass
        with alone_in(tmp_path / "other"):
            pass
    with alone_in(out):
        assert list(out.iterdir()) == []


@pytest.mark.slow
def test_a_screening_does_not_write_into_a_folder_that_another_run_writes_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corpus.txt").write_text("a text of a few words", "utf-8")
    out = tmp_path / "out"
    arguments = ["screen", str(tmp_path / "corpus.txt"), "--out", str(out), "--json"]
    with alone_in(out):
        assert main(arguments) == 1
        assert "another run writes into" in capsys.readouterr().err
        assert list(out.iterdir()) == []
    assert main(arguments) == 0


def test_what_is_left_of_another_run_is_noted_as_undone_before_it_is_overwritten(tmp_path: Path) -> None:
    prepare_folder(tmp_path, resume=False)
    RunState.open(tmp_path, "first", resume=True).begin()
    assert not (tmp_path / ".work" / "state.json").exists()
    RunState.open(tmp_path, "first", resume=True).finish("sketch", {"rows": 1, "seconds": 0.1})
    RunState.open(tmp_path, "second", resume=True).begin()
    assert RunState.open(tmp_path, "first", resume=True).done == {}


def test_a_text_whose_writing_is_interrupted_leaves_the_old_one_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.json").write_text("old", "utf-8")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "run.json", "new")
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == {"run.json": "old"}


@pytest.mark.skipif(os.name == "nt", reason="no such modes there")
def test_a_text_is_closed_to_others_from_its_first_byte_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    # what a killed run left, open to everybody
    (tmp_path / ".run.json.partial").touch(0o666)
    (tmp_path / ".run.json.partial").chmod(0o666)
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode)))
    old = os.umask(0)
    try:
        write_text(tmp_path / "run.json", "new")
    finally:
        os.umask(old)
    assert seen == [0o640]
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o640
