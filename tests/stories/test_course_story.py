"""Two courses on their campuses: one assignment each, a wording that goes round, answers that reason. It reads like a small campaign."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.records.findings import Report, Severity, Verdict
from stillwatch.simulate import HONEST_SHARES, Kind
from stillwatch.simulate.chance import Chance
from stillwatch.simulate.language import Library, Subject, reasoned, request

pytestmark = pytest.mark.slow

DAYS = 10
CUSTOMERS, PUPILS = 600, 70
ASKED = "Please explain your reasoning step by step and show your work. Task:"


def _of_a_course(table: pa.Table, with_columns: Any) -> pa.Table:
    """People of another world as pupils: eight tasks to a course, their own words for them, one campus; half of them pass a wording on."""
    chance, library = Chance(63, "courses"), Library(63)
    pupils = {account: place for place, account in enumerate(sorted(set(table["account_id"].to_pylist())))}
    tasks = [[library.subject(chance, "en", chance.below(8)) for _ in range(8)] for _ in range(2)]
    size = table.num_rows
    columns: dict[str, list[str]] = {"account_id": [], "client_ip": [], "prompt_text": [], "response_text": []}
    for account in table["account_id"].to_pylist():
        pupil = pupils[account]
        course = pupil % 2
        task: Subject = chance.pick(tasks[course])
        columns["account_id"].append(f"pupil-{pupil}")
        columns["client_ip"].append(f"198.51.{100 + course}.{1 + pupil}")
        columns["prompt_text"].append(request(task, chance, 250.0, before=ASKED if pupil % 4 < 2 else ""))
        columns["response_text"].append(reasoned(task, chance, 900.0))
    changed = {name: pa.array(values) for name, values in columns.items()} | {
        "exchange_id": pc.binary_join_element_wise("pupil", table["exchange_id"], "-"),
        "system_text": pa.nulls(size),
        "turns": pa.repeat(1, size),
        "output_tokens": pa.array([len(text) // 4 for text in columns["response_text"]]),
        "input_tokens": pa.array([len(text) // 4 for text in columns["prompt_text"]]),
    }
    return with_columns(table, changed)


@pytest.fixture(scope="module")
def report(scan_into: Any, simulated_logs: Any, with_columns: Any, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("course")
    logs = folder / "logs"
    logs.mkdir()
    town = simulated_logs(folder / "town", seed=64, days=DAYS, accounts=CUSTOMERS, shares=dict(HONEST_SHARES))
    campus = simulated_logs(folder / "campus", seed=65, days=DAYS, accounts=PUPILS, shares={Kind.CHAT: 1.0})
    pq.write_table(town, logs / "town.parquet")
    pq.write_table(_of_a_course(campus, with_columns), logs / "campus.parquet")
    return scan_into(folder / "result", logs)


def test_no_pupil_is_said_to_harvest(report: Report) -> None:
    assert [finding.title for finding in report.findings if finding.harvest is Verdict.YES] == []
    assert all(finding.severity in (Severity.INFO, Severity.LOW) for finding in report.findings)


def test_where_pupils_are_pooled_the_campus_is_named_as_the_ordinary_explanation(report: Report) -> None:
    pooled = [f for f in report.findings if any(member.account_id.startswith("pupil-") for member in f.members)]
    assert pooled, "the courses were not seen as one, so that this story tells nothing"
    assert all(any("openly share" in words for words in finding.ordinary) for finding in pooled)
