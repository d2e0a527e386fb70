"""Random sets of owners: what a set is compared with, and how unusual it is among them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from stillwatch.stats.samples import BoolArray, FloatArray, IntArray, finite_vector, index_vector, require, require_samples

# Owners gathered at a time: bounds memory at a few hundred megabytes for the largest sets.
GATHER_LIMIT = 4_000_000
# Rejection sampling is fast while a set takes less than a quarter of its stratum.
REJECTION_SHARE = 4


def set_p_value(statistic: float, null_statistics: ArrayLike, *, tail: Literal["lower", "upper"]) -> float:
    """Permutation p-value (b + 1) / (m + 1), b of m null statistics being at least as extreme as the set's.

    Args:
        statistic: of the set that is tested.
        null_statistics: [m], m >= 1, the same statistic of random sets.
        tail: "lower" where small is extreme, "upper" where large is.

    Returns:
        In [1 / (m + 1), 1]; never 0, ties count as extreme.

    Null hypothesis: the set and the random sets are exchangeable. Assumption: nothing else.
    Raises TooFewSamplesError for no null statistics, UnusableValuesError for values that are not finite.

    Source: Phipson, Smyth 2010, "Permutation p-values should never be zero": (b + 1) / (m + 1).
    """
    null = finite_vector(null_statistics, "null_statistics")
    require_samples("permutation p-value", needed=1, got=null.size)
    require(np.isfinite(statistic), "the set's statistic is not finite; check its input")
    extreme = null <= statistic if tail == "lower" else null >= statistic
    return (1.0 + float(np.count_nonzero(extreme))) / (null.size + 1.0)


def random_sets(
    generator: np.random.Generator,
    strata: ArrayLike,
    members: ArrayLike,
    draws: int,
    *,
    eligible: ArrayLike | None = None,
) -> IntArray:
    """Random sets of owners, each with as many owners from every stratum as `members` has.

    Args:
        generator: from stillwatch.stats.seeds.
        strata: [A], whole numbers; owners of like volume share one.
        members: [m], positions of the set to match, each once.
        draws: number of sets.
        eligible: [A] of bool, owners that may be drawn; None: all, members included, which makes the test exact.

    Returns:
        [draws, m] positions; within a set no owner twice, and all sets of the right strata are equally likely.

    Raises TooFewSamplesError where a stratum has fewer eligible owners than members.

    Source: stratified permutation, Good 2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses" (blocks).
    """
    stratum = np.asarray(strata)
    chosen = index_vector(members, "members", size=stratum.size)
    allowed = np.ones(stratum.size, dtype=np.bool_) if eligible is None else np.asarray(eligible, dtype=np.bool_)
    require(allowed.shape == stratum.shape, f"eligible has shape {allowed.shape}, strata has {stratum.shape}")
    require(draws >= 1, f"draws is {draws}, it must be at least 1")
    require_samples("random sets", needed=1, got=chosen.size)
    parts: list[IntArray] = []
    for value, wanted in zip(*np.unique(stratum[chosen], return_counts=True), strict=True):
        pool = np.flatnonzero(allowed & (stratum == value))
        require_samples(f"random sets in stratum {value}", needed=int(wanted), got=pool.size)
        parts.append(pool[_distinct(generator, pool.size, int(wanted), draws)])
    return np.concatenate(parts, axis=1)


def set_sums(rows: FloatArray, sets: IntArray) -> FloatArray:
    """Sum of `rows` [A, c] over each of `sets` [draws, m] -> [draws, c], in bounded memory."""
    draws, members = sets.shape
    step = max(1, GATHER_LIMIT // max(1, members))
    parts: list[FloatArray] = []
    for start in range(0, draws, step):
        part = sets[start : start + step]
        pointers = np.arange(0, part.size + 1, members)
        chooser = sparse.csr_array((np.ones(part.size), part.ravel(), pointers), shape=(len(part), rows.shape[0]))
        parts.append(np.asarray(chooser @ rows, dtype=np.float64))
    return np.concatenate(parts)


def _distinct(generator: np.random.Generator, pool: int, wanted: int, draws: int) -> IntArray:
    """[draws, wanted] positions in [0, pool), none twice in a row, all such sets equally likely."""
    if pool < REJECTION_SHARE * wanted:
        keys = generator.random((draws, pool))
        return np.argsort(keys, axis=1)[:, :wanted].astype(np.int64)
    rows = np.sort(generator.integers(pool, size=(draws, wanted)), axis=1)
    # Redrawing only the repeats treats every owner alike, so that the final sets stay uniform.
    repeats = _repeats(rows)
    while repeats.any():
        rows[repeats] = generator.integers(pool, size=int(repeats.sum()))
        rows.sort(axis=1)
        repeats = _repeats(rows)
    return rows


def _repeats(rows: IntArray) -> BoolArray:
    """True where a sorted row repeats its left neighbour."""
    same = np.zeros(rows.shape, dtype=np.bool_)
    same[:, 1:] = rows[:, 1:] == rows[:, :-1]
    return same
