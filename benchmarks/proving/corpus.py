"""Human text in parts that share no passage: for the teacher, the students, the prompts, and the neutral text of the open test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.simulate.run import simulate
from stillwatch.simulate.world import default_world
from stillwatch.stats.seeds import generator

USES = ("organic", "evaluation", "bulk")
"""Of the corpora: what people wrote; no model's answers."""

FEWEST, MOST = 80, 280
"""Characters of a passage."""

SHARES = {"prompts": 0.12, "neutral": 0.08, "students": 0.25, "teacher": 0.55}
_CHARACTERS = frozenset(map(chr, range(32, 127)))
"""A vocabulary of a thousand tokens has room for little more than printable ASCII."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Passages by part, and where they are from."""

    source: str
    prompts: Sequence[str]
    neutral: Sequence[str]
    students: Sequence[str]
    teacher: Sequence[str]


def load(data: Path, seed: int) -> Corpus:
    """Passages of the public conversations where they lie, else of the simulator; each once, dealt out at random by the seed."""
    if data.is_file():
        source, texts = "the prompts of public corpora that people wrote, de-duplicated", _written(data)
    else:
        source, texts = "the simulator's prompts, since the public corpora do not lie beside the project", _simulated()
    passages = list(dict.fromkeys(passage for text in texts for passage in _passages(text)))
    order = generator(seed, "prove/passages").permutation(len(passages)).tolist()
    parts: dict[str, list[str]] = {}
    start = 0
    for name, share in SHARES.items():
        end = start + int(share * len(order))
        parts[name] = [passages[place] for place in order[start:end]]
        start = end
    return Corpus(source=source, **parts)


def _written(data: Path) -> Iterator[str]:
    table = pq.read_table(data, columns=["use", "prompt"])
    for use, prompt in zip(table["use"].to_pylist(), table["prompt"].to_pylist(), strict=True):
        if use in USES and prompt:
            yield prompt


def _simulated() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        made = simulate(default_world(1, datetime(2026, 1, 5, tzinfo=UTC), 1.0), out=Path(folder))
        for path in sorted(made.logs.glob("*.parquet")):
            yield from (prompt for prompt in pq.read_table(path, columns=["prompt_text"])["prompt_text"].to_pylist() if prompt)


def _passages(text: str) -> Iterator[str]:
    """Lines of a text, long ones cut at blanks; without characters that the vocabulary has no room for."""
    for line in text.splitlines():
        words, piece = line.split(), ""
        for word in words:
            if len(piece) + len(word) >= MOST:
                yield from _kept(piece)
                piece = ""
            piece = f"{piece} {word}" if piece else word
        yield from _kept(piece)


def _kept(piece: str) -> Iterator[str]:
    if FEWEST <= len(piece) <= MOST and _CHARACTERS.issuperset(piece):
        yield piece
