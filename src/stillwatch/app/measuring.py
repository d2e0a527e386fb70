"""Asks a suspect what a plan says, unit by unit, into the plan's measured files; an interrupted measurement goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from stillwatch.app.measure_files import rows_of
from stillwatch.app.progress import Progress
from stillwatch.app.tokenizing import load_tokenizer
from stillwatch.errors import StillwatchError
from stillwatch.marks.canaries import named_variant
from stillwatch.marks.canary_families import Slot, all_slots, check_together, parse_families, shipped_families
from stillwatch.marks.prf import context_seeds
from stillwatch.provenance.canaries import UNANSWERED
from stillwatch.provenance.measures import MeasureError
from stillwatch.provenance.overlap import overlap
from stillwatch.provenance.plan import Plan, PlanError, PlannedTest
from stillwatch.provenance.suspects import AnswerError, Suspect, SuspectError
from stillwatch.provenance.suspects.endpoint import EndpointSuspect
from stillwatch.provenance.suspects.folder import FolderSuspect, listed
from stillwatch.provenance.suspects.transport import Transport

MOST_IN_A_ROW = 8
"""Unusable answers in a row after which the suspect is taken to be broken or playing: units are not burnt on it."""
LISTED = 256
"""Tokens listed for each position and model in open radioactivity."""

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
    """Fill every measured file that is not complete. Raises SuspectError where the suspect gives nothing; rows so far are kept."""
    for test in plan.tests:
        target = path.parent / test.measured
        if test.kind == "radioactivity_open":
            if not target.exists():
                _measure_open(plan, test, path, suspect)
        elif test.prompts:
            _measure_rows(test, path, target, _measure_of(plan, test, path, suspect), progress)
        elif not target.exists():
            raise PlanError(f"{path}: test {test.name!r} has neither prompts nor {test.measured}; name the prompts, or give the measures")


def _measure_rows(test: PlannedTest, path: Path, target: Path, of: Measure, progress: Progress) -> None:
    # a pairs file of `stillwatch mark` chains its lines, the pair inside
    prompts = [row["pair"] if isinstance(row.get("pair"), dict) else row for row in rows_of(path.parent / test.prompts)]
    done = _resumed(target)
    if done > len(prompts):
        raise MeasureError(f"{target} holds {done:,} rows for {len(prompts):,} prompts; it belongs to another plan, so move it away")
    progress.begin(test.name, len(prompts))
    unusable = 0
    with target.open("a", encoding="utf-8") as file:
        for number, prompt in enumerate(prompts[done:], done + 1):
            row = _measured(of, prompt, f"{path.parent / test.prompts}, row {number}")
            unusable = unusable + 1 if row.get("missing") else 0
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
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


def _resumed(target: Path) -> int:
    """Whole rows that are there; a last line that was torn is cut off."""
    if not target.exists():
        return 0
    content = target.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        target.write_bytes(whole)
    return whole.count(b"\n")


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


def plain_prompt(prompt: str) -> str:
    """A prompt as text: messages written as JSON are joined by blank lines, anything else is taken as it is."""
    try:
        messages: Any = json.loads(prompt)
        parts = [message["content"] for message in messages] if isinstance(messages, list) else []
    except (ValueError, TypeError, KeyError, RecursionError):
        return prompt
    return "".join(f"{part}\n\n" for part in parts) if parts and all(isinstance(part, str) for part in parts) else prompt


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
    encode, _ = load_tokenizer(path.parent / test.tokenizer / "tokenizer.json")
    return lambda text: list(encode([text])[0])


def _measure_open(plan: Plan, test: PlannedTest, path: Path, suspect: Suspect) -> None:
    """Probabilities of suspect and references after every window of neutral text, as one npz beside the plan."""
    if not isinstance(suspect, FolderSuspect) or len(test.reference_folders) != len(test.references):
        message = (
            f"{path}: test {test.name!r} needs whole next-token distributions: a suspect of kind folder and one entry of reference_folders "
            "for each reference, all of one tokenizer; or give the arrays as a measured file"
        )
        raise PlanError(message)
    references = [FolderSuspect(path.parent / folder, seed=plan.seed) for folder in test.reference_folders]
    parts: dict[str, list[Any]] = {name: [] for name in ("seeds", "positions", "tokens", *_named(test))}
    start = documents = 0
    for row in rows_of(path.parent / test.prompts):
        documents += 1
        for piece in _open_piece(test, str(row["text"]), suspect, references, start):
            for name, values in piece.items():
                parts[name].append(values)
        start = sum(len(seeds) for seeds in parts["seeds"])
    if not start:
        raise StillwatchError(f"{path}: test {test.name!r} has no text longer than a window; give neutral text")
    arrays: dict[str, Any] = {name: np.concatenate(values) for name, values in parts.items()}
    temporary = (path.parent / test.measured).with_suffix(".part.npz")
    np.savez_compressed(temporary, documents=np.array([documents]), allow_pickle=False, **arrays)
    temporary.replace(path.parent / test.measured)


def _named(test: PlannedTest) -> list[str]:
    return ["suspect", *(f"reference_{name}" for name in test.references)]


def _open_piece(
    test: PlannedTest, text: str, suspect: FolderSuspect, references: list[FolderSuspect], start: int
) -> Iterator[dict[str, Any]]:
    ids = suspect.encode(text)
    if any(reference.encode(text) != ids for reference in references):
        raise SuspectError(f"{test.name}: suspect and reference split a text into different tokens; one tokenizer for all is needed")
    laws = [model.next_tokens(ids) for model in (suspect, *references)] if len(ids) > test.width else []
    if not laws:
        return
    # row i of a law follows ids[: i + 1], whose last `width` ids are window i + 1 - width
    laws = [law[test.width - 1 :] for law in laws]
    seeds = context_seeds(ids[: len(laws[0]) + test.width], test.width)
    where, tokens = zip(*((np.full(chosen.size, place), chosen) for place, chosen in listed(laws, LISTED)), strict=True)
    positions, columns = np.concatenate(cast("Any", where)), np.concatenate(cast("Any", tokens))
    values = {name: law[positions, columns] for name, law in zip(_named(test), laws, strict=True)}
    yield {"seeds": seeds, "positions": positions + start, "tokens": columns, **values}
