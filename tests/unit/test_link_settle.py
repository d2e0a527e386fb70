"""Linking from traces to groups on small worlds: who is taken, who is left alone, and that nothing depends on order or luck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy import sparse

from stillwatch.engines.schema import arrow_schema
from stillwatch.link.group import group_id
from stillwatch.link.linking import Linked, link_accounts, nominations, watch
from stillwatch.link.nominate import trace_rows
from stillwatch.link.profiles import HOUR_US, PROFILE_COLUMNS, QUANTUM, build_profiles
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import Sides
from stillwatch.records.tables import SKETCHED, TRACES
from stillwatch.sketch.codebook import DIMENSIONS
from stillwatch.stats.seeds import generator

ACCOUNTS, CELLS, DAYS = 160, 24, 8
START_US = 1_788_739_200_000_000
SETTINGS = LinkSettings(draws=199, confirming_draws=499)
SCHEMA = pa.schema([arrow_schema(SKETCHED).field(name) for name in PROFILE_COLUMNS])
IDS = np.array([f"a{number:03d}" for number in range(ACCOUNTS)], np.str_)


@dataclass(frozen=True)
class Crew:
    """Accounts that act as one: one list of subjects, one volume, one clock."""

    accounts: range
    volume: int = 70


@dataclass(frozen=True)
class Plan:
    """A small log: crews, and who carries which wording in which share of the exchanges."""

    crews: Sequence[Crew] = ()
    wordings: Sequence[tuple[int, Sequence[int], float]] = ()
    networks: Sequence[tuple[str, Sequence[int]]] = ()
    volumes: dict[int, int] = field(default_factory=dict)
    seed: int = 1


def _behaviour(plan: Plan, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Subjects [A, cells], exchanges [A] and rates per hour [A, H] of each account."""
    tastes = rng.dirichlet(np.full(CELLS, 0.35), ACCOUNTS)
    volumes = np.exp(rng.normal(4.2, 0.6, ACCOUNTS)).astype(np.int64) + 30
    rates = rng.gamma(0.5, 1.0, (ACCOUNTS, 24 * DAYS))
    for crew in plan.crews:
        taste, rate = rng.dirichlet(np.full(CELLS, 2.0)), rng.gamma(0.5, 1.0, 24 * DAYS)
        for account in crew.accounts:
            tastes[account], volumes[account] = taste, crew.volume + int(rng.integers(0, 5))
            rates[account] = 0.4 * rates[account] + 0.6 * rate
    for account, volume in plan.volumes.items():
        volumes[account] = volume
    return tastes, volumes, rates / rates.sum(axis=1, keepdims=True)


def _exchanges(plan: Plan) -> pa.Table:
    rng = generator(plan.seed, "small log")
    tastes, volumes, rates = _behaviour(plan, rng)
    centres = rng.normal(size=(CELLS, DIMENSIONS))
    centres = np.round(centres / np.linalg.norm(centres, axis=1, keepdims=True) * QUANTUM).astype(np.int8)
    owner = np.repeat(np.arange(ACCOUNTS), volumes)
    subject = np.concatenate([rng.choice(CELLS, n, p=taste) for n, taste in zip(volumes, tastes, strict=True)])
    hour = np.concatenate([rng.choice(24 * DAYS, n, p=rate) for n, rate in zip(volumes, rates, strict=True)])
    wording: list[list[int]] = [[] for _ in owner]
    for key, accounts, share in plan.wordings:
        for row in np.flatnonzero(np.isin(owner, list(accounts)) & (rng.random(len(owner)) < share)).tolist():
            wording[row].append(key)
    return pa.table(
        {
            "account_id": IDS[owner].tolist(),
            "started_at": START_US + hour * HOUR_US + rng.integers(0, HOUR_US, len(owner)),
            "subject": subject,
            "embedding": [centres[cell].tobytes() for cell in subject.tolist()],
            "language": np.ones(len(owner), np.int8),
            "wording": wording,
            "system_key": pa.nulls(len(owner), pa.int64()),
        },
        schema=SCHEMA,
    )


