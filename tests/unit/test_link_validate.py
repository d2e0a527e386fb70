"""Validation: accounts of one source are told from independent customers, and independent customers stay independent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse
from scipy.stats import binom

from stillwatch.link import validate
from stillwatch.link.nominate import Candidate, TraceRows
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import ASPECTS, Sides, Validator
from stillwatch.sketch.codebook import DIMENSIONS
from stillwatch.stats.seeds import generator

ACCOUNTS, CELLS, DAYS, CREW = 400, 24, 10, 20
START_US = 1_788_739_200_000_000
SETTINGS = LinkSettings()


@dataclass(frozen=True)
class Population:
    """Customers as arrays; the first CREW of them may be one source."""

    profiles: Profiles
    manner: npt.NDArray[np.float64]
    languages: npt.NDArray[np.int64]


def _population(seed: int, *, crew: bool, languages: int = 1) -> Population:
    """Each account with subjects, volume, hours and manner of its own; customers of one language ask about like things."""
    rng = generator(seed, "population")
    speaks = rng.integers(0, languages, ACCOUNTS)
    tastes = rng.dirichlet(np.full(CELLS, 0.4), ACCOUNTS)
    if languages > 1:
        tastes = 0.3 * tastes + 0.7 * rng.dirichlet(np.full(CELLS, 0.3), languages)[speaks]
    volumes = np.exp(rng.normal(4.3, 0.7, ACCOUNTS)).astype(np.int64) + 25
    rates = rng.gamma(0.5, 1.0, (ACCOUNTS, 24 * DAYS))
    manner = rng.random((ACCOUNTS, 4))
    if crew:
        tastes[:CREW], volumes[:CREW], manner[:CREW] = tastes[0], 80 + rng.integers(0, 6, CREW), 0.4 + 0.02 * rng.random((CREW, 4))
        rates[:CREW] = 0.5 * rates[:CREW] + 0.5 * rates[0]
    subjects = np.array([rng.multinomial(n, p) for n, p in zip(volumes, tastes, strict=True)])
    hours = np.array([rng.multinomial(n, rate / rate.sum()) for n, rate in zip(volumes, rates, strict=True)])
    centres = rng.normal(size=(CELLS, DIMENSIONS))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    control = np.zeros((ACCOUNTS, 16), np.int32)
    control[np.arange(ACCOUNTS), speaks] = volumes
    moments = Moments(
        counts=volumes, sums=subjects @ centres, hours=hours.astype(np.uint32), subjects=subjects.astype(np.int32), languages=control
    )
    empty = Moments.empty(0, 24 * DAYS, CELLS)
    nothing = np.zeros(0, np.int64)
    ids = np.array([f"a{number:04d}" for number in range(ACCOUNTS)], np.str_)
    profiles = Profiles(ids=ids, accounts=moments, carriers=empty, carrier_trace=nothing, carrier_account=nothing, start_us=START_US)
    return Population(profiles, manner, speaks)


def _rows(
    account: list[int] | npt.NDArray[np.int64] = (), trace: list[int] = (), count: list[int] = (), kinds: tuple[str, ...] = ()
) -> TraceRows:  # type: ignore[assignment]
    return TraceRows(
        account=np.array(account, np.int64),
        trace=np.array(trace, np.int64),
        count=np.array(count, np.int64),
        kinds=np.array(kinds, np.str_),
        values=np.array([str(number) for number in range(len(kinds))], np.str_),
        accounts=ACCOUNTS,
    )


def _validator(population: Population, rows: TraceRows | None = None, settings: LinkSettings = SETTINGS) -> Validator:
    follows = sparse.csr_array((ACCOUNTS, ACCOUNTS), dtype=np.float32)
    sides = Sides(follows=follows, chance=np.zeros((ACCOUNTS, 2)), manner=population.manner)
    return Validator(population.profiles, _rows() if rows is None else rows, sides, settings, generator(5, "link"))


def _candidate(
    members: npt.NDArray[np.integer] | range, kind: str = "network", explained: frozenset[str] = frozenset({"infrastructure"})
) -> Candidate:
    positions = np.sort(np.asarray(members, np.int64))
    return Candidate(kind=kind, traces=("x",), members=positions, counts=np.full(len(positions), 30), explained=explained, worth=2.0)


@pytest.fixture(scope="module")
def crowd() -> Population:
    return _population(1, crew=True)


def _agreeing(tested: validate.Tested) -> set[str]:
    return {aspect for aspect, p_value in tested.p_values.items() if p_value <= SETTINGS.aspect_level}


def test_accounts_of_one_source_are_validated_in_every_aspect_they_share(crowd: Population) -> None:
    tested = _validator(crowd).test(_candidate(range(CREW)), None)
    assert tested.p_value is not None
    assert tested.p_value < 1e-4
    assert _agreeing(tested) == {"subjects", "manner", "volume", "lockstep"}
    for aspect in tested.p_values:
        value, ordinary = tested.levels[aspect]
        assert value > ordinary


def test_every_aspect_either_speaks_or_says_why_not(crowd: Population) -> None:
    tested = _validator(crowd).test(_candidate(range(CREW)), None)
    assert set(tested.p_values) | set(tested.silent) == set(ASPECTS)
    assert not set(tested.p_values) & set(tested.silent)
    assert tested.silent["infrastructure"] == "explained by what the accounts share"
    assert "no request parameters" in tested.silent["parameters"]
    assert "no account began" in tested.silent["failover"]


def test_the_other_carriers_of_the_crews_phrase_are_independent_without_it(crowd: Population) -> None:
    tested = _validator(crowd).test(_candidate(range(100, 160)), None)
    assert tested.p_value is not None
    assert tested.p_value > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, 8, 30])
def test_independent_customers_are_validated_no_more_often_than_the_level_says(size: int) -> None:
    """200 random sets: the share with p <= a stays below the 99.9 % point of the binomial, for each a."""
    population = _population(2, crew=False)
    validator = _validator(population)
    rng = generator(3, f"random sets of {size}")
    found = [validator.test(_candidate(rng.choice(ACCOUNTS, size, replace=False)), None).p_value for _ in range(200)]
    p_values = np.array([p_value for p_value in found if p_value is not None])
    assert len(p_values) == 200
    for level in (0.01, 0.05, 0.2):
        assert (p_values <= level).sum() <= binom.ppf(0.999, 200, level), level


@pytest.mark.slow
def test_a_common_language_is_no_likeness() -> None:
    """Sets of accounts of one language among five whose customers ask about different things."""
    population = _population(4, crew=False, languages=5)
    validator = _validator(population)
    rng = generator(5, "languages")
    p_values: list[float] = []
    for _ in range(100):
        speakers = np.flatnonzero(population.languages == rng.integers(0, 5))
        tested = validator.test(_candidate(rng.choice(speakers, 10, replace=False)), None)
        assert tested.p_value is not None
        p_values.append(tested.p_value)
    assert sum(p_value <= 0.05 for p_value in p_values) <= binom.ppf(0.999, 100, 0.05)
    assert sum(p_value <= 0.01 for p_value in p_values) <= binom.ppf(0.999, 100, 0.01)


@pytest.mark.parametrize(("common", "explains"), [(60, True), (4, False)])
def test_public_items_in_common_explain_subjects_volume_and_manner(crowd: Population, common: int, explains: bool) -> None:
    """A test set or an assignment that several members work through is a reason to be alike."""
    members = np.arange(CREW)
    rows = _rows(np.tile(members, 2), [0] * CREW + [1] * CREW, [common // 2] * (2 * CREW), ("prompt", "prompt"))
    tested = _validator(crowd, rows).test(_candidate(members), None)
    for aspect in ("subjects", "volume", "manner"):
        assert (aspect in tested.silent) == explains, aspect
        assert (aspect in tested.p_values) != explains, aspect


def test_an_aspect_that_the_nomination_explains_is_not_asked(crowd: Population) -> None:
    tested = _validator(crowd).test(_candidate(range(CREW), "wording", frozenset({"manner", "subjects"})), None)
    assert set(tested.p_values) == {"volume", "lockstep"}


def test_shared_addresses_are_likeness_unless_they_nominated(crowd: Population) -> None:
    members = np.arange(CREW)
    rows = _rows(np.concatenate([members, [200, 201]]), [0] * CREW + [1, 1], [9] * (CREW + 2), ("network", "payment"))
    validator = _validator(crowd, rows)
    asked = validator.test(_candidate(members, "wording", frozenset({"parameters", "manner"})), None)
    assert asked.p_values["infrastructure"] < 0.01
    assert "infrastructure" in validator.test(_candidate(members), None).silent


def test_too_few_members_with_enough_exchanges_are_not_tested(crowd: Population) -> None:
    accounts = crowd.profiles.accounts
    thin = np.where(np.arange(ACCOUNTS) < 5, 3, accounts.counts)
    profiles = replace(crowd.profiles, accounts=replace(accounts, counts=thin))
    tested = _validator(Population(profiles, crowd.manner, crowd.languages)).test(_candidate(range(6)), None)
    assert tested.p_value is None
    assert set(tested.silent) == set(ASPECTS)
    assert "fewer than 3 members" in tested.silent["lockstep"]


def test_the_answer_does_not_depend_on_which_others_are_asked(crowd: Population) -> None:
    first, second = _validator(crowd), _validator(crowd)
    candidate = _candidate(range(30, 45))
    for other in (range(50, 60), range(CREW), range(300, 340)):
        second.test(_candidate(other), None)
    assert first.test(candidate, None).p_values == second.test(candidate, None).p_values


def _with_languages(population: Population, languages: dict[int, int]) -> Population:
    accounts = population.profiles.accounts
    control = accounts.languages.copy()
    for account, language in languages.items():
        control[account] = 0
        control[account, language] = int(accounts.counts[account])
    return replace(population, profiles=replace(population.profiles, accounts=replace(accounts, languages=control)))


def test_a_member_whose_language_nobody_else_writes_does_not_silence_the_rest(crowd: Population) -> None:
    tested = _validator(_with_languages(crowd, {0: 9, 1: 9, 2: 10})).test(_candidate(range(CREW)), None)
    assert tested.p_value is not None
    assert tested.p_value < 1e-4
    assert "subjects" in tested.p_values


def test_members_who_mostly_write_what_hardly_anyone_else_writes_are_not_compared(crowd: Population) -> None:
    """Sets drawn from a dozen other accounts would hardly differ, and anything would stand out from them."""
    languages = dict.fromkeys([*range(CREW), *range(100, 112)], 9)
    tested = _validator(_with_languages(crowd, languages)).test(_candidate(range(CREW)), None)
    assert tested.p_value is None
    assert "too few other accounts" in tested.silent["subjects"]


def test_a_large_candidate_is_judged_by_a_sample(crowd: Population) -> None:
    tested = _validator(crowd, settings=LinkSettings(sample=10)).test(_candidate(range(CREW)), None)
    assert tested.p_value is not None
    assert tested.p_value < 0.01


def test_a_log_with_too_few_others_keeps_silent(crowd: Population) -> None:
    tested = _validator(crowd).test(_candidate(range(ACCOUNTS - 5)), None)
    assert tested.p_value is None
    assert all("too few other accounts" in tested.silent[aspect] for aspect in ("subjects", "lockstep"))


def test_settled_groups_stand_for_no_independent_customer(crowd: Population) -> None:
    validator = _validator(crowd)
    crew = _candidate(np.arange(CREW))
    before = validator.test(crew, None)
    assert before.p_value is not None
    # with all but a few of the others settled, there is nobody left to compare with
    settled = np.arange(CREW + 5, ACCOUNTS)
    assert validator.test(crew, None, np.concatenate([crew.members, settled])).p_value is None
    assert validator.test(crew, None).p_values == before.p_values
