"""Served-versus-withheld twins: two answers to one request, a keyed coin chose which was served; does the suspect prefer the served ones?

The differences are of (suspect's score of the served answer) - (suspect's score of the withheld one), less the same difference of the
teacher where it is known: the teacher's own preference is noise here, and taking it away leaves the test exact.
Scores are log-likelihoods, or for suspects that only answer in text, the similarity of the suspect's own answer to each of the two.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stillwatch.provenance.power import first_reaching, normal_power, reach
from stillwatch.records.verdicts import Beside, ProvenanceResult, Reach, Words
from stillwatch.stats.chernoff import FairSign, WeightedSum
from stillwatch.stats.exact import log10_binomial_tail, log10_weighted_tail
from stillwatch.stats.samples import FloatArray, finite_vector, probability, require, require_samples

Score: TypeAlias = Literal["difference", "sign"]

FLIPS = 9_999
"""Coin flips drawn for the picture and for the Monte-Carlo rank beside the exact p."""

# From here on the bound is used: the exact law would take minutes.
EXACT_MOST = 20_000
# Steps of the grid that a mean absolute difference is divided into; fewer for more pairs, so that time stays within seconds.
_STEPS_MOST, _STEPS_LEAST, _WORK = 1_024, 4, 3e8
_FLIP_BLOCK = 4_000_000

WORDS = Words(
    null="Given the two answers of each pair, the coin that chose the served one is independent of the suspect: each difference is as "
    "likely as its negative, independently over pairs.",
    assumption="The coin is keyed and was committed to before use; both answers come from the same sampler, and the coin fell before any "
    "filter; withheld answers never left. Nothing is assumed of the suspect, and nothing of the differences' law.",
    source="Fisher 1935, The Design of Experiments, section 21 (sign-flip); Arbuthnot 1710 (sign test); Steinke, Nasr, Jagielski 2023, "
    "Privacy auditing with one training run (randomised inclusion); Rastogi et al. 2025, STAMP (paired test of published and withheld "
    "versions).",
    shows="The suspect's scores depend on which of two equally good answers we served, which only what was served can cause.",
    does_not_show="How the answers reached the suspect: an account, a relay or a public dump of served answers would all do. "
    "Which account, only a key of that account's own can say.",
)
_NAMES = {"difference": "exact sign-flip test", "sign": "exact sign test"}
_STATISTICS = {
    "difference": "mean difference, served minus withheld",
    "sign": "share of pairs in which the served answer is preferred",
}


def twins(
    differences: ArrayLike,
    identical: ArrayLike | None = None,
    *,
    level: float,
    score: Score = "difference",
    generator: np.random.Generator,
    flips: int = FLIPS,
) -> ProvenanceResult:
    """The exact sign-flip test (or the exact sign test) of pairs of a served and a withheld answer.

    Args:
        differences: [n], served minus withheld, teacher-referenced where the teacher's scores are known; one unit for all.
        identical: [n], True where both answers are the same text: left out. All other pairs are analysed (intention to treat).
        level: the p-value to be reached, in (0, 1).
        score: `difference` tests the sum of differences, on a grid that follows from their absolute values alone; `sign` their signs.
        generator, flips: for the coin flips of the picture, >= 99.

    The p-value is exact, by the full law of all 2^n flips; above 20,000 pairs a Chernoff bound on that law, and `method` says so.
    Null hypothesis, assumption and source: `WORDS`. Raises TooFewSamplesError where 2^-n > level, of n differences that are not 0.
    """
    kept, speaking, dropped = _analysed(differences, identical)
    require_pairs(speaking.size, level)
    flipped = _flipped_means(speaking, generator, flips)
    tests = {"difference": _sign_flip(speaking), "sign": _sign_test(speaking)}
    of_sum, other = score == "difference", "sign" if score == "difference" else "difference"
    return ProvenanceResult(
        test="twins",
        statistic=_STATISTICS[score],
        value=float(speaking.mean()) if of_sum else float(np.mean(speaking > 0.0)),
        log10_p=tests[score][0],
        method=tests[score][1],
        sample=int(speaking.size),
        dropped=dropped,
        words=WORDS,
        reach=_reach(speaking.size, level) if of_sum else _sign_reach(speaking.size, level),
        beside=_beside(speaking, tests[other][0], _NAMES[other], flipped),
        elsewhere=tuple(flipped.tolist()) if of_sum else (),
        details=tuple(kept.tolist()),
    )


def require_pairs(pairs: int, level: float) -> None:
    """Nothing where that many pairs that differ could reach the level; else TooFewSamplesError."""
    require_samples("twins, pairs that differ", needed=math.ceil(-math.log2(probability(level, "level")) - 1e-12), got=pairs)


def _analysed(differences: ArrayLike, identical: ArrayLike | None) -> tuple[FloatArray, FloatArray, tuple[tuple[str, int], ...]]:
    """Differences of pairs that are not identical, those of them that are not 0, and counts of what was left out."""
    given = finite_vector(differences, "differences")
    same = np.zeros(given.size, dtype=bool) if identical is None else np.asarray(identical, dtype=bool)
    require(same.shape == given.shape, f"{same.size} marks of identical pairs for {given.size} differences; pass one for each")
    kept = given[~same]
    speaking = kept[kept != 0.0]
    return kept, speaking, (("identical texts", int(same.sum())), ("difference exactly 0", int(kept.size - speaking.size)))


def _sign_test(differences: FloatArray) -> tuple[float, str]:
    p = log10_binomial_tail(int(np.count_nonzero(differences > 0.0)), differences.size, 0.5)
    return p, "exact sign test: binomial tail of the pairs in which the served answer is preferred"


def _sign_flip(differences: FloatArray) -> tuple[float, str]:
    if differences.size > EXACT_MOST:
        return _bound(
            differences
        ), f"Chernoff bound on the sign-flip law, as there are more than {EXACT_MOST:,} pairs: never below the exact p"
    steps = int(np.clip(_WORK / differences.size**2, _STEPS_LEAST, _STEPS_MOST))
    size = np.abs(differences)
    grid = np.rint(size / (size.mean() / steps)).astype(np.int64)
    observed = int(np.sum(grid[differences > 0.0]))
    p = log10_weighted_tail(grid, np.full(grid.size, 0.5), observed)
    words = f"exact sign-flip test over all 2^{differences.size} flips, differences on a grid of 1/{steps:,} of their mean absolute value"
    return p, words


def _bound(differences: FloatArray) -> float:
    return WeightedSum(differences, FairSign()).log10_tail(float(differences.sum()))


def _flipped_means(differences: FloatArray, generator: np.random.Generator, flips: int) -> FloatArray:
    require_samples("twins, drawn flips", needed=99, got=flips)
    block = max(1, _FLIP_BLOCK // differences.size)
    parts = [
        (generator.integers(0, 2, size=(min(block, flips - start), differences.size), dtype=np.int8) * 2.0 - 1.0) @ np.abs(differences)
        for start in range(0, flips, block)
    ]
    return np.concatenate(parts) / differences.size


def _beside(differences: FloatArray, other: float, other_name: str, flipped: FloatArray) -> tuple[Beside, ...]:
    # a flip that gives the same sum in another order of adding must tie
    close = 1e-12 * float(np.abs(differences).mean())
    rank = (1 + np.count_nonzero(flipped >= differences.mean() - close)) / (flipped.size + 1)
    floor = -math.log10(flipped.size + 1)
    return (
        Beside(name=other_name, log10_p=other, log10_floor=-differences.size * math.log10(2.0), meaning="the same null, another statistic"),
        Beside(
            name="Chernoff bound",
            log10_p=_bound(differences),
            log10_floor=None,
            meaning="never below the exact p; checks it by other means",
        ),
        Beside(
            name=f"rank among {flipped.size:,} drawn flips",
            log10_p=math.log10(rank),
            log10_floor=floor,
            meaning="checks the exact p by drawing; it cannot fall below its floor",
        ),
    )


def _reach(pairs: int, level: float) -> Reach:
    threshold = -float(special.ndtri(level))
    return reach(
        lambda effect: normal_power(effect * math.sqrt(pairs), threshold),
        effect="mean difference in standard deviations of the differences",
        log10_level=math.log10(level),
        largest=2.0,
        exact=False,
    )


def _sign_reach(pairs: int, level: float) -> Reach:
    log10_level = math.log10(level)
    needed = first_reaching(lambda count: log10_binomial_tail(count, pairs, 0.5), most=pairs, log10_level=log10_level)

    def power(effect: float) -> float:
        if needed is None:
            return 0.0
        return 10.0 ** log10_binomial_tail(needed, pairs, min(0.5 + effect, 1.0 - 1e-12))

    words = "how far above one half the share of pairs lies in which the served answer is preferred"
    return reach(power, effect=words, log10_level=log10_level, largest=0.5, exact=True)
