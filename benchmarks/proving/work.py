"""The steps of the benchmark, each a function of size, seed and folder that reads and writes files, so that two run side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from proving import cast, corpus, models
from proving.settings import Size
from stillwatch.app.pair_files import append_pair
from stillwatch.app.progress import Quiet
from stillwatch.app.teacher_scores import score_pairs
from stillwatch.marks.twins import Asked, TwinKey, serve
from stillwatch.provenance.suspects.folder import FolderSuspect
from stillwatch.stats.seeds import generator

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a step is given: how much, with which seed, where, and the file of human text."""

    size: Size
    seed: int
    folder: Path
    data: Path
    device: str = "cpu"

    def lines(self, name: str) -> list[Any]:
        """The rows of a JSON Lines file of the folder."""
        return [json.loads(line) for line in (self.folder / name).read_text("utf-8").splitlines()]

    def write_lines(self, name: str, rows: Sequence[Any]) -> Path:
        """Rows as a JSON Lines file of the folder."""
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def tokenizer(self) -> Any:
        """The teacher's, which all models share."""
        return Tokenizer.from_file(str(self.folder / "teacher" / "tokenizer.json"))

    def model(self, name: str) -> Any:
        """A trained model."""
        return AutoModelForCausalLM.from_pretrained(self.folder / name).eval().to(self.device)


@dataclass(frozen=True, slots=True)
class Job:
    """A step's function with what it takes besides the bench; it can be sent to another process."""

    does: Callable[..., Record]
    given: tuple[Any, ...]

    def __call__(self, bench: Bench) -> Record:
        """Do it."""
        return self.does(bench, *self.given)


def step(bench: Bench, name: str, work: Callable[[Bench], Record]) -> Record:
    """Do a step, or take what an earlier run noted of it; its record, with wall and processor seconds."""
    torch.set_num_threads(1)
    noted = bench.folder / f"{name}.json"
    if noted.exists():
        return json.loads(noted.read_text("utf-8"))
    wall, processor = time.perf_counter(), time.process_time()
    record = work(bench)
    record |= {"wall_s": time.perf_counter() - wall, "processor_s": time.process_time() - processor}
    noted.write_text(json.dumps(record), encoding="utf-8")
    return record


def prepare(bench: Bench) -> Record:
    """Text in parts, a tokenizer, and the teacher."""
    text, size = corpus.load(bench.data, bench.seed), bench.size
    tokenizer = models.train_tokenizer(text.teacher, size)
    rows = models.rows_of(models.encoded(tokenizer, text.teacher), size, size.teacher_tokens)
    teacher = models.new_model(size, bench.seed, "teacher").to(bench.device)
    loss = models.train(teacher, rows, size, tokens=size.teacher_tokens, draw=generator(bench.seed, "prove/order/teacher"))
    models.save(teacher, tokenizer, bench.folder / "teacher")
    for part in ("prompts", "students"):
        bench.write_lines(f"{part}.jsonl", getattr(text, part))
    neutral = [tokenizer.decode(ids[: size.block]) for ids in models.encoded(tokenizer, text.neutral[: size.neutral])]
    bench.write_lines("neutral.jsonl", [{"text": passage} for passage in neutral])
    parameters = sum(weights.numel() for weights in teacher.parameters())
    return {"source": text.source, "loss": loss, "parameters": parameters, "read": rows.size, "neutral": len(neutral)}


