"""Many tests at once: what share of the findings, or how many of them, to expect false."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.stats.samples import FloatArray, finite_vector, probability_vector, require, require_samples


def benjamini_hochberg(p_values: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Q-values: the smallest false discovery rate at which each hypothesis would be among the findings.

    Args:
        p_values: [m], m >= 1, in [0, 1].
        weights: [m], positive; scaled here to mean 1. They must be chosen without looking at the p-values.

    Returns:
        [m], in [0, 1]; without weights never below the p-value; order of the (weighted) p-values is kept.

    Null hypothesis: each p-value's own. Findings {q <= level} have FDR <= level.
    Assumption: the p-values of true nulls are independent or positively dependent (PRDS), as conformal ones with a
    shared reference are.
    Raises TooFewSamplesError for no p-values, UnusableValuesError outside [0, 1] or for weights that are not positive.

    Source: Benjamini, Hochberg 1995, "Controlling the false discovery rate", section 3.1;
    Benjamini, Yekutieli 2001, theorem 1.2 (dependence); Genovese, Roeder, Wasserman 2006,
    "False discovery control with p-value weighting" (weights).
    """
    p = probability_vector(p_values, "p_values")
    require_samples("Benjamini-Hochberg", needed=1, got=p.size)
    if weights is not None:
        weight = finite_vector(weights, "weights")
        require(weight.shape == p.shape, f"{weight.size} weights for {p.size} p-values; pass one for each")
        require(np.all(weight > 0.0), "weights must be positive; leave a hypothesis out instead of weighing it zero")
        p = p * (weight.mean() / weight)
    order = np.argsort(p, kind="stable")
    # The factor first: m / m is exactly 1, so that rounding never takes q below p.
    steps = p[order] * (p.size / np.arange(1.0, p.size + 1.0))
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return q


def split_families(q_by_family: Mapping[str, ArrayLike]) -> dict[str, FloatArray]:
    """Q-values that may be thresholded over all families at once: each family's, times the number of families.

    Args:
        q_by_family: name -> q-values [m_f] from benjamini_hochberg run on that family alone; m_f may be 0.

    Returns:
        name -> [m_f], capped at 1. Findings {q <= level}, over all families together, have FDR <= level.

    Proof: with F families, q <= level here means that family f was run at level / F. Let V_f of its R_f findings be
    false. The union's false share is sum(V_f) / max(1, sum(R_f)) <= sum(V_f / max(1, R_f)), since sum(R_f) >= R_f.
    Taking expectations, the union's FDR is at most the sum of the families' FDRs, F * level / F = level.
    Assumption: that of benjamini_hochberg within each family; none between families, so that a group and the accounts
    in it may depend on each other in any way. The split is fixed before the data are seen.
    Raises TooFewSamplesError for no families, UnusableValuesError outside [0, 1].

    Source: Benjamini, Hochberg 1995, section 3.1, and the union bound above.
    """
    require_samples("family split", needed=1, got=len(q_by_family))
    families = float(len(q_by_family))
    return {name: np.minimum(1.0, families * probability_vector(values, f"q-values of {name!r}")) for name, values in q_by_family.items()}


def expected_false(q_values: ArrayLike, k: int) -> float:
    """How many of the k strongest findings to expect false, at most: k times the k-th smallest q-value.

    Args:
        q_values: [m], in [0, 1].
        k: number of findings, 0 <= k <= m.

    Returns:
        A count in [0, k].

    Assumption: that of the q-values. It is the false discovery rate of the set times its size: an expectation over
    runs, not a count for this one.
    Raises UnusableValuesError for k outside [0, m].

    Source: Benjamini, Hochberg 1995, section 2.1 (FDR as an expected share);
    Storey 2002, "A direct approach to false discovery rates" (fixed region).
    """
    q = probability_vector(q_values, "q_values")
    require(0 <= k <= q.size, f"k is {k}, there are {q.size} q-values; pass 0 <= k <= {q.size}")
    return float(k * np.partition(q, k - 1)[k - 1]) if k else 0.0
