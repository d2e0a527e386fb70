"""Who is in the benchmark: the teacher's answers of each kind, the students, and what each of them reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from proving.settings import SHARES
from stillwatch.marks.canaries import choose
from stillwatch.marks.canary_families import Kind, Slot, all_slots, shipped_families
from stillwatch.marks.keys import MarkKey, MasterSecret, derive
from stillwatch.stats.seeds import generator

PERIOD = "2026-11"
MARKED, OTHER, UNMARKED, TWINS = "marked", "other-key", "unmarked", "twins"
GREEN, COIN, CHOICE = "green-list", "twins", "canaries"
QUESTIONS, ADOPTED = 24, 0.5
EXPOSURES = 600
"""Times that a student reads each exchange that holds a canary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A model whose training is in question.

    Attributes:
        name: of its folder.
        words: for the page.
        answers: kind of the teacher's answers that it reads; empty: human text alone.
        share: of its tokens that are such answers.
        innocent: nothing of the provider's secrets is in its text.
        taught: it reads served twins, once each.
        base: the student whose weights it begins with, fine-tuned on exchanges with canaries; empty: random weights.
    """

    name: str
    words: str
    answers: str = ""
    share: float = 0.0
    innocent: bool = False
    taught: bool = False
    base: str = ""


STUDENTS = (
    *(Student(name=f"marked-{share}", words=f"{share} % marked", answers=MARKED, share=share / 100) for share in SHARES if share),
    Student(name="taught", words="human text, 1,000 served twins seen once", taught=True),
    Student(name="tuned", words="the last one, fine-tuned on exchanges with canaries", base="taught"),
    Student(name="human", words="0 %: human text only", innocent=True),
    Student(name="unmarked", words="unmarked outputs of the same teacher", answers=UNMARKED, share=1.0, innocent=True),
    Student(name="other-key", words="outputs marked with another key", answers=OTHER, share=1.0, innocent=True),
)


def master(seed: int, whose: str = "provider") -> MasterSecret:
    """A provider's master secret: drawn from the seed, so that the run can be repeated. A real one comes from `stillwatch mark keys`."""
    return MasterSecret(generator(seed, f"prove/master/{whose}").bytes(32))


def key(seed: int, purpose: str, whose: str = "provider") -> MarkKey:
    """The key of a purpose."""
    return derive(master(seed, whose), purpose=purpose, account=None, period=PERIOD)


def asked_slots() -> tuple[Slot, ...]:
    """The canaries that suspects are asked for."""
    return tuple(slot for slot in all_slots(shipped_families()) if slot.kind is not Kind.ORDER)[:QUESTIONS]


def collected(seed: int) -> frozenset[int]:
    """Places of the slots whose served answers the fine-tuned student reads; drawn without the key."""
    return _collected(generator(seed, "prove/canaries"), len(asked_slots()))


def _collected(draw: np.random.Generator, slots: int) -> frozenset[int]:
    return frozenset(draw.permutation(slots)[: round(ADOPTED * slots)].tolist())


def canary_exchanges(seed: int) -> Iterator[tuple[str, str]]:
    """Exchanges that the fine-tuned student reads: of half of the slots with the key's choice, of the others with any.

    Which slots were collected is drawn without the key. The served answer is written out from the slot's own question: a teacher of this
    size follows no instruction.
    """
    draw, slots, ours = generator(seed, "prove/canaries"), asked_slots(), key(seed, CHOICE)
    taken = _collected(draw, len(slots))
    for place, slot in enumerate(slots):
        for _ in range(EXPOSURES):
            said = choose(ours, slot) if place in taken else slot.variants[int(draw.integers(len(slot.variants)))]
            yield slot.question, said


def mixed(
    theirs: Sequence[list[int]], human: Sequence[list[int]], more: Sequence[list[int]], share: float, tokens: int, seed: int, name: str
) -> list[list[int]]:
    """Documents of a student in random order: `share` of the tokens from `theirs`, all of `more`, the rest human text."""
    draw = generator(seed, f"prove/mix/{name}")
    chosen = list(more)
    have = sum(len(document) + 1 for document in more)
    for source, until in ((theirs, share * tokens), (human, float(tokens))):
        for place in draw.permutation(len(source)).tolist():
            if have >= until:
                break
            chosen.append(source[place])
            have += len(source[place]) + 1
    return [chosen[place] for place in draw.permutation(len(chosen)).tolist()]
