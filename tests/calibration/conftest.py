"""Independent customers as arrays, as the product sees them: what every null hypothesis of linking says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from stillwatch.link.failover import chances, followers
from stillwatch.link.nominate import Candidate, TraceRows
from stillwatch.link.profiles import HOUR_US, Moments, Profiles
from stillwatch.link.validate import Sides
from stillwatch.sketch.codebook import DIMENSIONS

CELLS, DAYS = 32, 14
HOURS = 24 * DAYS
START_US = 1_788_739_200_000_000 // HOUR_US * HOUR_US
SPOKEN = np.array([0.62, 0.2, 0.1, 0.05, 0.03])
"""Shares of the languages: the last two are small strata."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Customers:
    """A log of customers who have nothing to do with each other."""

    profiles: Profiles
    rows: TraceRows
    sides: Sides
    languages: Integers

    @property
    def volumes(self) -> Integers:
        """[A] exchanges."""
        return self.profiles.accounts.counts

    def carrying(self, draw: np.random.Generator, members: Integers) -> Customers:
        """The log in which `members` also send one wording, each in a share of exchanges of its own, whatever they are about."""
        accounts = self.profiles.accounts
        carried = np.maximum(1, draw.binomial(accounts.counts[members], draw.beta(2, 2, len(members))))
        languages = np.zeros((len(members), 16), np.int32)
        languages[np.arange(len(members)), self.languages[members]] = carried
        subjects = _thinned(draw, accounts.subjects[members], carried)
        carriers = Moments(
            counts=carried,
            sums=subjects @ _centres(),
            hours=_thinned(draw, accounts.hours[members], carried).astype(np.uint32),
            subjects=subjects.astype(np.int32),
            languages=languages,
        )
        profiles = replace(
            self.profiles, carriers=carriers, carrier_trace=np.zeros(len(members), np.int64), carrier_account=members.astype(np.int64)
        )
        return replace(self, profiles=profiles)


def _thinned(draw: np.random.Generator, counts: npt.NDArray[np.integer], kept: Integers) -> Integers:
    """[R, K] of each row's exchanges `kept` at random."""
    rows = [draw.multivariate_hypergeometric(row.astype(np.int64), int(n)) for row, n in zip(counts, kept, strict=True)]
    return np.array(rows, np.int64).reshape(counts.shape)


def _centres() -> Floats:
    centres = np.random.Generator(np.random.PCG64(11)).normal(size=(CELLS, DIMENSIONS))
    return centres / np.linalg.norm(centres, axis=1, keepdims=True)


