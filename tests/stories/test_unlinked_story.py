"""Popular attributes link nobody: one SDK, one framework, one company's network, and no group because of them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.findings import Report, Verdict
from stillwatch.records.tables import ACCOUNTS, EXCHANGES
from stillwatch.stats.seeds import generator

pytestmark = pytest.mark.slow

START = datetime(2026, 9, 7, tzinfo=UTC)
CUSTOMERS, DAYS, SUBJECTS, WORDS = 2000, 7, 40, 30
FRAMEWORK, COMPANY = range(300, 800), range(900, 960)
HANDFUL = 5
FRAMEWORK_SYSTEM = (
    "You are the planner of an open agent framework. Break the goal of the user into steps, call the tools that are listed below, "
    "observe what they return, and stop when the goal is reached. Answer in the format that the user asked for."
)


def _vocabulary() -> list[list[str]]:
    """Made-up words, a set of its own for each subject."""
    rng = generator(50, "words")
    syllables = ["ba", "ce", "dri", "fol", "gan", "hu", "jor", "kel", "mi", "nop", "quar", "rus", "stee", "tal", "ven", "wix", "yor", "zan"]
    made: dict[str, None] = {}
    while len(made) < SUBJECTS * WORDS:
        made["".join(rng.choice(syllables, int(rng.integers(2, 5))))] = None
    names = list(made)
    return [names[subject * WORDS : (subject + 1) * WORDS] for subject in range(SUBJECTS)]


def _exchanges() -> pa.Table:
    """Everybody has subjects, volume, hours and an address of their own; what is popular is shared by design."""
    rng = generator(51, "customers")
    vocabulary = _vocabulary()
    volumes = np.clip(np.exp(rng.normal(3.1, 0.5, CUSTOMERS)), 8, 300).astype(int)
    rows: list[dict[str, Any]] = []
    for customer in range(CUSTOMERS):
        tastes = rng.dirichlet(np.full(SUBJECTS, 0.05))
        wakes, works = rng.integers(0, 24), rng.random(DAYS) + 0.05
        days = rng.choice(DAYS, volumes[customer], p=works / works.sum())
        hours = (wakes + rng.normal(4, 2.5, volumes[customer])) % 24
        subjects = rng.choice(SUBJECTS, volumes[customer], p=tastes)
        address = "192.0.2.17" if customer in COMPANY else f"10.{customer // 200}.{customer % 200}.{rng.integers(1, 250)}"
        for day, hour, subject in zip(days.tolist(), hours.tolist(), subjects.tolist(), strict=True):
            asked, told = (" ".join(rng.choice(vocabulary[subject], int(size))) for size in rng.integers([6, 20], [18, 50]))
            rows.append(
                {
                    "exchange_id": f"x{len(rows)}",
                    "source": "test",
                    "started_at": START + timedelta(days=day, hours=hour),
                    "account_id": f"customer-{customer:04d}",
                    "client_ip": address,
                    "user_agent": "popular-sdk/4.2 python/3.12",
                    "tls_fingerprint": "t13d1516h2_8daaf6152771_b186095e22b6",
                    "model_served": "large-1",
                    "temperature": 0.2 if customer in FRAMEWORK else round(float(rng.choice([0.0, 0.7, 1.0])), 1),
                    "system_text": FRAMEWORK_SYSTEM if customer in FRAMEWORK else None,
                    "prompt_text": asked,
                    "response_text": told,
                    "input_tokens": len(asked) // 4,
                    "output_tokens": len(told) // 4,
                    "turns": int(rng.integers(1, 6)),
                    "text_state": "full",
                }
            )
    return pa.Table.from_pylist(rows, schema=arrow_schema(EXCHANGES))


def _accounts() -> pa.Table:
    rows = [
        {
            "account_id": f"customer-{customer:04d}",
            "created_at": START - timedelta(hours=11 * customer + 30),
            "email_domain": "one-company.example" if customer in COMPANY else f"mail-{customer}.example",
            "payment_fingerprint": "company-card" if customer in COMPANY else f"card-{customer}",
            "status": "active",
        }
        for customer in range(CUSTOMERS)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(ACCOUNTS))


@pytest.fixture(scope="module")
def report(scan_into: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    folder = tmp_path_factory.mktemp("unlinked")
    pq.write_table(_exchanges(), folder / "log.parquet")
    pq.write_table(_accounts(), folder / "accounts.parquet")
    return scan_into(folder / "result", folder / "log.parquet", accounts=folder / "accounts.parquet"), folder / "result"


def _number(account_id: str) -> int:
    return int(account_id.rsplit("-", 1)[1])


def test_the_popular_attributes_were_asked_about(report: tuple[Report, Path]) -> None:
    """Silence must come from the answer and not from never asking."""
    (note,) = (note for note in report[0].run.notes if "candidate groups were tested" in note)
    tested = re.match(r"([\d,]+) candidate groups", note)
    assert tested is not None
    assert int(tested[1].replace(",", "")) >= 3
    traces = pq.read_table(report[1] / ".work" / "traces.parquet")
    shared = Counter(zip(traces["kind"].to_pylist(), traces["trace"].to_pylist(), strict=True))
    largest = {kind: max(count for (name, _), count in shared.items() if name == kind) for kind in set(traces["kind"].to_pylist())}
    assert largest["tls"] == largest["user_agent"] == CUSTOMERS
    assert largest["system"] == len(FRAMEWORK)
    assert largest["payment"] == largest["network"] == largest["email_domain"] == len(COMPANY)


def test_no_group_holds_more_than_a_handful_of_those_who_share_something_popular(report: tuple[Report, Path]) -> None:
    for finding in report[0].findings:
        members = {_number(member.account_id) for member in finding.members}
        assert len(members) <= HANDFUL, finding.title
        assert len(members & set(FRAMEWORK)) <= HANDFUL
        assert len(members & set(COMPANY)) <= HANDFUL


def test_nobody_is_said_to_harvest(report: tuple[Report, Path]) -> None:
    assert [finding.title for finding in report[0].findings if finding.harvest is Verdict.YES] == []


def test_nearly_everybody_is_left_in_peace(report: tuple[Report, Path]) -> None:
    named = {member.account_id for finding in report[0].findings for member in finding.members}
    assert len(named) <= CUSTOMERS // 200
