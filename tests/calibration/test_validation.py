"""Realised size of what linking concludes of independent customers, asked as the product asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stillwatch.link import validate
from stillwatch.link.linking import link_accounts, nominations
from stillwatch.link.nominate import Candidate
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import Validator
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.seeds import generator

LEVELS = (0.01, 0.05, 0.2)
LOG = 900
SETTINGS = LinkSettings()
ONCE, TWICE = LinkSettings(promising=0.0), LinkSettings(promising=1.0, draws=99)
"""Nobody is asked again, and everybody is."""

Makes = Callable[[np.random.Generator, int], Any]
MakesCandidate = Callable[[npt.NDArray[np.integer], str, frozenset[str]], Candidate]


@dataclass(frozen=True)
class World:
    """What makes logs and candidates, how large, and who may be in a candidate."""

    customers: Makes
    candidate: MakesCandidate
    accounts: int = LOG
    language: int | None = None

    def members(self, draw: np.random.Generator, log: Any, size: int, least: int = SETTINGS.least_compared) -> npt.NDArray[np.int64]:
        """Random accounts with at least so many exchanges, of one language where the world says so."""
        able = log.volumes >= least
        if self.language is not None:
            able &= log.languages == self.language
        return np.sort(draw.choice(np.flatnonzero(able), size, replace=False)).astype(np.int64)


@pytest.fixture
def world(customers: Makes, candidate: MakesCandidate) -> World:
    return World(customers, candidate)


def _asked(
    world: World, draw: np.random.Generator, size: int, settings: LinkSettings, *, carriers: bool, times: int
) -> list[validate.Tested]:
    """Answers about `times` random sets of one log: as whole accounts, or by the exchanges that carry a wording."""
    log = world.customers(draw, world.accounts)
    found: list[validate.Tested] = []
    for _ in range(times):
        # half of those who carry a wording carry it too seldom to be compared: whom that leaves is the product's own selection
        size_asked = 2 * size if carriers else size
        members = world.members(draw, log, size_asked)
        asked = log.carrying(draw, members) if carriers else log
        validator = Validator(asked.profiles, asked.rows, asked.sides, settings, draw)
        if carriers:
            question = world.candidate(members, "wording", frozenset({"parameters", "manner"}))
            found.append(validator.test(question, np.arange(size_asked, dtype=np.int64)))
        else:
            # a kind that explains nothing, so that every aspect is asked
            found.append(validator.test(world.candidate(members, "signup", frozenset()), None))
    return found


def _holds(world: World, size: int, settings: LinkSettings, runs: int, *, carriers: bool = False, per_log: int = 4) -> None:
    """All p-values together, and each aspect's, reach no level more often than a binomial count of that share."""
    draw = generator(20261125, f"validation/{size}/{carriers}/{settings.promising}/{world.accounts}/{world.language}")
    answers: list[validate.Tested] = []
    while len(answers) < runs:
        answers += _asked(world, draw, size, settings, carriers=carriers, times=per_log)
    by_name: dict[str, list[float]] = {"together": [answer.p_value for answer in answers if answer.p_value is not None]}
    assert len(by_name["together"]) >= 0.6 * runs
    for answer in answers:
        for aspect, p_value in answer.p_values.items():
            by_name.setdefault(aspect, []).append(p_value)
    for name, p_values in by_name.items():
        counts = [int((np.array(p_values) <= level).sum()) for level in LEVELS]
        print(f"{name}: {counts} of {len(p_values)} at {LEVELS}")
        for level, count in zip(LEVELS, counts, strict=True):
            assert count <= binomial_band(len(p_values), level)[1], (name, level)


@pytest.mark.parametrize("carriers", [False, True], ids=["whole accounts", "carriers"])
@pytest.mark.parametrize("size", [3, 10, 50])
def test_random_customers_are_called_alike_no_oftener_than_the_level(world: World, size: int, carriers: bool) -> None:
    _holds(World(world.customers, world.candidate, accounts=500), size, SETTINGS, 32, carriers=carriers, per_log=8)


def test_a_language_that_few_write_holds_the_level(world: World) -> None:
    """Random sets of ten among some forty speakers share accounts; the candidate's own accounts are therefore among those drawn."""
    _holds(World(world.customers, world.candidate, language=3), 10, SETTINGS, 60, per_log=2)


@pytest.mark.many_runs
@pytest.mark.parametrize("settings", [SETTINGS, ONCE, TWICE], ids=["promising again", "once", "twice"])
@pytest.mark.parametrize("carriers", [False, True], ids=["whole accounts", "carriers"])
@pytest.mark.parametrize("size", [3, 10, 50, 200])
def test_random_customers_are_called_alike_no_oftener_than_the_level_over_many_runs(
    world: World, size: int, carriers: bool, settings: LinkSettings
) -> None:
    _holds(world, size, settings, 320, carriers=carriers)


@pytest.mark.many_runs
@pytest.mark.parametrize(("accounts", "size", "language"), [(900, 10, 3), (900, 5, 4), (300, 50, None), (140, 20, None), (120, 3, None)])
def test_small_strata_hold_the_level_over_many_runs(world: World, accounts: int, size: int, language: int | None) -> None:
    _holds(World(world.customers, world.candidate, accounts=accounts, language=language), size, SETTINGS, 400, per_log=2)


def _groups_of_strangers(world: World, runs: int) -> int:
    """Runs in which linking forms a group, or suspects anybody, in a log of strangers of whom some carry a popular wording."""
    draw = generator(20261125, "strangers")
    formed = 0
    for run in range(runs):
        log = world.customers(draw, 400)
        members = world.members(draw, log, (6, 40, 120)[run % 3])
        log = log.carrying(draw, members)
        shared, _ = nominations(log.rows, log.volumes, SETTINGS)
        wording = world.candidate(members, "wording", frozenset({"parameters", "manner"}))
        linked = link_accounts(log.rows, [wording, *shared[:15]], {0: 0}, log.profiles, log.sides, SETTINGS, draw)
        formed += bool(linked.groups) or bool(linked.suspects.any())
    print(f"a group in {formed} of {runs} logs of strangers")
    return formed


def test_strangers_who_share_a_popular_wording_form_groups_no_oftener_than_the_level(world: World) -> None:
    assert _groups_of_strangers(world, 6) <= binomial_band(6, SETTINGS.level)[1]


@pytest.mark.many_runs
def test_strangers_form_groups_no_oftener_than_the_level_over_many_logs(world: World) -> None:
    assert _groups_of_strangers(world, 240) <= binomial_band(240, SETTINGS.level)[1]
