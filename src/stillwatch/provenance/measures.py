"""From a planned test, a key and the suspect's measures to a result. The measures know no key: which answer was served comes in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import StillwatchError
from stillwatch.marks.keys import MarkKey, keyed_choice
from stillwatch.marks.prf import context_seeds
from stillwatch.marks.twins import assign
from stillwatch.provenance.canaries import UNANSWERED, canaries, majority
from stillwatch.provenance.closed_radioactivity import closed_radioactivity, distinct_pairs
from stillwatch.provenance.open_radioactivity import Coefficients, dense_coefficients, open_radioactivity, sparse_coefficients
from stillwatch.provenance.plan import PlannedTest
from stillwatch.provenance.scoring import GreenListScoring, GumbelScoring, Scoring
from stillwatch.provenance.similarity import similarity_rank
from stillwatch.provenance.twins import twins
from stillwatch.records.verdicts import Corroboration, ProvenanceResult

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

SUSPECT = "suspect"
"""Name of the suspect's row among the models of a similarity rank."""


class MeasureError(StillwatchError):
    """A file of measures does not hold what the planned test takes, or not as much as the plan says."""


COLUMNS: dict[str, tuple[str, ...]] = {
    "twins": ("pair", "suspect_first", "suspect_second"),
    "canaries": ("slot", "variants", "variants_sha256", "answered"),
    "radioactivity_open": ("seeds",),
    "radioactivity_closed": ("document", "tokens"),
    "similarity": ("model", "score"),
}
"""Arrays that each kind of test cannot do without."""


def result(test: PlannedTest, arrays: Arrays, key: MarkKey, *, level: float, generator: np.random.Generator) -> ProvenanceResult:
    """The planned test of the measures under one key.

    Args:
        test: as the plan names it.
        arrays: columns by name; `COLUMNS` and docs/how-to/prove.md say which.
        key: opened, its commitment checked.
        level: that one (test, key) pair has to reach.
        generator: for drawn flips and keys.

    Raises MeasureError for missing columns, NaN, or another sample than planned; TooFewSamplesError as the test does.
    """
    _require_columns(test, arrays)
    if test.kind == "twins":
        return _twins(test, arrays, key, level, generator)
    if test.kind == "canaries":
        return _canaries(test, arrays, key, level)
    if test.kind == "radioactivity_open":
        return _open(test, arrays, key, level, generator)
    return _closed(test, arrays, key, level)


def corroboration(test: PlannedTest, arrays: Arrays) -> Corroboration:
    """The planned similarity rank. Raises MeasureError where the suspect's score is missing or models repeat."""
    _require_columns(test, arrays)
    _reconcile(test, len(arrays["model"]), "models, the suspect among them")
    scores = dict(zip(arrays["model"].astype(str).tolist(), _numbers(test, arrays, "score").tolist(), strict=True))
    if SUSPECT not in scores or len(scores) != len(arrays["model"]):
        raise MeasureError(f"{test.name}: one row of model {SUSPECT!r} and one of each control were expected; mend {test.measured}")
    return similarity_rank(test.measure or "similarity", scores.pop(SUSPECT), scores)


def _twins(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float, generator: np.random.Generator) -> ProvenanceResult:
    pairs = arrays["pair"].astype(str)
    _reconcile(test, pairs.size, "pairs")
    missing = _flags(arrays, "missing", pairs.size)
    gap = _numbers(test, arrays, "suspect_first", missing) - _numbers(test, arrays, "suspect_second", missing)
    if "teacher_first" in arrays:
        gap = gap - (_numbers(test, arrays, "teacher_first", missing) - _numbers(test, arrays, "teacher_second", missing))
    served_first = np.array([not assign(key, pair, 1.0).second_is_served for pair in pairs.tolist()], dtype=np.bool_)
    # a request asked twice has one coin, so its first pair alone counts
    repeated = np.ones(pairs.size, dtype=np.bool_)
    repeated[np.unique(pairs, return_index=True)[1]] = False
    kept = ~missing & ~repeated
    identical = _flags(arrays, "identical", pairs.size)[kept]
    found = twins(np.where(served_first, gap, -gap)[kept], identical, level=level, score=test.score, generator=generator)
    others = (("not measured", int((missing & ~repeated).sum())), ("later pair of a request", int(repeated.sum())))
    return replace(found, dropped=(*found.dropped, *others))


def _canaries(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float) -> ProvenanceResult:
    slots, digests = arrays["slot"].astype(str), arrays["variants_sha256"].astype(str)
    _reconcile(test, slots.size, "questions")
    names, first, place = np.unique(slots, return_index=True, return_inverse=True)
    sizes = arrays["variants"].astype(np.int64)
    if np.any(sizes != sizes[first][place]) or np.any(digests != digests[first][place]):
        raise MeasureError(f"{test.name}: questions of one slot differ in their variants; mend {test.measured}")
    missing = _flags(arrays, "missing", slots.size)
    told = _numbers(test, arrays, "answered", missing)
    if np.any(told != np.rint(told)):
        raise MeasureError(f"{test.name}: answered is to be the number of a variant, or -1; mend {test.measured}")
    answered = np.where(missing, UNANSWERED, told.astype(np.int64))
    _, answers = majority(place, answered)
    # the draw of marks.canaries.choose, which needs the variants' digest and number only
    drawn = zip(sizes[first].tolist(), names.tolist(), digests[first].tolist(), strict=True)
    chosen = [keyed_choice(key, size, name, digest) for size, name, digest in drawn]
    return canaries(np.array(chosen, dtype=np.int64), answers, sizes[first], level=level)


