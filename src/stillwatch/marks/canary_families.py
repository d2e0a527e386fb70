"""Families of equally good choices: what they are, and how they are read from TOML."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Any

from stillwatch.errors import StillwatchError

FEWEST_VARIANTS = 16
MOST_VARIANTS = 4096
LONGEST_TEXT = 400
MOST_CHARACTERS = 20_000
"""Of a prompt or an answer that are looked at."""

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FAMILY_KEYS = frozenset({"id", "about", "kind", "instruction", "question", "topics", "variants", "first", "step", "count"})
_TOPIC_KEYS = frozenset({"id", "subject", "when", "items"})


class CanaryFamilyError(StillwatchError):
    """A file of canary families says something that cannot be used."""


class Kind(StrEnum):
    """How the variants of a family come about, and how an answer is searched for them."""

    WORD = "word"
    NUMBER = "number"
    ORDER = "order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One choice that is drawn by itself, and asked about once.

    Attributes:
        id: `family/topic`.
        kind: of the family.
        variants: K >= 16, equally good; of an order, the items joined by commas.
        instruction: with `{variant}` where the choice belongs.
        question: for a suspect; it names no variant.
        when: words of a prompt that the choice belongs to.
    """

    id: str
    kind: Kind
    variants: tuple[str, ...]
    instruction: str
    question: str
    when: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the variants in their order: with others, the key chooses anew."""
        return hashlib.sha256(json.dumps(self.variants, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Choices of one sort: id, what they are about, and a slot for each topic."""

    id: str
    about: str
    kind: Kind
    slots: tuple[Slot, ...]


def normalised(text: str) -> str:
    """Text as it is compared: its first MOST_CHARACTERS in NFKC, case folded."""
    return unicodedata.normalize("NFKC", text[:MOST_CHARACTERS]).casefold()


def shipped_families() -> tuple[Family, ...]:
    """The families that come with the package."""
    return parse_families(resources.files("stillwatch.marks").joinpath("library/canaries.toml").read_text("utf-8"), "canaries.toml")


