"""Radioactivity of a suspect with open weights (or full probabilities) on neutral text: does it lean towards our keyed tokens?

For each distinct context window w of text that nobody marked, a_wv is the mean over its n_w occurrences of
(suspect's probability of token v) - (the reference's), times n_w ** exponent. The statistic is the sum over w and v of a_wv times
(score of (w, v) under the key - its mean). Over random keys the scores are independent draws of a known law and the a_wv are fixed
numbers, so
the law of the statistic is known exactly, whatever suspect, reference and text are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.marks.keys import KEY_BYTES, MarkKey
from stillwatch.provenance.power import normal_power, reach
from stillwatch.provenance.scoring import Scoring
from stillwatch.records.verdicts import Beside, ProvenanceResult, Reach, Words
from stillwatch.stats.chernoff import WeightedSum
from stillwatch.stats.samples import FloatArray, IntArray, finite_array, finite_vector, require, require_samples

EXPONENT = 0.5
"""Weight of a window: its occurrences to this power. Half weighs by the square root, as the noise of a mean falls."""
KEYS = 9_999
"""Random keys of the key-rank p-value; its floor is 1 / (KEYS + 1)."""
RANKED = 2_048
"""Coefficients, the largest, that the key-rank is taken on."""
WINDOWS = 20
"""Fewest distinct windows: below, one window's coefficients make up the statistic."""

# A coefficient below this share of the largest is left out; which ones are is settled without the key.
_NEGLIGIBLE = 1e-6
_KEY_BLOCK = 1 << 20

