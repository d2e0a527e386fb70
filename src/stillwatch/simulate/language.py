"""Makes text: sentences from a grammar and a lexicon, and from them prompts and answers of a wanted length and shape.

Words of a subject are drawn by rank (Zipf 1949), so that common words are shared and most sentences are new. Honest customers and campaigns
write with the same grammars, lexicons and length laws; only what they ask for differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.grammars import GRAMMARS, Grammar
from stillwatch.simulate.words import CODE_TOPICS, GENERAL, LANGUAGES, REASONED_TOPICS, SYLLABLES, TOPICS, topic_words
from stillwatch.stats.seeds import generator

_PSEUDO_WORDS = 260
_RING, _SHORT_RING = 16_384, 4_096
"""Words of a topic in random order, for English and for languages that are spoken less."""

_MOST_STRIDE = 7
_WORD_LENGTH = 5
"""How many bytes a content word adds to its place, two of them taken."""

_HALF_SENTENCE = 35
_GENERAL_SHARE = 0.18
_ZIPF = 0.85

Template = tuple[str, int, float]
Mood = tuple[Template, ...]
"""Whole sentences with places for words, how many places, and the length in bytes to expect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """One language, ready to speak: its sentences, by mood."""

    grammar: Grammar
    ask: Mood
    follow: Mood
    tell: Mood


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What one exchange or conversation is about: a topic in a language, and the few words that it keeps coming back to."""

    tongue: Tongue
    topic: int
    ring: tuple[str, ...]
    focus: tuple[str, ...]


class Library:
    """The words of a world, by language and topic; each ring is laid out when it is first drawn from."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rings: dict[tuple[str, int], tuple[str, ...]] = {}

    def ring(self, language: str, topic: int) -> tuple[str, ...]:
        """Words of a topic, in the order in which sentences draw them."""
        place = (language, topic)
        if place not in self._rings:
            self._rings[place] = _ring(language, topic, self._seed)
        return self._rings[place]

    def subject(self, chance: Chance, language: str, topic: int) -> Subject:
        """A new subject inside a topic."""
        ring = self.ring(language, topic)
        focus = (chance.pick(ring), chance.pick(ring), chance.pick(ring), chance.pick(ring))
        return Subject(tongue=tongue(language), topic=topic, ring=ring, focus=focus)


@cache
def tongue(language: str) -> Tongue:
    """The tongue of a language of LANGUAGES."""
    grammar = GRAMMARS[language]
    ask = _mood(grammar.ask, grammar, grammar.mark)
    follow = _mood(grammar.follow, grammar, grammar.mark)
    return Tongue(grammar=grammar, ask=ask, follow=follow, tell=_mood(grammar.tell, grammar, grammar.stop))


def _mood(fragments: tuple[str, str, str], grammar: Grammar, end: str) -> Mood:
    """Every beginning with every middle and every end; a gap stands between them unless the later one brings its punctuation."""
    gap, width = grammar.gap, grammar.width
    lists = [[" ".join(piece.split()) for piece in text.split("|")] for text in fragments]
    joined = [lists[0], *([piece if piece[0] in ",、，" else gap + piece for piece in pieces] for pieces in lists[1:])]
    sentences = ["".join(parts) + end for parts in product(*joined)]
    return tuple((text, text.count("%s"), (len(text) + _WORD_LENGTH * text.count("%s")) * width) for text in sentences)


def _ring(language: str, topic: int, seed: int) -> tuple[str, ...]:
    """Words drawn by rank, with general words in between."""
    draws = generator(seed, f"simulate/lexicon/{language}/{TOPICS[topic]}")
    size = _RING if language == "en" else _SHORT_RING
    lexicon, general = _lexicon(language, topic), GENERAL[language].split()
    reach = np.cumsum(1.0 / np.arange(1, len(lexicon) + 1) ** _ZIPF)
    ranks = np.searchsorted(reach, draws.random(size) * reach[-1]).tolist()
    others = draws.integers(0, len(general), size).tolist()
    plain = (draws.random(size) < _GENERAL_SHARE).tolist()
    return tuple(general[other] if common else lexicon[rank] for rank, other, common in zip(ranks, others, plain, strict=True))


@cache
def _lexicon(language: str, topic: int) -> tuple[str, ...]:
    """The words of a topic, most frequent first; behind the known ones stand made-up ones, so that a lexicon has hundreds."""
    draws = generator(0, f"simulate/words/{language}/{TOPICS[topic]}")
    syllables = list(SYLLABLES[language]) if language in ("zh", "ja") else SYLLABLES[language].split()
    made = dict.fromkeys(topic_words(language)[topic])
    wanted = len(made) + _PSEUDO_WORDS
    while len(made) < wanted:
        chosen = draws.integers(0, len(syllables), (_PSEUDO_WORDS, 3)).tolist()
        lengths = draws.integers(2, 4, _PSEUDO_WORDS).tolist()
        made.update(
            dict.fromkeys("".join(syllables[part] for part in parts[:length]) for parts, length in zip(chosen, lengths, strict=True))
        )
    return tuple(made)[:wanted]


def sentence(mood: Mood, subject: Subject, chance: Chance) -> str:
    """One sentence about a subject."""
    text, count, _ = mood[int(chance.uniform() * len(mood))]
    return text % _words(subject, chance, count)


