"""The demo, and the same by hand: simulate, scan, report, explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.app.demo import counted
from stillwatch.cli import main

pytestmark = pytest.mark.slow


def test_the_demo_simulates_scans_and_counts_against_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--scale", "0.05", "--seed", "3"]) == 0
    shown = capsys.readouterr()
    assert "Against the truth" in shown.out
    assert "Honest accounts in harvest findings" in shown.out
    assert "report.html" in shown.out
    assert {path.name for path in out.iterdir()} == {"provider", "result"}
    assert (out / "result" / "run.json").exists()
    page = (out / "result" / "report.html").read_text("utf-8")
    assert page.lower().startswith("<!doctype html>")
    truth = pq.read_table(out / "provider" / "truth.parquet").to_pylist()
    run = json.loads((out / "result" / "run.json").read_text("utf-8"))
    assert run["accounts"] <= len(truth)


def test_the_demo_refuses_a_provider_s_folder_that_is_not_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "provider").mkdir()
    (tmp_path / "provider" / "precious.txt").write_text("precious", "utf-8")
    assert main(["demo", "--out", str(tmp_path)]) == 1
    assert "choose another --out" in capsys.readouterr().err
    assert (tmp_path / "provider" / "precious.txt").read_text("utf-8") == "precious"


def test_counting_against_the_truth_leaves_nobody_out(scanned: Any) -> None:
    exchanges = {name: counts.exchanges for name, counts in scanned.world.campaigns.items()}
    result = counted(scanned.report, Path(scanned.world.truth), exchanges)
    truth = pq.read_table(scanned.world.truth).to_pylist()
    (campaign,) = result.campaigns
    assert (campaign.campaign_id, campaign.tactic, campaign.accounts) == ("amber", "fixed_prompt", 20)
    named = {member.account_id for finding in scanned.report.findings if finding.harvest == "yes" for member in finding.members}
    assert campaign.found == len(named & {row["account_id"] for row in truth if row["campaign_id"]})
    assert result.accused == len(named) - campaign.found
    assert result.honest == sum(row["campaign_id"] is None for row in truth) == 240


def test_simulate_scan_and_explain_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, result = tmp_path / "world", tmp_path / "result"
    knobs = ["--tactic", "fixed_prompt", "--accounts", "15", "--days", "3", "--honest-accounts", "40", "--seed", "2"]
    assert main(["simulate", "--out", str(world), *knobs, "--format", "litellm", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["campaigns"]["fixed-prompt-1"]["accounts"] == 15
    assert main(["scan", str(world / "logs"), "--accounts", str(world / "accounts.parquet"), "--out", str(result), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    run = json.loads((result / "run.json").read_text("utf-8"))
    assert run["rows_in"] == counts["exchanges"]
    assert {file["format"] for file in run["files"]} == {"litellm"}
    for finding in summary["findings"]:
        assert main(["explain", str(result), finding["entity_id"]]) == 0
        assert finding["entity_id"] in capsys.readouterr().out.replace("\n", "")
    assert main(["simulate", "--out", str(world), *knobs]) == 1
    assert "already holds files" in capsys.readouterr().err