def _open(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float, generator: np.random.Generator) -> ProvenanceResult:
    _reconcile(test, int(arrays["documents"][0]) if "documents" in arrays else len(arrays["seeds"]), "texts (or rows of windows)")
    wanted = [f"reference_{name}" for name in test.references]
    lacking = [name for name in ("suspect", *wanted) if name not in arrays]
    if lacking:
        raise MeasureError(f"{test.name}: {test.measured} lacks {', '.join(lacking)}; measure again with the plan's references")
    references = {name: _coefficients(test, arrays, f"reference_{name}") for name in test.references}
    found = open_radioactivity(key, references, _scoring(test), level=level, generator=generator, keys=test.random_keys)
    unusable = int(arrays["unusable"][0]) if "unusable" in arrays else 0
    return replace(found, dropped=(*found.dropped, ("text without finite probabilities", unusable)))


def _coefficients(test: PlannedTest, arrays: Arrays, reference: str) -> Coefficients:
    ours, theirs = _numbers(test, arrays, "suspect"), _numbers(test, arrays, reference)
    for name, values in (("suspect", ours), (reference, theirs)):
        if np.any((values < -1e-6) | (values > 1.0 + 1e-6)):
            raise MeasureError(f"{test.name}: {name} holds values outside [0, 1], probabilities were expected; measure again")
    if ours.ndim == 2:
        counts = arrays.get("counts", np.ones(len(ours)))
        return dense_coefficients(arrays["seeds"], counts, ours, theirs, exponent=test.exponent)
    return sparse_coefficients(arrays["seeds"], arrays["positions"], arrays["tokens"], ours, theirs, exponent=test.exponent)


def _closed(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float) -> ProvenanceResult:
    documents = arrays["document"].astype(np.int64)
    asked = arrays.get("prompt_document", np.zeros(0, np.int64)).astype(np.int64)
    seen = int(arrays["documents"][0]) if "documents" in arrays else np.union1d(documents, asked).size
    _reconcile(test, seen, "documents, counted in `documents` where some are empty")
    seeds, tokens = _windows(documents, arrays["tokens"], test.width)
    prompt_seeds, _ = _windows(asked, arrays.get("prompt_tokens", np.zeros(0, np.int64)), test.width)
    return closed_radioactivity(key, distinct_pairs(seeds, tokens, prompt_seeds), _scoring(test), level=level)


def _windows(documents: NDArray[np.int64], tokens: NDArray[Any], width: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Seeds and next tokens within each document: no window crosses from one into the next."""
    if len(documents) != len(tokens):
        raise MeasureError(f"{len(documents)} document numbers for {len(tokens)} tokens; pass one for each")
    seeds, following = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for part in np.split(tokens, np.flatnonzero(np.diff(documents)) + 1):
        seeds.append(context_seeds(part, width))
        following.append(part[width:].astype(np.int64))
    return np.concatenate(seeds), np.concatenate(following)


def _scoring(test: PlannedTest) -> Scoring:
    return GreenListScoring(test.gamma) if test.mark == "green" else GumbelScoring()


def _require_columns(test: PlannedTest, arrays: Arrays) -> None:
    lacking = [name for name in COLUMNS[test.kind] if name not in arrays]
    if lacking:
        raise MeasureError(
            f"{test.name}: {test.measured} lacks {', '.join(lacking)}, has {', '.join(sorted(arrays))}; see docs/how-to/prove.md"
        )


def _reconcile(test: PlannedTest, got: int, what: str) -> None:
    if got != test.sample:
        message = (
            f"{test.name}: the plan says {test.sample:,} {what}, {test.measured} holds {got:,}; all that were planned are needed and no "
            f"more, "
            "those that could not be measured as rows with missing = true"
        )
        raise MeasureError(message)


def _numbers(test: PlannedTest, arrays: Arrays, name: str, missing: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    if name not in arrays:
        raise MeasureError(f"{test.name}: {test.measured} lacks {name}; measure again")
    values = np.asarray(arrays[name], dtype=np.float64)
    if missing is not None:
        values = np.where(missing, 0.0, values)
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if bad.size:
        message = (
            f"{test.name}: {name} is not finite in {bad.size:,} of {len(values):,} rows, first in row {int(bad[0]) + 1} of "
            f"{test.measured}; "
            "measure those again, or mark them missing = true"
        )
        raise MeasureError(message)
    return values


def _flags(arrays: Arrays, name: str, size: int) -> NDArray[np.bool_]:
    """[size] a mark of each unit; one that does not have it is not marked. Raises MeasureError for what is neither true nor false."""
    if name not in arrays:
        return np.zeros(size, dtype=np.bool_)
    given = arrays[name]
    if given.dtype.kind not in "biuf" or given.shape != (size,) or not np.all(np.isin(given, (0, 1)) | np.isnan(given.astype(np.float64))):
        raise MeasureError(f"{name} is to be true or false for each of {size:,} units; mend the measured file")
    return np.nan_to_num(given.astype(np.float64)).astype(np.bool_)
