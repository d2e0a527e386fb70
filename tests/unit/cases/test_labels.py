"""How often findings were right, by labels: exact intervals, and no number from too few."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.app.case_files import labels_content
from stillwatch.cases.dispositions import Disposition
from stillwatch.cases.labels import FEWEST, Label, label_for, measure
from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import TooFewSamplesError, UsageError
from stillwatch.records.findings import Finding, Report, Severity
from stillwatch.records.tables import LABELS
from stillwatch.stats.intervals import clopper_pearson

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
About = Callable[[Finding, list[str]], Finding]


def label(uid: str, members: list[str], disposition: Disposition, *, days: float = 0) -> Label:
    return Label(
        case=1,
        case_uid="uid-1",
        kind="group",
        entity_id="group-x",
        finding_uid=uid,
        severity="high",
        scan_sha256="ab" * 32,
        members=tuple(members),
        disposition=disposition,
        reason="evaluation",
        decided_at=NOON + timedelta(days=days),
        decided_by="bob",
        suppressed_until=None,
        overlap=None,
    )


@pytest.fixture
def findings(report: Report, about: About) -> list[Finding]:
    """Twelve high findings and three low ones, each about four accounts of its own."""
    return [
        replace(
            about(report.findings[1], [f"acct-{place}-{number}" for number in range(4)]),
            uid=f"finding-{place}",
            severity=Severity.HIGH if place < 12 else Severity.LOW,
        )
        for place in range(15)
    ]


def test_precision_is_told_for_each_severity_as_two_shares_with_exact_intervals(findings: list[Finding]) -> None:
    said = [Disposition.TRUE] * 6 + [Disposition.BENIGN_TRUE] * 3 + [Disposition.FALSE] * 2
    labels = [label(finding.uid, [], disposition) for finding, disposition in zip(findings, said, strict=False)]
    labels.append(label(findings[13].uid, [], Disposition.FALSE))
    high, low, whole = measure(findings, labels)
    assert (high.severity, high.findings, high.labelled, high.as_found, high.harm) == ("high", 12, 11, 9, 6)
    assert high.as_found_interval == clopper_pearson(9, 11, 0.95)
    assert high.harm_interval == clopper_pearson(6, 11, 0.95)
    assert (low.severity, low.findings, low.labelled, low.as_found, low.as_found_interval, low.harm_interval) == (
        "low",
        3,
        1,
        0,
        None,
        None,
    )
    assert (whole.severity, whole.findings, whole.labelled, whole.as_found, whole.harm) == ("all", 15, 12, 9, 6)
    assert whole.harm_interval == clopper_pearson(6, 12, 0.95)


def test_too_few_labels_are_an_error_and_not_a_number(findings: list[Finding]) -> None:
    labels = [label(finding.uid, [], Disposition.TRUE) for finding in findings[: FEWEST - 1]]
    with pytest.raises(TooFewSamplesError) as told:
        measure(findings, labels)
    assert (told.value.needed, told.value.got) == (FEWEST, FEWEST - 1)
    with pytest.raises(TooFewSamplesError):
        measure([], [])


def test_a_label_speaks_of_nearly_the_same_accounts_and_the_last_one_counts(findings: list[Finding]) -> None:
    members = [member.account_id for member in findings[0].members]
    older, newer = label("elsewhere", members, Disposition.TRUE), label("elsewhere", [*members, "one"], Disposition.FALSE, days=1)
    assert label_for(findings[0], [newer, older]) is Disposition.FALSE  # 4 in 5
    assert label_for(findings[0], [older]) is Disposition.TRUE
    assert label_for(findings[0], [label("elsewhere", members[:3], Disposition.TRUE)]) is None  # 3 in 4
    assert label_for(findings[0], [label(findings[0].uid, ["moved on"], Disposition.BENIGN_TRUE)]) is Disposition.BENIGN_TRUE


def test_labels_are_written_as_parquet_and_as_lines(tmp_path: Path) -> None:
    labels = [label("finding-1", ["a", "b\x00"], Disposition.TRUE), label("finding-2", [], Disposition.FALSE, days=1)]
    for name in ("labels.parquet", "labels.jsonl"):
        path = tmp_path / name
        path.write_bytes(labels_content(path, labels))
    table = pq.read_table(tmp_path / "labels.parquet")
    assert table.schema == arrow_schema(LABELS)
    assert table["members"].to_pylist() == [["a", "b\x00"], []]
    assert table["decided_at"].to_pylist() == [NOON, NOON + timedelta(days=1)]
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text("utf-8").splitlines()]
    assert [line["disposition"] for line in lines] == ["true", "false"]
    assert lines[0]["members"] == ["a", "b\x00"]
    with pytest.raises(UsageError, match=r"\.parquet or \.jsonl"):
        labels_content(tmp_path / "labels.csv", labels)
