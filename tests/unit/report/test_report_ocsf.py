"""OCSF rows follow the class, hold the whole finding, and are written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from stillwatch.errors import OutputError, SchemaError, UnreadableInputError
from stillwatch.records.findings import Report, Severity
from stillwatch.report import finding_from_ocsf, ocsf_finding, read_findings, run_from_json, run_to_json, write_findings
from stillwatch.report.ocsf import is_notice, notice

REQUIRED = {"activity_id", "category_uid", "class_uid", "type_uid", "time", "severity_id", "metadata", "finding_info"}


def test_a_row_has_what_the_class_requires(report: Report) -> None:
    for finding in report.findings:
        row = ocsf_finding(finding, report.run)
        assert row.keys() >= REQUIRED
        assert (row["category_uid"], row["class_uid"], row["type_uid"], row["activity_id"], row["status_id"]) == (2, 2004, 200401, 1, 1)
        assert row["metadata"]["version"] == "1.8.0"
        assert row["finding_info"]["uid"] == finding.uid
        assert row["finding_info"]["analytic"]["type_id"] == 3
        assert row["remediation"]["desc"] == finding.next_step
        assert row["start_time"] == round(finding.first_at.timestamp() * 1000) <= row["end_time"]
        actors = [resource["uid"] for resource in row["resources"] if resource["role_id"] == 2]
        assert actors == [member.account_id for member in finding.members]
        assert all({"user", "data"} <= evidence.keys() for evidence in row["evidences"])
        assert len(row["evidences"]) == len(finding.exhibits) + len(finding.pictures.edges)


def test_techniques_carry_their_tactic_and_parent(report: Report) -> None:
    first, second = ocsf_finding(report.findings[0], report.run)["finding_info"]["attacks"]
    assert first["tactic"] == {"uid": "AML.TA0010", "name": "Exfiltration"}
    assert first["technique"] == {"uid": "AML.T0024", "name": "Exfiltration via AI Inference API"}
    assert first["sub_technique"] == {"uid": "AML.T0024.002", "name": "Extract AI Model"}
    assert second["technique"]["uid"] == "AML.T0040"
    assert "sub_technique" not in second


def test_more_severe_findings_have_a_higher_severity_id(report: Report) -> None:
    finding = report.findings[0]
    ids = [ocsf_finding(replace(finding, severity=severity), report.run)["severity_id"] for severity in Severity]
    assert ids == [1, 2, 3, 4, 5]


def test_surer_findings_never_have_less_confidence(report: Report) -> None:
    q_values = (1.0, 0.5, 0.2, 0.1, 0.05, 0.01, 1e-6, 0.0)
    rows = [ocsf_finding(replace(report.findings[0], q_value=q_value), report.run) for q_value in q_values]
    for name in ("confidence_score", "confidence_id"):
        values = [row[name] for row in rows]
        assert values == sorted(values)
    assert rows[0]["confidence_score"] == 0
    assert rows[-1]["confidence_score"] == 100
    assert "confidence_score" not in ocsf_finding(replace(report.findings[0], q_value=None), report.run)


def test_a_finding_survives_the_way_through_json(report: Report, nasty: Report) -> None:
    for held in (report, nasty):
        for finding in held.findings:
            row = json.loads(json.dumps(ocsf_finding(finding, held.run), allow_nan=False))
            assert finding_from_ocsf(row) == finding


def test_endless_numbers_survive_the_way_through_json(report: Report) -> None:
    finding = replace(report.findings[0], strength=float("inf"))
    assert finding_from_ocsf(json.loads(json.dumps(ocsf_finding(finding, report.run), allow_nan=False))) == finding


def test_a_time_in_another_zone_is_the_same_moment_after_the_way(report: Report) -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    finding = replace(report.findings[0], first_at=report.findings[0].first_at.astimezone(zone))
    again = finding_from_ocsf(ocsf_finding(finding, report.run))
    assert again.first_at == finding.first_at
    assert again.first_at.utcoffset() == timedelta(0)


def test_the_file_has_one_row_a_finding_in_order_of_rank(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    write_findings(path, replace(report, findings=tuple(reversed(report.findings))))
    assert read_findings(path) == report.findings
    assert [entry.name for entry in tmp_path.iterdir()] == ["findings.jsonl"]


@pytest.mark.slow
def test_hostile_text_cannot_act_on_whoever_prints_the_file(nasty: Report, tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    write_findings(path, nasty)
    content = path.read_bytes()
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in content)
    assert content.count(b"\n") == len(nasty.findings)
    assert set(read_findings(path)) == set(nasty.findings)


def test_a_run_that_finds_nothing_says_so_with_its_power(empty: Report, tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    write_findings(path, empty)
    (line,) = path.read_text("utf-8").splitlines()
    row = json.loads(line)
    assert row == json.loads(json.dumps(notice(empty)))
    assert row.keys() >= REQUIRED
    assert (row["severity_id"], row["is_alert"]) == (1, False)
    assert empty.run.power.words in row["message"]
    assert row["unmapped"]["stillwatch"]["power"]["accounts"] == empty.run.power.accounts
    assert is_notice(row)
    assert read_findings(path) == ()
    with pytest.raises(SchemaError, match="holds no finding"):
        finding_from_ocsf(row)


def test_a_failed_write_leaves_the_old_file(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    path.mkdir()
    with pytest.raises(OutputError, match=r"findings\.jsonl"):
        write_findings(path, report)
    assert [entry.name for entry in tmp_path.iterdir()] == ["findings.jsonl"]


def test_a_missing_or_torn_file_is_named(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    with pytest.raises(UnreadableInputError, match="stillwatch scan"):
        read_findings(path)
    write_findings(path, report)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableInputError, match=f"line {len(report.findings)}"):
        read_findings(path)


def test_a_row_of_another_shape_is_refused_without_its_text(report: Report) -> None:
    row = ocsf_finding(report.findings[0], report.run)
    row["unmapped"]["stillwatch"]["finding"]["members"] = "secret text"
    with pytest.raises(SchemaError, match="Finding") as refused:
        finding_from_ocsf(row)
    assert "secret text" not in str(refused.value)


def test_a_run_survives_the_way_through_json(report: Report, empty: Report) -> None:
    for run in (report.run, replace(empty.run, first_at=None, last_at=None, notes=(), files=(), stages=())):
        assert run_from_json(json.loads(json.dumps(run_to_json(run), allow_nan=False))) == run


def test_times_are_iso_8601_with_z(report: Report) -> None:
    assert run_to_json(report.run)["created_at"] == "2026-06-16T08:30:12.345678Z"
    assert run_to_json(replace(report.run, created_at=datetime(2026, 6, 16, tzinfo=UTC)))["created_at"] == "2026-06-16T00:00:00Z"


def test_settings_of_any_type_become_json(report: Report) -> None:
    settings: dict[str, object] = {
        "out": Path("results"),
        "kinds": ("a", "b"),
        "at": datetime(2026, 6, 1, tzinfo=UTC),
        "level": Severity.LOW,
    }
    told = run_to_json(replace(report.run, settings=settings))["settings"]
    assert told == {"out": "results", "kinds": ["a", "b"], "at": "2026-06-01T00:00:00Z", "level": "low"}


def test_a_run_without_its_power_is_refused(report: Report) -> None:
    told = run_to_json(report.run)
    del told["power"]
    with pytest.raises(SchemaError, match="power"):
        run_from_json(told)
