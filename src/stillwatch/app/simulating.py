"""`stillwatch simulate`: the demo's world, or one put together from knobs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.app.progress import Progress
from stillwatch.errors import UsageError
from stillwatch.simulate import CampaignSettings, LogFormat, Paraphrase, Simulated, Tactic, WorldSettings, default_world, simulate

START = datetime(2026, 9, 7, tzinfo=UTC)
"""A Monday; a world is the same whenever it is made."""


KNOBS: dict[str, Any] = {
    "accounts": 100,
    "requests_per_account_per_day": 26.0,
    "dilution": 0.0,
    "shared_infrastructure": 0.0,
    "paraphrase": Paraphrase.NONE.value,
    "jitter": 1.0,
}
"""A campaign's knobs as they stand where none is turned."""


def run_simulation(
    out: Path,
    *,
    seed: int,
    days: int,
    honest_accounts: int | None,
    tactics: Sequence[str],
    knobs: Mapping[str, Any],
    log_format: str,
    progress: Progress,
) -> dict[str, Any]:
    """Write a world into `out`; returns the counts."""
    world = replace(default_world(seed, START), format=_one_of(LogFormat, "--format", log_format))
    if honest_accounts is not None:
        world = replace(world, honest_accounts=honest_accounts)
    if not tactics and dict(knobs) != KNOBS:
        message = (
            "the options of a campaign (--accounts, --dilution and so on) say nothing without --tactic; add the tactic that they are for"
        )
        raise UsageError(message)
    campaigns = tuple(_campaign(name, place, days, knobs) for place, name in enumerate(tactics)) if tactics else world.campaigns
    if not tactics and days != world.days:
        campaigns = tuple(replace(campaign, end_day=min(campaign.end_day, days)) for campaign in campaigns if campaign.start_day < days)
    world = replace(world, days=days, campaigns=campaigns)
    return _counts(world, simulated(world, out, progress))


def simulated(world: WorldSettings, out: Path, progress: Progress) -> Simulated:
    """Write the world, and tell how far it is, in exchanges."""
    progress.begin("simulate", None)
    start = time.perf_counter()
    written = simulate(world, out=out, progress=progress.advance)
    progress.end(written.exchanges, time.perf_counter() - start, resumed=False)
    return written


def _campaign(name: str, place: int, days: int, knobs: Mapping[str, Any]) -> CampaignSettings:
    tactic = _one_of(Tactic, "--tactic", name)
    given = dict(knobs) | {"paraphrase": _one_of(Paraphrase, "--paraphrase", knobs["paraphrase"])}
    return CampaignSettings(tactic=tactic, campaign_id=f"{name.replace('_', '-')}-{place + 1}", end_day=days, **given)


def _one_of(choices: Any, option: str, value: str) -> Any:
    try:
        return choices(value)
    except ValueError:
        message = f"{option} is {value!r}; it takes one of {', '.join(choice.value for choice in choices)}"
        raise UsageError(message) from None


def _counts(world: WorldSettings, written: Any) -> dict[str, Any]:
    kinds = {name: {"accounts": counts.accounts, "exchanges": counts.exchanges} for name, counts in written.kinds.items()}
    campaigns = {name: {"accounts": counts.accounts, "exchanges": counts.exchanges} for name, counts in written.campaigns.items()}
    return {
        "seed": world.seed,
        "exchanges": written.exchanges,
        "accounts": sum(part["accounts"] for part in (*kinds.values(), *campaigns.values())),
        "honest": kinds,
        "campaigns": campaigns,
    }
