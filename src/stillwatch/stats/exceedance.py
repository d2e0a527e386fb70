"""Do the others stay out of the middle of a set? An exact test by places alone, for sets that lie closer together than chance puts them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, gammaln

from stillwatch.stats.samples import FloatArray, finite_vector, require_samples

LEAST_MEMBERS = 3
"""Members of a sample between whose places others can stay out."""

_Sample = tuple[npt.ArrayLike, npt.ArrayLike]


def crowding_p_value(samples: Sequence[_Sample]) -> float:
    """P-value of how few others lie within the middle half of the members.

    Args:
        samples: pairs of members [m_i] and others [n_i], any unit; those with fewer than LEAST_MEMBERS members, or no others, say nothing.

    Returns:
        In (0, 1]; small where members lie close together at a place where others hardly are.

    Null hypothesis: within each sample, members and others are exchangeable. Then the number of others between the members' order
    statistics r and s is beta-binomial with n trials, s - r and m + 1 - (s - r); over independent samples it is the sum of such counts.
    Assumption: independent samples. Ties count as between, which makes the p-value larger.
    Raises TooFewSamplesError where no sample says anything, UnusableValuesError for values that are not finite.

    Source: Wilks 1942, "Statistical prediction with special reference to the problem of tolerance limits", section 4;
    Epstein 1954, "Tables for the distribution of the number of exceedances".
    """
    counted = 0
    law = np.ones(1)
    for members, others in samples:
        inside, market = np.sort(finite_vector(members, "members")), finite_vector(others, "others")
        if inside.size < LEAST_MEMBERS or market.size == 0:
            continue
        first = max(1, (inside.size + 1) // 4)
        last = inside.size + 1 - first
        counted += int(((market >= inside[first - 1]) & (market <= inside[last - 1])).sum())
        law = np.convolve(law, _beta_binomial(market.size, last - first, inside.size + 1 - (last - first)))
    require_samples("crowding test", needed=2, got=law.size)
    return float(min(1.0, law[: counted + 1].sum()))


def _beta_binomial(trials: int, within: int, without: int) -> FloatArray:
    """[trials + 1] chances of each count."""
    count = np.arange(trials + 1)
    choices = gammaln(trials + 1) - gammaln(count + 1) - gammaln(trials - count + 1)
    return np.exp(choices + betaln(count + within, trials - count + without) - betaln(within, without))