def _traces(plan: Plan, exchanges: pa.Table) -> pa.Table:
    counts: dict[tuple[str, str, str], int] = {}
    for name, keys in zip(exchanges["account_id"].to_pylist(), exchanges["wording"].to_pylist(), strict=True):
        for key in keys:
            counts[name, "wording", str(key)] = counts.get((name, "wording", str(key)), 0) + 1
    for value, accounts in plan.networks:
        counts |= {(str(IDS[account]), "network", value): 30 for account in accounts}
    rows = [{"account_id": name, "kind": kind, "trace": trace, "count": count} for (name, kind, trace), count in counts.items()]
    return pa.Table.from_pylist(rows, schema=arrow_schema(TRACES))


def _linked(plan: Plan, *, seed: int = 2, turned: bool = False) -> Linked:
    """The link stage over the plan's log; `turned` hands in every table and list the other way round."""
    exchanges = _exchanges(plan)
    traces = _traces(plan, exchanges)
    if turned:
        exchanges, traces = (table.take(pa.array(range(len(table) - 1, -1, -1))) for table in (exchanges, traces))
    rows = trace_rows(traces, IDS)
    counts = np.unique(np.array(exchanges["account_id"].to_pylist()), return_counts=True)[1].astype(np.int64)
    candidates, untested = nominations(rows, counts, SETTINGS)
    if turned:
        candidates = candidates[::-1]
    watched, places = watch(candidates)
    bounds = {"start_us": START_US, "stop_us": START_US + DAYS * 24 * HOUR_US - 1}
    profiles = build_profiles(exchanges.combine_chunks().to_batches(), IDS, watched, cells=CELLS, **bounds)
    sides = Sides(
        follows=sparse.csr_array((ACCOUNTS, ACCOUNTS), dtype=np.float32),
        chance=np.zeros((ACCOUNTS, 2)),
        manner=np.full((ACCOUNTS, 0), np.nan),
    )
    return link_accounts(rows, candidates, places, profiles, sides, SETTINGS, generator(seed, "link"), untested=untested)


def _sets(linked: Linked) -> list[set[int]]:
    return [set(group.members.tolist()) for group in linked.groups]


ONE_CREW = Plan(crews=[Crew(range(14))], wordings=[(101, range(14), 0.9)], networks=[("10.0.0.0/24", range(60, 90))])
POPULAR = Plan(crews=[Crew(range(14))], wordings=[(101, range(14), 0.9), (500, [*range(14), *range(40, 90)], 0.3)])
NESTED = Plan(crews=[Crew(range(20))], wordings=[(101, range(20), 0.9), (102, range(10), 0.9), (103, range(6, 20), 0.5)])
TWO_CREWS = Plan(
    crews=[Crew(range(14)), Crew(range(30, 46), volume=160)],
    wordings=[(101, range(14), 0.9), (201, range(30, 46), 0.8), (300, [*range(14), *range(30, 46)], 0.5)],
)
STRANGERS = Plan(wordings=[(7, range(40, 70), 0.8), (8, range(60, 64), 0.9)], networks=[("10.0.0.0/24", range(100, 130))])


@pytest.fixture(scope="module")
def linked() -> Callable[[Plan], Linked]:
    """Each plan is linked once."""
    known: dict[int, Linked] = {}

    def of(plan: Plan) -> Linked:
        if id(plan) not in known:
            known[id(plan)] = _linked(plan)
        return known[id(plan)]

    return of


def test_a_crew_is_found_and_nobody_else(linked: Callable[[Plan], Linked]) -> None:
    (group,) = linked(ONE_CREW).groups
    assert set(group.members.tolist()) <= set(range(14))
    assert len(group.members) >= 12
    assert group.p_value < 1e-3
    assert group.q_value <= SETTINGS.level


def test_strangers_who_share_a_wording_or_an_address_form_no_group(linked: Callable[[Plan], Linked]) -> None:
    assert linked(STRANGERS).groups == ()
    assert len(linked(STRANGERS).tested) >= 3
    assert not linked(STRANGERS).suspects.any()


def test_a_popular_phrase_of_a_campaign_does_not_take_honest_accounts_with_it(linked: Callable[[Plan], Linked]) -> None:
    found = set().union(*_sets(linked(POPULAR)))
    assert len(found & set(range(14))) >= 12
    assert found <= set(range(14))


def test_nested_and_overlapping_wordings_of_one_crew_are_one_group(linked: Callable[[Plan], Linked]) -> None:
    (members,) = _sets(linked(NESTED))
    assert members <= set(range(20))
    assert len(members) >= 17


