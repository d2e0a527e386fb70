"""How alike two texts are, as one number: what a suspect that only answers in text is scored with."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

_WORD = re.compile(r"\w+")
_MOST_WORDS = 5_000


def overlap(one: str, other: str) -> float:
    """Cosine of the counts of words and of word pairs of two texts, in [0, 1]; 0 where either has no word.

    Only the first 5,000 words of each count. Any fixed measure leaves the twin test exact; this one needs no model.

    Source: Salton, McGill 1983, "Introduction to Modern Information Retrieval" (cosine of term counts).
    """
    first, second = _counts(one), _counts(other)
    inner = sum(times * second[term] for term, times in first.items())
    size = math.sqrt(sum(times**2 for times in first.values()) * sum(times**2 for times in second.values()))
    return inner / size if size else 0.0


def _counts(text: str) -> Counter[tuple[str, ...]]:
    words = [found.group().casefold() for found, _ in zip(_WORD.finditer(text), range(_MOST_WORDS), strict=False)]
    return Counter([(word,) for word in words] + list(itertools.pairwise(words)))
