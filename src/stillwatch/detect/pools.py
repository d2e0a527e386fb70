"""The baseline of a group: what a pool of as many ordinary customers would look like.

A group was shown to act as one. The ordinary explanation of that is a relay or a reseller, whose traffic is a mixture of ordinary
customers'. So a group is compared with random pools of accounts, its own and those that no group claims, as many as it has members and of
like volume, and each signal of a pool is formed as the group's own is: the same sample size, the same averaging.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detect.entities import Entities
from stillwatch.detect.shift import subject_shift
from stillwatch.detect.signal import Signal
from stillwatch.link.nominate import TraceRows
from stillwatch.stats.random_sets import random_sets, set_sums

LARGEST_POOL = 1_000
"""Accounts per random pool; a larger group is compared with pools of this size, matched to a random part of its accounts."""

STRATA = (2, 4)
"""Octaves of volume that a stratum spans, the narrowest that holds enough ordinary accounts; where none does, any volume will do."""

LEAST_ORDINARY = 9
"""Ordinary accounts without which nothing can be said of any group."""

_PER_TOKEN = {"output_yield": "input_tokens", "reasoning_token_share": "output_tokens"}
"""Ratios of sums of tokens: pooled, each account's ratio counts by its denominator and not by its exchanges."""

_FROM_SUBJECTS = frozenset({"subject_effective", "subject_shift", "broad_template"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBaseline:
    """What random pools are drawn from.

    Attributes:
        entities: the accounts and their features.
        wording: [A, T] exchanges of each account that carry each shared wording.
        ordinary: [A] whether an account may stand for an ordinary customer.
    """

    entities: Entities
    wording: sparse.csr_array
    ordinary: npt.NDArray[np.bool_]


def pool_baseline(entities: Entities, rows: TraceRows, ordinary: npt.NDArray[np.bool_]) -> PoolBaseline:
    """Gather what pools are formed from."""
    kept = (rows.kinds == "wording")[rows.trace]
    counts = rows.count[kept].astype(np.float64)
    wording = sparse.csr_array((counts, (rows.account[kept], rows.trace[kept])), shape=(rows.accounts, len(rows.values)))
    return PoolBaseline(entities=entities, wording=wording, ordinary=ordinary)


def pool_values(
    baseline: PoolBaseline, members: npt.NDArray[np.int64], signals: Sequence[Signal], draws: int, generator: np.random.Generator
) -> npt.NDArray[np.float64] | None:
    """[draws, K] signal values of random pools matched to `members`; None where the log has too few ordinary accounts for it."""
    sets = _sets(baseline, members, draws, generator)
    if sets is None:
        return None
    accounts = baseline.entities.accounts
    features = {name: values[:accounts] for name, values in baseline.entities.features.items()}
    exchanges = features["exchanges"]
    subjects = _pooled_subjects(baseline, sets)
    wording = _top_wording(baseline, sets, exchanges, features)
    columns = [_pooled(signal, sets, features, subjects, wording, baseline, size=len(members)) for signal in signals]
    floors = np.array([signal.floor for signal in signals])
    values = np.column_stack(columns)
    return np.where(values < floors, 0.0, values)


def _sets(
    baseline: PoolBaseline, members: npt.NDArray[np.int64], draws: int, generator: np.random.Generator
) -> npt.NDArray[np.int64] | None:
    """Random sets of ordinary accounts and members, of the members' volumes; of any volume where ordinary ones are too few.

    The members may be drawn as well, as a permutation test asks: pools of the other accounts alone scatter less than the group would, and
    a relay of honest customers would stand out of them (Good 2005, as `random_sets`).
    """
    volumes = baseline.entities.features["exchanges"][: baseline.entities.accounts]
    octaves = np.floor(np.log2(np.maximum(volumes, 1))).astype(np.int64)
    if baseline.ordinary.sum() < LEAST_ORDINARY:
        return None
    # all members where possible: in a sample, the one heavy account that the group's traffic mostly is may be missing
    chosen = members if len(members) <= LARGEST_POOL else generator.choice(members, LARGEST_POOL, replace=False)
    drawn = baseline.ordinary.copy()
    drawn[members] = True
    strata = (octaves // width for width in STRATA)
    stratum = next((each for each in strata if _holds_enough(each, chosen, baseline.ordinary)), np.zeros_like(octaves))
    return random_sets(generator, stratum, np.sort(chosen), draws, eligible=drawn)


def _holds_enough(stratum: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], ordinary: npt.NDArray[np.bool_]) -> bool:
    """Whether every stratum has as many ordinary accounts as members."""
    values, wanted = np.unique(stratum[chosen], return_counts=True)
    return all(int((ordinary & (stratum == value)).sum()) >= count for value, count in zip(values, wanted, strict=True))


def _pooled_subjects(baseline: PoolBaseline, sets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return set_sums(baseline.entities.profiles.accounts.subjects.astype(np.float64), sets)


def _top_wording(
    baseline: PoolBaseline, sets: npt.NDArray[np.int64], exchanges: npt.NDArray[np.float64], features: dict[str, npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """[draws] the largest share of a pool that one wording has: one that several accounts share, or one account's own."""
    totals = exchanges[sets].sum(axis=1)
    own = np.nan_to_num(features["fixed_wording_share"]) * exchanges
    matrix: Any = baseline.wording
    shared = np.array([matrix[chosen].sum(axis=0).max(initial=0.0) if matrix.nnz else 0.0 for chosen in sets])
    return np.maximum(own[sets].max(axis=1), shared) / np.maximum(totals, 1)


def _pooled(
    signal: Signal,
    sets: npt.NDArray[np.int64],
    features: dict[str, npt.NDArray[np.float64]],
    subjects: npt.NDArray[np.float64],
    wording: npt.NDArray[np.float64],
    baseline: PoolBaseline,
    *,
    size: int,
) -> npt.NDArray[np.float64]:
    """[draws] one signal of the pools, formed as the value of a group of `size` accounts is."""
    if signal.source in _FROM_SUBJECTS:
        return _from_subjects(signal.source, subjects, wording, baseline)
    if signal.source == "fixed_wording_share":
        return wording
    values = features.get(signal.source) if signal.of_groups else None
    if values is None:
        return np.full(len(sets), np.nan)
    chosen = values[sets]
    known = ~np.isnan(chosen)
    exchanges = features["exchanges"]
    if signal.source == "prompt_repeat_probability":
        # two exchanges of one account repeat at its own rate; of two accounts hardly ever, which is left out and errs on the safe side
        counts, totals = exchanges[sets], exchanges[sets].sum(axis=1)
        repeats = (np.where(known, chosen, 0.0) * counts * (counts - 1)).sum(axis=1) / np.maximum(totals * (totals - 1), 1)
        # two exchanges of a crowd are of one account the less often the larger the crowd is
        return repeats * (sets.shape[1] / size)
    weigh_by = features.get(_PER_TOKEN.get(signal.source, "exchanges"), exchanges)
    weights = np.where(known, np.nan_to_num(weigh_by[sets]), 0.0)
    total = weights.sum(axis=1)
    return np.where(total > 0, (np.where(known, chosen, 0.0) * weights).sum(axis=1) / np.maximum(total, 1e-12), np.nan)


def _from_subjects(
    source: str, subjects: npt.NDArray[np.float64], wording: npt.NDArray[np.float64], baseline: PoolBaseline
) -> npt.NDArray[np.float64]:
    if source == "subject_shift":
        return subject_shift(subjects.astype(np.int64), baseline.entities.profiles.accounts.subjects.sum(axis=0))
    sizes = subjects.sum(axis=1)
    colliding = (subjects * (subjects - 1)).sum(axis=1)
    effective = np.where(colliding > 0, sizes * (sizes - 1) / np.maximum(colliding, 1), np.nan)
    return effective * wording if source == "broad_template" else effective
