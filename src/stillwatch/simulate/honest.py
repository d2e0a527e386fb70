"""All honest actors of a world, kind by kind, and the few that a provider suspends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.machines import evaluators, licensed_teams, pipelines, products, repeaters, resellers
from stillwatch.simulate.people import chatters, classrooms, companies, framework_users, migrating, trial_rush
from stillwatch.simulate.traffic import Actor, Scene
from stillwatch.simulate.world import Kind

_MAKERS: dict[Kind, Callable[[Scene, int, Chance], Sequence[Actor]]] = {
    Kind.CHAT: chatters,
    Kind.PRODUCT: products,
    Kind.EVALUATOR: evaluators,
    Kind.CI: partial(repeaters, kind=Kind.CI),
    Kind.FRAMEWORK: framework_users,
    Kind.COMPANY: companies,
    Kind.CLASS: classrooms,
    Kind.TRIAL: trial_rush,
    Kind.RESELLER: resellers,
    Kind.MIGRATION: migrating,
    Kind.RELEASE_DAY: partial(repeaters, kind=Kind.RELEASE_DAY),
    Kind.PIPELINE: pipelines,
    Kind.LICENSED: licensed_teams,
}


def honest_actors(scene: Scene, counts: dict[Kind, int]) -> dict[Kind, Sequence[Actor]]:
    """The actors of each kind; a kind's draws depend on the seed and its own name, so that no other kind and no campaign shifts them."""
    return {kind: _MAKERS[kind](scene, count, Chance(scene.seed, f"actors/{kind}")) for kind, count in counts.items() if count}
