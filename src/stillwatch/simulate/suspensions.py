"""A provider suspends accounts for its own reasons; not every suspended account is followed by another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.infrastructure import Account
from stillwatch.simulate.traffic import Scene

_SHARE = 0.012


def suspended(accounts: Sequence[Account], scene: Scene) -> list[Account]:
    """The accounts with about one in eighty suspended inside the window, honest and hostile alike; a suspended account stops sending."""
    span = scene.stop_us - scene.start_us
    made: list[Account] = []
    for account in accounts:
        chance = Chance(scene.seed, f"suspension/{account.account_id}")
        if account.stop_us is None and chance.happens(_SHARE):
            stop = scene.start_us + int((0.2 + 0.7 * chance.uniform()) * span)
            made.append(replace(account, stop_us=stop, status="suspended", status_changed_us=stop))
        else:
            made.append(account)
    return made
