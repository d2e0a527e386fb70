"""Asks a suspect what a plan says, unit by unit, into the plan's measured files; an interrupted measurement goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stillwatch.app.kept_measures import bind
from stillwatch.app.measure_files import plain_prompt, rows_of, whole_rows
from stillwatch.app.open_measuring import OpenTask, measure_open
from stillwatch.app.plan_files import read_seal, tokenizer_file
from stillwatch.app.progress import Progress
from stillwatch.app.state import file_sha256
from stillwatch.app.tokenizing import load_tokenizer
from stillwatch.marks.canaries import named_variant
from stillwatch.marks.canary_families import Slot, all_slots, check_together, parse_families, shipped_families
from stillwatch.provenance.canaries import UNANSWERED
from stillwatch.provenance.measures import MeasureError
from stillwatch.provenance.overlap import overlap
from stillwatch.provenance.plan import Plan, PlanError, PlannedTest, Seal
from stillwatch.provenance.suspects import MOST_IN_A_ROW, AnswerError, Suspect, SuspectError
from stillwatch.provenance.suspects.endpoint import EndpointSuspect
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


def measure(plan: Plan, path: Path, suspect: Suspect, progress: Progress) -> None:
    """Fill every measured file that is not complete; what an earlier run kept under the same seal is not asked again.

    Raises PlanError for a file that was measured under another seal, SuspectError where the suspect gives nothing; rows so far are kept.
    """
    sealed = read_seal(plan, path)
    for test in plan.tests:
        target = path.parent / test.measured
        models = _models(plan, test, path)
        if test.prompts:
            bind(target, {"seal_sha256": sealed.seal_sha256, "test": test.name, **models})
        if test.kind == "radioactivity_open":
            if not target.exists():
                measure_open(_open_task(plan, test, path, suspect, sealed, models), progress)
        elif test.prompts:
            _measure_rows(test, path, target, _measure_of(plan, test, path, suspect), progress)
        elif not target.exists():
            raise PlanError(f"{path}: test {test.name!r} has neither prompts nor {test.measured}; name the prompts, or give the measures")


def _models(plan: Plan, test: PlannedTest, path: Path) -> dict[str, str]:
    """The digest of the model folders that a test asks, so that answers of one model are never gone on with by another's."""
    if not plan.suspect.folder:
        return {}
    digest = hashlib.sha256()
    for folder in (plan.suspect.folder, *test.reference_folders):
        files = sorted(file for file in (path.parent / folder).iterdir() if file.suffix in (".safetensors", ".json"))
        digest.update("".join(f"{folder}/{file.name} {file_sha256(file)}\n" for file in files).encode("utf-8", "replace"))
    return {"models_sha256": digest.hexdigest()}


def _measure_rows(test: PlannedTest, path: Path, target: Path, of: Measure, progress: Progress) -> None:
    # a pairs file of `stillwatch mark` chains its lines, the pair inside
    prompts = [row["pair"] if isinstance(row.get("pair"), dict) else row for row in rows_of(path.parent / test.prompts)]
    done = whole_rows(target)
    if done > len(prompts):
        raise MeasureError(f"{target} holds {done:,} rows for {len(prompts):,} prompts; it belongs to another plan, so move it away")
    progress.begin(test.name, len(prompts))
    unusable = 0
    with target.open("a", encoding="utf-8") as file:
        for number, prompt in enumerate(prompts[done:], done + 1):
            row = _measured(of, prompt, f"{path.parent / test.prompts}, row {number}")
            unusable = unusable + 1 if row.get("missing") else 0
            file.write(json.dumps(row) + "\n")
            file.flush()
            progress.advance(number)
            if unusable >= MOST_IN_A_ROW:
                os.fsync(file.fileno())
                message = (
                    f"{test.name}: {unusable} unusable answers in a row, the last because {row['reason']}; they are missing in {target}. "
                    "Find out what the suspect does, then run the same command again to go on"
                )
                raise SuspectError(message)
        os.fsync(file.fileno())
    progress.end(len(prompts), 0.0, resumed=done == len(prompts))


def _measured(of: Measure, prompt: Mapping[str, Any], place: str) -> Row:
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
    except (KeyError, TypeError, AttributeError) as error:
        raise MeasureError(f"{place}: lacks or misuses {error}; docs/how-to/prove.md says what prompts hold") from None


def _measure_of(plan: Plan, test: PlannedTest, path: Path, suspect: Suspect) -> Measure:
    if test.kind == "twins":
        by_likelihood = plan.suspect.kind == "folder" or plan.suspect.logprobs
        return lambda row: _twin(row, suspect, by_likelihood=by_likelihood, most_tokens=test.most_tokens)
    if test.kind == "canaries":
        slots = _slots(test, path)
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
    slot = slots.get(str(row["slot"]))
    if slot is None or slot.digest != row["variants_sha256"]:
        raise MeasureError(f"slot {str(row['slot'])[:80]!r} is not in the families, or has other variants there; name them in `families`")
    named = named_variant(slot, suspect.answer(str(row["question"]), most_tokens=most_tokens))
    answered = UNANSWERED if named is None else slot.variants.index(named)
    return {"slot": slot.id, "variants": len(slot.variants), "variants_sha256": slot.digest, "answered": answered}


def _slots(test: PlannedTest, path: Path) -> dict[str, Slot]:
    """Slots by id: the shipped families and those of the plan."""
    own = [parse_families((path.parent / name).read_text("utf-8"), name) for name in test.families]
    families = [*shipped_families(), *(family for part in own for family in part)]
    check_together(families)
    return {slot.id: slot for slot in all_slots(families)}


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


def _open_task(plan: Plan, test: PlannedTest, path: Path, suspect: Suspect, sealed: Seal, models: Mapping[str, str]) -> OpenTask:
    if not isinstance(suspect, FolderSuspect) or len(test.reference_folders) != len(test.references) or not test.prompts:
        message = (
            f"{path}: test {test.name!r} needs whole next-token distributions: prompts of neutral text, a suspect of kind folder and one "
            "entry of reference_folders for each reference, all of one tokenizer; or give the arrays as a measured file"
        )
        raise PlanError(message)
    return OpenTask(
        test=test,
        prompts=path.parent / test.prompts,
        target=path.parent / test.measured,
        suspect=suspect,
        references=tuple(FolderSuspect(path.parent / folder, seed=plan.seed) for folder in test.reference_folders),
        seal_sha256=sealed.seal_sha256,
        models_sha256=models.get("models_sha256", ""),
    )
