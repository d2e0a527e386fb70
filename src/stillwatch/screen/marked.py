"""Watermark tests on the token ids of documents: one compiled pass that counts each (context seed, token) pair once.

The arithmetic is that of `marks.prf`, `marks.green_list` and `marks.gumbel`, which the tests hold it to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
from scipy import special

from stillwatch.marks import vllm_gumbel
from stillwatch.marks.green_list import threshold
from stillwatch.marks.gumbel import UNIFORM_BITS
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import DOMAIN, MIX_STEP, MULTIPLIERS, ROUNDS, WEYL, key_words
from stillwatch.sketch.tokens import mix
from stillwatch.stats.samples import FloatArray, require

GREEN_LIST, GUMBEL, VLLM = "green-list", "gumbel", vllm_gumbel.PURPOSE
KINDS = (GREEN_LIST, GUMBEL, VLLM)
WIDEST = 16

Integers: TypeAlias = npt.NDArray[np.int64]

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_FIRST, _SECOND = (np.uint64(value) for value in MULTIPLIERS)
_WEYL_LOW, _WEYL_HIGH = (np.uint64(value) for value in WEYL)
_DOMAIN = np.uint64(DOMAIN)
_STEP = np.uint64(MIX_STEP)
_GOLDEN = np.uint64(0xD1B54A32D192ED03)
_SHIFT = np.uint64(64 - UNIFORM_BITS)
_CELL = 2.0**-UNIFORM_BITS
_FEWEST_BITS, _MOST_BITS = 20, 30
_SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A watermark that documents are tested for.

    Attributes:
        kind: green-list, gumbel or vllm-gumbel.
        key: the secret.
        width: tokens of a context.
        gamma: share of green tokens; only the green list has one.
        account, period: what the key was derived for.
    """

    kind: str
    key: MarkKey = field(repr=False)
    width: int
    gamma: float = 0.5
    account: str | None = None
    period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkScores:
    """[n] documents under one mark.

    Attributes:
        scored: different (context, token) pairs of each document.
        score: green tokens, or the sum of -log(1 - U) in nats.
        p: chance of such a score or a higher one under the null; NaN where fewer pairs were scored than asked for.
        fresh_scored: pairs of each document that no earlier document of the corpus had.
        fresh_p: the p of those alone; NaN where they are too few, or no record of earlier pairs was given.
    """

    scored: Integers
    score: FloatArray
    p: FloatArray
    fresh_scored: Integers
    fresh_p: FloatArray


def seen_pairs(tokens: int) -> npt.NDArray[np.uint64]:
    """An empty record of the pairs that a corpus of about so many tokens shows, for `watermark_scores`.

    A pair is one bit, by its hash: what is wrongly taken as seen goes unscored, which costs power and no validity. The record has eight
    bits for each token, at most 128 MiB.
    """
    bits = min(_MOST_BITS, max(_FEWEST_BITS, (8 * max(1, tokens) - 1).bit_length()))
    return np.zeros(1 << (bits - 6), np.uint64)


def watermark_scores(
    ids: npt.NDArray[np.uint32], offsets: Integers, mark: Mark, *, least_scored: int, seen: npt.NDArray[np.uint64] | None = None
) -> MarkScores:
    """Score every document.

    Null hypothesis: the document's tokens were chosen independently of the key. Assumption: the PRF gives independent uniform values for
    different pairs. Under both, green tokens are Binomial(n, gamma), and Gumbel scores Gamma(n, 1), over a document's n different pairs.

    Args:
        ids: token ids of all documents, one after the other.
        offsets: [n + 1] where each begins.
        mark: what to test for.
        least_scored: pairs below which nothing is said.
        seen: record of the pairs of earlier documents, from `seen_pairs`; those of these documents are added. The fresh scores of different
            documents rest on different pairs, so that they are independent, whatever the documents have in common.

    Raises UnusableValuesError for a width outside [1, 16] or an unknown kind.

    Source: Kirchenbauer et al. 2023, section 3 (here with the exact binomial tail); Aaronson 2023; Sander et al. 2024 (each pair once).
    """
    require(mark.kind in KINDS, f"a mark is of kind {mark.kind!r}; it takes one of {', '.join(KINDS)}")
    require(1 <= mark.width <= WIDEST, f"width is {mark.width}; it takes 1 to {WIDEST} tokens")
    if mark.kind == VLLM:
        return _vllm(ids, offsets, mark, least_scored)
    rows = offsets.size - 1
    counts, sums = np.zeros((2, rows), np.int64), np.zeros((2, rows), np.float64)
    low, high = (np.uint64(word) for word in key_words(mark.key))
    limit = np.uint64(threshold(mark.gamma) if mark.kind == GREEN_LIST else 0)
    longest = int(np.diff(offsets).max(initial=1))
    table = np.zeros(1 << max(6, (2 * longest - 1).bit_length()), np.uint64)
    earlier = np.empty(0, np.uint64) if seen is None else seen
    score_documents(ids, offsets, mark.width, low, high, limit, table, earlier, counts, sums)
    p, fresh_p = (_told(_tail(sums[place], counts[place], mark), counts[place], least_scored) for place in (0, 1))
    return MarkScores(scored=counts[0], score=sums[0], p=p, fresh_scored=counts[1], fresh_p=fresh_p)


def _tail(score: FloatArray, scored: Integers, mark: Mark) -> FloatArray:
    return green_tail(score, scored, mark.gamma) if mark.kind == GREEN_LIST else special.gammaincc(np.maximum(scored, 1), score)


