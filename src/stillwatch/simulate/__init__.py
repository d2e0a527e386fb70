"""Simulates a provider's traffic with known campaigns: honest customers as mixed as they are, and the truth beside them."""

from __future__ import annotations

from stillwatch.simulate.run import Counts, Progress, Simulated, simulate
from stillwatch.simulate.world import (
    HONEST_SHARES,
    CampaignSettings,
    Kind,
    LogFormat,
    Paraphrase,
    Tactic,
    WorldSettings,
    default_world,
)

__all__ = [
    "HONEST_SHARES",
    "CampaignSettings",
    "Counts",
    "Kind",
    "LogFormat",
    "Paraphrase",
    "Progress",
    "Simulated",
    "Tactic",
    "WorldSettings",
    "default_world",
    "simulate",
]
