"""Do the members of a set act as one source, or as independent customers?

Only sums per owner are needed, so a set of hundreds of accounts is judged in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from stillwatch.stats.samples import (
    BoolArray,
    FloatArray,
    IntArray,
    finite_array,
    finite_vector,
    index_vector,
    require,
    require_samples,
)

# Owners gathered at a time: bounds memory at a few hundred megabytes for the largest sets.
GATHER_LIMIT = 4_000_000
# Rejection sampling is fast while a set takes less than a quarter of its stratum.
REJECTION_SHARE = 4
# Variance below this share of the raw second moment is rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSums:
    """Per-owner sufficient statistics of vectors [n, d].

    Attributes:
        counts: [A], vectors per owner.
        sums: [A, d], their sum.
        squares: [A], sum of their squared Euclidean norms.
    """

    counts: FloatArray
    sums: FloatArray
    squares: FloatArray


def owner_sums(vectors: ArrayLike, owners: ArrayLike, *, size: int) -> OwnerSums:
    """Counts, sums and squares per owner 0..size-1; an owner without a vector gets zeros.

    Args:
        vectors: [n, d]. Take a common mean off first when it is large beside the spread: sums of squares lose digits.
        owners: [n], whole numbers in [0, size).
    """
    points = finite_array(vectors, "vectors", dimensions=2)
    index = index_vector(owners, "owners", size=size)
    require(index.size == points.shape[0], f"{index.size} owners for {points.shape[0]} vectors; pass one for each")
    gather = sparse.csr_array((np.ones(index.size), (index, np.arange(index.size))), shape=(size, index.size))
    norms = np.einsum("ij,ij->i", points, points)
    return OwnerSums(
        counts=np.bincount(index, minlength=size).astype(np.float64),
        sums=np.asarray(gather @ points, dtype=np.float64),
        squares=np.bincount(index, weights=norms, minlength=size).astype(np.float64),
    )


def between_share(vectors: ArrayLike, owners: ArrayLike) -> float:
    """Share of the variance of `vectors` that lies between owners (intra-class correlation), unbiased by unequal sizes.

    Args:
        vectors: [n, d], any unit; distances are Euclidean.
        owners: [n], whole numbers >= 0; at least two owners, and more vectors than owners.

    Returns:
        At most 1. About 0: owners are interchangeable (one source). Chance alone takes it slightly below 0.
        0 exactly where no vector differs from another.

    Null hypothesis: none is tested here; homogeneity_p_value does.
    Assumption: one-way random effects, the same spread within each owner.
    Raises TooFewSamplesError for one owner, or no owner with two vectors; UnusableValuesError for bad values.

    Source: Donner 1986, "A review of inference procedures for the intraclass correlation coefficient"
    (ANOVA estimator with n_0); Anderson 2001, "A new method for non-parametric multivariate analysis of variance"
    (sums of squared distances, for d > 1).
    """
    points = finite_array(vectors, "vectors", dimensions=2)
    require_samples("between-owner share", needed=3, got=points.shape[0])
    labels, index = np.unique(np.asarray(owners), return_inverse=True)
    statistics = owner_sums(points - points.mean(axis=0), index, size=labels.size)
    return between_share_from_sums(statistics.counts, statistics.sums, statistics.squares)


def between_share_from_sums(counts: ArrayLike, sums: ArrayLike, squares: ArrayLike, subset: ArrayLike | None = None) -> float:
    """The same as between_share, from per-owner sums.

    Args:
        counts: [A], vectors per owner, > 0 for the owners used.
        sums: [A, d], sum of each owner's vectors.
        squares: [A], sum of the squared norms of each owner's vectors.
        subset: positions of the owners to use, each once; None: all of them.

    Returns, raises, source: as between_share.
    """
    columns = _columns(_checked(counts, sums, squares))
    size = columns.shape[0]
    chosen = np.arange(size) if subset is None else index_vector(subset, "subset", size=size)
    _check_set(columns, chosen)
    return float(_shares(columns, chosen[None, :])[0])


def between_shares(counts: ArrayLike, sums: ArrayLike, squares: ArrayLike, sets: IntArray) -> FloatArray:
    """The between-owner share of many sets at once: sets [draws, m] of positions -> [draws].

    Arguments and source as between_share_from_sums; every owner in `sets` needs a vector.
    """
    return _shares(_columns(_checked(counts, sums, squares)), sets)


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


def homogeneity_p_value(
    generator: np.random.Generator,
    counts: ArrayLike,
    sums: ArrayLike,
    squares: ArrayLike,
    members: ArrayLike,
    strata: ArrayLike,
    draws: int = 499,
    *,
    eligible: ArrayLike | None = None,
) -> float:
    """P-value that owners drawn at random, of like volume, are at least as homogeneous as `members`. Small: act as one.

    Args:
        generator: from stillwatch.stats.seeds.
        counts: [A], vectors per owner; > 0 for members and for owners that may be drawn.
        sums: [A, d], sum of each owner's vectors.
        squares: [A], sum of squared norms of each owner's vectors.
        members: [m], m >= 2, positions of the set, each once.
        strata: [A], whole numbers; owners of like volume share one.
        draws: random sets; p is at least 1 / (draws + 1).
        eligible: as random_sets. Leaving out the members gains power where they fill most of a stratum, and then the
            test is exact only as far as the rest stands for independent customers.

    Returns:
        In [1 / (draws + 1), 1].

    Null hypothesis: the members are a random set of owners, given their volumes.
    Assumption: the set was formed without looking at these vectors. A set that was formed by their likeness is
    homogeneous by construction, and its p means nothing.
    Raises TooFewSamplesError for fewer than two members, or a stratum too small to match.

    Source: Anderson 2001 (statistic, see between_share); Phipson, Smyth 2010 (p-value).
    """
    columns = _columns(_checked(counts, sums, squares))
    chosen = index_vector(members, "members", size=columns.shape[0])
    _check_set(columns, chosen)
    sets = random_sets(generator, strata, chosen, draws, eligible=eligible)
    require(np.all(columns[sets.ravel(), -2] > 0.0), "owners without vectors may be drawn; mark them not eligible")
    return set_p_value(float(_shares(columns, chosen[None, :])[0]), _shares(columns, sets), tail="lower")


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


def _checked(counts: ArrayLike, sums: ArrayLike, squares: ArrayLike) -> OwnerSums:
    """The three arrays as one value, shapes and signs agreeing."""
    count = finite_vector(counts, "counts")
    total = finite_array(sums, "sums", dimensions=2)
    square = finite_vector(squares, "squares")
    agree = count.size == square.size == total.shape[0]
    require(agree, f"counts, sums and squares have {count.size}, {total.shape[0]} and {square.size} owners")
    require(np.all(count >= 0.0) and np.all(square >= 0.0), "counts and squares must not be negative")
    return OwnerSums(counts=count, sums=total, squares=square)


def _columns(owners: OwnerSums) -> FloatArray:
    """What a set's share needs, additive over owners: sums [d], between term, squares, count, squared count."""
    safe = np.where(owners.counts > 0.0, owners.counts, 1.0)
    between = np.einsum("ij,ij->i", owners.sums, owners.sums) / safe
    return np.column_stack([owners.sums, between, owners.squares, owners.counts, owners.counts**2])


