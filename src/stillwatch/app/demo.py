"""The main job on simulated traffic: a provider's fortnight, scanned, and counted against the truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.app.progress import Progress
from stillwatch.app.request import ScanRequest
from stillwatch.app.scanning import scan
from stillwatch.app.simulating import START, simulated
from stillwatch.detect.tally import shipped_prices
from stillwatch.errors import OutputError
from stillwatch.records.findings import Report, Verdict
from stillwatch.settings import ScanSettings
from stillwatch.simulate import default_world


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFound:
    """What became of one simulated campaign.

    Attributes:
        found: its accounts in findings that say harvest; `pooled`: in groups, whatever the harvest verdict.
    """

    campaign_id: str
    tactic: str
    accounts: int
    found: int
    pooled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The scan's report, and the count against the truth.

    Attributes:
        honest: honest accounts; `accused`: those in findings that say harvest; `roles`: what kind of customers they are.
    """

    report: Report
    campaigns: tuple[CampaignFound, ...]
    honest: int
    accused: int
    roles: tuple[tuple[str, int], ...]


def demo(out: Path, *, seed: int, scale: float, settings: ScanSettings, progress: Progress, now: Callable[[], datetime]) -> Demo:
    """Simulate into out/provider, scan into out/result."""
    provider = out / "provider"
    if provider.exists() and not (provider / "truth.parquet").exists():
        message = f"{provider} exists and holds no simulated log; choose another --out"
        raise OutputError(message)
    shutil.rmtree(provider, ignore_errors=True)
    world = simulated(default_world(seed, START, scale), provider, progress)
    request = ScanRequest(
        paths=(world.logs,),
        accounts=world.accounts,
        format="auto",
        out=out / "result",
        engine="duckdb",
        resume=False,
        prices=shipped_prices(),
        settings=settings,
    )
    report = scan(request, progress, now=now())
    return counted(report, world.truth)


def counted(report: Report, truth: Path) -> Demo:
    """Findings beside the truth."""
    rows = pq.read_table(truth).to_pylist()
    roles = {row["account_id"]: row for row in rows}
    accused = {member.account_id for finding in report.findings if finding.harvest is Verdict.YES for member in finding.members}
    pooled = {member.account_id for finding in report.findings if finding.pooling is Verdict.YES for member in finding.members}
    members: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["campaign_id"]:
            members.setdefault((row["campaign_id"], row["tactic"]), []).append(row["account_id"])
    campaigns = tuple(
        CampaignFound(
            campaign_id=name, tactic=tactic, accounts=len(ids), found=len(accused.intersection(ids)), pooled=len(pooled.intersection(ids))
        )
        for (name, tactic), ids in sorted(members.items())
    )
    wrong = [roles[account]["role"] for account in accused if account in roles and not roles[account]["campaign_id"]]
    kinds = tuple((role, wrong.count(role)) for role in sorted(set(wrong)))
    honest = sum(not row["campaign_id"] for row in rows)
    return Demo(report=report, campaigns=campaigns, honest=honest, accused=len(wrong), roles=kinds)
