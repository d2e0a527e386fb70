"""What the power paragraph says of the smallest group is what the product's own validation gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stillwatch.detect.power import LEAST_EACH, SMALLEST_GROUP
from stillwatch.link.nominate import Candidate
from stillwatch.link.settings import LinkSettings
from stillwatch.link.settle import corroborated
from stillwatch.link.validate import Validator
from stillwatch.stats.seeds import generator

SETTINGS = LinkSettings()
NOMINATIONS = 20
"""Candidates among which the crew's is corrected: in a log of strangers with one crew, its q-value is so many times its p-value."""

MakesCandidate = Callable[[npt.NDArray[np.integer], str, frozenset[str]], Candidate]


def _with_crew(draw: np.random.Generator, log: Any, accounts: int, each: int) -> Any:
    """The log with its first accounts replaced by a crew: one mixed list in equal shares, one clock, one address."""
    crew, moments = np.arange(accounts), log.profiles.accounts
    cells, hours = moments.subjects.shape[1], moments.hours.shape[1]
    clock = draw.gamma(0.3, 1.0, hours)
    changed = replace(
        moments,
        counts=moments.counts.copy(),
        sums=moments.sums.copy(),
        hours=moments.hours.copy(),
        subjects=moments.subjects.copy(),
        languages=moments.languages.copy(),
    )
    centres = np.linalg.lstsq(moments.subjects.astype(float), moments.sums, rcond=None)[0]
    changed.counts[crew] = each
    changed.subjects[crew] = draw.multinomial(each, np.full(cells, 1 / cells), accounts)
    changed.sums[crew] = changed.subjects[crew] @ centres
    changed.hours[crew] = draw.multinomial(each, clock / clock.sum(), accounts)
    changed.languages[crew] = 0
    changed.languages[crew, 0] = each
    rows = log.rows
    rare = len(rows.values)
    rows = replace(
        rows,
        account=np.concatenate([rows.account, crew]),
        trace=np.concatenate([rows.trace, np.full(accounts, rare)]),
        count=np.concatenate([rows.count, np.full(accounts, each)]),
        kinds=np.append(rows.kinds, "network"),
        values=np.append(rows.values, "crew"),
    )
    return replace(log, profiles=replace(log.profiles, accounts=changed), rows=rows)


def _share_found(customers: Any, candidate: MakesCandidate, accounts: int, each: int, runs: int) -> float:
    """Share of logs in which the crew, nominated by its wording, is validated as the product validates."""
    draw, found = generator(20261125, f"power/{accounts}/{each}"), 0
    for _ in range(runs):
        log = _with_crew(draw, customers(draw, 600), accounts, each)
        validator = Validator(log.profiles, log.rows, log.sides, SETTINGS, draw)
        tested = validator.test(candidate(np.arange(accounts), "wording", frozenset({"parameters", "manner"})), None)
        found += tested.p_value is not None and corroborated(tested, NOMINATIONS * tested.p_value, SETTINGS)
    print(f"{accounts} accounts with {each} exchanges: found in {found} of {runs}")
    return found / runs


def test_the_smallest_group_of_the_power_paragraph_is_seen_nearly_always(customers: Any, candidate: MakesCandidate) -> None:
    assert _share_found(customers, candidate, SMALLEST_GROUP, LEAST_EACH, 12) >= 0.9


@pytest.mark.many_runs
def test_the_smallest_group_is_seen_nearly_always_over_many_logs(customers: Any, candidate: MakesCandidate) -> None:
    assert _share_found(customers, candidate, SMALLEST_GROUP, LEAST_EACH, 100) >= 0.9


@pytest.mark.many_runs
def test_a_smaller_group_is_seen_less_often(customers: Any, candidate: MakesCandidate) -> None:
    assert _share_found(customers, candidate, 3, LEAST_EACH, 60) < 0.9
