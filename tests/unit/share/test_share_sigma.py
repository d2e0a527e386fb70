"""Sigma rules are parsed by pySigma and, as SQL that its SQLite backend makes of them, find the accounts that they should."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule

from stillwatch.errors import TooFewSamplesError
from stillwatch.records.findings import Report
from stillwatch.share.claim import Claim
from stillwatch.share.sigma import sigma_rules
from stillwatch.share.thresholds import ABOVE, FEWEST_DAYS, THRESHOLDS, threshold
from stillwatch.stats.seeds import generator

LIMITS = {rule.name: 20 for rule in THRESHOLDS} | {"output_tokens": 5_000}
START = datetime(2026, 9, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def rules(claims: Sequence[Claim], report: Report) -> str:
    return sigma_rules(claims[:1], report.run, LIMITS, producer="Example Models", tlp="green")


def test_pysigma_reads_every_rule_without_an_error(rules: str) -> None:
    collection = SigmaCollection.from_yaml(rules)
    assert len(collection.rules) == 2 * (len(THRESHOLDS) + 1)
    assert not collection.errors
    assert len({rule.id for rule in collection.rules}) == len(collection.rules)
    assert {tag.namespace for rule in collection.rules for tag in rule.tags} == {"tlp"}
    assert all(rule.falsepositives for rule in collection.rules if isinstance(rule, SigmaCorrelationRule))


def _rows() -> list[tuple[object, ...]]:
    """account, time, n, top_logprobs, logit_bias_size, status, output_tokens, client_ip: one account for each rule, and quiet ones."""
    rows: list[tuple[object, ...]] = []
    for place, account in enumerate(("busy", "sampler", "prober", "quiet", "slow")):
        for number in range({"busy": 30, "slow": 30}.get(account, 5)):
            day = timedelta(days=number) if account == "slow" else timedelta(minutes=number)
            rows.append((account, (START + day).isoformat(), 1, 0, 0, 200, 100, f"198.51.100.{place}"))
    rows += [("sampler", (START + timedelta(minutes=number)).isoformat(), 4, 0, 0, 200, 100, "198.51.100.1") for number in range(21)]
    rows += [("prober", (START + timedelta(minutes=number)).isoformat(), 1, 0, 0, 403, 0, "198.51.100.2") for number in range(21)]
    rows += [("long", START.isoformat(), 1, 0, 0, 200, 6_000, "198.51.100.9")]
    rows += [(f"relay{number}", START.isoformat(), 1, 0, 0, 200, 10, f"203.0.113.{number}") for number in range(3)]
    return rows


def test_the_rules_find_what_they_say_when_a_database_runs_them(rules: str) -> None:
    base = sqlite3.connect(":memory:")
    base.execute("create table logs (account_id, timestamp, n, top_logprobs, logit_bias_size, status, output_tokens, client_ip)")
    base.executemany("insert into logs values (?,?,?,?,?,?,?,?)", _rows())
    backend, found = sqliteBackend(), {}
    for rule, query in zip(_correlations(rules), backend.convert(SigmaCollection.from_yaml(rules)), strict=True):
        rows = base.execute(query).fetchall()
        found[rule] = sorted({json.loads(row[1] or "{}").get("account_id", "everybody") for row in rows})
    assert found == {
        "Many requests of one account in a day": ["busy", "prober", "sampler"],
        "Many output tokens of one account in a day": ["long"],
        "Requests for several samples at once": ["sampler"],
        "Requests for log-probabilities": [],
        "Requests with a logit bias": [],
        "Many refused requests of one account in a day": ["prober"],
        _correlations(rules)[-1]: ["everybody"],
    }


def _correlations(rules: str) -> list[str]:
    return [rule.title for rule in SigmaCollection.from_yaml(rules).rules if isinstance(rule, SigmaCorrelationRule)]


def test_a_threshold_is_exceeded_by_no_larger_share_than_is_said() -> None:
    rule = THRESHOLDS[0]
    days = generator(3, "days").poisson(400, 5_000).astype(np.int64)
    limit = threshold(rule, days)
    assert (days > limit).mean() <= ABOVE
    assert (days > limit - 1).mean() > ABOVE
    assert threshold(rule, np.ones(FEWEST_DAYS, np.int64)) == rule.floor
    with pytest.raises(TooFewSamplesError):
        threshold(rule, days[: FEWEST_DAYS - 1])
