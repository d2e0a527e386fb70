"""A crowd around a crew: does the less alike half of a candidate still act as one, or was it carried by the other half?

A wording that fourteen accounts of one operation share with thirty customers can look alike as a whole. So the members are ordered by how
close they lie to the middle in the aspects that agreed, and the further half is tested by itself. If it does not hold, it goes, and the
nearer half is asked the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stillwatch.link.closeness import clock_scores, speaking, subject_distances, volume_distances
from stillwatch.link.profiles import Profiles
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import Tested
from stillwatch.stats.ranks import average_ranks

FAR_LEVEL = 0.05
"""P-value up to which the further half still counts as alike; it was selected for being unlike, so that 1 % would be too much to ask."""


def held_members(test: Tested, profiles: Profiles, ask: Callable[[set[int]], Tested | None], settings: LinkSettings) -> set[int]:
    """The candidate's accounts without those that only its nearer half carried; `ask` tests a part of the candidate.

    Accounts that could be compared with nobody go first, unless it is a trace of their own that ties them to the others.
    """
    order = test.candidate.members[np.argsort(farness(test, profiles, settings), kind="stable")]
    if not test.candidate.traces:
        order = order[~np.isin(order, test.alone)]
    while len(order) >= 2 * settings.smallest_group:
        half = len(order) // 2
        far = ask(set(order[half:].tolist()))
        if far is None or far.p_value is None or far.p_value <= FAR_LEVEL:
            break
        order = order[:half]
    return set(order.tolist())


def farness(test: Tested, profiles: Profiles, settings: LinkSettings) -> npt.NDArray[np.float64]:
    """[m] how far each member lies from the others, as the sum of its ranks in the agreeing aspects that one account can show.

    Members whom no exchange speaks for lie furthest.
    """
    members = test.candidate.members
    moments, rows = speaking(test, profiles, members, test.least)
    told = rows >= 0
    distances: dict[str, Callable[[], npt.NDArray[np.float64]]] = {
        "subjects": lambda: subject_distances(moments, rows[told]),
        "volume": lambda: volume_distances(moments, rows[told]),
        "lockstep": lambda: -clock_scores(moments, rows[told], profiles.start_us),
    }
    total = np.where(told, 0.0, np.inf)
    for aspect, p_value in test.p_values.items():
        if p_value <= settings.aspect_level and aspect in distances and told.any():
            total[told] += average_ranks(distances[aspect]())
    return total
