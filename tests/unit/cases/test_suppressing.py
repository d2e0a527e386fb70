"""A suppression holds while a finding is about the same accounts and no graver, until it ends; everything is counted."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stillwatch.app.suppressing import read_suppressions, suppressions_content
from stillwatch.cases.suppressing import Suppression, overlap, suppress
from stillwatch.errors import UnreadableInputError, UsageError
from stillwatch.marks.keys import MasterSecret
from stillwatch.records.findings import Finding, Report, Severity
from stillwatch.report import explain_text, finding_from_ocsf, ocsf_finding, render_html, summary_json, summary_table
from stillwatch.share.naming import Identifiers, pseudonyms_for
from stillwatch.share.redact import shareable

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
About = Callable[[Finding, list[str]], Finding]


def decided(members: list[str], **changes: Any) -> Suppression:
    given: dict[str, Any] = {
        "case": 7,
        "case_uid": "uid-7",
        "entity_id": "group-x",
        "members": tuple(members),
        "severity": Severity.HIGH,
        "disposition": "benign_true",
        "reason": "evaluation",
        "decided_at": NOON - timedelta(days=3),
        "decided_by": "bob",
        "until": NOON + timedelta(days=30),
        "overlap": 0.8,
    }
    return Suppression(**given | changes)


def accounts(first: int, last: int) -> list[str]:
    return [f"acct-{number}" for number in range(first, last)]


@pytest.fixture
def finding(report: Report, about: About) -> Finding:
    """A high finding about ten accounts."""
    return replace(about(report.findings[1], accounts(0, 10)), severity=Severity.HIGH)


@pytest.mark.parametrize(
    ("members", "holds"),
    [
        (accounts(0, 10), True),
        (accounts(0, 8), True),  # 8 in 10
        (accounts(0, 12), True),  # 10 in 12
        (accounts(0, 7), False),
        (accounts(0, 13), False),
        (accounts(1, 11), True),  # 9 in 11
        (accounts(2, 12), False),  # 8 in 12
        (accounts(20, 30), False),
    ],
)
def test_it_holds_while_the_accounts_are_the_same_within_the_stated_overlap(finding: Finding, members: list[str], holds: bool) -> None:
    applied = suppress([finding], [decided(members)], at=NOON)
    assert (applied.findings[0].suppressed is not None) is holds
    assert applied.suppressed == int(holds)
    assert bool(applied.unmatched) is not holds


def test_a_group_that_doubled_by_new_accounts_is_shown_again(finding: Finding) -> None:
    (said,) = suppress([finding], [decided(accounts(0, 5))], at=NOON).unmatched
    assert said == (7, f"{finding.entity_id} has 0.50 of its accounts in common, 0.8 were needed")


@pytest.mark.parametrize(("severity", "holds"), [(Severity.MEDIUM, True), (Severity.HIGH, True), (Severity.CRITICAL, False)])
def test_a_graver_finding_than_was_decided_on_is_shown_again(finding: Finding, severity: Severity, holds: bool) -> None:
    applied = suppress([replace(finding, severity=severity)], [decided(accounts(0, 10))], at=NOON)
    assert (applied.suppressed == 1) is holds
    if not holds:
        assert applied.unmatched[0][1].endswith("is critical now, and high was decided on")


def test_it_ends_at_its_moment_and_is_counted_as_ended(finding: Finding) -> None:
    one = decided(accounts(0, 10))
    assert suppress([finding], [one], at=one.until - timedelta(microseconds=1)).suppressed == 1
    ended = suppress([finding], [one], at=one.until)
    assert (ended.suppressed, ended.expired, ended.unmatched) == (0, 1, ())


def test_the_nearest_decision_counts_and_no_finding_is_left_out(report: Report, about: About, finding: Finding) -> None:
    near, nearer = decided(accounts(0, 9), case=1), decided(accounts(0, 10), case=2)
    other = about(report.findings[0], accounts(50, 60))
    applied = suppress([other, finding], [near, nearer], at=NOON)
    assert [found.entity_id for found in applied.findings] == [other.entity_id, finding.entity_id]
    assert applied.findings[0] == other
    held = applied.findings[1].suppressed
    assert held is not None
    assert (held.case, held.overlap, held.until, held.decided_by) == ("case-2", 1.0, nearer.until, "bob")
    assert replace(applied.findings[1], suppressed=None) == finding
    assert applied.unmatched == ()


@given(st.frozensets(st.integers(0, 12)), st.frozensets(st.integers(0, 12)))
def test_the_overlap_is_symmetric_and_one_only_for_equal_sets(one: frozenset[int], other: frozenset[int]) -> None:
    first, second = frozenset(map(str, one)), frozenset(map(str, other))
    assert overlap(first, second) == overlap(second, first)
    assert (overlap(first, second) == 1) == (first == second and bool(first))
    assert 0 <= overlap(first, second) <= 1


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    held = [decided(accounts(0, 10)), decided(["zero\x00", "\ud800"], overlap=1.0)]
    (tmp_path / "held.json").write_bytes(suppressions_content(held, at=NOON))
    found = read_suppressions(tmp_path / "held.json")
    assert list(found.suppressions) == held


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"overlap": 0.3}, "suppression 1: overlap"),
        ({"disposition": "true"}, "suppression 1: disposition"),
        ({"severity": "grave"}, "suppression 1: .*Suppression"),
        ({"until": "2026-01-01T00:00:00Z"}, "suppression 1: until"),
        ({"until": "2027-01-01T00:00:00"}, "suppression 1: until"),
        ({"members": []}, "suppression 1: members"),
        ({"members": "everybody"}, "suppression 1: .*Suppression"),
        ({"case": "seven"}, "suppression 1: .*Suppression"),
    ],
)
def test_a_file_with_a_suppression_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "held.json"
    path.write_bytes(suppressions_content([decided(accounts(0, 2))], at=NOON))
    held = json.loads(path.read_text("utf-8"))
    held["suppressions"][0] |= change
    path.write_text(json.dumps(held), "utf-8")
    with pytest.raises(UnreadableInputError, match=said):
        read_suppressions(path)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"format":"stillwatch-suppressions-1"}', b'{"format":"else","suppressions":[]}', b"[" * 100_000]
)
def test_a_file_of_anything_else_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "held.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableInputError):
        read_suppressions(path)
    with pytest.raises(UsageError, match="case suppressions wrote"):
        read_suppressions(tmp_path / "none.json")


@pytest.mark.slow
def test_a_suppressed_finding_is_shown_counted_and_leaves_without_who_decided(report: Report) -> None:
    one = decided([member.account_id for member in report.findings[0].members], severity=Severity.CRITICAL, case=12)
    applied = suppress(report.findings, [one], at=NOON)
    marked = replace(report, findings=applied.findings)
    page = render_html(marked)
    assert page.count("Suppressed until") == 2
    assert "case-12 was closed as benign true (evaluation) by bob" in page
    assert "Of these, 1 is suppressed" in page
    shown = Console(file=io.StringIO(), width=100)
    shown.print(summary_table(marked))
    shown.print(explain_text(applied.findings[0]))
    text = shown.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "by case-12" in text
    assert "Of these, 1 is suppressed" in " ".join(text.split())
    assert len(summary_json(marked)["findings"]) == len(report.findings)
    row = ocsf_finding(applied.findings[0], report.run)
    assert (row["status_id"], row["status"], row["is_alert"]) == (3, "Suppressed", False)
    assert finding_from_ocsf(json.loads(json.dumps(row))) == applied.findings[0]
    acme = shareable(applied.findings[0], pseudonyms_for(MasterSecret(bytes(range(32))), "acme"))
    assert acme.suppressed is None
    assert shareable(applied.findings[0], Identifiers()).suppressed == applied.findings[0].suppressed
