"""What a suspect is asked, row by row, seen to be whole before it is asked anything: a plan that could never end is not begun."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.app.measure_files import rows_of
from stillwatch.errors import UnreadableInputError
from stillwatch.govern.vault import Vault
from stillwatch.marks.canary_families import MOST_VARIANTS, Slot, all_slots, check_together, parse_families, shipped_families
from stillwatch.marks.keys import KeyMaterialError, encode_fields
from stillwatch.provenance.canaries import require_draws
from stillwatch.provenance.closed_radioactivity import SMALLEST_SAMPLE
from stillwatch.provenance.columns import LARGEST_SCORE
from stillwatch.provenance.plan import Plan, PlanError, PlannedTest
from stillwatch.provenance.similarity import CONTROLS
from stillwatch.provenance.suspects import AnswerError, require_text
from stillwatch.provenance.twins import require_pairs
from stillwatch.stats.samples import require_samples

Row = dict[str, Any]

_FIELDS: dict[str, dict[str, type]] = {
    "twins": {"request_id": str, "prompt": str, "first": str, "second": str},
    "canaries": {"slot": str, "question": str, "variants": int, "variants_sha256": str},
    "radioactivity_open": {"text": str},
    "radioactivity_closed": {"prompt": str},
}
_WHOLE_TEXT = {"canaries": "question", "radioactivity_open": "text", "radioactivity_closed": "prompt"}
"""Fields of which half a character cannot be asked; a twin's is a missing unit, since nobody can change what was served."""
_KINDS = {str: "text", int: "a whole number"}


def asked_units(plan: Plan, test: PlannedTest, path: Path, vault: Vault | None = None) -> list[Row]:
    """The rows of a test's prompts, each whole, as many as the plan says, and enough for its level. `vault` opens sealed ones.

    Raises PlanError with file and row; MeasureError for a row that is no JSON object; TooFewSamplesError where even the strongest answers
    to all of them could not reach the level.
    """
    prompts = path.parent / test.prompts
    check = _row_check(test, path, prompts, {key.commitment: key.name for key in plan.keys if key.name in test.keys})
    rows: list[Row] = []
    for number, held in enumerate(rows_of(prompts, vault), 1):
        # a pairs file of `stillwatch mark` chains its lines, the pair inside
        row = held["pair"] if isinstance(held.get("pair"), dict) else held
        check(row, f"{prompts}, row {number}")
        rows.append(row)
    if len(rows) != test.sample:
        raise PlanError(
            f"{path}: test {test.name!r} plans a sample of {test.sample:,}, {prompts} holds {len(rows):,} rows; give `sample` that "
            "number, or the prompts the rows that are planned"
        )
    _require_enough(test, rows, plan.level / plan.hypotheses)
    return rows


def require_sample(plan: Plan, test: PlannedTest) -> None:
    """Nothing where a sample of the planned size could reach the plan's level; else TooFewSamplesError with what is needed."""
    level = plan.level / plan.hypotheses
    if test.kind == "twins":
        require_pairs(test.sample, level)
    elif test.kind == "canaries":
        require_draws(np.full(test.sample, MOST_VARIANTS), level)
    elif test.kind == "similarity":
        require_samples("similarity rank, the suspect and its controls", needed=CONTROLS + 1, got=test.sample)


def slots_of(test: PlannedTest, path: Path) -> dict[str, Slot]:
    """Canary slots by id: the shipped families and those of the plan. UnreadableInputError for a file of families that cannot be read."""
    families = [*shipped_families()]
    for name in test.families:
        try:
            families += parse_families((path.parent / name).read_text("utf-8"), str(path.parent / name))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UnreadableInputError(
                f"{path}: test {test.name!r} names the families {path.parent / name}, which cannot be read: {reason}; put the TOML file "
                "there, or leave it out of `families`"
            ) from None
    check_together(families)
    return {slot.id: slot for slot in all_slots(families)}


