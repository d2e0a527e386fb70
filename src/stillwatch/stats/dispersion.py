"""Are a set's volumes more alike, and its hours more in step, than those of independent accounts?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.stats.homogeneity import random_sets, set_p_value, set_sums
from stillwatch.stats.samples import (
    FloatArray,
    IntArray,
    finite_array,
    finite_vector,
    index_vector,
    require,
    require_samples,
)


def volume_dispersion(counts: ArrayLike) -> float:
    """How much the accounts' volumes differ beyond chance: standard deviation of the log rate.

    Args:
        counts: [A], A >= 2, exchanges per account, each >= 1.

    Returns:
        In natural-log units, >= 0; 0: no more different than Poisson counts of one rate (a negative excess is cut there).

    Null hypothesis: none is tested here; volume_dispersion_p_value does.
    Assumption: counts are Poisson given the rate, so that var(ln count) exceeds var(ln rate) by about 1 / count.
    Raises TooFewSamplesError for one account, UnusableValuesError for counts below 1.

    Source: delta method, var(ln count) = var(count) / count^2; moment estimate as in DerSimonian, Laird 1986,
    "Meta-analysis in clinical trials", unweighted.
    """
    drawn = finite_vector(counts, "counts")
    require_samples("volume dispersion", needed=2, got=drawn.size)
    require(np.all(drawn >= 1.0), "counts must be at least 1; leave out accounts without exchanges")
    return float(np.sqrt(np.maximum(_log_excess(drawn, np.arange(drawn.size)[None, :])[0], 0.0)))


def volume_dispersion_p_value(
    generator: np.random.Generator, counts: ArrayLike, members: ArrayLike, strata: ArrayLike, draws: int = 499
) -> float:
    """P-value that random sets of accounts have volumes at least as alike as `members`. Small: dealt out evenly.

    Args:
        generator: from stillwatch.stats.seeds.
        counts: [A], exchanges per account, each >= 1.
        members: [m], m >= 2, positions of the set, each once.
        strata: [A], whole numbers; what random sets are matched on. Not volume, or the test can find nothing.
        draws: random sets; p is at least 1 / (draws + 1).

    Null hypothesis: the members are a random set of accounts, given their strata.
    Assumption: the set was formed without looking at volumes. Raises as volume_dispersion and random_sets.

    Source: as volume_dispersion; Phipson, Smyth 2010 (p-value).
    """
    drawn = finite_vector(counts, "counts")
    require(np.all(drawn >= 1.0), "counts must be at least 1; leave out accounts without exchanges")
    chosen = index_vector(members, "members", size=drawn.size)
    require_samples("volume dispersion", needed=2, got=chosen.size)
    null = _log_excess(drawn, random_sets(generator, strata, chosen, draws))
    return set_p_value(float(_log_excess(drawn, chosen[None, :])[0]), null, tail="lower")


def synchrony(matrix: ArrayLike, profile: ArrayLike) -> float:
    """Index of dispersion of the set's total over time buckets, against independent accounts of the same daily profile.

    Args:
        matrix: [A, B], A >= 2, exchanges per account and bucket, >= 0.
        profile: [B], expected share of an account's exchanges in each bucket, >= 0; scaled here to sum 1.

    Returns:
        About 1: accounts depart from the profile independently, however bursty each is. Up to A: in lockstep. Near 0:
        they take turns.

    With r_ab = (c_ab - n_a f_b) / sqrt(f_b), it is sum_b (sum_a r_ab)^2 / sum_ab r_ab^2: the total's dispersion over
    what it would be if the accounts' own dispersions (Poisson or Cox) merely added up.

    Null hypothesis: none is tested here; synchrony_p_value does.
    Assumption: `profile` is the one that independent accounts would follow. Customers who share a real rhythm that the
    profile lacks (a market's opening, an outage) are in step too.
    Raises TooFewSamplesError for one account, UnusableValuesError for exchanges where the profile is 0, or where no
    account departs from the profile at all.

    Source: Schluter 1984, "A variance test for detecting species associations" (variance ratio); Cox, Lewis 1966, "The
    Statistical Analysis of Series of Events" (index of dispersion).
    """
    residuals = _residuals(matrix, profile)
    require_samples("synchrony", needed=2, got=residuals.shape[0])
    return float(_variance_ratio(residuals, np.arange(residuals.shape[0])[None, :])[0])


def synchrony_p_value(
    generator: np.random.Generator,
    matrix: ArrayLike,
    profile: ArrayLike,
    members: ArrayLike,
    strata: ArrayLike,
    draws: int = 499,
) -> float:
    """P-value that random sets of accounts are at least as much in step as `members`. Small: lockstep.

    Args:
        generator: from stillwatch.stats.seeds.
        matrix: [A, B], exchanges per account and bucket of all accounts.
        profile: [B], as synchrony; the total of all accounts over buckets is a natural choice.
        members: [m], m >= 2, positions of the set, each once.
        strata: [A], whole numbers; accounts of like volume (and time zone, if known) share one.
        draws: random sets; p is at least 1 / (draws + 1).

    Null hypothesis: the members are a random set of accounts, given their strata.
    Assumption: the set was formed without looking at its timing. Raises as synchrony and random_sets.

    Source: as synchrony; Phipson, Smyth 2010 (p-value).
    """
    residuals = _residuals(matrix, profile)
    chosen = index_vector(members, "members", size=residuals.shape[0])
    require_samples("synchrony", needed=2, got=chosen.size)
    sets = random_sets(generator, strata, chosen, draws)
    statistic = float(_variance_ratio(residuals, chosen[None, :])[0])
    return set_p_value(statistic, _variance_ratio(residuals, sets), tail="upper")


def _log_excess(counts: FloatArray, sets: IntArray) -> FloatArray:
    """Variance of log counts less the Poisson part, for each set [draws, m] -> [draws]."""
    gathered = counts[sets]
    return np.log(gathered).var(axis=1, ddof=1) - (1.0 / gathered).mean(axis=1)


def _residuals(matrix: ArrayLike, profile: ArrayLike) -> FloatArray:
    """Pearson residuals [A, B'] over the buckets that the profile knows."""
    counts = finite_array(matrix, "matrix", dimensions=2)
    share = finite_vector(profile, "profile")
    require(share.size == counts.shape[1], f"profile has {share.size} buckets, matrix has {counts.shape[1]}")
    require(np.all(counts >= 0.0) and np.all(share >= 0.0), "counts and profile must not be negative")
    known = share > 0.0
    require(bool(known.any()), "profile is 0 in every bucket")
    require(not counts[:, ~known].any(), "there are exchanges in a bucket where the profile is 0; widen the profile")
    fraction = share[known] / share[known].sum()
    return (counts[:, known] - np.outer(counts.sum(axis=1), fraction)) / np.sqrt(fraction)


def _variance_ratio(residuals: FloatArray, sets: IntArray) -> FloatArray:
    """Dispersion of each set's total over the sum of its accounts' dispersions, [draws, m] -> [draws]."""
    own = np.einsum("ij,ij->i", residuals, residuals)
    together = set_sums(np.column_stack([residuals, own]), sets)
    require(np.all(together[:, -1] > 0.0), "no account departs from the profile; there is nothing to compare")
    return np.einsum("ij,ij->i", together[:, :-1], together[:, :-1]) / together[:, -1]
