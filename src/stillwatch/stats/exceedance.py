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
    """P-value of how few others lie among the members: within their middle half, or wherever half of them stand closest.

    Args:
        samples: pairs of members [m_i] and others [n_i], any unit; those with fewer than LEAST_MEMBERS members, or no others, say nothing.

    Returns:
        In (0, 1]; small where members, or half of those of a sample, lie close together at a place where others hardly are.

    Null hypothesis: within each sample, members and others are exchangeable. Then the number of others between the members' order
    statistics r and s is beta-binomial with n trials, s - r and m + 1 - (s - r); over independent samples it is the sum of such counts.
    Twice the smaller of two p-values counts: that of the sum over the middle halves, and that of the emptiest window which holds half of a
    sample's members, times the number of windows (Bonferroni).
    Assumption: independent samples. Ties count as between, which makes the p-value larger.
    Raises TooFewSamplesError where no sample says anything, UnusableValuesError for values that are not finite.

    Source: Wilks 1942, "Statistical prediction with special reference to the problem of tolerance limits", section 4;
    Epstein 1954, "Tables for the distribution of the number of exceedances".
    """
    told = [(np.sort(finite_vector(members, "members")), np.sort(finite_vector(others, "others"))) for members, others in samples]
    told = [(inside, market) for inside, market in told if inside.size >= LEAST_MEMBERS and market.size > 0]
    require_samples("crowding test", needed=1, got=len(told))
    closest = min(_closest_half(inside, market) for inside, market in told)
    return float(min(1.0, 2 * min(_middle_halves(told), closest * len(told))))


def _middle_halves(told: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """P-value of how few others lie within the middle halves of all samples together."""
    counted = 0
    law = np.ones(1)
    for inside, market in told:
        first = max(1, (inside.size + 1) // 4)
        last = inside.size + 1 - first
        counted += int(_between(market, inside[first - 1], inside[last - 1]))
        law = np.convolve(law, _beta_binomial(market.size, last - first, inside.size + 1 - (last - first)))
    return float(min(1.0, law[: counted + 1].sum()))


def _closest_half(inside: FloatArray, market: FloatArray) -> float:
    """P-value of how few others lie within the emptiest window that holds half of one sample's members."""
    held = (inside.size + 1) // 2 + 1
    windows = inside.size + 1 - held
    counts = _between(market, inside[:windows], inside[held - 1 :])
    law = _beta_binomial(market.size, held - 1, inside.size + 1 - (held - 1))
    return float(min(1.0, windows * law[: int(counts.min()) + 1].sum()))


def _between(market: FloatArray, low: FloatArray, high: FloatArray) -> npt.NDArray[np.int64]:
    """How many of the sorted `market` lie between each `low` and `high`, both included."""
    return np.searchsorted(market, high, side="right") - np.searchsorted(market, low, side="left")


def _beta_binomial(trials: int, within: int, without: int) -> FloatArray:
    """[trials + 1] chances of each count."""
    count = np.arange(trials + 1)
    choices = gammaln(trials + 1) - gammaln(count + 1) - gammaln(trials - count + 1)
    return np.exp(choices + betaln(count + within, trials - count + without) - betaln(within, without))
