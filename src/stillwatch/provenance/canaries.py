"""Keyed choice canaries: families of K equally good variants, of which the key served one; does the suspect give that one?

A draw is one family under one key: its choice is one random variable, however many questions ask for it, so a draw counts once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.provenance.power import first_reaching, reach
from stillwatch.records.verdicts import ProvenanceResult, Reach, Words
from stillwatch.stats.exact import log10_binomial_tail, log10_weighted_tail
from stillwatch.stats.samples import FloatArray, IntArray, require, require_samples

UNANSWERED = -1
"""The suspect gave none of the variants, or nothing at all; such a draw counts as not matched."""

WORDS = Words(
    null="The suspect's answers are independent of the key, so that each draw matches the key's choice with probability 1/K, "
    "independently.",
    assumption="The key draws each family's variant uniformly and independently, and was committed to before use. Nothing is assumed of "
    "the suspect, of how it words its answers or of which variant is popular.",
    source="Carlini et al. 2019, The Secret Sharer (rank among random alternatives); the binomial distribution, and for families of "
    "different K the Poisson binomial, Hong 2013.",
    shows="The suspect gives the variants that our key chose more often than an ignorant model can.",
    does_not_show="How it learnt them: served answers that were published would do as well. Which account, only a key of that account's "
    "own can say.",
)


def canaries(chosen: ArrayLike, answered: ArrayLike, variants: ArrayLike, *, level: float) -> ProvenanceResult:
    """The exact test of how many draws match the key's choice.

    Args:
        chosen: [n], the key's variant of each draw, in [0, K).
        answered: [n], the suspect's, or -1 where it gave none.
        variants: [n], K of each draw's family, >= 2.
        level: the p-value to be reached, in (0, 1).

    Returns:
        An exact binomial tail, or the exact Poisson binomial where K differs between families.

    Null hypothesis, assumption and source: `WORDS`. Unanswered draws stay in the sample and count as not matched.
    Raises TooFewSamplesError where even a match of every draw would not reach the level.
    """
    own, said, sizes = _whole(chosen, "chosen"), _whole(answered, "answered"), _whole(variants, "variants")
    require(
        own.size == said.size == sizes.size, f"{own.size} choices, {said.size} answers, {sizes.size} families; pass one of each per draw"
    )
    require(np.all(sizes >= 2), "a family has fewer than 2 variants; a canary needs a choice")
    require(np.all((own >= 0) & (own < sizes)), "a choice lies outside its family's variants; check that key and families belong together")
    require(np.all((said >= UNANSWERED) & (said < sizes)), "an answer lies outside its family's variants; use -1 for none")
    require(0.0 < level < 1.0, f"level is {level}, it must lie strictly between 0 and 1")
    require_draws(sizes, level)
    matches = int(np.count_nonzero(own == said))
    equal = bool(np.all(sizes == sizes[0]))
    return ProvenanceResult(
        test="canaries",
        statistic="draws that match the key's choice",
        value=float(matches),
        log10_p=_tail(1.0 / sizes, matches),
        method=f"exact binomial tail, {own.size} draws of 1 in {sizes[0]}"
        if equal
        else "exact Poisson binomial tail, K differs between families",
        sample=int(own.size),
        dropped=(("unanswered, counted as not matched", int(np.count_nonzero(said == UNANSWERED))),),
        words=WORDS,
        reach=_reach(sizes, level),
    )


def majority(draws: ArrayLike, answers: ArrayLike) -> tuple[IntArray, IntArray]:
    """One answer per draw from several questions: the one given most often, the earliest of those that tie, -1 where none was given.

    Args:
        draws: [m], number of the draw that each question asks for.
        answers: [m], variant that the suspect gave, or -1.

    Returns:
        The distinct draws in rising order, and the answer of each. The rule looks at answers alone, so the key stays independent of it.
    """
    asked, said = _whole(draws, "draws"), _whole(answers, "answers")
    require(asked.size == said.size, f"{asked.size} draws for {said.size} answers; pass one for each")
    distinct = np.unique(asked)
    return distinct, np.array([_most_frequent(said[asked == draw]) for draw in distinct], dtype=np.int64)


def _most_frequent(answers: IntArray) -> int:
    given = answers[answers != UNANSWERED]
    if given.size == 0:
        return UNANSWERED
    values, first, counts = np.unique(given, return_index=True, return_counts=True)
    return int(values[np.lexsort((first, -counts))[0]])


def _whole(values: ArrayLike, name: str) -> IntArray:
    array = np.asarray(values)
    require(array.ndim == 1 and (array.size == 0 or np.issubdtype(array.dtype, np.integer)), f"{name} must be a vector of whole numbers")
    return array.astype(np.int64)


def require_draws(sizes: IntArray, level: float) -> None:
    """Nothing where a match of every draw would reach the level; else TooFewSamplesError. `sizes` are [n], K of each draw's family."""
    require_samples("choice canaries, draws", needed=1, got=sizes.size)
    best = float(np.log10(1.0 / sizes).sum())
    needed = math.ceil(math.log10(level) / (best / sizes.size) - 1e-9)
    require_samples(f"choice canaries at p <= {level:g}, draws", needed=needed, got=sizes.size)


def _tail(chances: FloatArray, matches: int) -> float:
    if np.all(chances == chances[0]):
        return log10_binomial_tail(matches, chances.size, float(chances[0]))
    return log10_weighted_tail(np.ones(chances.size, dtype=np.int64), chances, matches)


def _reach(sizes: IntArray, level: float) -> Reach:
    chances = 1.0 / sizes
    log10_level = math.log10(level)
    needed = first_reaching(lambda count: _tail(chances, count), most=sizes.size, log10_level=log10_level)

    def power(adoption: float) -> float:
        adopted = np.minimum(adoption + (1.0 - adoption) * chances, 1.0 - 1e-12)
        return 0.0 if needed is None else 10.0 ** _tail(adopted, needed)

    return reach(
        power, effect="share of draws whose served variant the suspect took over", log10_level=log10_level, largest=1.0, exact=True
    )