WORDS = Words(
    null="Suspect, reference and text are independent of the key: each (window, token) score is an independent draw of its known law, "
    "times a coefficient that the key has no part in.",
    assumption="The PRF behaves as random for those who do not know the key; the key was committed to before use; the text is neutral: "
    "neither written by the marked model nor holding its answers; the reference was not trained on marked outputs of this key.",
    source="Sander et al. 2024, Watermarking Makes Language Models Radioactive, arXiv 2402.14904 (scoring a text once per distinct "
    "window); Kirchenbauer et al. 2023 and Aaronson 2022 (scores); Chernoff 1952 (bound); Phipson, Smyth 2010 (rank among keys).",
    shows="The suspect's next-token probabilities lean towards the tokens that our key favours, after windows of text that holds no mark: "
    "it learnt from text marked with this key.",
    does_not_show="Who fetched that text: published answers would do as well. Which account, only a key of that account's own can say.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """What the key's scores are multiplied with.

    Attributes:
        seeds: [N] uint64, seed of the window.
        tokens: [N], token id.
        values: [N], coefficient; each (seed, token) pair stands once.
        weights: [W], n_w ** exponent of each distinct window.
    """

    seeds: NDArray[np.uint64]
    tokens: IntArray
    values: FloatArray
    weights: FloatArray


def dense_coefficients(seeds: ArrayLike, counts: ArrayLike, suspect: ArrayLike, reference: ArrayLike, *, exponent: float) -> Coefficients:
    """Coefficients from whole next-token distributions.

    Args:
        seeds: [n] uint64 of `marks.prf.context_seeds`, one for each row; a seed may stand in several rows.
        counts: [n], occurrences that each row is the mean of; all 1 for one row per position.
        suspect, reference: [n, V], probabilities of the next token; the reference shares the suspect's vocabulary.
        exponent: of the window weight, in [0, 1].
    """
    ours = finite_array(suspect, "suspect", dimensions=2)
    theirs = finite_array(reference, "reference", dimensions=2)
    require(ours.shape == theirs.shape, f"suspect is {ours.shape}, reference {theirs.shape}; both take [positions, vocabulary]")
    contexts, times = _seeds(seeds), finite_vector(counts, "counts")
    require(contexts.size == times.size == len(ours), f"{contexts.size} seeds, {times.size} counts, {len(ours)} rows; pass one of each")
    distinct, place = np.unique(contexts, return_inverse=True)
    sums = np.zeros((distinct.size, ours.shape[1]))
    np.add.at(sums, place, (ours - theirs) * times[:, None])
    totals: FloatArray = np.bincount(place, weights=times, minlength=distinct.size).astype(np.float64)
    values = sums * (totals ** (exponent - 1.0))[:, None]
    tokens = np.tile(np.arange(ours.shape[1]), distinct.size)
    return _kept(np.repeat(distinct, ours.shape[1]), tokens, values.ravel(), totals**exponent)


def sparse_coefficients(
    seeds: ArrayLike, positions: ArrayLike, tokens: ArrayLike, suspect: ArrayLike, reference: ArrayLike, *, exponent: float
) -> Coefficients:
    """Coefficients from lists of (position, token) pairs, such as the most likely tokens of each position.

    Args:
        seeds: [P] uint64, seed of each position.
        positions: [N], index into `seeds`.
        tokens: [N], token ids.
        suspect, reference: [N], probability that each gives to that token at that position; 0 where it is not listed.
        exponent: as in dense_coefficients.

    A token that neither lists has coefficient 0, which is a choice without the key and leaves the null as it is.
    """
    contexts, ids, where = _seeds(seeds), np.asarray(tokens, dtype=np.int64), np.asarray(positions, dtype=np.int64)
    gap = finite_vector(suspect, "suspect") - finite_vector(reference, "reference")
    require(where.size == ids.size == gap.size, f"{where.size} positions, {ids.size} tokens, {gap.size} probabilities; pass one of each")
    require(where.size == 0 or bool(where.min() >= 0 and where.max() < contexts.size), "a position lies outside the seeds")
    distinct, window, totals = np.unique(contexts, return_inverse=True, return_counts=True)
    pairs, place = np.unique(np.stack([window[where], ids]), axis=1, return_inverse=True)
    sums = np.bincount(place.ravel(), weights=gap, minlength=pairs.shape[1])
    scale = totals.astype(np.float64) ** (exponent - 1.0)
    return _kept(distinct[pairs[0]], pairs[1], sums * scale[pairs[0]], totals.astype(np.float64) ** exponent)


def open_radioactivity(
    key: MarkKey,
    references: Mapping[str, Coefficients],
    scoring: Scoring,
    *,
    level: float,
    generator: np.random.Generator,
    keys: int = KEYS,
) -> ProvenanceResult:
    """The keyed mass of the suspect less that of a reference; its p-value is a Chernoff bound with the exact moment generating function.

    Args:
        key: the one that the plan commits to.
        references: coefficients against each reference; of several p-values the largest counts, so that no lucky reference convicts.
        scoring: of the watermark.
        level: the p-value to be reached, in (0, 1).
        generator: for the random keys of the rank that stands beside.
        keys: how many of them; the rank is on the 2,048 largest coefficients, checks the PRF and has a floor.

    Null hypothesis, assumption and source: `WORDS`. Raises TooFewSamplesError for fewer than 20 distinct windows or no reference.
    """
    require(0.0 < level < 1.0, f"level is {level}, it must lie strictly between 0 and 1")
    require_samples("open radioactivity, references", needed=1, got=len(references))
    found = [(_tail(key, part, scoring), name) for name, part in references.items()]
    (log10_p, z), name = max(found)
    rank, elsewhere, ours = _rank(key, references[name], scoring, generator, keys)
    return ProvenanceResult(
        test="radioactivity_open",
        statistic=f"keyed mass less that of {name}, in standard deviations over keys",
        value=z,
        log10_p=log10_p,
        method=f"Chernoff bound with the exact moment generating function; {scoring.name}; the weakest of {len(references)} reference(s)",
        sample=int(references[name].weights.size),
        dropped=(),
        words=WORDS,
        reach=_reach(references[name], scoring, level),
        beside=(rank, *_others(found, name)),
        elsewhere=tuple(elsewhere.tolist()),
        details=(ours,),
    )


def _others(found: Sequence[tuple[tuple[float, float], str]], weakest: str) -> tuple[Beside, ...]:
    """The other references' p-values under the same key: no new evidence, but the reader should see how far they agree."""
    return tuple(
        Beside(name=f"against {name}", log10_p=p, log10_floor=None, meaning="another reference")
        for (p, _), name in found
        if name != weakest
    )


def keyed_mass(key: MarkKey, coefficients: Coefficients, scoring: Scoring) -> float:
    """The statistic: sum of coefficient times (score - mean). Of mean 0 over random keys."""
    parts = (slice(start, start + _KEY_BLOCK) for start in range(0, coefficients.values.size, _KEY_BLOCK))
    return math.fsum(
        float(np.dot(coefficients.values[part], scoring.scores(key, coefficients.seeds[part], coefficients.tokens[part]) - scoring.mean))
        for part in parts
    )


def random_keys(generator: np.random.Generator, count: int) -> Iterator[MarkKey]:
    """Keys that nobody marked with, for the law of a statistic over keys."""
    return (MarkKey(generator.bytes(KEY_BYTES)) for _ in range(count))


def _tail(key: MarkKey, coefficients: Coefficients, scoring: Scoring) -> tuple[float, float]:
    require_samples("open radioactivity, distinct windows", needed=WINDOWS, got=coefficients.weights.size)
    bound = WeightedSum(coefficients.values, scoring.law)
    mass = keyed_mass(key, coefficients, scoring)
    return bound.log10_tail(mass), mass / bound.deviation


def _rank(
    key: MarkKey, coefficients: Coefficients, scoring: Scoring, generator: np.random.Generator, keys: int
) -> tuple[Beside, FloatArray, float]:
    """The key's rank among random keys, their standardised values, and the key's own."""
    require_samples("open radioactivity, random keys", needed=99, got=keys)
    largest = np.argsort(-np.abs(coefficients.values), kind="stable")[:RANKED]
    part = replace(
        coefficients, seeds=coefficients.seeds[largest], tokens=coefficients.tokens[largest], values=coefficients.values[largest]
    )
    deviation = WeightedSum(part.values, scoring.law).deviation
    ours = keyed_mass(key, part, scoring) / deviation
    elsewhere = np.array([keyed_mass(other, part, scoring) for other in random_keys(generator, keys)]) / deviation
    p = (1 + np.count_nonzero(elsewhere >= ours)) / (keys + 1)
    share = float(np.sum(part.values**2) / np.sum(coefficients.values**2))
    meaning = f"checks the PRF with real keys, on the {largest.size:,} largest coefficients, {share:.0%} of the variance"
    rank = Beside(name=f"rank among {keys:,} random keys", log10_p=math.log10(p), log10_floor=-math.log10(keys + 1), meaning=meaning)
    return rank, elsewhere, ours


def _reach(coefficients: Coefficients, scoring: Scoring, level: float) -> Reach:
    deviation = WeightedSum(coefficients.values, scoring.law).deviation
    # the Gaussian bound exp(-z^2 / 2), which the exact bound comes close to for many small coefficients
    threshold = math.sqrt(-2.0 * math.log(level))
    per_unit = float(coefficients.weights.sum()) / deviation
    return reach(
        lambda effect: normal_power(effect * per_unit, threshold),
        effect="rise of the mean keyed score per window, such as probability moved onto green tokens",
        log10_level=math.log10(level),
        largest=1.0,
        exact=False,
    )


def _kept(seeds: NDArray[np.uint64], tokens: NDArray[np.integer], values: FloatArray, weights: FloatArray) -> Coefficients:
    """The coefficients that are not negligible."""
    kept = np.abs(values) > _NEGLIGIBLE * np.abs(values).max(initial=0.0)
    return Coefficients(seeds=seeds[kept], tokens=tokens[kept].astype(np.int64), values=values[kept], weights=weights)


def _seeds(seeds: ArrayLike) -> NDArray[np.uint64]:
    array = np.asarray(seeds)
    require(array.ndim == 1 and array.dtype == np.uint64, f"seeds must be a vector of uint64, got {array.dtype}; use context_seeds")
    return array