def _rates(draw: np.random.Generator, accounts: int) -> Floats:
    """[A, HOURS] when each is active: a day of its own, a weekend or none, bursts, and a beginning and an end for some."""
    hour = np.arange(HOURS)
    peak, width = draw.uniform(0, 24, (accounts, 1)), draw.uniform(1.5, 9, (accounts, 1))
    distance = np.abs((hour - peak + 12) % 24 - 12)
    rates = np.exp(-0.5 * (distance / width) ** 2) + draw.uniform(0, 0.2, (accounts, 1))
    rates *= np.where((hour // 24) % 7 >= 5, draw.choice([0.05, 0.6, 1.0], (accounts, 1)), 1.0)
    rates *= draw.gamma(draw.choice([0.3, 1.0, 4.0], (accounts, 1)), 1.0, (accounts, HOURS)) + 1e-6
    first = np.where(draw.random(accounts) < 0.3, draw.integers(0, HOURS - 48, accounts), 0)
    last = np.where(draw.random(accounts) < 0.15, draw.integers(first + 24, HOURS), HOURS)
    rates[(hour < first[:, None]) | (hour >= last[:, None])] = 0.0
    return rates / rates.sum(axis=1, keepdims=True)


def _tastes(draw: np.random.Generator, languages: Integers) -> Floats:
    """[A, CELLS] what each asks about: broad or narrow, and in part what those of its language ask about."""
    breadth = draw.choice([0.05, 0.2, 0.6], len(languages))
    own = np.array([draw.dirichlet(np.full(CELLS, width)) for width in breadth])
    common = draw.dirichlet(np.full(CELLS, 0.3), len(SPOKEN))[languages]
    mixed = draw.beta(1, 2, (len(languages), 1))
    return (1 - mixed) * own + mixed * common


def _traces(draw: np.random.Generator, accounts: int) -> TraceRows:
    """Addresses, clients and parameters by popularity; every tenth account shares its card and address with one or two others."""
    kinds: list[str] = []
    pairs: list[Integers] = []
    for kind, values, each in (("network", accounts // 2, 2), ("tls", 30, 1), ("user_agent", 15, 1), ("parameters", 40, 1)):
        popularity = 1 / np.arange(1, values + 1)
        drawn = draw.choice(values, (accounts, each), p=popularity / popularity.sum())
        pairs.append(np.unique(np.column_stack([np.repeat(np.arange(accounts), each), len(kinds) + drawn.ravel()]), axis=0))
        kinds += [kind] * values
    for kind in ("payment", "network"):
        house = np.where(draw.random(accounts) < 0.1, np.arange(accounts) // 30, accounts // 30 + np.arange(accounts))
        _, value = np.unique(house, return_inverse=True)
        pairs.append(np.column_stack([np.arange(accounts), len(kinds) + value]))
        kinds += [kind] * (int(value.max()) + 1)
    table = np.concatenate(pairs).astype(np.int64)
    values = np.array([str(place) for place in range(len(kinds))], np.str_)
    count = np.full(len(table), 5, np.int64)
    return TraceRows(account=table[:, 0], trace=table[:, 1], count=count, kinds=np.array(kinds, np.str_), values=values, accounts=accounts)


def _sides(draw: np.random.Generator, hours: npt.NDArray[np.uint32], volumes: Integers) -> Sides:
    """When accounts began and were stopped, and how each uses the model: lengths that go with volume, turns of its own."""
    accounts = len(hours)
    active = hours > 0
    first = START_US + (active.argmax(axis=1) * HOUR_US) + draw.integers(0, HOUR_US, accounts)
    stops = START_US + draw.integers(24, HOURS, accounts) * HOUR_US
    stopped = np.where(draw.random(accounts) < 0.06, stops, -1)
    manner = draw.normal(size=(accounts, 5)) + np.log(volumes)[:, None] * np.array([0.4, -0.3, 0, 0, 0.2]) + draw.normal(size=(accounts, 1))
    manner[draw.random(manner.shape) < 0.05] = np.nan
    return Sides(follows=followers(stopped, first), chance=chances(stopped, first), manner=manner)


def independent_customers(draw: np.random.Generator, accounts: int) -> Customers:
    """Customers of five languages, of volumes from a dozen exchanges to thousands, each with subjects, hours and manner of its own."""
    languages = draw.choice(len(SPOKEN), accounts, p=SPOKEN)
    volumes = 12 + np.minimum(8_000, np.exp(draw.normal(3.6, 1.0, accounts)) * draw.pareto(2.5, accounts).clip(0.3)).astype(np.int64)
    tastes, rates = _tastes(draw, languages), _rates(draw, accounts)
    subjects = draw.multinomial(volumes, tastes)
    hours = draw.multinomial(volumes, rates).astype(np.uint32)
    control = np.zeros((accounts, 16), np.int32)
    control[np.arange(accounts), languages] = volumes
    moments = Moments(counts=volumes, sums=subjects @ _centres(), hours=hours, subjects=subjects.astype(np.int32), languages=control)
    nothing = np.zeros(0, np.int64)
    ids = np.array([f"a{number:05d}" for number in range(accounts)], np.str_)
    profiles = Profiles(
        ids=ids,
        accounts=moments,
        carriers=Moments.empty(0, HOURS, CELLS),
        carrier_trace=nothing,
        carrier_account=nothing,
        start_us=START_US,
    )
    return Customers(profiles=profiles, rows=_traces(draw, accounts), sides=_sides(draw, hours, volumes), languages=languages)


def _candidate(members: npt.NDArray[np.integer], kind: str, explained: frozenset[str]) -> Candidate:
    positions = np.sort(np.asarray(members, np.int64))
    return Candidate(kind=kind, traces=("7",), members=positions, counts=np.full(len(positions), 15), explained=explained, worth=2.0)


@pytest.fixture(scope="session")
def customers() -> Callable[[np.random.Generator, int], Customers]:
    """Makes a log of so many independent customers."""
    return independent_customers


@pytest.fixture(scope="session")
def candidate() -> Callable[[npt.NDArray[np.integer], str, frozenset[str]], Candidate]:
    """Makes a candidate of members, a kind and what the nomination explains."""
    return _candidate
