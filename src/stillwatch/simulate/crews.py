"""The accounts of a campaign: drawn as honest ones are, housed together as far as the settings say, replaced when suspended."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.infrastructure import Account, draw_account, draw_premises, draw_sampling, housed
from stillwatch.simulate.people import framework_tools
from stillwatch.simulate.traffic import Scene
from stillwatch.simulate.world import DAY_US, HONEST_SHARES, HOUR_US, CampaignSettings, Kind


class Crew:
    """The accounts of one campaign over its life."""

    def __init__(self, scene: Scene, settings: CampaignSettings, chance: Chance) -> None:
        self._scene = scene
        self._settings = settings
        self._begin_us = scene.start_us + settings.start_day * DAY_US
        drawn = [self._recruit(chance, self._begin_us) for _ in range(settings.accounts)]
        drawn = self._settle(drawn, chance)
        self.accounts = self._with_replacements(drawn, chance)

    def working(self, day_us: int) -> list[Account]:
        """The accounts that can send at some time of the day."""
        return [
            account
            for account in self.accounts
            if account.begin_us < day_us + DAY_US and (account.stop_us is None or account.stop_us > day_us)
        ]

    def _recruit(self, chance: Chance, before_us: int, role: str = "worker") -> Account:
        settings = self._settings
        account = draw_account(
            chance, role, self._scene.start_us, campaign_id=settings.campaign_id, tactic=settings.tactic, before_us=before_us
        )
        if chance.happens(HONEST_SHARES[Kind.FRAMEWORK]):
            # as many send tools as among the honest, where a framework's customers do
            account = replace(account, sampling=replace(account.sampling, tools_count=framework_tools(chance)))
        return replace(account, begin_us=before_us)

    def _settle(self, drawn: list[Account], chance: Chance) -> list[Account]:
        together = round(self._settings.shared_infrastructure * len(drawn))
        premises = draw_premises(chance, self._begin_us - 12 * HOUR_US, organisation=False)
        chosen = set(chance.shuffled(len(drawn))[:together])
        # half of the campaigns run one piece of software on their premises, and with it one set of parameters
        common = draw_sampling(chance) if chance.happens(0.5) else None
        made = [housed(account, premises, chance) if place in chosen else account for place, account in enumerate(drawn)]
        return [replace(account, sampling=common or account.sampling) if place in chosen else account for place, account in enumerate(made)]

    def _with_replacements(self, drawn: list[Account], chance: Chance) -> tuple[Account, ...]:
        """Half-way some accounts are suspended; for each a fresh one takes over within the hour."""
        settings, scene = self._settings, self._scene
        last_us = min(scene.start_us + settings.end_day * DAY_US, scene.stop_us)
        fallen = set(chance.shuffled(len(drawn))[: round(settings.failover * len(drawn))])
        kept: list[Account] = []
        fresh: list[Account] = []
        for place, account in enumerate(drawn):
            if place not in fallen:
                kept.append(account)
                continue
            stop = (self._begin_us + last_us) // 2 + int(chance.uniform() * 6 * HOUR_US)
            kept.append(replace(account, stop_us=stop, status="suspended", status_changed_us=stop))
            heir = self._recruit(chance, self._begin_us, "replacement")
            begin = stop + int((0.1 + 0.9 * chance.uniform()) * HOUR_US)
            fresh.append(replace(heir, begin_us=begin, created_us=begin - int(chance.uniform() * 0.1 * HOUR_US), sampling=account.sampling))
        return (*kept, *fresh)
