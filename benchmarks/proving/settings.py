"""Sizes of the benchmark, and what was frozen before the confirming run: statistic, reference, weights, seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data" / "prompts.parquet"
PAGE = HERE.parent / "PROVE.md"
EARLIER = HERE / "earlier.md"
"""What earlier confirming runs found, what they missed, and what was changed after them; the page ends with it."""

# Frozen on the tune seed. The confirming run takes them as they are, with a seed and keys of its own.
GAMMA = 0.25
DELTA = 2.0
WIDTH = 1
EXPONENT = 0.75
REFERENCES = ("teacher",)
LEVEL = 1e-6
# Seeds 2027 and 2028 were confirming runs before this one, EARLIER tells of them.
SEEDS = {"tune": 11, "confirm": 2029}

SHARES = (100, 20, 5, 1, 0)
"""Per cent of a student's text that is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is trained, on what.

    Attributes:
        name: of the size.
        vocabulary: token ids.
        layers, hidden, heads: of every model.
        block: tokens of a training row.
        batch: rows of a step.
        rate: highest learning rate.
        spread: standard deviation of the first weights; models this narrow learn slowly from transformers' 0.02.
        teacher_tokens, student_tokens, taught_tokens: of their texts.
        passes: times that a student reads its text; the taught one reads it once.
        prompt_tokens, answer_tokens: of a made answer.
        answers: that are made for each kind: marked, marked with another key, unmarked.
        together: answers made at once.
        neutral: texts of the open test.
        pairs: of twins.
        innocent_keys: keys that innocents are tried with.
    """

    name: str
    vocabulary: int
    layers: int
    hidden: int
    heads: int
    block: int
    batch: int
    rate: float
    spread: float
    teacher_tokens: int
    student_tokens: int
    taught_tokens: int
    passes: int
    prompt_tokens: int
    answer_tokens: int
    answers: int
    together: int
    neutral: int
    pairs: int
    innocent_keys: int


CPU = Size(
    name="cpu",
    vocabulary=1_024,
    layers=2,
    hidden=64,
    heads=4,
    block=64,
    batch=16,
    rate=1e-2,
    spread=0.15,
    teacher_tokens=2_500_000,
    student_tokens=768_000,
    taught_tokens=1_050_000,
    passes=2,
    prompt_tokens=8,
    answer_tokens=56,
    answers=12_000,
    together=1_000,
    neutral=2_000,
    pairs=1_000,
    innocent_keys=1_000,
)

GPU = Size(
    name="gpu",
    vocabulary=8_192,
    layers=8,
    hidden=512,
    heads=8,
    block=128,
    batch=256,
    rate=1e-3,
    spread=0.02,
    teacher_tokens=60_000_000,
    student_tokens=10_000_000,
    taught_tokens=10_000_000,
    passes=1,
    prompt_tokens=8,
    answer_tokens=56,
    answers=150_000,
    together=4_000,
    neutral=4_000,
    pairs=1_000,
    innocent_keys=1_000,
)
"""About 30 million parameters; for one accelerator, and not run yet."""

TINY = Size(
    name="tiny",
    vocabulary=512,
    layers=1,
    hidden=32,
    heads=2,
    block=32,
    batch=16,
    rate=4e-3,
    spread=0.15,
    teacher_tokens=20_000,
    student_tokens=8_000,
    taught_tokens=12_000,
    passes=1,
    prompt_tokens=4,
    answer_tokens=28,
    answers=400,
    together=200,
    neutral=120,
    pairs=40,
    innocent_keys=100,
)
"""Shows that the program runs, and nothing else."""

SIZES = {size.name: size for size in (CPU, GPU, TINY)}