def _check_set(columns: FloatArray, chosen: IntArray) -> None:
    """A set has two owners or more, each once, each with a vector, and one with two."""
    require_samples("between-owner share, owners", needed=2, got=chosen.size)
    require(np.unique(chosen).size == chosen.size, "an owner is in the set twice; pass each once")
    counts = columns[chosen, -2]
    require(np.all(counts > 0.0), "an owner of the set has no vectors; leave it out")
    require_samples("between-owner share, vectors", needed=chosen.size + 1, got=int(counts.sum()))


def _shares(columns: FloatArray, sets: IntArray) -> FloatArray:
    """Between-owner share of each set [draws, m] -> [draws]."""
    totals = set_sums(columns, sets)
    grand = np.einsum("ij,ij->i", totals[:, :-4], totals[:, :-4])
    between, squares, count, squared_count = totals[:, -4], totals[:, -3], totals[:, -2], totals[:, -1]
    owners = float(sets.shape[1])
    mean_between = (between - grand / count) / (owners - 1.0)
    # A random set in which every owner has a single vector has no spread within; it counts as all between.
    mean_within = np.maximum(squares - between, 0.0) / np.maximum(count - owners, 1.0)
    typical_count = (count - squared_count / count) / (owners - 1.0)
    between_variance = (mean_between - mean_within) / typical_count
    total_variance = between_variance + mean_within
    real = total_variance > ROUNDING * squares / count
    return np.where(real, between_variance / np.where(real, total_variance, 1.0), 0.0)


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
