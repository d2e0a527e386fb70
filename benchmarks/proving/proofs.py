"""Each student before the product: a sealed plan, `stillwatch prove`, and the published statistics on the same student."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from proving import cast, models, published
from proving.settings import DELTA, EXPONENT, GAMMA, LEVEL, REFERENCES, WIDTH
from proving.work import Bench, Record, some_prompts
from stillwatch.app.plan_files import seal_path, seal_plan
from stillwatch.app.progress import Quiet
from stillwatch.app.proving import ProofRequest, prove
from stillwatch.app.state import file_sha256
from stillwatch.marks.canaries import choose
from stillwatch.marks.keys import commitment
from stillwatch.provenance.canaries import UNANSWERED, canaries
from stillwatch.stats.seeds import generator

SEALED_AT = datetime(2026, 11, 1, tzinfo=UTC)
CLOSED_ANSWERS = 1_000
READ = 3_000
"""Marked answers that the published statistic reads in its supervised form."""


def prove_student(bench: Bench, student: cast.Student) -> Record:
    """Plan, seal, proof; the p-value of each test, and those of the published statistics."""
    twins_too = student.taught or bool(student.base) or student.innocent
    plan = bench.folder / f"{student.name}.plan.toml"
    for old in (plan, seal_path(plan), *bench.folder.glob(f"{student.name}.measured.*"), *bench.folder.glob(f".{student.name}.measured.*")):
        old.unlink(missing_ok=True)
    plan.write_text(_plan(bench, student, twins_too=twins_too), encoding="utf-8")
    seal_plan(plan, now=SEALED_AT)
    _sampled(bench, student)
    out = bench.folder / "verdicts" / student.name
    verdict = prove(ProofRequest(plan=plan, out=out, master=cast.master(bench.seed)), Quiet(), now=SEALED_AT)
    tests = {
        judged.name: {"log10_p": judged.result.log10_p, "value": judged.result.value, "sample": judged.result.sample}
        for judged in verdict.results
    }
    return {"outcome": verdict.outcome.value, "tests": tests, "published": _published(bench, student)}


def _plan(bench: Bench, student: cast.Student, *, twins_too: bool) -> str:
    names = {"radioactivity_open": cast.GREEN, "radioactivity_closed": cast.GREEN, "twins": cast.COIN, "canaries": cast.CHOICE}
    keys = "".join(
        f'[[keys]]\nname = "{purpose}"\ncommitment = "{commitment(cast.key(bench.seed, purpose))}"\npurpose = "{purpose}"\n'
        f'period = "{cast.PERIOD}"\n'
        for purpose in (cast.GREEN, cast.COIN, cast.CHOICE)
    )
    listed = ", ".join(f'"{name}"' for name in REFERENCES)
    neutral = len(bench.lines("neutral.jsonl"))
    details = {
        "radioactivity_open": (
            neutral,
            "npz",
            "neutral.jsonl",
            f"gamma = {GAMMA}\nwidth = {WIDTH}\nexponent = {EXPONENT}\nreferences = [{listed}]\nreference_folders = [{listed}]\n",
        ),
        "radioactivity_closed": (CLOSED_ANSWERS, "npz", "", f"gamma = {GAMMA}\nwidth = {WIDTH}\n"),
        "twins": (len(bench.lines("twins.jsonl")), "jsonl", "twins.jsonl", ""),
        "canaries": (cast.QUESTIONS, "jsonl", "questions.jsonl", "most_tokens = 8\n"),
    }
    chosen = [kind for kind in details if twins_too or kind.startswith("radioactivity")]
    if student.base:
        # sampled, it says little else than its exchanges: fewer distinct pairs than the closed test takes
        chosen.remove("radioactivity_closed")
    parts = [
        f'title = "{student.name}"\nlevel = {LEVEL}\n[suspect]\nname = "{student.name}"\nkind = "folder"\nfolder = "{student.name}"\n',
        keys,
    ]
    for kind in chosen:
        sample, suffix, prompts, more = details[kind]
        named = f'prompts = "{prompts}"\nprompts_sha256 = "{file_sha256(bench.folder / prompts)}"\n' if prompts else ""
        parts.append(
            f'[[tests]]\nname = "{kind}"\nkind = "{kind}"\nkeys = ["{names[kind]}"]\nsample = {sample}\n'
            f'measured = "{student.name}.measured.{kind}.{suffix}"\n{named}{more}'
        )
    return "".join(parts)


def write_questions(bench: Bench) -> None:
    """The canaries' questions, as `stillwatch mark questions` writes them."""
    rows = [
        {"slot": slot.id, "question": slot.question, "variants": len(slot.variants), "variants_sha256": slot.digest}
        for slot in cast.asked_slots()
    ]
    bench.write_lines("questions.jsonl", rows)