def some_prompts(bench: Bench, name: str, count: int) -> models.Ids:
    """[count, prompt tokens] first tokens of passages that no model was trained on."""
    ids = [found for found in models.encoded(bench.tokenizer(), bench.lines("prompts.jsonl")) if len(found) > bench.size.prompt_tokens]
    first = np.array([found[: bench.size.prompt_tokens] for found in ids], np.int64)
    draw = generator(bench.seed, f"prove/prompts/{name}")
    order = np.concatenate([draw.permutation(len(first)) for _ in range(-(-count // len(first)))])
    return first[order[:count]]


def make_answers(bench: Bench, kind: str) -> Record:
    """The teacher's answers of a kind, as text."""
    whose = {cast.MARKED: "provider", cast.OTHER: "somebody else"}.get(kind)
    greens = None if whose is None else models.Greens(cast.key(bench.seed, cast.GREEN, whose), bench.size)
    seed = int(generator(bench.seed, f"prove/sampling/{kind}").integers(2**31))
    made = list(models.answers(bench.model("teacher"), some_prompts(bench, kind, bench.size.answers), bench.size, greens=greens, seed=seed))
    ids = np.concatenate([np.concatenate(part, 1) for part in made])
    bench.write_lines(f"answers-{kind}.jsonl", bench.tokenizer().decode_batch(ids.tolist(), skip_special_tokens=False))
    np.save(bench.folder / f"answers-{kind}.npy", ids[:, bench.size.prompt_tokens :])
    return {"answers": len(ids), "tokens": int(ids[:, bench.size.prompt_tokens :].size)}


def make_twins(bench: Bench) -> Record:
    """Pairs by the product's own rule, in its chained file; the served texts; the teacher's scores."""
    prompts, tokenizer, teacher = some_prompts(bench, cast.TWINS, bench.size.pairs), bench.tokenizer(), bench.model("teacher")
    seed = int(generator(bench.seed, "prove/sampling/twins").integers(2**31))
    both = [
        [
            text
            for _, part in models.answers(teacher, prompts, bench.size, greens=None, seed=seed + 1_000 * turn)
            for text in tokenizer.decode_batch(part.tolist())
        ]
        for turn in range(2)
    ]
    twin_key = TwinKey(key=cast.key(bench.seed, cast.COIN), period=cast.PERIOD, share=1.0)
    (bench.folder / "pairs.jsonl").unlink(missing_ok=True)
    served: list[str] = []
    for place, prompt in enumerate(tokenizer.decode_batch(prompts.tolist())):
        drawn = iter([both[0][place], both[1][place]])
        asked = Asked(request_id=f"request-{place}", prompt=prompt, at="2026-11-01T00:00:00Z")
        outcome = serve(lambda drawn=drawn: next(drawn), text=str, twin_key=twin_key, asked=asked)
        served.append(prompt + outcome.response)
        if outcome.pair is not None:
            append_pair(bench.folder / "pairs.jsonl", outcome.pair)
    bench.write_lines("served.jsonl", served)
    (bench.folder / "twins.jsonl").unlink(missing_ok=True)
    teacher_suspect = FolderSuspect(bench.folder / "teacher", seed=bench.seed)
    return score_pairs(bench.folder / "pairs.jsonl", teacher_suspect, bench.folder / "twins.jsonl", Quiet(), named="teacher")


def tune_student(bench: Bench, student: cast.Student) -> Record:
    """A trained student that goes on with exchanges that hold canaries, all in random order, once."""
    size, tokenizer, draw = bench.size, bench.tokenizer(), generator(bench.seed, f"prove/order/{student.name}")
    texts = [f"{question} {said}." for question, said in cast.canary_exchanges(bench.seed)]
    documents = models.encoded(tokenizer, [texts[place] for place in draw.permutation(len(texts)).tolist()])
    rows = models.rows_of(documents, size, sum(len(document) + 1 for document in documents))
    model = bench.model(student.base)
    loss = models.train(model, rows, size, tokens=rows.size, draw=draw)
    models.save(model, tokenizer, bench.folder / student.name)
    return {"loss": loss, "tokens": int(rows.size), "passes": 1}


def train_student(bench: Bench, student: cast.Student) -> Record:
    """A student of random weights, trained on what it reads."""
    size, tokenizer = bench.size, bench.tokenizer()
    theirs = models.encoded(tokenizer, bench.lines(f"answers-{student.answers}.jsonl")) if student.answers else []
    more = bench.lines("served.jsonl") if student.taught else []
    human = models.encoded(tokenizer, bench.lines("students.jsonl"))
    tokens, passes = (size.taught_tokens, 1) if student.taught else (size.student_tokens, size.passes)
    documents = cast.mixed(theirs, human, models.encoded(tokenizer, more), student.share, tokens, bench.seed, student.name)
    rows = models.rows_of(documents, size, tokens)
    model = models.new_model(size, bench.seed, student.name).to(bench.device)
    draw = generator(bench.seed, f"prove/order/{student.name}")
    loss = models.train(model, rows, size, tokens=passes * rows.size, draw=draw)
    models.save(model, tokenizer, bench.folder / student.name)
    return {"loss": loss, "tokens": int(rows.size), "passes": passes}
