"""The main job on simulated traffic: a provider's fortnight, scanned, and counted against the truth."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.app.progress import Progress
from stillwatch.app.request import ScanRequest
from stillwatch.app.scanning import scan
from stillwatch.app.simulating import START, simulated
from stillwatch.detect.catalogue import CATALOGUE
from stillwatch.detect.tally import shipped_prices
from stillwatch.errors import OutputError
from stillwatch.records.findings import Power, Report, Verdict
from stillwatch.settings import ScanSettings
from stillwatch.simulate import Tactic, default_world

SEEN_BY: Mapping[Tactic, str] = {
    Tactic.FIXED_PROMPT: "fixed_wording_share",
    Tactic.DEALT_LIST: "shared_prompts",
    Tactic.REASONING_ELICITATION: "reasoning_elicitation_share",
    Tactic.RELAY: "subject_shift",
    Tactic.STORE_AND_REPLAY: "single_turn_share",
    Tactic.GRADING_AND_CLEANING: "grading_share",
    Tactic.HEAVY_ACCOUNT: "plan_to_usage",
    Tactic.PROBE_THEN_SCALE: "probe_then_scale",
}
"""The signal that is meant to see each tactic; where a campaign is missed, its blind spot is the first thing to think of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFound:
    """What became of one simulated campaign.

    Attributes:
        found: its accounts in findings that say harvest; `pooled`: in groups, whatever the harvest verdict.
        why: where no finding says harvest, what the run or the catalogue knows about missing such a campaign; else empty.
    """

    campaign_id: str
    tactic: str
    accounts: int
    found: int
    pooled: int
    why: str


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
    return counted(report, world.truth, {name: counts.exchanges for name, counts in world.campaigns.items()})


def counted(report: Report, truth: Path, exchanges: Mapping[str, int]) -> Demo:
    """Findings beside the truth; `exchanges` are those of each campaign."""
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
            campaign_id=name,
            tactic=tactic,
            accounts=len(ids),
            found=len(accused.intersection(ids)),
            pooled=len(pooled.intersection(ids)),
            why="" if accused.intersection(ids) else missed_because(report.run.power, tactic, len(ids), exchanges[name]),
        )
        for (name, tactic), ids in sorted(members.items())
    )
    wrong = [roles[account]["role"] for account in accused if account in roles and not roles[account]["campaign_id"]]
    kinds = tuple((role, wrong.count(role)) for role in sorted(set(wrong)))
    honest = sum(not row["campaign_id"] for row in rows)
    return Demo(report=report, campaigns=campaigns, honest=honest, accused=len(wrong), roles=kinds)


def missed_because(power: Power, tactic: str, accounts: int, exchanges: int) -> str:
    """Why missing a campaign is no surprise: it is smaller than what the run could see, or else its tactic's signal has a blind spot."""
    if accounts == 1 and exchanges < (power.single_account_exchanges or math.inf):
        needs = "none could be judged" if power.single_account_exchanges is None else f"alone it takes {power.single_account_exchanges:,}"
        return f"Too small: one account with {exchanges:,} exchanges; {needs}."
    if 1 < accounts < (power.accounts or math.inf):
        needs = "none could be judged" if power.accounts is None else f"a group takes {power.accounts:,}"
        return f"Too small: {accounts:,} accounts; {needs}."
    signal = next(signal for signal in CATALOGUE if signal.id == SEEN_BY[Tactic(tactic)])
    return f"Blind spot of {signal.id}: {signal.blind_spot}"
