"""From a planned test, a key and the suspect's measures to a result. The measures know no key: which answer was served comes in here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stillwatch.marks.canary_families import MOST_VARIANTS
from stillwatch.marks.keys import KeyMaterialError, MarkKey, keyed_choice
from stillwatch.marks.prf import LARGEST_TOKEN, context_seeds
from stillwatch.marks.twins import assign
from stillwatch.provenance.canaries import UNANSWERED, canaries, majority
from stillwatch.provenance.closed_radioactivity import closed_radioactivity, distinct_pairs
from stillwatch.provenance.columns import Arrays, MeasureError, count, flags, numbers, require_length, texts, whole
from stillwatch.provenance.open_radioactivity import Coefficients, dense_coefficients, open_radioactivity, sparse_coefficients
from stillwatch.provenance.plan import PlannedTest
from stillwatch.provenance.scoring import GreenListScoring, GumbelScoring, Scoring
from stillwatch.provenance.similarity import similarity_rank
from stillwatch.provenance.twins import twins
from stillwatch.records.verdicts import Corroboration, ProvenanceResult

SUSPECT = "suspect"
"""Name of the suspect's row among the models of a similarity rank."""

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
    models = texts(test, arrays, "model")
    _reconcile(test, len(models), "models, the suspect among them")
    scores = dict(zip(models, numbers(test, arrays, "score", len(models)).tolist(), strict=True))
    if SUSPECT not in scores or len(scores) != len(models):
        raise MeasureError(f"{test.name}: one row of model {SUSPECT!r} and one of each control were expected; mend {test.measured}")
    return similarity_rank(test.measure or "similarity", scores.pop(SUSPECT), scores)


def _twins(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float, generator: np.random.Generator) -> ProvenanceResult:
    pairs = np.array(texts(test, arrays, "pair"))
    size = pairs.size
    _reconcile(test, size, "pairs")
    missing = flags(test, arrays, "missing", size)
    gap = numbers(test, arrays, "suspect_first", size, missing) - numbers(test, arrays, "suspect_second", size, missing)
    if "teacher_first" in arrays:
        gap = gap - (numbers(test, arrays, "teacher_first", size, missing) - numbers(test, arrays, "teacher_second", size, missing))
    served_first = np.array([not _coin(test, key, pair, row) for row, pair in enumerate(pairs.tolist(), 1)], dtype=np.bool_)
    # a request asked twice has one coin, so its first pair alone counts
    repeated = np.ones(size, dtype=np.bool_)
    repeated[np.unique(pairs, return_index=True)[1]] = False
    kept = ~missing & ~repeated
    identical = flags(test, arrays, "identical", size)[kept]
    found = twins(np.where(served_first, gap, -gap)[kept], identical, level=level, score=test.score, generator=generator)
    others = (("not measured", int((missing & ~repeated).sum())), ("later pair of a request", int(repeated.sum())))
    return replace(found, dropped=(*found.dropped, *others))


def _coin(test: PlannedTest, key: MarkKey, pair: str, row: int) -> bool:
    try:
        return assign(key, pair, 1.0).second_is_served
    except KeyMaterialError:
        shown = f"{pair[:40]!r}…" if len(pair) > 40 else repr(pair)
        raise MeasureError(
            f"{test.name}: pair in row {row} of {test.measured} is {shown}; the request's id, text of 1 to 1,024 bytes, was expected in "
            "every row, missing ones as well"
        ) from None


def _canaries(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float) -> ProvenanceResult:
    slots, digests = texts(test, arrays, "slot"), np.array(texts(test, arrays, "variants_sha256"))
    size = len(slots)
    _reconcile(test, size, "questions")
    sizes = whole(test, arrays, "variants", size, lowest=2, highest=MOST_VARIANTS)
    require_length(test, "variants_sha256", digests.size, size)
    names, first, place = np.unique(np.array(slots), return_index=True, return_inverse=True)
    if np.any(sizes != sizes[first][place]) or np.any(digests != digests[first][place]):
        raise MeasureError(f"{test.name}: questions of one slot differ in their variants; mend {test.measured}")
    missing = flags(test, arrays, "missing", size)
    told = whole(test, arrays, "answered", size, lowest=UNANSWERED, highest=MOST_VARIANTS, missing=missing)
    answered = np.where(missing, UNANSWERED, told)
    if np.any(answered >= sizes):
        row = int(np.flatnonzero(answered >= sizes)[0])
        raise MeasureError(
            f"{test.name}: answered is {answered[row]} in row {row + 1} of {test.measured}, its slot has {sizes[row]} variants, numbered "
            "from 0; give the number of the variant, or -1 for none"
        )
    _, answers = majority(place, answered)
    # the draw of marks.canaries.choose, which needs the variants' digest and number only
    drawn = zip(sizes[first].tolist(), names.tolist(), digests[first].tolist(), strict=True)
    try:
        chosen = [keyed_choice(key, size, name, digest) for size, name, digest in drawn]
    except KeyMaterialError as error:
        raise MeasureError(f"{test.name}: slot or variants_sha256 of {test.measured} cannot be used ({error}); mend the row") from None
    return canaries(np.array(chosen, dtype=np.int64), answers, sizes[first], level=level)