def green_tail(green: npt.ArrayLike, scored: npt.ArrayLike, gamma: float) -> FloatArray:
    """P(Binomial(scored, gamma) >= green), exactly, by the incomplete beta function (Abramowitz, Stegun 26.5.24)."""
    hits, trials = np.asarray(green, np.float64), np.asarray(scored, np.float64)
    return np.where(hits > 0, special.betainc(np.maximum(hits, 1), np.maximum(trials - hits, 0) + 1, gamma), 1.0)


def attained(level: float, scored: Integers, mark: Mark) -> FloatArray:
    """[n] the chance under the null that a document's p is at most `level`: below it where counts are whole numbers."""
    if mark.kind != GREEN_LIST:
        return np.full(scored.size, level)
    result = np.empty(scored.size)
    for trials in np.unique(scored).tolist():
        # the smallest count whose tail is at most the level, found among all of them
        tails = green_tail(np.arange(trials + 2), np.full(trials + 2, trials), mark.gamma)
        tails[-1] = 0.0
        result[scored == trials] = tails[np.argmax(tails <= level)]
    return result


def _told(tail: npt.NDArray[Any], scored: Integers, least: int) -> FloatArray:
    # a tail that underflows is still above 0
    return np.where(scored >= least, np.clip(tail, _SMALLEST, 1.0), math.nan)


def _vllm(ids: npt.NDArray[np.uint32], offsets: Integers, mark: Mark, least: int) -> MarkScores:
    rows = offsets.size - 1
    scored, score, p = np.zeros(rows, np.int64), np.zeros(rows), np.full(rows, math.nan)
    for row in np.flatnonzero(np.diff(offsets)).tolist():
        reading = vllm_gumbel.detect(mark.key, [ids[offsets[row] : offsets[row + 1]]], width=mark.width)
        scored[row], score[row], p[row] = reading.scored, reading.score, reading.p_value
    none = np.full(rows, math.nan)
    return MarkScores(scored=scored, score=score, p=_told(p, scored, least), fresh_scored=np.zeros(rows, np.int64), fresh_p=none)


@numba.njit(nogil=True, cache=True, inline="always")
def _draw(seed: Any, token: Any, low: Any, high: Any) -> Any:
    """Philox 4x32-10 as in `marks.prf.draws`."""
    first, second, third, fourth = seed & _MASK, seed >> _HALF, token, _DOMAIN
    for _ in range(ROUNDS):
        left, right = first * _FIRST, third * _SECOND
        first, third = (right >> _HALF) ^ second ^ low, (left >> _HALF) ^ fourth ^ high
        second, fourth = right & _MASK, left & _MASK
        low, high = (low + _WEYL_LOW) & _MASK, (high + _WEYL_HIGH) & _MASK
    return first | (second << _HALF)


@numba.njit(nogil=True, cache=True, inline="always")
def _is_new(pair: Any, seen: Any, mask: Any) -> Any:
    """Whether the pair was not in the table; it is afterwards. 0 stands for an empty place."""
    place = np.int64((pair >> np.uint64(1)) & mask)
    while seen[place] != 0:
        if seen[place] == pair:
            return False
        place = (place + 1) & np.int64(mask)
    seen[place] = pair
    return True


@numba.njit(nogil=True, cache=True, inline="always")
def _is_fresh(pair: Any, seen: Any) -> Any:
    """Whether the pair's bit was not set in the record; it is afterwards. An empty record says no."""
    if seen.shape[0] == 0:
        return False
    word = np.int64((pair >> np.uint64(20)) & np.uint64(seen.shape[0] - 1))
    bit = np.uint64(1) << (pair >> np.uint64(8) & np.uint64(63))
    fresh = (seen[word] & bit) == 0
    seen[word] |= bit
    return fresh


@numba.njit(nogil=True, cache=True)
def score_documents(
    ids: Any, offsets: Any, width: Any, low: Any, high: Any, limit: Any, table: Any, seen: Any, counts: Any, sums: Any
) -> None:
    """Fill `counts` and `sums` [2, n], of all pairs and of fresh ones.

    `limit` is the green threshold, or 0 for Gumbel scores; `table` is scratch, twice the longest document.
    """
    for row in range(counts.shape[1]):
        start, stop = offsets[row], offsets[row + 1]
        size = 64
        while size < 2 * (stop - start):
            size *= 2
        mine = table[:size]
        mine[:] = 0
        mask = np.uint64(size - 1)
        count, total, fresh_count, fresh_total = 0, 0.0, 0, 0.0
        for at in range(start + width, stop):
            seed = np.uint64(width)
            for back in range(at - width, at):
                seed = mix((seed ^ np.uint64(ids[back])) + _STEP)
            token = np.uint64(ids[at])
            # two pairs meet here with a chance of 2 ** -63; the second would go uncounted, which costs power and no validity
            pair = mix(seed + token * _GOLDEN) | np.uint64(1)
            if not _is_new(pair, mine, mask):
                continue
            drawn = _draw(seed, token, low, high)
            value = np.float64(drawn < limit) if limit else -np.log1p(-(np.float64(drawn >> _SHIFT) + 0.5) * _CELL)
            count += 1
            total += value
            if _is_fresh(pair, seen):
                fresh_count += 1
                fresh_total += value
        counts[0, row], sums[0, row] = count, total
        counts[1, row], sums[1, row] = fresh_count, fresh_total
