"""Asks a suspect what a plan says, unit by unit, into the plan's measured files; an interrupted measurement goes on where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stillwatch.app.asked_units import asked_units, slots_of
from stillwatch.app.kept_measures import bind
from stillwatch.app.measure_files import plain_prompt, rows_of, whole_rows
from stillwatch.app.open_measuring import OpenTask, measure_open, prepare_open
from stillwatch.app.plan_checking import tokenizer_file
from stillwatch.app.plan_files import read_seal
from stillwatch.app.private_files import open_appending
from stillwatch.app.progress import Progress
from stillwatch.app.tokenizing import load_tokenizer
from stillwatch.app.unusable import HeldBack
from stillwatch.errors import naming
from stillwatch.govern.vault import Vault
from stillwatch.marks.canaries import named_variant
from stillwatch.marks.canary_families import Slot
from stillwatch.provenance.canaries import UNANSWERED
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.overlap import overlap
from stillwatch.provenance.plan import Plan, PlanError, PlannedTest, Seal
from stillwatch.provenance.suspects import AnswerError, Suspect, SuspectError
from stillwatch.provenance.suspects.endpoint import NO_LOG_PROBABILITIES, EndpointSuspect
from stillwatch.provenance.suspects.folder import FolderSuspect
from stillwatch.provenance.suspects.transport import Transport

Row = dict[str, Any]
Measure = Callable[[Mapping[str, Any]], Row]


def open_suspect(plan: Plan, path: Path, *, key: str) -> Suspect | None:
    """The plan's suspect, or None where its measures come as files. `key` is the endpoint's bearer token, empty for none."""
    suspect = plan.suspect
    if suspect.kind == "measured":
        return None
    if suspect.kind == "folder":
        return FolderSuspect(path.parent / suspect.folder, seed=plan.seed)
    return EndpointSuspect(transport=Transport(url=suspect.url, key=key), model=suspect.model)


def measure(plan: Plan, path: Path, suspect: Suspect, progress: Progress, vault: Vault | None = None) -> None:
    """Fill every measured file that is not complete; what an earlier run kept under the same seal is not asked again.

    `vault` opens prompts that are sealed.

    Every test is made ready, and what it kept is looked at, before any of them asks the suspect anything.
    Raises OutputError for a file that was measured under another seal, PlanError and MeasureError for what cannot be asked or gone on with,
    SuspectError where the suspect gives nothing, or nothing usable; rows so far are kept.
    """
    sealed = read_seal(plan, path)
    ready = [_ready(plan, test, path, suspect, sealed, vault) for test in plan.tests]
    for ask in ready:
        ask(progress)


def _ready(plan: Plan, test: PlannedTest, path: Path, suspect: Suspect, sealed: Seal, vault: Vault | None) -> Callable[[Progress], None]:
    """What measures a test, with everything checked that can be without asking."""
    target = path.parent / test.measured
    if not plan.asks(test):
        if not target.exists():
            raise PlanError(
                f"{path}: test {test.name!r} has neither prompts nor {test.measured}; give the measures before the suspect is asked"
            )
        return lambda _: None
    bind(target, {"seal_sha256": sealed.seal_sha256, "test": test.name})
    if test.kind == "radioactivity_open":
        if target.exists():
            return lambda _: None
        task = _open_task(plan, test, path, suspect, sealed)
        texts = prepare_open(task)
        return lambda progress: measure_open(task, progress, texts=texts)
    prompts = asked_units(plan, test, path, vault)
    kept = _kept(target, len(prompts))
    of, held = _measure_of(plan, test, path, suspect), HeldBack(target, len(kept))
    return lambda progress: _measure_rows(test, target, prompts, kept, of, held, progress)


def _kept(target: Path, most: int) -> list[bool]:
    """Whether each row that is there shows that the suspect gives usable answers. MeasureError for rows that cannot be gone on with."""
    done = whole_rows(target)
    rows = [_shows(row) for row in rows_of(target)] if done else []
    if not len(rows) == done <= most:
        raise MeasureError(
            f"{target} holds {done:,} lines for {most:,} prompts, or empty ones; it belongs to another plan, so move it away"
        )
    return rows


def _shows(row: Row) -> bool:
    """Not where the answer was unusable, nor where none was asked for."""
    return not row.get("missing") and not row.get("identical")


def _measure_rows(
    test: PlannedTest, target: Path, prompts: Sequence[Row], kept: Sequence[bool], of: Measure, held: HeldBack, progress: Progress
) -> None:
    answered = any(kept)
    progress.begin(test.name, len(prompts))
    start = time.perf_counter()
    with naming(target), open_appending(target) as file:
        for number, prompt in enumerate(prompts[len(kept) :], len(kept) + 1):
            row = _measured(of, prompt)
            if row.get("missing"):
                held.hold(number, row, str(row["reason"]))
                if held.too_many:
                    break
            elif _shows(row):
                answered = True
                file.write(held.released(row))
            else:
                file.write(held.with_unasked(row))
            file.flush()
            progress.advance(number)
        if held.unusable and (held.unsettled or not answered):
            raise SuspectError(f"{test.name}: {held.words(answered=answered)}{_advice(held.reason, answered=answered)}")
        file.write(held.released())
        file.flush()
        os.fsync(file.fileno())
    progress.end(len(prompts), time.perf_counter() - start, resumed=len(kept) == len(prompts))


def _advice(reason: str, *, answered: bool) -> str:
    if answered or reason != NO_LOG_PROBABILITIES:
        return ""
    return (
        ". An endpoint that never gives log-probabilities is asked for answers instead: none was used, so write a new plan with "
        "logprobs = false under another name, and seal that"
    )


def _measured(of: Measure, prompt: Row) -> Row:
    try:
        return of(prompt)
    except AnswerError as error:
        # what the null needs stays in the row: which unit it is, and that it was asked
        named: Row = {}
        if "request_id" in prompt:
            named |= {"pair": prompt["request_id"], "identical": prompt.get("first") == prompt.get("second")}
        if "variants" in prompt:
            named |= {name: prompt[name] for name in ("slot", "variants", "variants_sha256")} | {"answered": UNANSWERED}
        return {**named, "missing": True, "reason": str(error)[:300]}


def _measure_of(plan: Plan, test: PlannedTest, path: Path, suspect: Suspect) -> Measure:
    if test.kind == "twins":
        by_likelihood = plan.suspect.kind == "folder" or plan.suspect.logprobs
        return lambda row: _twin(row, suspect, by_likelihood=by_likelihood, most_tokens=test.most_tokens)
    if test.kind == "canaries":
        slots = slots_of(test, path)
        return lambda row: _canary(row, suspect, slots, most_tokens=test.most_tokens)
    if test.kind == "radioactivity_closed":
        encode = _encoder(test, path, suspect)
        return lambda row: _document(row, suspect, encode, most_tokens=test.most_tokens)
    raise PlanError(f"{path}: test {test.name!r} takes measured files, not prompts; measure suspect and controls alike and give the scores")


def _twin(row: Mapping[str, Any], suspect: Suspect, *, by_likelihood: bool, most_tokens: int) -> Row:
    prompt, first, second = plain_prompt(str(row["prompt"])), str(row["first"]), str(row["second"])
    found: Row = {"pair": str(row["request_id"]), "identical": first == second}
    if first == second:
        return found | {"suspect_first": 0.0, "suspect_second": 0.0, "teacher_first": 0.0, "teacher_second": 0.0}
    if by_likelihood:
        scores = suspect.log_likelihood(prompt, first), suspect.log_likelihood(prompt, second)
    else:
        own = suspect.answer(prompt, most_tokens=most_tokens)
        scores = overlap(own, first), overlap(own, second)
    teacher = (row.get("teacher_first") or 0.0, row.get("teacher_second") or 0.0) if by_likelihood else (0.0, 0.0)
    return found | {"suspect_first": scores[0], "suspect_second": scores[1], "teacher_first": teacher[0], "teacher_second": teacher[1]}


def _canary(row: Mapping[str, Any], suspect: Suspect, slots: Mapping[str, Slot], *, most_tokens: int) -> Row:
    slot = slots[row["slot"]]
    named = named_variant(slot, suspect.answer(str(row["question"]), most_tokens=most_tokens))
    answered = UNANSWERED if named is None else slot.variants.index(named)
    return {"slot": slot.id, "variants": len(slot.variants), "variants_sha256": slot.digest, "answered": answered}


def _document(row: Mapping[str, Any], suspect: Suspect, encode: Callable[[str], list[int]], *, most_tokens: int) -> Row:
    prompt = str(row["prompt"])
    answer = suspect.answer(prompt, most_tokens=most_tokens)
    return {"document": str(row.get("id", "")), "prompt_tokens": encode(prompt), "tokens": encode(answer)}


def _encoder(test: PlannedTest, path: Path, suspect: Suspect) -> Callable[[str], list[int]]:
    """The marked model's tokenizer: windows are those of the model that marked, whatever the suspect's own are."""
    if not test.tokenizer:
        if isinstance(suspect, FolderSuspect):
            return suspect.encode
        raise PlanError(f"{path}: test {test.name!r} reads text, so it needs `tokenizer`, the folder of the marked model's tokenizer")
    encode, _ = load_tokenizer(path.parent / tokenizer_file(test))
    return lambda text: list(encode([text])[0])


def _open_task(plan: Plan, test: PlannedTest, path: Path, suspect: Suspect, sealed: Seal) -> OpenTask:
    if not isinstance(suspect, FolderSuspect):
        raise PlanError(f"{path}: test {test.name!r} needs whole next-token distributions; give a suspect of kind folder")
    return OpenTask(
        test=test,
        prompts=path.parent / test.prompts,
        target=path.parent / test.measured,
        suspect=suspect,
        references=tuple(FolderSuspect(path.parent / folder, seed=plan.seed) for folder in test.reference_folders),
        seal_sha256=sealed.seal_sha256,
    )
