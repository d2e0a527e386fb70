"""Customers of one new app who all begin on one day: what they share is the app's system prompt, its way of calling, and that day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.records.findings import Report, Severity, Verdict
from stillwatch.simulate import HONEST_SHARES, Kind

pytestmark = pytest.mark.slow

START, DAYS, LAUNCH = datetime(2026, 9, 7, tzinfo=UTC), 14, 7
OLD, NEW = 350, 250
APP = (
    "You are the house assistant of an app for private households. Answer what the person asks in plain words, keep to the point, name "
    "what the app can do about it, and offer one next step at the end."
)


def _launched(table: pa.Table, with_columns: Any) -> pa.Table:
    """People of another world, as customers of the app: from its first day on, one question at a time, through its servers' settings."""
    rows = table.filter(pc.greater_equal(table["started_at"], pa.scalar(START + timedelta(days=LAUNCH))))
    size = rows.num_rows
    changed = {
        "account_id": pc.binary_join_element_wise("new", rows["account_id"], "-"),
        "exchange_id": pc.binary_join_element_wise("new", rows["exchange_id"], "-"),
        "system_text": pa.repeat(APP, size),
        "turns": pa.repeat(1, size),
        "temperature": pa.repeat(0.5, size),
        "max_tokens": pa.repeat(800, size),
        "user_agent": pa.repeat("house-app/1.0", size),
    }
    return with_columns(rows, changed)


@pytest.fixture(scope="module")
def report(scan_into: Any, simulated_logs: Any, with_columns: Any, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("launch")
    logs = folder / "logs"
    logs.mkdir()
    old = simulated_logs(folder / "old", seed=61, days=DAYS, accounts=OLD, shares=dict(HONEST_SHARES))
    new = simulated_logs(folder / "new", seed=62, days=DAYS, accounts=NEW, shares={Kind.CHAT: 1.0})
    pq.write_table(old, logs / "old.parquet")
    pq.write_table(_launched(new, with_columns), logs / "new.parquet")
    return scan_into(folder / "result", logs)


def test_the_app_s_customers_were_asked_about(report: Report) -> None:
    assert any("candidate groups were tested" in note for note in report.run.notes)
    assert report.run.accounts > OLD + NEW // 2


def test_the_day_they_all_began_on_makes_them_no_harvest(report: Report) -> None:
    assert [finding.title for finding in report.findings if finding.harvest is Verdict.YES] == []


def test_customers_of_one_app_are_not_one_operation(report: Report) -> None:
    for finding in report.findings:
        ours = [member for member in finding.members if member.account_id.startswith("new-")]
        assert len(ours) <= NEW // 10, finding.title
        assert finding.severity in (Severity.INFO, Severity.LOW)
