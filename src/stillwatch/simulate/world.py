"""What a simulated world is set to: how many honest customers of which kind, which campaigns, how they hide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from stillwatch.errors import UsageError

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class Tactic(StrEnum):
    """How a campaign takes what it takes."""

    FIXED_PROMPT = "fixed_prompt"
    DEALT_LIST = "dealt_list"
    REASONING_ELICITATION = "reasoning_elicitation"
    RELAY = "relay"
    STORE_AND_REPLAY = "store_and_replay"
    GRADING_AND_CLEANING = "grading_and_cleaning"
    HEAVY_ACCOUNT = "heavy_account"
    PROBE_THEN_SCALE = "probe_then_scale"


class Paraphrase(StrEnum):
    """How a campaign rewords its instruction: never, by synonyms for each account, or anew for each request."""

    NONE = "none"
    LIGHT = "light"
    HEAVY = "heavy"


class LogFormat(StrEnum):
    """In which format the logs are written."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    LITELLM = "litellm"
    LITELLM_GZIP = "litellm_gzip"


class Kind(StrEnum):
    """A kind of honest customer."""

    CHAT = "chat"
    PRODUCT = "product"
    EVALUATOR = "evaluator"
    CI = "ci"
    FRAMEWORK = "framework"
    COMPANY = "company"
    CLASS = "class"
    TRIAL = "trial"
    RESELLER = "reseller"
    MIGRATION = "migration"
    RELEASE_DAY = "release_day"
    PIPELINE = "pipeline"
    LICENSED = "licensed"


