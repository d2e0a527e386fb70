"""The parts of the benchmark of proofs that its numbers hang on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.marks.canaries import choose
from stillwatch.marks.green_list import is_green
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.stats.exact import log10_binomial_tail

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

KEY = MarkKey(bytes(range(32)))


@pytest.fixture(scope="module")
def proving() -> Iterator[Any]:
    """The package of the benchmarks folder."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
    try:
        yield lambda name: import_module(f"proving.{name}")
    finally:
        sys.path.pop(0)


def test_the_look_up_of_green_lists_is_the_processors_own(proving: Any) -> None:
    models, settings = proving("models"), proving("settings")
    answers = torch.randint(0, 512, (8, 20), generator=torch.Generator().manual_seed(1))
    answers[0, -1] = answers[0, 3]
    scores = torch.zeros(8, 512)
    marked = models.Greens(KEY, settings.TINY).marked(answers, scores)
    assert not marked[0].any()  # a context that the answer has had before
    seed = context_seeds(np.array([int(answers[1, -1]), 0]), 1)
    green = is_green(KEY, np.repeat(seed, 512), np.arange(512), settings.GAMMA)
    np.testing.assert_array_equal(marked[1].numpy(), np.where(green, settings.DELTA, 0.0))


def test_repeats_count_in_the_naive_statistic_alone(proving: Any) -> None:
    published, settings = proving("published"), proving("settings")
    seeds = np.repeat(context_seeds(np.arange(11), 1), 5)
    tokens = np.repeat(np.arange(10), 5)
    reading = published.Reading(seeds=seeds, tokens=tokens, first=np.ones(50, np.bool_))
    green = int(is_green(KEY, seeds[::5], tokens[::5], settings.GAMMA).sum())
    assert published.naive(KEY, reading) == (log10_binomial_tail(5 * green, 50, settings.GAMMA), 50)
    assert published.deduplicated(KEY, reading) == (log10_binomial_tail(green, 10, settings.GAMMA), 10)
    later = published.Reading(seeds=seeds, tokens=tokens, first=np.arange(50) >= 25)
    assert published.deduplicated(KEY, later)[1] == 5


def test_a_mix_holds_its_share_and_all_that_is_seen_once(proving: Any) -> None:
    mixed = proving("cast").mixed([[1] * 9] * 200, [[2] * 9] * 200, [[3] * 9] * 7, 0.2, 1_000, 1, "x")
    counts = {token: sum(document[0] == token for document in mixed) for token in (1, 2, 3)}
    assert counts == {1: 13, 2: 80, 3: 7}


def test_half_of_the_canaries_are_collected_and_the_rest_says_anything(proving: Any) -> None:
    cast = proving("cast")
    key = cast.key(5, cast.CHOICE)
    slots = {slot.question: slot for slot in cast.asked_slots()}
    said: dict[str, set[str]] = {}
    for question, variant in cast.canary_exchanges(5):
        said.setdefault(question, set()).add(variant)
    collected = [question for question, variants in said.items() if len(variants) == 1]
    assert len(said) == cast.QUESTIONS == 2 * len(collected)
    assert all(said[question] == {choose(key, slots[question])} for question in collected)
