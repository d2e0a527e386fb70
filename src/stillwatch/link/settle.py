"""Which validated candidates stand, when candidates overlap: the most certain first, the others only by what is left of them.

A popular phrase may be carried by a campaign and by two hundred customers. Its candidate looks alike because of the campaign alone. So the
campaign, which its own wording shows with more certainty, is settled first; the phrase's other carriers are then tested without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stillwatch.link.halving import held_members
from stillwatch.link.membership import Block
from stillwatch.link.nominate import CONTENT_KINDS, Candidate
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import Tested, Validator

OVERLAP = 0.5
"""Share of the smaller, of a candidate and a settled block, from which the candidate is another sign of the same block."""

NESTED, COMPARABLE = 0.8, 0.3
"""A likeness that takes in this share of a block, which is at least this share of it, is a wider view of the same block."""

KIND_ASPECTS = frozenset({"volume", "manner"})
"""Likenesses that customers of one kind have anyway."""

ONE_LIST = 2e-4
"""P-value from which a likeness of subjects tells one list from one kind: customers of one product reach about one in a thousand."""

LIST_AND_QUOTA = 1e-6
"""What the p-values of subjects and of volume must come to where neither tells by itself: less than one in a thousand each."""

LEFT = 0.8
"""Share of a likeness that must be left for it to stand by itself: what surrounds a settled group was nominated for being near it."""

QUOTA = float(np.log(1.25))
"""Half the width, natural log, within which half of the volumes of one quota lie: customers of one kind scatter more, if less than others.

Of many members a small difference is certain as well; what is dealt out is dealt in equal shares.
"""

RANKED = 1e-4
"""P-value beyond which candidates are taken in the order of their sizes."""

REMNANT = 0.2
"""Share of a wording's carriers that may join a block without a test of their own; the weak among them are pruned by their membership."""


def settle(
    judged: list[tuple[Tested, float]],
    validator: Validator,
    carriers: list[npt.NDArray[np.int64] | None],
    pruned: Callable[[Block], set[int]],
    settings: LinkSettings,
) -> tuple[list[Block], set[int]]:
    """Blocks of accounts, no account in two; and all accounts that ever stood in one, those too weak to be named as well.

    Args:
        judged: candidates with their q-values.
        validator: tests what is left of a candidate.
        carriers: per candidate, its rows in the profiles' carriers; None where it is judged by whole accounts.
        pruned: gives a block's members without the weak ones.
        settings: levels and bounds.
    """
    valid = [(*pair, rows) for pair, rows in zip(judged, carriers, strict=True) if corroborated(*pair, settings)]
    settling = _Settling(validator, pruned, settings, settings.level / max(1, len(valid)))
    for test, q_value, rows in sorted(valid, key=lambda entry: _precedence(entry[0])):
        settling.take(test, q_value, rows)
    return [block for block in settling.blocks if block.members], settling.suspects


class _Settling:
    """The blocks that stand so far; `take` settles one candidate after the other. `strict` is the level for what is left of one."""

    def __init__(self, validator: Validator, pruned: Callable[[Block], set[int]], settings: LinkSettings, strict: float) -> None:
        self.blocks: list[Block] = []
        self.suspects: set[int] = set()
        self._validator, self._pruned, self._settings, self._strict = validator, pruned, settings, strict

    def take(self, test: Tested, q_value: float, rows: npt.NDArray[np.int64] | None) -> None:
        """Settle one candidate: it stands whole, joins the block that it is another sign of, stands by what is left of it, or falls."""
        members = set(test.candidate.members.tolist())
        settled = self._settled()
        rest = members - settled
        # a likeness is asked again where any group is settled: its members were held against customers who are none
        if rest == members and (test.candidate.traces or not settled):
            self._stand(test, test, q_value, rows)
            return
        again = self._again(test.candidate, rest, rows)
        stands = again is not None and (again.p_value or 1.0) <= self._strict and corroborated(again, q_value, self._settings)
        homes = [block for block in self.blocks if _kin(test.candidate, members, block)]
        if homes:
            home = self._joined(homes)
            home.tested.append(test)
            small = test.candidate.kind in CONTENT_KINDS and len(rest) <= REMNANT * len(members)
            if stands or small:
                home.members |= rest
                self.suspects |= rest
            home.members = self._pruned(home)
        elif stands and again is not None and (test.candidate.traces or len(rest) > LEFT * len(members)):
            self._stand(again, test, q_value, rows)

    def _stand(self, held: Tested, whole: Tested, q_value: float, rows: npt.NDArray[np.int64] | None) -> None:
        """Make a block of the members that hold by themselves; `whole` is the candidate that `held` is a part of."""

        def ask(part: set[int]) -> Tested | None:
            return self._again(whole.candidate, part, rows)

        members = held_members(held, self._validator.profiles, ask, self._settings)
        self.suspects |= members
        block = Block(members=members, tested=[held], q_value=q_value)
        block.members = self._pruned(block)
        if block.members:
            self.blocks.append(block)

    def _again(self, candidate: Candidate, rest: set[int], carriers: npt.NDArray[np.int64] | None) -> Tested | None:
        """What is left of the candidate tested by itself; None where that is too few. Of a likeness, settled groups are no customers."""
        if len(rest) < self._settings.smallest_group:
            return None
        dependent = set(candidate.members.tolist()) | (set() if candidate.traces else self._settled())
        rows = _rows_within(self._validator, carriers, rest)
        return self._validator.test(_part(candidate, rest), rows, np.array(sorted(dependent), np.int64))

    def _settled(self) -> set[int]:
        return set[int]().union(*(block.members for block in self.blocks))

    def _joined(self, homes: list[Block]) -> Block:
        """One block of several that a candidate is kin to; the first takes the others in."""
        first, *others = homes
        for other in others:
            first.members |= other.members
            first.tested.extend(other.tested)
            self.blocks.remove(other)
        return first


