"""One list in several languages: accounts of another language that send as a settled group does.

A list that is dealt out is found by what its accounts ask, and accounts that write another language ask something else. Their community is
a candidate of its own, often too small beside the few others who write it. What such a part has in common with the group is its quota: how
much it sends, and how much a day. Where far more of the part do than of all other accounts, those who do belong.

Null hypothesis: the part's accounts and the others, of any language, are exchangeable in whether they keep to the quota. Which accounts are
the part was settled by their subjects alone, and the quota by the group, so that the count is hypergeometric (Fisher's exact test, 1935,
"The Design of Experiments"). Assumption: how much people send, and on how many days, does not hang on the language they write. The others
of the language itself are mostly in the part, since a language that few write has few subjects.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from stillwatch.link.closeness import off_pace, paces
from stillwatch.link.membership import Block
from stillwatch.link.profiles import Profiles
from stillwatch.link.validate import Tested

LEVEL = 1e-4
"""P-value from which the part belongs: a log has some dozens of pairs of group and part."""

IN_LINE = 2.5
"""Robust deviations of the group within which its quota lies."""

LEAST_PART = 5
"""Accounts of the smallest part."""


def join_languages(block: Block, tested: list[Tested], profiles: Profiles, taken: set[int]) -> set[int]:
    """Let the accounts join that send the block's list in another language, and give them; none are `taken`."""
    joined = _other_languages(block, tested, profiles, taken)
    if joined:
        block.members |= joined
        main = block.tested[0]
        members = np.array(sorted({*main.candidate.members.tolist(), *joined}), np.int64)
        candidate = replace(main.candidate, members=members, counts=profiles.accounts.counts[members])
        block.tested[0] = replace(main, candidate=candidate)
    return joined


def _other_languages(block: Block, tested: list[Tested], profiles: Profiles, taken: set[int]) -> set[int]:
    if block.tested[0].candidate.kind != "subjects":
        return set()
    language = profiles.accounts.languages.argmax(axis=1)
    members = np.array(sorted(block.members), np.int64)
    own = np.unique(language[members])
    everybody = np.arange(len(profiles.ids))
    in_line = (off_pace(paces(profiles.accounts, members), paces(profiles.accounts, everybody)) <= IN_LINE).all(axis=1)
    free = ~np.isin(everybody, sorted(taken))
    found: set[int] = set()
    for test in tested:
        candidate = test.candidate
        if candidate.kind != "subjects":
            continue
        able = free & (profiles.accounts.counts >= candidate.least)
        for value in np.unique(language[candidate.members]):
            part = candidate.members[able[candidate.members] & (language[candidate.members] == value)]
            if value not in own and len(part) >= LEAST_PART and _together(in_line, part, able) <= LEVEL:
                found |= set(part[in_line[part]].tolist())
    return found


def _together(in_line: npt.NDArray[np.bool_], part: npt.NDArray[np.int64], able: npt.NDArray[np.bool_]) -> float:
    """P-value of so many of the part keeping to the quota, among all that could be asked."""
    return float(hypergeom.sf(in_line[part].sum() - 1, able.sum(), in_line[able].sum(), len(part)))
