"""Do the accounts of a candidate act as one, or as so many customers? Asked in aspects that the nominating trace does not explain.

Each aspect is a statistic of a set of accounts, larger when its typical member is more like the others (see `likeness`). It is compared
with random sets of the same size, like volume and the same language (language is matched so that it can never count as likeness). Both the
other accounts and the candidate's own are drawn, which makes it a permutation test (Good 2005). The logs of the smallest p-values, as many
as must corroborate, are summed (rank truncated product, Dudbridge and Koeleman 2003): a campaign need not be alike in what it never shares.
The sum is compared with the same sum of the random sets, which carries their dependence.

Null hypothesis: given the shared trace, the accounts are independent customers, as any others of their volume and language.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.link import likeness
from stillwatch.link.answers import FLOOR, Answer, answered, together
from stillwatch.link.compared import Rows, carried, least_compared, ranked, stacked
from stillwatch.link.nominate import SHARED_KINDS, Candidate, TraceRows
from stillwatch.link.profiles import Moments, Profiles, own_rhythm_removed
from stillwatch.link.settings import LinkSettings
from stillwatch.stats import seeds
from stillwatch.stats.exceedance import LEAST_MEMBERS, crowding_p_value
from stillwatch.stats.random_sets import random_sets

POOL = 5_000
"""Accounts from which random sets are drawn, themselves a random sample: enough for any set, and bounded."""

ASPECTS = ("subjects", "manner", "volume", "lockstep", "infrastructure", "parameters", "failover")

MOST_SHARED = 32
"""Shared addresses and the like of one account that are looked at, the most used first: who comes from thousands sits on none."""

SPARE = 2
"""Other accounts per member that a stratum must hold: sets that take nearly all of it hardly differ, and anything stands out from them."""

LIKE_VOLUME = 4.0
"""Accounts of a quarter to four times the exchanges send about as much."""

OCTAVES = (1, 2, 4)
"""Volumes count as like within so many doublings, as few as the log has accounts for."""

LEAST_PART = 10
"""Members of a language that may speak for all of it, where there are as many."""

_NOT_INFRASTRUCTURE = ("prompt", "parameters")
_UNHEARD = {
    "infrastructure": "the log carries no address, payment, sign-up or session that two accounts share",
    "manner": "the log carries neither texts nor tokens nor turns",
    "parameters": "the log carries no request parameters that two accounts share",
    "failover": "no account began within the hour after another was stopped, or the accounts table has no status",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A candidate and what its aspects say.

    Attributes:
        p_values: per aspect that could be tested.
        p_value: of all of them together; None: fewer than the needed aspects could be tested.
        silent: per aspect that could not be tested, why.
        levels: per aspect, the candidate's statistic and the median of the random sets'.
        carriers: the rows of the profiles' carriers that spoke for the candidate; None: whole accounts did.
        alone: accounts that the test says nothing of, because too few others write their language.
        least: exchanges from which its accounts were compared.
    """

    candidate: Candidate
    p_values: dict[str, float]
    p_value: float | None
    silent: dict[str, str]
    levels: dict[str, tuple[float, float]]
    carriers: npt.NDArray[np.int64] | None = None
    alone: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    least: int = LinkSettings().least_compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What the aspects read besides profiles and traces.

    Attributes:
        follows: [A, A] which account began within the hour after which was stopped.
        chance: [A, 2] as `likeness.by_succession` takes it.
        manner: [A, F] how accounts use the model, whatever the subject: lengths, turns, yield; NaN: unknown.
    """

    follows: sparse.csr_array
    chance: npt.NDArray[np.float64]
    manner: npt.NDArray[np.float64]


class Validator:
    """Holds the pool of independent customers; `test` asks about one candidate after the other."""

    def __init__(
        self,
        profiles: Profiles,
        rows: TraceRows,
        sides: Sides,
        settings: LinkSettings,
        generator: np.random.Generator,
    ) -> None:
        self._profiles = profiles
        self._exchanges = profiles.accounts.hours.sum(axis=1, dtype=np.int64)
        self._settings = settings
        self._dependent = np.zeros(0, np.int64)
        self._seed = int(generator.integers(1 << 62))
        self._generator = generator
        self._pools: dict[int, Rows] = {}
        self._worth = rows.worth()
        self._shared = carried(rows, tuple(kind for kind in SHARED_KINDS if kind not in _NOT_INFRASTRUCTURE), most=MOST_SHARED)
        self._parameters = carried(rows, ("parameters",))
        self._prompts: Any = carried(rows, ("prompt",), counted=True)
        self._follows = sides.follows
        self._chance = sides.chance
        self._manner = ranked(sides.manner)

    def test(self, candidate: Candidate, carriers: npt.NDArray[np.int64] | None, dependent: npt.NDArray[np.int64] | None = None) -> Tested:
        """Compare the candidate with random sets of independent customers.

        `carriers` are its rows in `profiles.carriers`, None to use whole accounts; `dependent` are the accounts that are no independent
        customers, such as those of the candidate that it is a part of; None: its members alone.
        """
        least = (
            self._settings.least_compared if carriers is None else least_compared(self._profiles.carriers.counts[carriers], self._settings)
        )
        tested = self._tested(candidate, carriers, candidate.members if dependent is None else dependent, least)
        return replace(tested, carriers=carriers, least=least)

    def _tested(self, candidate: Candidate, carriers: npt.NDArray[np.int64] | None, dependent: npt.NDArray[np.int64], least: int) -> Tested:
        self._dependent = dependent
        self._pool = self._pool_of(least)
        # every candidate has draws of its own, so that its answer does not depend on which others are asked
        digest = hashlib.sha256(candidate.members.tobytes()).hexdigest()
        self._generator = seeds.generator(self._seed, f"{candidate.kind}/{digest}")
        members = self._members(candidate, carriers, least)
        explained = candidate.explained
        if self._shared_task(candidate) >= self._settings.shared_task:
            explained |= {"subjects", "volume", "manner"}
        if carriers is not None and self._subjects_of(carriers) < self._settings.narrow_subjects:
            # a wording that is itself about something makes its carriers alike in what they ask with it
            explained |= {"subjects"}
        silent = dict.fromkeys(sorted(explained), "explained by what the accounts share")
        if len(members.account) < self._settings.smallest_group:
            reason = f"fewer than {self._settings.smallest_group} members have enough exchanges"
            return Tested(candidate=candidate, p_values={}, p_value=None, silent=dict.fromkeys(ASPECTS, reason) | silent, levels={})
        first = self._compare(candidate, members, explained, dict(silent), self._settings.draws, least)
        if first.p_value is None or first.p_value > self._settings.promising:
            return first
        # a promising candidate is asked again, with fresh and more random sets; only the second answer counts
        return self._compare(candidate, members, explained, silent, self._settings.confirming_draws, least)

    def _pool_of(self, least: int) -> Rows:
        """The independent customers with `least` exchanges or more, or a random part of them."""
        if least not in self._pools:
            able = np.flatnonzero(self._profiles.accounts.counts >= least)
            draw = seeds.generator(self._seed, f"pool/{least}")
            pool = np.sort(draw.choice(able, POOL, replace=False)) if len(able) > POOL else able
            self._pools[least] = self._rows(pool.astype(np.int64), self._profiles.accounts, pool)
        return self._pools[least]

    def _compare(
        self, candidate: Candidate, members: Rows, explained: frozenset[str], silent: dict[str, str], draws: int, least: int
    ) -> Tested:
        rows = stacked(self._pool, members)
        chosen = np.arange(len(self._pool.account), len(rows.account))
        eligible = ~np.isin(rows.account, self._dependent) & self._could_be_members(candidate, rows, members, least)
        volume = np.floor(np.log2(rows.counts)).astype(np.int64)
        chosen, alone = self._comparable(rows.language, chosen, eligible)
        like = [rows.language * 64 + volume // octaves for octaves in OCTAVES]
        matched = self._random_sets([*like, rows.language], chosen, eligible, draws)
        answers: dict[str, Answer] = {}
        for aspect in ASPECTS:
            if aspect in explained:
                continue
            if self._unheard(aspect):
                silent[aspect] = _UNHEARD[aspect]
                continue
            answer = None
            if aspect == "volume":
                # what is about volume cannot be matched on it
                answer = self._by_volume(rows, eligible, draws)
            elif matched is not None:
                answer = answered(self._statistic(aspect, rows, np.vstack([chosen[None, :], matched])))
            if answer is None:
                silent[aspect] = "too few other accounts of like volume and language to compare with"
            else:
                answers[aspect] = answer
        return replace(self._combined(candidate, answers, silent), alone=rows.account[alone])

    def _by_volume(self, rows: Rows, eligible: npt.NDArray[np.bool_], draws: int) -> Answer | None:
        """Whether the members send alike, among accounts that send about as much: how few others lie within their middle half.

        Accounts of a quarter to four times the members' median are compared: the few that send most are each other's neighbours in any
        log. The answers of random sets are drawn, as this one depends on no other aspect's.
        """
        logs = np.log(np.maximum(rows.volumes, 1))
        members = np.arange(len(rows.account)) >= len(self._pool.account)
        near = np.abs(logs - np.median(logs[members])) <= np.log(LIKE_VOLUME)
        own, market = near & members, near & eligible
        samples: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = []
        for value in np.unique(rows.language[own]):
            same = rows.language == value
            if (own & same).sum() >= LEAST_MEMBERS and (market & same).any():
                samples.append((logs[own & same], logs[market & same]))
        if not samples:
            return None
        return Answer(
            p_value=max(FLOOR, crowding_p_value(samples)),
            null=np.maximum(FLOOR, self._generator.random(draws)),
            levels=(_alike_in_volume(rows, members), _alike_in_volume(rows, market)),
        )

    def _could_be_members(self, candidate: Candidate, rows: Rows, members: Rows, least: int) -> npt.NDArray[np.bool_]:
        """[R] whether an account sends enough to be a member, if it carried the wording in some member's share of its exchanges.

        Who was asked for a likeness, or carries a wording ten times, sends more than others do; compared with all others, members would
        look alike for that alone.
        """
        shares = self._generator.choice(members.counts / np.maximum(members.volumes, 1), len(rows.account))
        return rows.volumes * np.minimum(shares, 1) >= max(least, candidate.least)

    @property
    def profiles(self) -> Profiles:
        """The accounts that candidates are made of."""
        return self._profiles

    def account_of(self, carriers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The accounts of rows of `profiles.carriers`."""
        return self._profiles.carrier_account[carriers]

    def _subjects_of(self, carriers: npt.NDArray[np.int64]) -> float:
        """Effective number of subjects of the exchanges that carry the wording."""
        counts = self._profiles.carriers.subjects[carriers].sum(axis=0, dtype=np.float64)
        colliding = float((counts * (counts - 1)).sum())
        return float(counts.sum() * (counts.sum() - 1)) / colliding if colliding > 0 else float(counts.sum())

    def _shared_task(self, candidate: Candidate) -> float:
        """The typical member's share of exchanges whose prompt another member sent as well: a test set or an assignment, not a list.

        A median over members: five evaluators among eighty accounts of one list must not make a test set of it.
        """
        counts = self._prompts[candidate.members]
        sharing = np.asarray((counts > 0).sum(axis=0)).ravel() >= 2
        shared = np.asarray(counts[:, sharing].sum(axis=1), np.float64).ravel()
        return float(np.median(shared / np.maximum(self._exchanges[candidate.members], 1)))

    def _unheard(self, aspect: str) -> bool:
        """Whether the log carries nothing that the aspect could be read from."""
        sources = {
            "infrastructure": self._shared.nnz,
            "parameters": self._parameters.nnz,
            "failover": self._follows.nnz,
            "manner": self._manner.size,
        }
        return sources.get(aspect, 1) == 0

    def _members(self, candidate: Candidate, carriers: npt.NDArray[np.int64] | None, least: int) -> Rows:
        moments = self._profiles.accounts if carriers is None else self._profiles.carriers
        places = candidate.members if carriers is None else carriers
        accounts = candidate.members if carriers is None else self._profiles.carrier_account[carriers]
        able = moments.counts[places] >= least
        places, accounts = places[able], accounts[able]
        if len(places) > self._settings.sample:
            picked = np.sort(self._generator.choice(len(places), self._settings.sample, replace=False))
            places, accounts = places[picked], accounts[picked]
        return self._rows(accounts, moments, places)

    def _rows(self, accounts: npt.NDArray[np.int64], moments: Moments, places: npt.NDArray[np.integer]) -> Rows:
        return Rows(
            account=accounts,
            counts=moments.counts[places].astype(np.float64),
            volumes=self._exchanges[accounts].astype(np.float64),
            sums=moments.sums[places].astype(np.float64),
            residual=own_rhythm_removed(moments.hours[places], self._profiles.start_us),
            language=moments.languages[places].argmax(axis=1).astype(np.int64),
            shared=self._shared[accounts],
            parameters=self._parameters[accounts],
            follows=self._follows[accounts],
            chance=self._chance[accounts],
            manner=self._manner[accounts],
        )

    def _comparable(
        self, language: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], eligible: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The members to compare, and those that nobody can be compared with because too few others write their language.

        Where the others of a language are fewer than SPARE per member, a random part of the members speaks for all that write it. Where the
        members of such languages are most of them, all are given back, and no set can be drawn.
        """
        kept: list[npt.NDArray[np.int64]] = []
        alone: list[npt.NDArray[np.int64]] = []
        for value in np.unique(language[chosen]):
            inside = chosen[language[chosen] == value]
            room = int((eligible & (language == value)).sum()) // SPARE
            if room < min(len(inside), LEAST_PART):
                alone.append(inside)
            else:
                kept.append(inside if len(inside) <= room else self._generator.choice(inside, room, replace=False))
        without = np.sort(np.concatenate([*alone, chosen[:0]]))
        if len(chosen) - len(without) < max(self._settings.smallest_group, len(chosen) / 2):
            return chosen, chosen[:0]
        return np.sort(np.concatenate(kept)), without

    def _random_sets(
        self, strata: list[npt.NDArray[np.int64]], chosen: npt.NDArray[np.integer], eligible: npt.NDArray[np.bool_], draws: int
    ) -> npt.NDArray[np.int64] | None:
        """Sets matched as closely as the pool allows; None where even the coarsest match fails.

        The members themselves may be drawn, as a permutation test asks: sets of the others alone scatter less than the candidate would.
        """
        drawn = eligible.copy()
        drawn[chosen] = True
        for stratum in strata:
            values, wanted = np.unique(stratum[chosen], return_counts=True)
            if all((eligible & (stratum == value)).sum() >= SPARE * count for value, count in zip(values, wanted, strict=True)):
                return random_sets(self._generator, stratum, chosen, draws, eligible=drawn)
        return None

    def _statistic(self, aspect: str, rows: Rows, sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """[draws] larger where the typical account of a set is more like the others in `aspect`."""
        match aspect:
            case "subjects":
                return likeness.by_subject(rows.counts, rows.sums, rows.language, sets)
            case "lockstep":
                return likeness.by_clock(rows.residual, sets)
            case "manner":
                return likeness.by_manner(rows.manner, sets)
            case "failover":
                return likeness.by_succession(rows.follows, rows.account, rows.chance, sets)
            case _:
                carried = rows.parameters if aspect == "parameters" else rows.shared
                return likeness.by_traces(carried, self._worth, sets)

    def _combined(self, candidate: Candidate, answers: dict[str, Answer], silent: dict[str, str]) -> Tested:
        p_values = {aspect: answer.p_value for aspect, answer in answers.items()}
        levels = {aspect: answer.levels for aspect, answer in answers.items()}
        p_value = None
        if len(answers) >= self._settings.corroborations:
            p_value = together(list(answers.values()), self._settings.corroborations)
        return Tested(candidate=candidate, p_values=p_values, p_value=p_value, silent=silent, levels=levels)


def _alike_in_volume(rows: Rows, chosen: npt.NDArray[np.bool_]) -> float:
    return float(likeness.by_volume(rows.volumes, np.flatnonzero(chosen)[None, :])[0])
