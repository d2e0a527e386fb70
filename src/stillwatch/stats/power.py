"""What a run can find at all, given its size: necessary conditions, not promises."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stillwatch.stats.samples import probability, require, require_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """What a campaign's p-value must reach, and whether ranks can reach it.

    Attributes:
        p_needed: largest p at which the weakest of the campaigns is still found.
        smallest_rank_p: 1 / (reference size + 1), the smallest p that ranks give.
        ranks_suffice: smallest_rank_p <= p_needed; where False, only an extrapolated tail can find a campaign.
        reference_needed: reference entities from which ranks suffice.
    """

    p_needed: float
    smallest_rank_p: float
    ranks_suffice: bool
    reference_needed: int


def smallest_detectable(*, reference_size: int, tested: int, level: float, campaigns: int = 1) -> Detectable:
    """What p a campaign must reach to be found by Benjamini-Hochberg, and whether rank-based p-values can.

    Args:
        reference_size: entities in the reference, >= 1.
        tested: entities tested in the family, >= 1.
        level: false discovery rate of the family (half the run's level, where two families share it).
        campaigns: entities that are truly campaigns and all reach the p that is asked for, 1 <= campaigns <= tested.

    Null hypothesis: none. Assumption: no null entity is found beside them, the hardest case for a campaign.
    Raises TooFewSamplesError for no reference or nothing tested.

    Source: Benjamini, Hochberg 1995, section 3.1: the k-th smallest p must be <= k level / m.
    """
    probability(level, "level")
    require_samples("smallest detectable, reference", needed=1, got=reference_size)
    require_samples("smallest detectable, tested", needed=1, got=tested)
    require(1 <= campaigns <= tested, f"campaigns is {campaigns} of {tested} tested; pass 1 <= campaigns <= tested")
    p_needed = campaigns * level / tested
    smallest = 1.0 / (reference_size + 1.0)
    return Detectable(
        p_needed=p_needed,
        smallest_rank_p=smallest,
        ranks_suffice=smallest <= p_needed,
        reference_needed=max(1, _sets_needed(p_needed) - 1),
    )


def smallest_testable_group(*, owners: int, draws: int, level: float) -> int:
    """Fewest members of a set whose p-value among random sets can reach `level`, if its members are as alike as can be.

    Args:
        owners: owners from which random sets are drawn, the members included; one stratum.
        draws: random sets drawn.
        level: p that must be reached.

    Returns:
        The smallest m >= 2 for which there are at least 1 / level different sets of m owners: with fewer, the set itself
        comes up among the random ones too often. How much traffic each member needs depends on the population.

    Raises TooFewSamplesError where 1 / (draws + 1) > level, or no m gives enough sets.

    Source: Phipson, Smyth 2010, "Permutation p-values should never be zero" (number of distinct permutations).
    """
    probability(level, "level")
    needed = _sets_needed(level)
    require_samples("test of likeness, draws", needed=needed - 1, got=draws)
    for members in range(2, owners // 2 + 1):
        if math.comb(owners, members) >= needed:
            return members
    enough = next(size for size in range(4, needed + 4) if math.comb(size, size // 2) >= needed)
    require_samples("test of likeness, owners", needed=enough, got=owners)
    return 2


def _sets_needed(level: float) -> int:
    """Fewest equally likely outcomes of which one has probability <= level."""
    # 1 / 0.002 is 500, but rounding may put it a hair above.
    return math.ceil(1.0 / level - 1e-9)
