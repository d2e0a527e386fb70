"""`stillwatch simulate`: the demo's world, or one put together from knobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stillwatch.app.demo import START
from stillwatch.app.progress import Progress
from stillwatch.errors import UsageError
from stillwatch.simulate import CampaignSettings, LogFormat, Paraphrase, Tactic, WorldSettings, default_world, simulate


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
    campaigns = tuple(_campaign(name, place, days, knobs) for place, name in enumerate(tactics)) if tactics else world.campaigns
    if not tactics and days != world.days:
        campaigns = tuple(replace(campaign, end_day=min(campaign.end_day, days)) for campaign in campaigns if campaign.start_day < days)
    world = replace(world, days=days, campaigns=campaigns)
    progress.begin("simulate", days)
    written = simulate(world, out=out, progress=lambda day, _days: progress.advance(day))
    progress.end(days, 0.0, resumed=False)
    return _counts(world, written)


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
