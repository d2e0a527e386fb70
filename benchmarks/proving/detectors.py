"""transformers' `WatermarkDetector` beside ours on the same tokens: how fast, and how far its p-values are from exact ones."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import transformers
from scipy import special

from proving import cast, models
from proving.settings import DELTA, GAMMA, WIDTH
from proving.work import Bench, Record
from stillwatch.marks.keys import MarkKey
from stillwatch.provenance.open_radioactivity import random_keys
from stillwatch.screen.marked import GREEN_LIST, Mark, watermark_scores
from stillwatch.stats.exact import log10_binomial_tail
from stillwatch.stats.seeds import generator

RUNS = 3
THEIRS_KEY = 15_485_863
"""transformers' default."""
ANSWERS = 400
SEVERAL = (1, 2, 4, 8)
"""Answers in a document whose p-values are compared."""
FORMS, FORM_TOKENS, SLOT_TOKENS, KEYS = 20, 40, 4, 150


def compare(bench: Bench) -> Record:
    """Speed on the marked answers, p-values on answers that transformers itself marked, and false alarms on a form filled in often."""
    config = bench.model("teacher").config
    ids = np.load(bench.folder / f"answers-{cast.MARKED}.npy")[:ANSWERS]
    return {
        "version": transformers.__version__,
        "speed": _speed(bench, config, ids),
        "p_values": _p_values(bench, config),
        "false_alarms": _false_alarms(bench, config),
        "zero": _token_zero(config),
    }


def _detector(config: Any, *, key: int = THEIRS_KEY, once: bool = False) -> Any:
    mark = transformers.WatermarkingConfig(
        greenlist_ratio=GAMMA, bias=DELTA, hashing_key=key, seeding_scheme="lefthash", context_width=WIDTH
    )
    return transformers.WatermarkDetector(config, "cpu", mark, ignore_repeated_ngrams=once)


def _ours(ids: np.ndarray, key: MarkKey) -> Any:
    mark = Mark(kind=GREEN_LIST, key=key, width=WIDTH, gamma=GAMMA)
    return watermark_scores(ids.astype(np.uint32).ravel(), np.arange(0, ids.size + 1, ids.shape[1]), mark, least_scored=1)


def _speed(bench: Bench, config: Any, ids: np.ndarray) -> Record:
    key, detector, tokens = cast.key(bench.seed, cast.GREEN), _detector(config), torch.from_numpy(ids)
    many = np.tile(ids, (200, 1))
    theirs = _best(lambda: detector(tokens, return_dict=True)) / ids.size
    return {"tokens": int(ids.size), "theirs_per_s": 1.0 / theirs, "ours_per_s": many.size / _best(lambda: _ours(many, key))}


