"""Two courses on their campuses: one assignment each, a wording that goes round, answers that reason. It reads like a small campaign."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.findings import Report, Severity, Verdict
from stillwatch.records.tables import EXCHANGES
from stillwatch.simulate import HONEST_SHARES, Kind, WorldSettings, simulate
from stillwatch.simulate.chance import Chance
from stillwatch.simulate.language import Library, Subject, reasoned, request

pytestmark = pytest.mark.slow

START, DAYS = datetime(2026, 9, 7, tzinfo=UTC), 10
CUSTOMERS, PUPILS = 600, 70
ASKED = "Please explain your reasoning step by step and show your work. Task:"


def _logs(folder: Path, seed: int, accounts: int, shares: dict[Kind, float]) -> pa.Table:
    settings = WorldSettings(seed=seed, start=START, days=DAYS, honest_accounts=accounts, honest_shares=shares)
    return pq.read_table(simulate(settings, out=folder).logs)


def _of_a_course(table: pa.Table) -> pa.Table:
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
    schema = arrow_schema(EXCHANGES)
    return pa.table({field.name: changed.get(field.name, table[field.name]).cast(field.type) for field in schema}, schema=schema)


@pytest.fixture(scope="module")
def report(scan_into: Any, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("course")
    logs = folder / "logs"
    logs.mkdir()
    pq.write_table(_logs(folder / "town", 64, CUSTOMERS, dict(HONEST_SHARES)), logs / "town.parquet")
    pq.write_table(_of_a_course(_logs(folder / "campus", 65, PUPILS, {Kind.CHAT: 1.0})), logs / "campus.parquet")
    return scan_into(folder / "result", logs)


def test_no_pupil_is_said_to_harvest(report: Report) -> None:
    assert [finding.title for finding in report.findings if finding.harvest is Verdict.YES] == []
    assert all(finding.severity in (Severity.INFO, Severity.LOW) for finding in report.findings)


def test_where_pupils_are_pooled_the_campus_is_named_as_the_ordinary_explanation(report: Report) -> None:
    pooled = [f for f in report.findings if any(member.account_id.startswith("pupil-") for member in f.members)]
    assert pooled, "the courses were not seen as one, so that this story tells nothing"
    assert all(any("openly share" in words for words in finding.ordinary) for finding in pooled)
