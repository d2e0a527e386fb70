"""What the evidence log is told of a scan: every claim of its findings, and no text of anybody."""

from __future__ import annotations

import json
from pathlib import Path

from stillwatch.app.recording import finding_made, scan_run
from stillwatch.records.evidence import FindingMade, ScanRun, content_of, record_of
from stillwatch.records.findings import Report


def test_a_finding_s_record_points_to_text_and_holds_none(report: Report) -> None:
    for finding in report.findings:
        made = finding_made(finding)
        text = json.dumps(content_of(made), ensure_ascii=False)
        assert made.members == tuple(member.account_id for member in finding.members)
        assert made.exchange_ids == tuple(exhibit.exchange_id for exhibit in finding.exhibits)
        assert not [exhibit for exhibit in finding.exhibits if exhibit.prompt in text or exhibit.response in text]
        assert record_of(FindingMade, json.loads(text), "x") == made
    assert len({finding_made(finding).finding_sha256 for finding in report.findings}) == len(report.findings)


def test_a_run_s_record_reads_back(report: Report, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    made = scan_run(report, tmp_path)
    assert made.findings == len(report.findings)
    assert [found.name for found in made.results] == ["run.json"]
    assert record_of(ScanRun, json.loads(json.dumps(content_of(made))), "x") == made
