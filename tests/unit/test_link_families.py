"""Families of wordings: nominated where carriers meet beyond chance, left alone where popularity explains it."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.link.families import families
from stillwatch.link.nominate import Candidate
from stillwatch.link.settings import LinkSettings

ACCOUNTS = 1000
SETTINGS = LinkSettings()


def _wording(name: str, members: list[int], count: int = 10) -> Candidate:
    places = np.array(sorted(members), np.int64)
    return Candidate(
        kind="wording",
        traces=(name,),
        members=places,
        counts=np.full(len(places), count),
        explained=frozenset({"parameters", "manner"}),
        worth=float(np.log((ACCOUNTS + 1) / (len(places) + 1))),
    )


def test_wordings_that_the_same_accounts_carry_are_one_family() -> None:
    found = families(
        [_wording("a", [1, 2, 3, 4, 5, 6]), _wording("b", [4, 5, 6, 2, 7, 8], 25), _wording("c", [50, 51, 52])], ACCOUNTS, SETTINGS
    )
    assert len(found) == 1
    family = found[0]
    assert family.family
    assert family.kind == "wording"
    assert set(family.traces) == {"a", "b"}
    assert family.members.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert family.counts.tolist() == [10, 25, 10, 25, 25, 25, 25, 25]
    assert family.explained == {"parameters", "manner"}
    assert family.worth == pytest.approx(np.log((ACCOUNTS + 1) / 9))


def test_a_chain_of_versions_is_one_family() -> None:
    steps = [_wording(str(step), list(range(4 * step, 4 * step + 8))) for step in range(5)]
    found = families(steps, ACCOUNTS, SETTINGS)
    assert [family.members.tolist() for family in found] == [list(range(24))]


def test_popular_wordings_meet_by_chance_and_are_no_family() -> None:
    everybody = [_wording("sdk", list(range(0, 1000, 2))), _wording("phrase", list(range(0, 1000, 3))), _wording("small", [0, 2, 6, 11])]
    assert families(everybody, ACCOUNTS, SETTINGS) == []


def test_one_wording_or_none_is_no_family() -> None:
    assert families([], ACCOUNTS, SETTINGS) == []
    assert families([_wording("a", [1, 2, 3])], ACCOUNTS, SETTINGS) == []


def test_two_common_carriers_are_too_few() -> None:
    assert families([_wording("a", [1, 2, 3]), _wording("b", [2, 3, 4])], ACCOUNTS, SETTINGS) == []


def test_who_carries_few_of_a_family_s_wordings_is_no_member() -> None:
    crew = list(range(10, 30))
    parts = [_wording(str(number), crew) for number in range(5)] + [_wording("phrase", [*crew, 500, 501])]
    found = families(parts, ACCOUNTS, SETTINGS)
    assert found == []  # without the two, one wording has all carriers already
    dealt = [_wording(str(number), [account for account in crew if account % 5 != number]) for number in range(5)]
    found = families([*dealt, _wording("phrase", [*crew[:12], 500, 501])], ACCOUNTS, SETTINGS)
    assert [family.members.tolist() for family in found] == [crew]
