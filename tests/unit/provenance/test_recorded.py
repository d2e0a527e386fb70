"""A plan is in the evidence log before the suspect is touched, and the verdict after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.app import proving
from stillwatch.app.plan_files import seal_path
from stillwatch.app.state import file_sha256
from stillwatch.cli import main
from stillwatch.ledger.reading import LogReader

from .conftest import Case

pytestmark = pytest.mark.slow

TWINS = '[[tests]]\nname = "twins"\nkind = "twins"\nkeys = ["acct-17", "acct-99"]\nsample = 400\nmeasured = "twins.jsonl"\n'


def _contents(log: Path) -> list[tuple[str, dict[str, object], tuple[int, ...]]]:
    reader = LogReader(log)
    with reader.contents() as contents:
        found = {index: json.loads(content) for index, _, content in contents.openings(0, reader.size)}
    return [(entry.kind, found[index], entry.concerns) for index, entry in reader.entries()]


def test_a_proof_is_recorded_from_seal_to_verdict(case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    log, key = case.folder / "log", case.folder / "log.key"
    assert main(["log", "init", str(log), "--origin", "example.com/evidence", "--key", str(key)]) == 0
    case.write(TWINS)
    logged = ["--log", str(log), "--log-key", str(key)]
    assert main(["prove", str(case.plan), "--seal", *logged]) == 0
    case.lines("twins.jsonl", case.twins("acct-17", 400, 0.5))
    seen: list[list[str]] = []
    asked = proving.open_suspect

    def open_suspect(*given: object, **named: object) -> object:
        seen.append([kind for kind, _, _ in _contents(log)])
        return asked(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(proving, "open_suspect", open_suspect)
    assert main(["prove", str(case.plan), "--out", str(case.folder / "out"), *logged]) == 0
    assert seen == [["log_start", "plan", "plan"]]
    *_, (_, planned, _), (kind, verdict, concerns) = _contents(log)
    assert (kind, concerns) == ("verdict", (2,))
    assert planned["seal_sha256"] == json.loads(seal_path(case.plan).read_bytes())["seal_sha256"]
    assert verdict["plan_sha256"] == planned["plan_sha256"]
    assert verdict["outcome"] == "shown"
    assert verdict["verdict_sha256"] == file_sha256(case.folder / "out/verdict.json")
    capsys.readouterr()


def test_nothing_is_asked_where_the_log_does_not_take_the_key(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    log = case.folder / "log"
    for name, folder in (("log.key", "log"), ("other.key", "other")):
        made = ["log", "init", str(case.folder / folder), "--origin", "example.com/evidence", "--key", str(case.folder / name)]
        assert main(made) == 0
    case.write(TWINS)
    assert main(["prove", str(case.plan), "--seal", "--log", str(log), "--log-key", str(case.folder / "other.key")]) == 1
    assert not seal_path(case.plan).exists()
    assert main(["prove", str(case.plan), "--seal", "--log-key", str(case.folder / "other.key")]) == 2
    assert "not the one in use" in capsys.readouterr().err