def _sampled(bench: Bench, student: cast.Student) -> None:
    """What the student writes after neutral prompts, all at once: the measured file of the closed test."""
    prompts = some_prompts(bench, "closed", CLOSED_ANSWERS)
    seed = int(generator(bench.seed, f"prove/sampling/{student.name}").integers(2**31))
    answers = models.sample(bench.model(student.name), prompts, bench.size.answer_tokens, greens=None, seed=seed)
    columns: dict[str, Any] = {
        "document": np.repeat(np.arange(len(answers)), answers.shape[1]),
        "tokens": answers.ravel(),
        "prompt_document": np.repeat(np.arange(len(prompts)), prompts.shape[1]),
        "prompt_tokens": prompts.ravel(),
        "documents": np.array([len(answers)]),
    }
    np.savez_compressed(bench.folder / f"{student.name}.measured.radioactivity_closed.npz", **columns)


def readings(bench: Bench, student: cast.Student) -> dict[str, published.Reading]:
    """What the student holds likeliest over neutral text, and over the marked answers themselves."""
    model, tokenizer = bench.model(student.name), bench.tokenizer()
    texts = {
        "neutral": [row["text"] for row in bench.lines("neutral.jsonl")],
        "marked": bench.lines(f"answers-{cast.MARKED}.jsonl")[:READ],
    }
    return {name: published.read(model, models.encoded(tokenizer, those), bench.size) for name, those in texts.items()}


def _published(bench: Bench, student: cast.Student) -> dict[str, float]:
    ours = cast.key(bench.seed, cast.GREEN)
    found: dict[str, float] = {}
    for name, reading in readings(bench, student).items():
        found[f"naive_{name}"], found[f"naive_{name}_sample"] = published.naive(ours, reading)
        found[f"dedup_{name}"], found[f"dedup_{name}_sample"] = published.deduplicated(ours, reading)
    return found


def adoption(bench: Bench, student: cast.Student) -> Record:
    """How many of the collected choices the student repeats, and the p-value of the same test where half of all choices match."""
    slots, ours = cast.asked_slots(), cast.key(bench.seed, cast.CHOICE)
    answered = {row["slot"]: row["answered"] for row in bench.lines(f"{student.name}.measured.canaries.jsonl")}
    chosen = np.array([slot.variants.index(choose(ours, slot)) for slot in slots])
    collected = [place for place, slot in enumerate(slots) if place in cast.collected(bench.seed)]
    half = np.where(np.arange(len(slots)) % 2 == 0, chosen, UNANSWERED)
    sizes = np.array([len(slot.variants) for slot in slots])
    return {
        "collected": len(collected),
        "repeated": sum(bool(answered[slots[place].id] == chosen[place]) for place in collected),
        "log10_p_at_half": canaries(chosen, half, sizes, level=LEVEL).log10_p,
    }


def frozen() -> str:
    """What was settled before the confirming run, in a sentence."""
    return (
        f"green list, gamma {GAMMA:g}, delta {DELTA:g}, window of {WIDTH} token; open test: window weight n^{EXPONENT:g}, "
        f"reference {', '.join(REFERENCES)}; level {LEVEL:g}"
    )
