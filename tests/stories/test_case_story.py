"""From a scan to a case, and from its end back to the next scan, which finds what was decided on again and says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stillwatch.cli import main

if TYPE_CHECKING:
    from conftest import Scanned


@pytest.fixture
def decided(scanned: Scanned, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Suppressions of a case about the campaign, closed as benign true."""
    store = str(tmp_path / "cases.db")
    entity = scanned.report.findings[0].entity_id
    close = ["close", "1", "--disposition", "benign-true", "--reason", "evaluation", "--why", "agreed"]
    for arguments in (
        ["init"],
        ["new", str(scanned.folder), "--entity", entity, "--title", "Twenty accounts", "--as", "ann"],
        [*close, "--as", "bob"],
        ["suppressions", "--out", str(tmp_path / "held.json"), "--as", "bob"],
    ):
        assert main(["case", *arguments, "--cases", store]) == 0, capsys.readouterr().err
    capsys.readouterr()
    return tmp_path / "held.json"


@pytest.mark.slow
def test_a_decided_finding_is_found_again_shown_and_counted_as_decided(
    scanned: Scanned, decided: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, world = tmp_path / "again", scanned.world
    given = ["scan", str(world.logs), "--accounts", str(world.accounts), "--out", str(out), "--seed", "20260101"]
    assert main([*given, "--suppressions", str(decided), "--fail-on", "critical", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    before = scanned.report.findings
    assert [row["entity_id"] for row in found] == [finding.entity_id for finding in before]
    assert [row["severity"] for row in found] == [finding.severity for finding in before]
    marks: list[Any] = [row["suppressed"] for row in found]
    assert (marks[0]["case"], marks[0]["decided_by"], marks[0]["disposition"], marks[0]["overlap"]) == ("case-1", "bob", "benign_true", 1.0)
    assert marks[1:] == [None] * (len(before) - 1)
    run = json.loads((out / "run.json").read_text("utf-8"))
    told = run["suppressions"]
    assert (told["name"], told["held"], told["expired"], told["suppressed"], told["unmatched"]) == ("held.json", 1, 0, 1, [])
    rows = [json.loads(line) for line in (out / "findings.jsonl").read_text("utf-8").splitlines()]
    assert (rows[0]["status"], rows[0]["is_alert"]) == ("Suppressed", False)
    assert "case-1 was closed as benign true (evaluation) by bob" in (out / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_a_suppression_that_cannot_be_read_stops_the_scan_before_it_begins(
    scanned: Scanned, decided: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = tmp_path / "torn.json"
    shutil.copy(decided, torn)
    torn.write_bytes(decided.read_bytes()[:-20])
    assert main(["scan", str(scanned.world.logs), "--out", str(tmp_path / "out"), "--suppressions", str(torn)]) == 1
    assert "torn.json is damaged" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