def parse_families(text: str, name: str) -> tuple[Family, ...]:
    """The families of a TOML text, in its order.

    Args:
        text: TOML with an array `families`, as the shipped `marks/library/canaries.toml`.
        name: of the file, for messages.

    Raises CanaryFamilyError for what is no TOML, an unknown or missing field, fewer than 16 variants, variants that are the same or stand
    in one another, a template without `{variant}`, or a repeated id.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CanaryFamilyError(f"{name} is no TOML: {error}; mend it there") from None
    entries = document.get("families")
    _need(isinstance(entries, list) and bool(entries), f"{name} has no array `families`; begin each family with [[families]]")
    families = tuple(_family(entry, f"{name}, family {place}") for place, entry in enumerate(entries or [], 1))
    check_together(families)
    return families


def check_together(families: Sequence[Family]) -> None:
    """Nothing when all ids differ; CanaryFamilyError where one is used twice, since both would be one draw of the key."""
    for repeated, times in Counter(family.id for family in families).items():
        _need(times == 1, f"the family {repeated!r} is there {times} times; give each an id of its own")


def all_slots(families: Sequence[Family]) -> tuple[Slot, ...]:
    """Every slot of the families, in order."""
    return tuple(slot for family in families for slot in family.slots)


def _family(entry: Any, where: str) -> Family:
    _need(isinstance(entry, dict), f"{where}, is no table; begin it with [[families]]")
    unknown = set(entry) - _FAMILY_KEYS
    _need(not unknown, f"{where}, has unknown fields {sorted(unknown)}; known are {sorted(_FAMILY_KEYS)}")
    identifier, about = _identifier(entry, where), _text(entry, "about", where)
    kind = _text(entry, "kind", where)
    _need(kind in set(Kind), f"{where}, has the kind {kind!r}; it takes one of {', '.join(Kind)}")
    topics = entry.get("topics")
    _need(isinstance(topics, list) and bool(topics), f"{where}, has no topics; give at least one")
    slots = tuple(_slot(entry, Kind(kind), topic, f"{where}, topic {place}") for place, topic in enumerate(topics or [], 1))
    _need(len({slot.id for slot in slots}) == len(slots), f"{where}, has a topic twice; give each an id of its own")
    return Family(id=identifier, about=about, kind=Kind(kind), slots=slots)


def _slot(entry: Mapping[str, Any], kind: Kind, topic: Any, where: str) -> Slot:
    _need(isinstance(topic, dict), f"{where}, is no table; write it as {{ id = …, subject = …, when = [...] }}")
    unknown = set(topic) - _TOPIC_KEYS
    _need(not unknown, f"{where}, has unknown fields {sorted(unknown)}; known are {sorted(_TOPIC_KEYS)}")
    variants = _variants(entry, kind, topic, where)
    subject = _text(topic, "subject", where)
    instruction = _text(entry, "instruction", where).replace("{subject}", subject)
    _need(instruction.count("{variant}") == 1, f"{where}, has an instruction without one {{variant}}; write it where the choice belongs")
    question = _text(entry, "question", where).replace("{subject}", subject)
    if kind is Kind.ORDER:
        question = question.replace("{items}", ", ".join(sorted(topic["items"])))
    _need(
        "{" not in question,
        f"{where}, has a question with a name in braces that is not known; known are {{subject}} and, for orders, {{items}}",
    )
    when = tuple(normalised(word) for word in _texts(topic, "when", where))
    identifier = f"{_identifier(entry, where)}/{_identifier(topic, where)}"
    return Slot(id=identifier, kind=kind, variants=variants, instruction=instruction, question=question, when=when)


def _variants(entry: Mapping[str, Any], kind: Kind, topic: Mapping[str, Any], where: str) -> tuple[str, ...]:
    if kind is Kind.NUMBER:
        first, step, count = (_whole(entry, name, where) for name in ("first", "step", "count"))
        _need(step > 0 and count <= MOST_VARIANTS, f"{where}, has step {step} and count {count}; at least 1 and at most {MOST_VARIANTS}")
        found = tuple(str(first + step * place) for place in range(count))
    elif kind is Kind.ORDER:
        items = _texts(topic, "items", where)
        _need(4 <= len(items) <= 6, f"{where}, has {len(items)} items; 4 to 6 give 24 to 720 orders")
        _distinct(items, where)
        found = tuple(", ".join(order) for order in itertools.permutations(sorted(items)))
    else:
        found = _texts(entry, "variants", where)
        _distinct(found, where)
    _need(
        len(found) >= FEWEST_VARIANTS, f"{where}, has {len(found)} variants; at least {FEWEST_VARIANTS} are needed for a match to be rare"
    )
    return found


def _distinct(words: Sequence[str], where: str) -> None:
    """No two words are the same, and none is found within another."""
    plain = [normalised(word) for word in words]
    for shorter, longer in itertools.permutations(range(len(plain)), 2):
        if re.search(rf"(?<!\w){re.escape(plain[shorter])}(?!\w)", plain[longer]):
            raise CanaryFamilyError(f"{where}, has {words[shorter]!r} within {words[longer]!r}; an answer could not be told apart")


def _identifier(entry: Mapping[str, Any], where: str) -> str:
    found = _text(entry, "id", where)
    _need(_ID.fullmatch(found) is not None, f"{where}, has the id {found!r}; it takes small letters, digits and single hyphens")
    return found


def _text(entry: Mapping[str, Any], name: str, where: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_TEXT or not found.isprintable():
        raise CanaryFamilyError(f"{where}, has no {name} that is one line of 1 to {LONGEST_TEXT} characters; write one")
    return found


def _texts(entry: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = entry.get(name)
    if not isinstance(found, list) or not 0 < len(found) <= MOST_VARIANTS:
        raise CanaryFamilyError(f"{where}, has no {name}; give a list of 1 to {MOST_VARIANTS} texts")
    return tuple(_text({name: word}, name, where) for word in found)


def _whole(entry: Mapping[str, Any], name: str, where: str) -> int:
    found = entry.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 10**12:
        raise CanaryFamilyError(f"{where}, has no {name} that is a whole number from 0; write one")
    return found


def _need(condition: bool, message: str) -> None:  # noqa: FBT001 - a condition is read as one here
    if not condition:
        raise CanaryFamilyError(message)
