"""Runs a world day by day and writes it: logs, accounts, truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import OutputError
from stillwatch.simulate.campaigns import Campaign
from stillwatch.simulate.chance import Chance
from stillwatch.simulate.honest import honest_actors
from stillwatch.simulate.infrastructure import Account
from stillwatch.simulate.language import Library
from stillwatch.simulate.suspensions import suspended
from stillwatch.simulate.traffic import Actor, Exchange, Scene
from stillwatch.simulate.world import DAY_US, WorldSettings
from stillwatch.simulate.writers import write_accounts, write_day, write_truth

Progress = Callable[[int], None]
"""Told after each day: exchanges so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much of a kind or campaign there is."""

    accounts: int
    exchanges: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What was written.

    Attributes:
        logs: the folder with the log files.
        accounts, truth: the side tables.
        exchanges: rows in the logs.
        kinds: per honest kind.
        campaigns: per campaign id; replacements of suspended accounts included.
    """

    logs: Path
    accounts: Path
    truth: Path
    exchanges: int
    kinds: Mapping[str, Counts]
    campaigns: Mapping[str, Counts]


def simulate(settings: WorldSettings, *, out: Path, progress: Progress | None = None) -> Simulated:
    """Write the world into `out`: logs/, accounts.parquet and truth.parquet. The same settings give the same bytes.

    Memory grows with one day's exchanges. OutputError when `out` already holds logs or cannot be written.
    """
    logs = _prepared(out)
    scene = Scene(
        seed=settings.seed,
        start_us=settings.start_us,
        stop_us=settings.start_us + settings.days * DAY_US,
        release_us=settings.release_us,
        library=Library(settings.seed),
    )
    crowds: dict[str, Sequence[Actor]] = {
        f"honest {kind}": actors for kind, actors in honest_actors(scene, settings.honest_counts()).items()
    }
    crowds |= {f"campaign {campaign.campaign_id}": [Campaign(scene, campaign)] for campaign in settings.campaigns}
    accounts = suspended([account for actors in crowds.values() for actor in actors for account in actor.accounts], scene)
    stops = {account.account_id: account.stop_us for account in accounts if account.stop_us is not None}
    sent: Counter[tuple[str | None, str]] = Counter()
    for day in range(settings.days):
        exchanges = _day(scene, crowds, day, stops)
        sent.update((row.account.campaign_id, str(row.account.role)) for row in exchanges)
        write_day(exchanges, day, logs, settings.format)
        if progress is not None:
            progress(sent.total())
    return _summary(out, logs, accounts, sent)


def _prepared(out: Path) -> Path:
    logs = out / "logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        held = next(logs.iterdir(), None)
    except OSError as error:
        raise OutputError(f"the folder {out} cannot be written ({error.strerror}); give another --out") from error
    if held is not None:
        raise OutputError(f"the folder {logs} already holds files; give an empty --out")
    return logs


def _day(scene: Scene, crowds: Mapping[str, Sequence[Actor]], day: int, stops: Mapping[str, int]) -> list[Exchange]:
    """One day's exchanges in order of time; what an account would send before it exists or after it is stopped is left out."""
    day_us = scene.start_us + day * DAY_US
    rows: list[Exchange] = []
    for name, actors in crowds.items():
        chance = Chance(scene.seed, f"{name}/day {day}")
        for actor in actors:
            rows.extend(actor.day(day_us, chance))
    never = scene.stop_us
    kept = [row for row in rows if row.account.begin_us <= row.started_us < min(never, stops.get(row.account.account_id, never))]
    kept.sort(key=lambda row: (row.started_us, row.account.account_id))
    return kept


def _summary(out: Path, logs: Path, accounts: Sequence[Account], sent: Counter[tuple[str | None, str]]) -> Simulated:
    ordered = sorted(accounts, key=lambda account: account.account_id)
    write_accounts(ordered, out / "accounts.parquet")
    write_truth(ordered, out / "truth.parquet")
    kinds = Counter(str(account.role) for account in accounts if account.campaign_id is None)
    campaigns = Counter(account.campaign_id for account in accounts if account.campaign_id is not None)
    by_campaign: Counter[str | None] = Counter()
    for (campaign_id, _), count in sent.items():
        by_campaign[campaign_id] += count
    return Simulated(
        logs=logs,
        accounts=out / "accounts.parquet",
        truth=out / "truth.parquet",
        exchanges=sent.total(),
        kinds={kind: Counts(accounts=count, exchanges=sent[None, kind]) for kind, count in sorted(kinds.items())},
        campaigns={name: Counts(accounts=count, exchanges=by_campaign[name]) for name, count in sorted(campaigns.items())},
    )
