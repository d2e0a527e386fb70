"""Radioactivity of a suspect that only answers in text: does what it writes hold more keyed tokens than chance?

Each (window seed, token) pair counts once over the whole run: a repeated pair has the same score under every key, and counting it again
makes chance look like evidence. Windows that stand in a prompt are skipped: what follows them there may be marked text that is merely
copied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.marks.keys import MarkKey
from stillwatch.provenance.power import first_reaching, normal_power, reach
from stillwatch.provenance.scoring import GreenListScoring, Scoring
from stillwatch.records.verdicts import ProvenanceResult, Reach, Words
from stillwatch.stats.exact import log10_binomial_tail, log10_gamma_tail
from stillwatch.stats.samples import IntArray, require, require_samples

SMALLEST_SAMPLE = 100
"""Fewest distinct pairs."""

WORDS = Words(
    null="The suspect's text is independent of the key: scores of distinct (window seed, token) pairs are independent draws of their law.",
    assumption="The PRF behaves as random for those who do not know the key; the key was committed to before use; prompts hold no marked "
    "text beyond the windows that are skipped.",
    source="Kirchenbauer et al. 2023 (binomial of green tokens); Aaronson 2022 (gamma of Gumbel scores); Sander et al. 2024, arXiv "
    "2402.14904, and Fernandez et al. 2023, Three Bricks to Consolidate Watermarks (de-duplication).",
    shows="The suspect writes the tokens that our key favours more often than text that never saw the key can.",
    does_not_show="Who fetched the marked text: published answers would do as well. Which account, only a key of that account's own can "
    "say.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Distinct pairs to be scored.

    Attributes:
        seeds, tokens: [n], each pair once, in order of first appearance.
        repeated: how many repeats were left out.
        prompted: how many positions were left out because their window stands in a prompt.
    """

    seeds: NDArray[np.uint64]
    tokens: IntArray
    repeated: int
    prompted: int


def distinct_pairs(seeds: ArrayLike, tokens: ArrayLike, prompt_seeds: ArrayLike) -> Pairs:
    """The pairs that are scored once each.

    Args:
        seeds: [n] uint64, seed of the window before each token that the suspect wrote.
        tokens: [n], that token.
        prompt_seeds: [m] uint64, seeds of all windows of all prompts.

    The choice looks at text alone, so the key stays independent of it.
    """
    contexts, ids, asked = np.asarray(seeds), np.asarray(tokens, dtype=np.int64), np.asarray(prompt_seeds)
    require(
        contexts.dtype == np.uint64 and contexts.ndim == 1, f"seeds must be a vector of uint64, got {contexts.dtype}; use context_seeds"
    )
    require(asked.size == 0 or asked.dtype == np.uint64, f"prompt_seeds must be uint64, got {asked.dtype}; use context_seeds")
    require(contexts.size == ids.size, f"{contexts.size} seeds for {ids.size} tokens; pass one for each")
    free = ~np.isin(contexts, asked)
    rows = np.empty(int(free.sum()), dtype=[("seed", np.uint64), ("token", np.int64)])
    rows["seed"], rows["token"] = contexts[free], ids[free]
    _, first = np.unique(rows, return_index=True)
    first.sort()
    return Pairs(
        seeds=rows["seed"][first].copy(),
        tokens=rows["token"][first].copy(),
        repeated=int(rows.size - first.size),
        prompted=int(contexts.size - rows.size),
    )


def closed_radioactivity(key: MarkKey, pairs: Pairs, scoring: Scoring, *, level: float) -> ProvenanceResult:
    """The exact test of how high the suspect's distinct pairs score.

    Args:
        key: the one that the plan commits to.
        pairs: from distinct_pairs.
        scoring: of the watermark.
        level: the p-value to be reached, in (0, 1).

    Returns:
        An exact binomial tail (green list) or gamma tail (Gumbel-max).

    Null hypothesis, assumption and source: `WORDS`.
    Raises TooFewSamplesError for fewer than 100 distinct pairs.
    """
    require(0.0 < level < 1.0, f"level is {level}, it must lie strictly between 0 and 1")
    require_samples("closed radioactivity, distinct (window, token) pairs", needed=SMALLEST_SAMPLE, got=pairs.tokens.size)
    count = int(pairs.tokens.size)
    total = float(scoring.scores(key, pairs.seeds, pairs.tokens).sum())
    green = isinstance(scoring, GreenListScoring)
    return ProvenanceResult(
        test="radioactivity_closed",
        statistic="share of green tokens" if green else "mean keyed score",
        value=total / count,
        log10_p=scoring.log10_tail(total, count),
        method=f"exact {'binomial' if green else 'gamma'} tail over distinct pairs; {scoring.name}",
        sample=count,
        dropped=(("repeated pair", pairs.repeated), ("window stands in a prompt", pairs.prompted)),
        words=WORDS,
        reach=_green_reach(scoring.gamma, count, level) if isinstance(scoring, GreenListScoring) else _gumbel_reach(count, level),
    )


def _green_reach(gamma: float, count: int, level: float) -> Reach:
    log10_level = math.log10(level)
    needed = first_reaching(lambda hits: log10_binomial_tail(hits, count, gamma), most=count, log10_level=log10_level)

    def power(effect: float) -> float:
        return 0.0 if needed is None else 10.0 ** log10_binomial_tail(needed, count, min(gamma + effect, 1.0 - 1e-12))

    return reach(
        power, effect="how far the share of green tokens lies above gamma", log10_level=log10_level, largest=1.0 - gamma, exact=True
    )


def _gumbel_reach(count: int, level: float) -> Reach:
    log10_level = math.log10(level)
    low, high = float(count), 20.0 * count + 100.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if log10_gamma_tail(middle, count) <= log10_level else (middle, high)
    return reach(
        lambda effect: normal_power(effect * math.sqrt(count), (high - count) / math.sqrt(count)),
        effect="how far the mean keyed score lies above 1",
        log10_level=log10_level,
        largest=2.0,
        exact=False,
    )