def test_two_crews_with_a_wording_in_common_take_nobody_else(linked: Callable[[Plan], Linked]) -> None:
    groups = _sets(linked(TWO_CREWS))
    found = set().union(*groups)
    assert found <= {*range(14), *range(30, 46)}
    assert len(found) >= 25


PLANS = [ONE_CREW, POPULAR, NESTED, TWO_CREWS, STRANGERS]
NAMES = ["one crew", "popular phrase", "nested", "two crews", "strangers"]


@pytest.mark.parametrize("plan", PLANS, ids=NAMES)
def test_no_account_is_in_two_groups(linked: Callable[[Plan], Linked], plan: Plan) -> None:
    groups = _sets(linked(plan))
    assert sum(len(members) for members in groups) == len(set().union(*groups))


@pytest.mark.parametrize("plan", PLANS, ids=NAMES)
@pytest.mark.slow
def test_memberships_are_shares_strongest_first_and_none_below_the_bound(linked: Callable[[Plan], Linked], plan: Plan) -> None:
    for group in linked(plan).groups:
        assert np.all((group.membership >= SETTINGS.least_membership) & (group.membership <= 1))
        assert np.all(np.diff(group.membership) <= 0)
        assert len(group.members) == len(group.membership) >= SETTINGS.smallest_group


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS, ids=NAMES)
def test_every_member_of_a_group_is_a_suspect(linked: Callable[[Plan], Linked], plan: Plan) -> None:
    for group in linked(plan).groups:
        assert linked(plan).suspects[group.members].all()


@pytest.mark.parametrize("plan", PLANS, ids=NAMES)
def test_q_values_are_no_smaller_than_p_values(linked: Callable[[Plan], Linked], plan: Plan) -> None:
    for tested, q_value in linked(plan).tested:
        assert q_value >= (tested.p_value if tested.p_value is not None else 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [POPULAR, TWO_CREWS], ids=["popular phrase", "two crews"])
def test_the_same_seed_gives_the_same_groups(linked: Callable[[Plan], Linked], plan: Plan) -> None:
    first, again = linked(plan), _linked(plan)
    assert [group.entity_id for group in first.groups] == [group.entity_id for group in again.groups]
    for one, other in zip(first.groups, again.groups, strict=True):
        assert np.array_equal(one.membership, other.membership)
        assert (one.p_value, one.q_value) == (other.p_value, other.q_value)


@pytest.mark.parametrize("plan", [POPULAR, TWO_CREWS], ids=["popular phrase", "two crews"])
@pytest.mark.slow
def test_the_order_of_the_input_does_not_change_the_groups(linked: Callable[[Plan], Linked], plan: Plan) -> None:
    first, turned = linked(plan), _linked(plan, turned=True)
    assert sorted(group.entity_id for group in first.groups) == sorted(group.entity_id for group in turned.groups)
    by_id = {group.entity_id: group for group in turned.groups}
    for group in first.groups:
        other = by_id[group.entity_id]
        strengths = dict(zip(other.members.tolist(), other.membership.tolist(), strict=True))
        assert [strengths[member] for member in group.members.tolist()] == pytest.approx(group.membership.tolist())
        assert group.p_value == pytest.approx(other.p_value)


@pytest.mark.slow
def test_a_carrier_with_a_tiny_share_is_pruned() -> None:
    """A customer pasted the campaign's instruction a few times."""
    plan = Plan(crews=[Crew(range(14))], wordings=[(101, range(14), 0.9), (101, [50], 0.06)], seed=3)
    found = set().union(*_sets(_linked(plan)))
    assert len(found) >= 11
    assert 50 not in found


def test_an_account_out_of_line_in_volume_is_pruned() -> None:
    plan = Plan(crews=[Crew(range(14))], wordings=[(101, range(15), 0.9)], volumes={14: 1500}, seed=4)
    found = set().union(*_sets(_linked(plan)))
    assert len(found) >= 11
    assert 14 not in found


def test_a_groups_id_depends_on_its_members_alone() -> None:
    assert group_id(["b", "a", "c"]) == group_id(["a", "b", "c"])
    assert group_id(["a", "b"]) != group_id(["a", "b", "c"])
    assert group_id(["ab", "c"]) != group_id(["a", "bc"])


def test_a_group_of_the_run_has_the_id_of_its_members(linked: Callable[[Plan], Linked]) -> None:
    for group in linked(TWO_CREWS).groups:
        assert group.entity_id == group_id(IDS[group.members].tolist())