def _kin(candidate: Candidate, members: set[int], home: Block) -> bool:
    """Whether the candidate is another sign of the block: a wording that overlaps the smaller by half, or a likeness of about its size."""
    shared = len(home.members & members)
    if candidate.kind in CONTENT_KINDS:
        return shared >= OVERLAP * min(len(members), len(home.members))
    return shared >= OVERLAP * len(members) or (shared >= NESTED * len(home.members) and len(home.members) >= COMPARABLE * len(members))


def corroborated(test: Tested, q_value: float, settings: LinkSettings) -> bool:
    """Significant together, in several aspects one by one, and in one at least that a mere kind of customer does not show.

    Nightly build jobs are alike in volume and manner without being anybody's pool; what one operation adds is one list, one clock, one
    infrastructure, one set of parameters, or replacements that stand ready.
    """
    said = _said(test)
    agreeing = sum(p_value <= settings.aspect_level for p_value in said.values())
    levels = dict.fromkeys(KIND_ASPECTS, 0.0) | {"subjects": ONE_LIST}
    telling = any(p_value <= levels.get(aspect, settings.level) for aspect, p_value in said.items())
    return q_value <= settings.level and (dealt_out(test, settings) or (agreeing >= settings.corroborations and telling))


def dealt_out(test: Tested, settings: LinkSettings) -> bool:
    """Whether the accounts seem to send one list that is dealt out in equal shares.

    One kind of customer may be alike in subjects or in volume; such a list is alike in both. Of accounts that were nominated because they
    range alike over many subjects, the shares are left to ask for, and one likeness besides.
    """
    said = _said(test)
    volume = said.get("volume", 1.0)
    if test.candidate.kind == "subjects":
        return volume <= ONE_LIST and any(p <= settings.level for aspect, p in said.items() if aspect != "volume")
    subjects = said.get("subjects", 1.0)
    return subjects <= settings.level and volume <= settings.aspect_level and subjects * volume < LIST_AND_QUOTA


def _said(test: Tested) -> dict[str, float]:
    """P-values of the aspects that say something: volume does where the members have about one quota."""
    quota = -test.levels.get("volume", (-np.inf,))[0] <= QUOTA
    return {aspect: p_value for aspect, p_value in test.p_values.items() if aspect != "volume" or quota}


def _precedence(test: Tested) -> tuple[int, float, int, bytes]:
    """Shared wording before shared infrastructure before mere likeness; then the more certain; then the larger; then by who they are.

    A fitted tail does not say which of two candidates beyond RANKED is the more certain.
    """
    candidate = test.candidate
    order = 0 if candidate.kind in CONTENT_KINDS else (1 if candidate.traces else 2)
    return (order, max(RANKED, test.p_value) if test.p_value is not None else 2.0, -len(candidate.members), candidate.members.tobytes())


def _part(candidate: Candidate, kept: set[int]) -> Candidate:
    inside = np.isin(candidate.members, sorted(kept))
    return replace(candidate, members=candidate.members[inside], counts=candidate.counts[inside])


def _rows_within(validator: Validator, carriers: npt.NDArray[np.int64] | None, kept: set[int]) -> npt.NDArray[np.int64] | None:
    if carriers is None:
        return None
    return carriers[np.isin(validator.account_of(carriers), sorted(kept))]
