"""An earlier result is never lost to a scan that fails, wherever it is cut short."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.app.previous import Previous
from stillwatch.app.state import check_folder

RUN = {"version": "0", "engine": "duckdb", "settings": {}, "stages": [], "created_at": "2026-11-01T06:30:00Z"}
FILES = ("report.html", "findings.jsonl", "exchanges/part-00000.parquet", "run.json")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    _finish(out, "old")
    return out


def _finish(out: Path, mark: str) -> None:
    for name in FILES:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(json.dumps(RUN | {"mark": mark}), "utf-8")


def _marks(folder: Path) -> dict[str, str]:
    return {name: json.loads((folder / name).read_text("utf-8"))["mark"] for name in FILES if (folder / name).exists()}


def test_a_result_goes_aside_and_comes_back_over_what_the_failed_run_wrote(out: Path) -> None:
    previous = Previous(out)
    previous.set_aside(exchanges=True)
    assert [path.name for path in out.iterdir()] == [".previous"]
    check_folder(out)
    _finish(out, "failed")
    (out / "run.json").unlink()
    error = ValueError()
    previous.after_failure(error, resumable=False)
    assert _marks(out) == dict.fromkeys(FILES, "old")
    assert not (out / ".previous").exists()
    assert "is back" in error.__notes__[0]


def test_nothing_moves_where_the_run_can_be_resumed_or_never_began(out: Path) -> None:
    Previous(out).set_aside(exchanges=True)
    begun = Previous(out)
    begun.set_aside(exchanges=True)
    for previous, resumable in ((begun, True), (Previous(out), False)):
        error = ValueError()
        previous.after_failure(error, resumable=resumable)
        assert _marks(out / ".previous") == dict.fromkeys(FILES, "old")
        assert ".previous until" in error.__notes__[0]


def test_without_an_earlier_result_nothing_is_said(tmp_path: Path) -> None:
    previous, error = Previous(tmp_path), ValueError()
    previous.mend()
    previous.set_aside(exchanges=True)
    previous.after_failure(error, resumable=False)
    previous.forget()
    assert not hasattr(error, "__notes__")
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_was_replaced_is_forgotten_only_once_the_new_one_stands(out: Path) -> None:
    Previous(out).set_aside(exchanges=True)
    Previous(out).mend()
    assert _marks(out / ".previous") == dict.fromkeys(FILES, "old")
    _finish(out, "new")
    Previous(out).mend()
    assert not (out / ".previous").exists()
    assert _marks(out) == dict.fromkeys(FILES, "new")


@pytest.mark.parametrize("moves", range(6))
@pytest.mark.parametrize("way", ["aside", "back"])
def test_a_run_killed_between_two_moves_loses_nothing(out: Path, monkeypatch: pytest.MonkeyPatch, moves: int, way: str) -> None:
    previous = Previous(out)
    if way == "back":
        previous.set_aside(exchanges=True)
    left = [moves]

    def killed(move):
        def step(path: Path, target: Path) -> Path:
            if not left[0]:
                raise SystemExit
            left[0] -= 1
            return move(path, target)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed(Path.rename))
        patched.setattr(Path, "replace", killed(Path.replace))
        try:
            if way == "aside":
                previous.set_aside(exchanges=True)
            else:
                previous._begun = True
                previous.after_failure(ValueError(), resumable=False)
        except SystemExit:
            pass
    check_folder(out)
    again = Previous(out)
    again.mend()
    assert _marks(out / ".previous" if again.held else out) == dict.fromkeys(FILES, "old")


def test_exchanges_that_stayed_for_a_resumed_run_follow_when_another_run_begins(out: Path) -> None:
    Previous(out).set_aside(exchanges=False)
    assert (out / "exchanges").exists()
    Previous(out).set_aside(exchanges=True)
    assert _marks(out / ".previous") == dict.fromkeys(FILES, "old")


def test_what_was_done_of_another_run_is_not_resumed_upon_the_result_that_came_back(out: Path) -> None:
    previous = Previous(out)
    previous.set_aside(exchanges=True)
    (out / ".work").mkdir()
    (out / ".work" / "state.json").write_text("{}", "utf-8")
    previous.after_failure(ValueError(), resumable=False)
    assert not (out / ".work" / "state.json").exists()