def _open(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float, generator: np.random.Generator) -> ProvenanceResult:
    seeds = arrays["seeds"]
    if seeds.ndim != 1 or seeds.dtype != np.uint64:
        raise MeasureError(
            f"{test.name}: seeds of {test.measured} has {seeds.ndim} axes of {seeds.dtype}, a vector of uint64 was expected; take "
            "them from marks.prf.context_seeds"
        )
    _reconcile(test, count(test, arrays, "documents") if "documents" in arrays else seeds.size, "texts (or rows of windows)")
    wanted = [f"reference_{name}" for name in test.references]
    lacking = [name for name in ("suspect", *wanted) if name not in arrays]
    if lacking:
        raise MeasureError(f"{test.name}: {test.measured} lacks {', '.join(lacking)}; measure again with the plan's references")
    references = {name: _coefficients(test, arrays, f"reference_{name}") for name in test.references}
    found = open_radioactivity(key, references, _scoring(test), level=level, generator=generator, keys=test.random_keys)
    unusable = count(test, arrays, "unusable") if "unusable" in arrays else 0
    return replace(found, dropped=(*found.dropped, ("text without finite probabilities", unusable)))


def _coefficients(test: PlannedTest, arrays: Arrays, reference: str) -> Coefficients:
    ours, theirs = numbers(test, arrays, "suspect"), numbers(test, arrays, reference)
    if ours.shape != theirs.shape or ours.ndim not in (1, 2):
        raise MeasureError(
            f"{test.name}: suspect of {test.measured} is {list(ours.shape)}, {reference} {list(theirs.shape)}; [rows, vocabulary], or one "
            "number for each listed token, were expected of both"
        )
    for name, values in (("suspect", ours), (reference, theirs)):
        if np.any((values < -1e-6) | (values > 1.0 + 1e-6)):
            raise MeasureError(f"{test.name}: {name} holds values outside [0, 1], probabilities were expected; measure again")
    seeds = arrays["seeds"]
    if ours.ndim == 2:
        require_length(test, "suspect", len(ours), seeds.size)
        counts = whole(test, arrays, "counts", seeds.size, lowest=1, highest=2**40) if "counts" in arrays else np.ones(seeds.size)
        return dense_coefficients(seeds, counts, ours, theirs, exponent=test.exponent)
    positions = whole(test, arrays, "positions", ours.size, lowest=0, highest=seeds.size - 1)
    tokens = whole(test, arrays, "tokens", ours.size, lowest=0, highest=LARGEST_TOKEN)
    return sparse_coefficients(seeds, positions, tokens, ours, theirs, exponent=test.exponent)


def _closed(test: PlannedTest, arrays: Arrays, key: MarkKey, level: float) -> ProvenanceResult:
    documents, tokens = _documents(test, arrays, "document", "tokens")
    given = "prompt_document" in arrays or "prompt_tokens" in arrays
    asked, prompts = _documents(test, arrays, "prompt_document", "prompt_tokens") if given else (documents[:0], tokens[:0])
    seen = count(test, arrays, "documents") if "documents" in arrays else np.union1d(documents, asked).size
    _reconcile(test, seen, "documents, counted in `documents` where some are empty")
    seeds, following = _windows(documents, tokens, test.width)
    prompt_seeds, _ = _windows(asked, prompts, test.width)
    return closed_radioactivity(key, distinct_pairs(seeds, following, prompt_seeds), _scoring(test), level=level)


def _documents(test: PlannedTest, arrays: Arrays, document: str, tokens: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Document number and token id of each position."""
    lacking = [name for name in (document, tokens) if name not in arrays]
    if lacking:
        raise MeasureError(f"{test.name}: {test.measured} lacks {lacking[0]}; {document} and {tokens} go together")
    ids = whole(test, arrays, tokens, None, lowest=0, highest=LARGEST_TOKEN)
    return whole(test, arrays, document, ids.size, lowest=-(2**62), highest=2**62), ids


def _windows(documents: NDArray[np.int64], tokens: NDArray[np.int64], width: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Seeds and next tokens within each document: no window crosses from one into the next."""
    seeds, following = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for part in np.split(tokens, np.flatnonzero(np.diff(documents)) + 1):
        seeds.append(context_seeds(part, width))
        following.append(part[width:])
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
