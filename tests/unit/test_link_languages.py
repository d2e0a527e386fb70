"""One list in two languages: who joins, who does not, and when nobody does."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.link import validate
from stillwatch.link.closeness import drawn_from_one_list, off_pace, paces
from stillwatch.link.languages import join_languages
from stillwatch.link.membership import Block
from stillwatch.link.nominate import Candidate
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.sketch.codebook import DIMENSIONS
from stillwatch.stats.seeds import generator

ENGLISH, CHINESE = 1, 9
CREW, PART, HONEST = range(40), range(40, 60), range(60, 160)
HOURS = 24 * 6


def _profiles(quota: int) -> Profiles:
    """Forty accounts in one language and twenty in another that send 60 on each of three days; a hundred who send as they please."""
    draw = generator(7, "languages")
    moments = Moments.empty(160, HOURS, 4)
    for account in range(160):
        own = account in CREW or (account in PART and account - PART.start < quota)
        days = [1, 2, 3] if own else draw.choice(6, int(draw.integers(1, 6)), replace=False).tolist()
        size = 180 + int(draw.integers(-8, 9)) if own else int(draw.lognormal(4.5, 0.9)) + 40
        np.add.at(moments.hours[account], draw.choice(days, size) * 24 + draw.integers(8, 20, size), 1)
        moments.counts[account] = size
        moments.languages[account, CHINESE if account in PART else ENGLISH] = size
    nobody = np.zeros(0, np.int64)
    ids = np.array([f"a{number:03d}" for number in range(160)], np.str_)
    carriers = Moments.empty(0, HOURS, 4)
    return Profiles(ids=ids, accounts=moments, carriers=carriers, carrier_trace=nobody, carrier_account=nobody, start_us=0)


def _tested(members: range, kind: str = "subjects") -> validate.Tested:
    places = np.arange(members.start, members.stop)
    counts = np.full(len(places), 100)
    candidate = Candidate(kind=kind, traces=(), members=places, counts=counts, explained=frozenset(), worth=1.0, least=40)
    return validate.Tested(candidate=candidate, p_values={}, p_value=1e-6, silent={}, levels={})


def _joined(quota: int, *, kind: str = "subjects", taken: set[int] | None = None) -> tuple[set[int], Block]:
    block = Block(members=set(CREW), tested=[_tested(CREW, kind)], q_value=0.0)
    return join_languages(block, [_tested(CREW), _tested(PART)], _profiles(quota), set(CREW) | (taken or set())), block


def test_a_part_that_keeps_to_the_quota_joins() -> None:
    joined, block = _joined(20)
    assert joined == set(PART)
    assert block.members == {*CREW, *PART}
    assert block.tested[0].candidate.members.tolist() == [*CREW, *PART]


def test_of_a_mixed_part_those_join_who_keep_to_it() -> None:
    joined, _ = _joined(14)
    assert len(joined & set(range(PART.start, PART.start + 14))) >= 13
    assert len(joined) <= 16


@pytest.mark.parametrize("knobs", [{"quota": 1}, {"quota": 20, "kind": "wording"}, {"quota": 20, "taken": set(PART)}])
def test_nobody_joins_by_chance_nor_a_wording_nor_twice(knobs: dict[str, object]) -> None:
    joined, block = _joined(**knobs)  # type: ignore[arg-type]
    assert joined == set()
    assert block.members == set(CREW)


def test_pace_is_counted_on_days_with_any_exchange() -> None:
    moments = Moments.empty(2, 48, 1)
    moments.hours[0, [0, 1, 2]] = 4
    moments.hours[1, [3, 30]] = 6
    known = np.exp(paces(moments, np.array([0, 1])))
    assert known == pytest.approx(np.array([[12.0, 12.0], [12.0, 6.0]]))
    assert off_pace(np.log(known), np.log(known))[:, 0].tolist() == [0.0, 0.0]


def test_samples_of_one_list_stay_and_a_subject_of_one_s_own_goes() -> None:
    draw = generator(8, "one list")
    moments = Moments.empty(30, 24, 4)
    vectors = draw.normal(size=(50, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for account in range(30):
        rows = draw.integers(50, size=80) if account < 24 else draw.integers(5 * (account - 24), 5 * (account - 24) + 5, size=80)
        moments.sums[account], moments.counts[account] = vectors[rows].sum(axis=0), 80
        moments.languages[account, ENGLISH] = 80
    kept = drawn_from_one_list(moments, np.arange(30))
    assert kept[:24].sum() >= 23
    assert not kept[24:].any()
