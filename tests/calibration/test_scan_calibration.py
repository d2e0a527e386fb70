"""A provider without any campaign: p-values keep their promise, nobody is said to harvest, and few are named at all.

Accounts of 60 exchanges and more are judged here, far below the default, so that each small world judges enough of them for a band.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scipy.stats import binom

from stillwatch.app.progress import Quiet
from stillwatch.app.request import ScanRequest
from stillwatch.app.scanning import scan
from stillwatch.detect.settings import DetectSettings
from stillwatch.detect.tally import shipped_prices
from stillwatch.records.findings import Report, Verdict
from stillwatch.settings import ScanSettings
from stillwatch.simulate import WorldSettings, simulate

START = datetime(2026, 9, 7, tzinfo=UTC)
DAYS, HONEST = 8, 350
LEVEL = 0.05
MOST_FINDINGS_PER_1000 = 10
"""About 2 in 1,000 are named; a world of a few hundred may name three by chance."""


@dataclass(frozen=True)
class Outcome:
    """What a scan of an honest world says."""

    report: Report
    p_values: list[float]
    entities: int


def _scanned(folder: Path, seed: int) -> Outcome:
    world = simulate(WorldSettings(seed=seed, start=START, days=DAYS, honest_accounts=HONEST), out=folder / "world")
    request = ScanRequest(
        paths=(world.logs,),
        accounts=world.accounts,
        format="auto",
        out=folder / "result",
        engine="duckdb",
        resume=False,
        prices=shipped_prices(),
        settings=ScanSettings(detect=DetectSettings(least_account_exchanges=60)),
    )
    report = scan(request, Quiet(), now=datetime(2026, 11, 1, tzinfo=UTC))
    rows = pq.read_table(folder / "result" / "entities.parquet").to_pylist()
    return Outcome(report, [row["p_value"] for row in rows if row["p_value"] is not None], len(rows))


def _within_the_band(p_values: list[float]) -> bool:
    """One-sided: no more p-values at or below the level than the 99.9 % point of the binomial."""
    return sum(p_value <= LEVEL for p_value in p_values) <= binom.ppf(0.999, len(p_values), LEVEL)


def _check(outcomes: list[Outcome]) -> None:
    p_values = [p_value for outcome in outcomes for p_value in outcome.p_values]
    findings = [finding for outcome in outcomes for finding in outcome.report.findings]
    entities = sum(outcome.entities for outcome in outcomes)
    low = sum(p_value <= LEVEL for p_value in p_values)
    print(f"{low} of {len(p_values)} p-values at or below {LEVEL}; {len(findings)} findings on {entities} entities")
    assert len(p_values) >= 60 * len(outcomes)
    assert _within_the_band(p_values)
    assert [finding.title for finding in findings if finding.harvest is Verdict.YES] == []
    assert len(findings) <= max(3, MOST_FINDINGS_PER_1000 * entities / 1000)


def test_an_honest_world_is_left_in_peace(tmp_path: Path) -> None:
    _check([_scanned(tmp_path, 71)])


@pytest.mark.slow
def test_honest_worlds_are_left_in_peace(tmp_path: Path) -> None:
    _check([_scanned(tmp_path / str(seed), seed) for seed in (72, 73, 74)])