HONEST_SHARES: Mapping[Kind, float] = {
    Kind.CHAT: 0.405,
    Kind.PRODUCT: 0.10,
    Kind.EVALUATOR: 0.03,
    Kind.CI: 0.06,
    Kind.FRAMEWORK: 0.25,
    Kind.COMPANY: 0.0334,
    Kind.CLASS: 0.025,
    Kind.TRIAL: 0.04,
    Kind.RESELLER: 0.004,
    Kind.MIGRATION: 0.008,
    Kind.RELEASE_DAY: 0.015,
    Kind.PIPELINE: 0.026,
    Kind.LICENSED: 0.0036,
}
"""How honest accounts divide over the kinds; 1,200 accounts hold one company of 40 and one class of 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSettings:
    """One campaign and how it hides.

    Attributes:
        tactic: what it does.
        campaign_id: its name in the truth; lower-case letters, digits, `_` and `-`.
        accounts: accounts that work at the same time (replacements of suspended ones come on top).
        requests_per_account_per_day: mean of the Poisson count of requests, honest ones included.
        dilution: share of the requests that are ordinary chat, 0 to 1.
        shared_infrastructure: share of the accounts with one /24, payment, sign-up burst and TLS print, 0 to 1.
        paraphrase: how the instruction is reworded; without effect on tactics that have none (dealt list, relay, replay).
        jitter: 0 sends in lockstep, 1 gives each account a rhythm drawn as an honest account's is.
        start_day, end_day: first day and the day after the last, counted from the world's start.
        failover: share of the accounts that are suspended half-way and replaced by fresh ones within the hour.
    """

    tactic: Tactic
    campaign_id: str
    accounts: int
    requests_per_account_per_day: float
    dilution: float = 0.0
    shared_infrastructure: float = 0.0
    paraphrase: Paraphrase = Paraphrase.NONE
    jitter: float = 1.0
    start_day: int = 0
    end_day: int = 14
    failover: float = 0.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.campaign_id):
            raise UsageError(f"campaign id {self.campaign_id[:80]!r} is not lower-case letters, digits, '_' and '-'; give it such a name")
        for name in ("dilution", "shared_infrastructure", "jitter", "failover"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise UsageError(f"{name} of campaign {self.campaign_id} is {share}, outside 0 to 1; give a share")
        if self.accounts < 1 or self.requests_per_account_per_day <= 0:
            raise UsageError(
                f"campaign {self.campaign_id} has {self.accounts} accounts at {self.requests_per_account_per_day} requests a day; "
                "give at least one account and a rate above 0"
            )
        if not 0 <= self.start_day < self.end_day:
            raise UsageError(f"campaign {self.campaign_id} runs from day {self.start_day} to {self.end_day}; let it end after it starts")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """A provider's traffic over some days.

    Attributes:
        seed: everything random follows from it.
        start: midnight of the first day, with a time zone.
        days: length of the log.
        honest_accounts: how many honest accounts there are.
        honest_shares: how they divide over the kinds; need not add up to 1. A kind that is left out is absent.
        campaigns: the campaigns in it.
        format: of the logs.
    """

    seed: int
    start: datetime
    days: int = 14
    honest_accounts: int = 1200
    honest_shares: Mapping[Kind, float] = field(default_factory=lambda: HONEST_SHARES)
    campaigns: tuple[CampaignSettings, ...] = ()
    format: LogFormat = LogFormat.PARQUET

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise UsageError("start of the simulated log has no time zone; give one, as in datetime(2026, 9, 1, tzinfo=UTC)")
        if self.days < 1 or self.honest_accounts < 0:
            raise UsageError(
                f"a world of {self.days} days and {self.honest_accounts} honest accounts cannot be; "
                "give at least one day and no negative count"
            )
        if min(self.honest_shares.values(), default=1.0) < 0 or sum(self.honest_shares.values()) <= 0:
            raise UsageError("honest_shares hold a negative share or none above 0; give at least one kind a share")
        names = [campaign.campaign_id for campaign in self.campaigns]
        if len(set(names)) != len(names):
            raise UsageError(f"{len(names)} campaigns have {len(set(names))} different ids; give each its own")
        late = [campaign.campaign_id for campaign in self.campaigns if campaign.start_day >= self.days]
        if late:
            raise UsageError(f"campaign {late[0]} starts after the {self.days} days of the log; start it earlier")

    @property
    def start_us(self) -> int:
        """The start in microseconds since 1970."""
        return round(self.start.timestamp()) * 1_000_000

    @property
    def release_us(self) -> int:
        """When the new model appears: mid-window, in the working day of nobody in particular."""
        return self.start_us + (self.days // 2) * DAY_US + 9 * HOUR_US

    @property
    def end(self) -> datetime:
        """The end of the last day."""
        return self.start + timedelta(days=self.days)

    def honest_counts(self) -> dict[Kind, int]:
        """Accounts of each kind; they add up to `honest_accounts` (largest remainders)."""
        total = sum(self.honest_shares.values())
        exact = {kind: self.honest_accounts * share / total for kind, share in self.honest_shares.items()}
        counts = {kind: int(value) for kind, value in exact.items()}
        missing = self.honest_accounts - sum(counts.values())
        for kind in sorted(exact, key=lambda kind: (counts[kind] - exact[kind], kind))[:missing]:
            counts[kind] += 1
        return counts


_DEMO = (
    CampaignSettings(
        tactic=Tactic.FIXED_PROMPT,
        campaign_id="amber",
        accounts=150,
        requests_per_account_per_day=26,
        start_day=5,
        end_day=13,
        dilution=0.1,
        failover=0.08,
    ),
    CampaignSettings(
        tactic=Tactic.DEALT_LIST,
        campaign_id="basalt",
        accounts=100,
        requests_per_account_per_day=14,
        start_day=4,
        end_day=14,
        dilution=0.1,
        jitter=0.6,
    ),
    CampaignSettings(
        tactic=Tactic.REASONING_ELICITATION,
        campaign_id="cobalt",
        accounts=40,
        requests_per_account_per_day=15,
        start_day=2,
        end_day=12,
        paraphrase=Paraphrase.HEAVY,
        shared_infrastructure=0.3,
    ),
    CampaignSettings(tactic=Tactic.RELAY, campaign_id="dune", accounts=60, requests_per_account_per_day=18, shared_infrastructure=0.5),
    CampaignSettings(
        tactic=Tactic.STORE_AND_REPLAY,
        campaign_id="ember",
        accounts=40,
        requests_per_account_per_day=16,
        start_day=6,
        jitter=0.4,
        dilution=0.2,
    ),
    CampaignSettings(
        tactic=Tactic.GRADING_AND_CLEANING,
        campaign_id="flint",
        accounts=25,
        requests_per_account_per_day=25,
        start_day=3,
        end_day=12,
        paraphrase=Paraphrase.LIGHT,
        shared_infrastructure=0.4,
    ),
    CampaignSettings(
        tactic=Tactic.HEAVY_ACCOUNT, campaign_id="garnet", accounts=1, requests_per_account_per_day=300, start_day=2, end_day=12
    ),
    CampaignSettings(
        tactic=Tactic.PROBE_THEN_SCALE,
        campaign_id="heath",
        accounts=30,
        requests_per_account_per_day=22,
        start_day=2,
        end_day=12,
        paraphrase=Paraphrase.LIGHT,
        jitter=0.7,
    ),
)


def default_world(seed: int, start: datetime, scale: float = 1.0) -> WorldSettings:
    """The demo: about 1,500 accounts at scale 1, one campaign of each tactic; `scale` multiplies accounts and leaves rates alone."""
    if scale <= 0:
        raise UsageError(f"scale is {scale}; give a number above 0")
    campaigns = tuple(_scaled(campaign, scale) for campaign in _DEMO)
    return WorldSettings(seed=seed, start=start, honest_accounts=max(1, round(1080 * scale)), campaigns=campaigns)


def _scaled(campaign: CampaignSettings, scale: float) -> CampaignSettings:
    return replace(campaign, accounts=max(1, round(campaign.accounts * scale)))