def _words(subject: Subject, chance: Chance, count: int) -> tuple[str, ...]:
    """`count` words in a row from the subject's ring, by a random stride; about one in seven is a word that the subject comes back to."""
    ring = subject.ring
    steps = chance.uniform() * min(_MOST_STRIDE, (len(ring) - 1) // count)
    stride = 1 + int(steps)
    start = int(chance.uniform() * (len(ring) - count * stride))
    words = list(ring[start : start + count * stride : stride])
    place = int((steps % 1.0) * 14)
    while place < count:
        words[place] = subject.focus[place % len(subject.focus)]
        place += 7
    return tuple(words)


def question(subject: Subject, chance: Chance) -> str:
    """A request about a subject."""
    return sentence(subject.tongue.ask, subject, chance)


def paragraph(subject: Subject, chance: Chance, size: float) -> str:
    """Statements about a subject, of about `size` bytes, at least one."""
    mood = subject.tongue.tell
    kinds = len(mood)
    parts: list[str] = []
    count = 0
    left = size
    while left > _HALF_SENTENCE or not parts:
        text, places, length = mood[int(chance.uniform() * kinds)]
        parts.append(text)
        count += places
        left -= length
    # one formatting for the whole paragraph: this is where the time goes
    return subject.tongue.grammar.gap.join(parts) % _words(subject, chance, count)


def request(subject: Subject, chance: Chance, size: float, *, before: str = "", after: str = "") -> str:
    """A prompt of about `size` bytes: a question with as much context as fits, between fixed texts."""
    gap = subject.tongue.grammar.gap
    asked = question(subject, chance)
    left = size - len(before) - len(after) - len(asked) * subject.tongue.grammar.width
    parts = [before, asked, after]
    if left > 40:
        context = paragraph(subject, chance, left)
        parts = [before, context, asked, after] if chance.happens(0.6) else [before, asked, context, after]
    return (gap or "\n").join(part for part in parts if part)


def follow_up(subject: Subject, chance: Chance, size: float) -> str:
    """A later turn of a conversation; it keeps the conversation's words."""
    asked = sentence(subject.tongue.follow, subject, chance)
    left = size - len(asked) * subject.tongue.grammar.width
    return asked if left < 40 else f"{asked}{subject.tongue.grammar.gap}{paragraph(subject, chance, left)}"


# --- answers --------------------------------------------------------------------------------------------------------------------------


def explained(subject: Subject, chance: Chance, size: float) -> str:
    """Prose, sometimes in two paragraphs or with a list."""
    draw = chance.uniform()
    if draw < 0.55 or size < 260:
        return paragraph(subject, chance, size)
    if draw < 0.8:
        return f"{paragraph(subject, chance, size / 2)}\n\n{paragraph(subject, chance, size / 2)}"
    items = "\n".join(f"- {paragraph(subject, chance, 60)}" for _ in range(2 + chance.below(3)))
    return f"{paragraph(subject, chance, size / 3)}\n{items}\n{paragraph(subject, chance, size / 4)}"


def reasoned(subject: Subject, chance: Chance, size: float) -> str:
    """Worked reasoning: numbered steps, some with an equation, and a last line with the result."""
    grammar = subject.tongue.grammar
    lines: list[str] = []
    left = size - 40
    value = 2 + chance.below(60)
    while left > 0 or len(lines) < 2:
        line = f"{len(lines) + 1}. {sentence(subject.tongue.tell, subject, chance)}"
        if chance.happens(0.6):
            other = 2 + chance.below(40)
            line += f" {value} + {other} = {value + other}"
            value += other
        lines.append(line)
        left -= len(line) * grammar.width
    return "\n".join([*lines, f"{grammar.therefore} {value}{grammar.stop}"])


def coded(subject: Subject, chance: Chance, size: float) -> str:
    """A code block named after the subject, with a sentence before and after."""
    names = [word.lower() for word in (*subject.focus, chance.pick(subject.ring))]
    body = "\n".join(
        f"    {chance.pick(names)}_{chance.below(20)} = {chance.pick(names)}({chance.pick(names)})" for _ in range(3 + int(size) // 90)
    )
    block = f"```\ndef {names[0]}_{names[1]}({names[2]}, {names[3]}):\n{body}\n    return {names[2]}\n```"
    return f"{paragraph(subject, chance, size / 4)}\n\n{block}\n\n{paragraph(subject, chance, size / 5)}"


def labelled(subject: Subject, chance: Chance, size: float) -> str:
    """A short label; `size` does not matter."""
    del size
    return f"{chance.pick(subject.focus)}, {chance.pick(('high', 'normal', 'low', 'yes', 'no'))}"


def scored(subject: Subject, chance: Chance, size: float) -> str:
    """A grade and its grounds."""
    return f"{1 + chance.below(10)}/10\n{paragraph(subject, chance, size * 0.6)}"


def recorded(subject: Subject, chance: Chance, size: float) -> str:
    """A record in JSON."""
    first, second = paragraph(subject, chance, size * 0.3), paragraph(subject, chance, size * 0.5)
    return f'{{"question": "{first}", "answer": "{second}", "topic": "{subject.focus[0]}"}}'


Shape = Callable[[Subject, Chance, float], str]
"""How an answer is built: subject, draws, bytes wanted."""


def natural_shape(subject: Subject, chance: Chance) -> Shape:
    """The shape that an answer takes when nobody asks for a particular one."""
    draw = chance.uniform()
    if subject.topic in CODE_TOPICS:
        return coded if draw < 0.6 else explained
    if subject.topic in REASONED_TOPICS:
        return reasoned if draw < 0.4 else explained
    return reasoned if draw < 0.04 else explained


def language_of(chance: Chance, shares: tuple[float, ...]) -> str:
    """A language of LANGUAGES by cumulative shares."""
    return LANGUAGES[chance.weighted(shares)]