def _row_check(test: PlannedTest, path: Path, prompts: Path, keys: Mapping[str, str]) -> Callable[[Row, str], None]:
    slots = slots_of(test, path) if test.kind == "canaries" else {}
    wanted, whole = _FIELDS[test.kind], _WHOLE_TEXT.get(test.kind)

    def check(row: Row, place: str) -> None:
        for name, kind in wanted.items():
            if not isinstance(row.get(name), kind) or isinstance(row.get(name), bool):
                found = "lacks it" if name not in row else f"has {_shown(row[name])}"
                raise PlanError(
                    f"{place}: {test.kind} takes a field `{name}` that is {_KINDS[kind]}, this row {found}; mend {prompts.name}"
                )
        if whole is not None:
            _check_text(row[whole], whole, place)
        if test.kind == "twins":
            _check_pair(row, place)
            _check_coin(row.get("key_commitment"), keys, place)
        if test.kind == "canaries":
            _check_slot(row, slots, place)

    return check


def _check_text(text: str, name: str, place: str) -> None:
    try:
        require_text(text)
    except AnswerError:
        raise PlanError(f"{place}: `{name}` holds half of a character (a lone surrogate), which no model reads; take the row out") from None


def _check_pair(row: Mapping[str, Any], place: str) -> None:
    try:
        encode_fields(row["request_id"])
        unusable = row["request_id"].endswith("\0")  # which arrays of text do not keep
    except KeyMaterialError:
        unusable = True
    if unusable:
        raise PlanError(f"{place}: request_id is {_shown(row['request_id'])}; the coin needs text of 1 to 1,024 bytes")
    scores = [row.get("teacher_first"), row.get("teacher_second")]
    if not (scores == [None, None] or all(_is_score(score) for score in scores)):
        raise PlanError(
            f"{place}: teacher_first and teacher_second are {_shown(scores)}; two finite log-likelihoods were expected, or neither"
        )


def _check_coin(found: object, keys: Mapping[str, str], place: str) -> None:
    """Another key's pairs would show nothing under those of the plan, and look like an innocent's."""
    if found is not None and found not in keys:
        planned = ", ".join(f"{name} ({commitment[:23]}…)" for commitment, name in keys.items())
        raise PlanError(
            f"{place}: the coin of this pair was the key {_shown(found)}, the test tries {planned}; plan the key of the pairs' purpose, "
            "account and period (`stillwatch mark commit`), or give the pairs that its coin decided"
        )


def _check_slot(row: Mapping[str, Any], slots: Mapping[str, Slot], place: str) -> None:
    slot = slots.get(row["slot"])
    if slot is None:
        raise PlanError(f"{place}: slot {row['slot'][:80]!r} is not among the families; name its file in `families`")
    if (slot.digest, len(slot.variants)) != (row["variants_sha256"], row["variants"]):
        raise PlanError(
            f"{place}: slot {slot.id!r} has {row['variants']} variants of sha256 {row['variants_sha256'][:16]}…, the families have "
            f"{len(slot.variants)} of {slot.digest[:16]}…; name the families that the questions were written from"
        )


def _is_score(value: object) -> bool:
    # compared and not converted: a whole number beyond doubles raises where it is converted
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST_SCORE <= value <= LARGEST_SCORE


def _shown(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 80 else words[:80] + "…"


def _require_enough(test: PlannedTest, rows: list[Row], level: float) -> None:
    if test.kind == "twins":
        require_pairs(len({row["request_id"] for row in rows if row["first"] != row["second"]}), level)
    elif test.kind == "canaries":
        sizes = {row["slot"]: row["variants"] for row in rows}
        require_draws(np.array(list(sizes.values()), dtype=np.int64), level)
    elif test.kind == "radioactivity_closed" and not test.tokenizer:
        # another tokenizer may make more tokens of an answer than the suspect was allowed
        most = len(rows) * max(0, test.most_tokens - test.width)
        require_samples("closed radioactivity, tokens that may be answered", needed=SMALLEST_SAMPLE, got=most)
