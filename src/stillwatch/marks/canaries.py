"""Choice canaries: one of K equally good variants is chosen per key and served consistently; a suspect is asked for it later.

A student that adopted the choices repeats them, through paraphrase and whatever tokenizer. Under the null hypothesis that the suspect is
independent of the key, each question that is answered with one variant matches with probability 1/K, each independently of the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from stillwatch.marks.canary_families import CanaryFamilyError, Kind, Slot, normalised
from stillwatch.marks.keys import MarkKey, keyed_choice

PURPOSE = "canaries"
MOST_INSTRUCTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryMatch:
    """What a suspect answered to one question.

    Attributes:
        slot: id.
        variants: K.
        named: the one variant that the answer names; None: none, or several.
        matched: it is the key's choice.
    """

    slot: str
    variants: int
    named: str | None
    matched: bool


def choose(key: MarkKey, slot: Slot) -> str:
    """The key's variant of a slot: uniform over keys, independent of other slots, the same whenever asked.

    Args:
        key: derived for the purpose `canaries`, for one account or for all.
        slot: with other variants, or in another order, the choice is drawn anew.
    """
    return slot.variants[keyed_choice(key, len(slot.variants), slot.id, slot.digest)]


def instruction(key: MarkKey, slots: Sequence[Slot], prompt: str, *, most: int = MOST_INSTRUCTIONS) -> str:
    """What a gateway adds to the system message of a request: the choices that belong to its prompt; empty where none does.

    Args:
        key: derived for the purpose `canaries` and the request's account.
        slots: all that are in use.
        prompt: the user's text; its words decide which slots apply, so that the same prompt always gets the same ones.
        most: instructions at once.
    """
    text = normalised(prompt)
    applying = [slot for slot in slots if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in slot.when)]
    return " ".join(slot.instruction.replace("{variant}", choose(key, slot)) for slot in applying[:most])


def named_variant(slot: Slot, answer: str) -> str | None:
    """The one variant that an answer names, as whole words, in any case; None for no variant and for several different ones.

    Of an order, all items must be there, and their first mentions give the order. Only the first 20,000 characters are read.
    It does not depend on any key, so that it can be published with the plan.
    """
    text = normalised(answer)
    if slot.kind is Kind.ORDER:
        return _named_order(slot, text)
    found = {match.group(1) for match in _pattern(slot.variants, slot.kind).finditer(text)}
    return _by_form(slot.variants)[found.pop()] if len(found) == 1 else None


def match_answers(key: MarkKey, slots: Sequence[Slot], answers: Mapping[str, str]) -> tuple[CanaryMatch, ...]:
    """One match for every slot, in order; an answer that is missing, or names no or several variants, is a miss and stays in.

    Args:
        key: derived for the purpose `canaries`.
        slots: that were asked about, each once.
        answers: the suspect's answer by slot id.

    Raises CanaryFamilyError for a slot that stands there twice (its draw is one draw), or an answer to a slot that is not there.
    """
    known = {slot.id for slot in slots}
    if len(known) < len(slots):
        raise CanaryFamilyError(f"{len(slots)} slots hold {len(known)} different ids; each is one draw of the key, so give each once")
    strangers = sorted(set(answers) - known)
    if strangers:
        message = (
            f"there are answers to {len(strangers)} slots that are not asked about, such as {strangers[0][:80]!r}; give their families"
        )
        raise CanaryFamilyError(message)
    return tuple(_match(key, slot, answers.get(slot.id)) for slot in slots)


def _match(key: MarkKey, slot: Slot, answer: str | None) -> CanaryMatch:
    named = None if answer is None else named_variant(slot, answer)
    return CanaryMatch(slot=slot.id, variants=len(slot.variants), named=named, matched=named is not None and named == choose(key, slot))


def _named_order(slot: Slot, text: str) -> str | None:
    items = slot.variants[0].split(", ")
    places: list[tuple[int, str]] = []
    for item in items:
        found = re.search(rf"(?<!\w){re.escape(normalised(item))}(?!\w)", text)
        if found is None:
            return None
        places.append((found.start(), item))
    return ", ".join(item for _, item in sorted(places))


@lru_cache(maxsize=256)
def _pattern(variants: tuple[str, ...], kind: Kind) -> re.Pattern[str]:
    words = "|".join(re.escape(normalised(word)) for word in variants)
    if kind is Kind.NUMBER:
        return re.compile(rf"(?<![\w.,])({words})(?![\w]|[.,]\d)")
    return re.compile(rf"(?<!\w)({words})(?!\w)")


@lru_cache(maxsize=256)
def _by_form(variants: tuple[str, ...]) -> dict[str, str]:
    return {normalised(word): word for word in variants}