def _best(work: Callable[[], Any]) -> float:
    """Least processor seconds; the first run compiles and does not count."""
    work()
    taken: list[float] = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def _p_values(bench: Bench, config: Any) -> list[Record]:
    """Their p-value against the exact binomial tail of the very counts that they report, on text that their own processor marked."""
    ids = _marked_by_them(bench, config)
    detector = _detector(config)
    rows: list[Record] = []
    for several in SEVERAL:
        tokens = torch.from_numpy(ids[: len(ids) // several * several].reshape(-1, several * ids.shape[1]))
        told = detector(tokens, return_dict=True)
        exact = [
            log10_binomial_tail(int(green), int(scored), GAMMA)
            for green, scored in zip(told.num_green_tokens, told.num_tokens_scored, strict=True)
        ]
        with np.errstate(divide="ignore"):
            theirs = special.log_ndtr(-told.z_score) / np.log(10.0)
            reported = np.log10(told.p_value)
        rows += [
            {"scored": int(scored), "z": float(z), "theirs": float(ours), "reported": float(said), "exact": float(right)}
            for scored, z, ours, said, right in zip(told.num_tokens_scored, told.z_score, theirs, reported, exact, strict=True)
        ]
    for row in rows:
        row["reported"] = None if np.isinf(row["reported"]) else row["reported"]
    return rows


def _marked_by_them(bench: Bench, config: Any) -> np.ndarray:
    """Answers of the teacher with transformers' own processor, whose lists are looked up as ours are."""
    processor = _detector(config).processor
    table = torch.zeros(bench.size.vocabulary, bench.size.vocabulary, dtype=torch.bool)
    for token in range(bench.size.vocabulary):
        table[token, processor._get_greenlist_ids(torch.tensor([token]))] = True
    seed = int(generator(bench.seed, "prove/sampling/theirs").integers(2**31))
    prompts = np.load(bench.folder / f"answers-{cast.UNMARKED}.npy")[:ANSWERS, : bench.size.prompt_tokens]
    return models.sample(bench.model("teacher"), prompts, bench.size.answer_tokens, greens=models.Listed(table), seed=seed)


def _false_alarms(bench: Bench, config: Any) -> Record:
    """Innocent text over keys that nobody used: a form that is filled in often. Shares of keys with p at most 0.01."""
    draw = generator(bench.seed, "prove/form")
    form = draw.integers(1, bench.size.vocabulary, FORM_TOKENS)
    filled = [np.concatenate([form, draw.integers(1, bench.size.vocabulary, SLOT_TOKENS)]) for _ in range(FORMS)]
    document = np.concatenate(filled)[None, :]
    tokens = torch.from_numpy(document)
    found: dict[str, list[float]] = {"ours": [], "theirs": [], "theirs, ignore_repeated_ngrams": []}
    for place, key in enumerate(random_keys(draw, KEYS)):
        found["ours"].append(float(_ours(document, key).p[0]))
        number = 10_007 + 7_919 * place
        found["theirs"].append(float(_detector(config, key=number)(tokens, return_dict=True).p_value[0]))
        found["theirs, ignore_repeated_ngrams"].append(float(_detector(config, key=number, once=True)(tokens, return_dict=True).p_value[0]))
    return {"keys": KEYS, "tokens": document.size, "at_most": {name: int(np.sum(np.array(p) <= 0.01)) for name, p in found.items()}}


def _token_zero(config: Any) -> bool:
    """Whether two keys give the same list after token 0: the seed is key times id."""
    first, second = (set(_detector(config, key=key).processor._get_greenlist_ids(torch.tensor([0])).tolist()) for key in (3, 7))
    return first == second


def summary(record: Record) -> Iterator[str]:
    """Lines of the page."""
    speed, alarms = record["speed"], record["false_alarms"]
    yield (
        f"transformers {record['version']}, `WatermarkDetector` with `lefthash` and a context of one token, on the same "
        f"{speed['tokens']:,} tokens, one thread: {speed['theirs_per_s']:,.0f} tokens/s against our {speed['ours_per_s']:,.0f}, which is "
        f"{speed['ours_per_s'] / speed['theirs_per_s']:,.0f} times as many.\n"
    )
    yield (
        "Its p-value is a normal tail. Beside it the exact binomial tail of the counts that it reports itself, on text that its own "
        "processor marked, one to eight answers in a document:\n"
    )
    yield "| z | documents | median exact p / its p | largest |\n|---|---:|---:|---:|"
    rows = record["p_values"]
    for low, high in ((-9, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 8), (8, 10), (10, 99)):
        ratios = [row["exact"] - row["theirs"] for row in rows if low <= row["z"] < high]
        if ratios:
            yield f"| {low} to {high} | {len(ratios)} | {_ratio(float(np.median(ratios)))} | {_ratio(max(ratios))} |"
    lost = sum(row["reported"] is None for row in rows)
    yield f"\nIts p-value is exactly 0 for {lost} of {len(rows)} documents.\n"
    yield (
        f"Innocent text, a form of {FORM_TOKENS} tokens filled in {FORMS} times, {alarms['keys']} keys, p at most 0.01: "
        + "; ".join(f"{name} {count / alarms['keys']:.1%}" for name, count in alarms["at_most"].items())
        + "."
    )
    if record["zero"]:
        yield "After token 0 its list is the same under every key, since the seed is key times id: such windows carry no secret."


def _ratio(log10: float) -> str:
    return f"{10.0**log10:.2g}" if abs(log10) < 4 else f"1e{log10:+.0f}"


def quiet() -> None:
    """Warnings of the library about its own future do not matter to a benchmark."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
