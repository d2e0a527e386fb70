"""Invented corpora, a few thousand short rows, under the names of the public ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.stats.seeds import generator

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from campaigns.composing import Composer, composer
from campaigns.corpora import REPORT, TUNE, Corpora, Split, corpora_of
from campaigns.honest import compose_honest

ROWS = {
    "alpaca": 3000,
    "lawyer_advice": 500,
    "gsm8k_train": 3000,
    "instruction_wild": 4000,
    "oasst_zh": 400,
    "gsm8k_test": 40,
    "human_eval": 30,
}
TEMPLATES, ROWS_OF_A_TEMPLATE = 70, 30


def invented(split: Split = TUNE) -> pa.Table:
    """Rows of prompts.parquet that say nothing; every prompt is different."""
    draw = generator(5, f"invented/{split.name}")
    names = [name for name, count in ROWS.items() for _ in range(count)]
    names += [f"t0:a_{place:02d}" for place in range(TEMPLATES) for _ in range(ROWS_OF_A_TEMPLATE)]
    words = [f"w{number}" for number in range(400)]
    chinese = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往"
    prompts: list[str] = []
    for place, name in enumerate(names):
        if name in ("lawyer_advice", "oasst_zh"):
            prompts.append("".join(draw.choice(list(chinese), 12)) + str(place))
        else:
            prompts.append(" ".join(draw.choice(words, int(draw.integers(4, 25)))) + f" no {place}")
    pairs = np.arange(len(names)) // 2
    return pa.table(
        {
            "corpus": names,
            "conversation": [f"c{number}" for number in pairs.tolist()],
            "turn": (np.arange(len(names)) % 2).tolist(),
            "prompt": prompts,
            "response": [f"an answer to {prompt}" for prompt in prompts],
        }
    )


def invented_clocks() -> tuple[np.ndarray, ...]:
    draw = generator(6, "invented clocks")
    return tuple(np.sort(draw.uniform(0, 20 * 86_400, 12)) for _ in range(20))


@pytest.fixture(scope="session")
def corpora() -> Corpora:
    return corpora_of(invented(), invented_clocks(), TUNE)


@pytest.fixture
def honest(corpora: Corpora) -> Composer:
    made = composer(corpora, 3)
    compose_honest(made)
    return made


__all__ = ["REPORT", "invented"]
