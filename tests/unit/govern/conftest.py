"""A house with people and a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stillwatch.cli import main

PEOPLE = """
format = "stillwatch-governance-1"
[people]
ann = ["analyst"]
bob = ["approver"]
cat = ["approver", "analyst"]
eve = ["viewer"]
root = ["admin"]
"""

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`stillwatch …` in a folder with a governance file and a log; what it printed as JSON, or its message where it fails."""
    monkeypatch.chdir(tmp_path)
    for name in ("STILLWATCH_ACTOR", "STILLWATCH_VAULT_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "governance.toml").write_text(PEOPLE)
    monkeypatch.setenv("STILLWATCH_GOVERNANCE", "governance.toml")
    assert main(["log", "init", "ev", "--origin", "example.com/evidence", "--key", "log.key", "--json"]) == 0
    monkeypatch.setenv("STILLWATCH_LOG_KEY", (tmp_path / "log.key").read_text())
    capsys.readouterr()

    def call(*arguments: str, fails: int = 0, plain: bool = False) -> Any:
        status = main([*arguments, *([] if plain else ["--json"])])
        said = capsys.readouterr()
        assert status == fails, said.err
        return said.err if fails else said.out if plain else json.loads(said.out)

    return call
