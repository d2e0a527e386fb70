"""Many signals on one entity, as one strength and one p-value whose null carries the signals' dependence.

How `combined_p_values` works.

Each signal becomes a p-value; the p-values become totals of evidence; a total's p is again conformal, against
the reference's totals. The reference's own dependence between signals thus stands in the null.
A signal above all its reference values gets the fitted tail's p, so that a campaign far out is told from the top of
a reference whose signals rise together; the reference's own highest value is treated alike, against the others.

Null hypothesis: the tested entity and the reference entities are exchangeable, missing values included.
Assumption: none for rank_p. Proof: rank all R + 1 rows together, each signal's p of row i being
(rows >= row i) / (rows with a value). These totals are exchangeable, so their rank is valid. What is used here
differs in one way: a reference row's p is (reference rows >= it) / (reference rows with a value + 1), which is never
larger. The reference's totals are thus never smaller, and the tested row's p never smaller, than in that procedure.
For p: the same, but for one row more or less in the fit of a signal's tail, and tail_p_values's assumption for the
totals at levels < 1 / (R + 1). tests/calibration/test_combined_p_values.py finds P(p <= a) <= a at every level tried.
A tested entity must not itself stand in the reference.
A missing value leaves its signal out; a family without any value adds the expectation of one signal, 1 nat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.stats.conformal import conformal_p_values, count_at_least, tail_p_values
from stillwatch.stats.samples import BoolArray, FloatArray, require, require_samples

# With fewer reference values no p reaches 5 %, so a signal has nothing to say.
REFERENCE_MINIMUM = 20
# Expectation of -ln p under the null: what a family without any value is taken to say.
MISSING_NATS = 1.0
# At most 13.8 nats from one signal: enough to stand out of a large reference, too little to convict by itself.
SMALLEST_SIGNAL_P = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedPValues:
    """What T tested entities' K signals say, one by one and together.

    Attributes:
        per_signal: [T, K], p of each signal as it enters the total; NaN where the signal's value is missing.
        rank_per_signal: [T, K], the same by rank alone, never below 1 / (n + 1).
        contributions: [T, K], nats that each signal adds to the total; 0 for all but each family's strongest.
        totals: [T], nats; the contributions' sum plus 1 nat for each family without any value.
        reference_totals: [R], nats, of the reference entities.
        rank_p: [T], conformal p of the total of the signals' rank p-values: valid whatever the laws.
        p: [T], p of `totals`, with a fitted tail above the reference (see conformal.tail_p_values).
        extrapolated: [T], True where `p` rests on that tail.
    """

    per_signal: FloatArray
    rank_per_signal: FloatArray
    contributions: FloatArray
    totals: FloatArray
    reference_totals: FloatArray
    rank_p: FloatArray
    p: FloatArray
    extrapolated: BoolArray


def evidence(p_values: ArrayLike, families: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Strength of entities in nats: the sum over families of the largest -ln p in the family.

    Args:
        p_values: [T, K], in (0, 1]; NaN: missing.
        families: K names; signals that say nearly the same share one, so that they count once.

    Returns:
        totals [T] and contributions [T, K]. The family's strongest signal (the first, where several tie) contributes the
        family's -ln p, the others and missing ones 0. A family without any value adds 1 nat to the total, the
        expectation of -ln p of one signal under the null, and contributes nothing.

    Assumption: none; it is a score. combined_p_values gives its p-value.
    Raises UnusableValuesError for shapes that disagree or p outside (0, 1].

    Source: Fisher 1932, "Statistical Methods for Research Workers", section 21.1 (sum of -ln p), with Tippett's 1931
    minimum within a family.
    """
    p = np.asarray(p_values, dtype=np.float64)
    require(p.ndim == 2, f"p_values has {p.ndim} axes, evidence takes [entities, signals]")
    require(p.shape[1] == len(families), f"{len(families)} families for {p.shape[1]} signals; name one for each")
    missing = np.isnan(p)
    require(np.all(missing | ((p > 0.0) & (p <= 1.0))), "p_values holds values outside (0, 1]; NaN means missing")
    nats = -np.log(np.where(missing, 1.0, p))
    rows = np.arange(p.shape[0])
    totals = np.zeros(p.shape[0])
    contributions = np.zeros(p.shape)
    for family in dict.fromkeys(families):
        columns = np.flatnonzero([name == family for name in families])
        # A missing signal must not be picked over a present one whose -ln p is 0.
        strongest = columns[np.where(missing[:, columns], -1.0, nats[:, columns]).argmax(axis=1)]
        contributions[rows, strongest] = nats[rows, strongest]
        totals += np.where(missing[:, columns].all(axis=1), MISSING_NATS, nats[rows, strongest])
    return totals, contributions


def combined_p_values(
    matrix_test: ArrayLike,
    matrix_reference: ArrayLike,
    families: Sequence[str],
    *,
    directions: Sequence[int],
    tail: float = 0.1,
    smallest_signal_p: float = SMALLEST_SIGNAL_P,
) -> CombinedPValues:
    """P-values of tested entities from many dependent signals, against reference entities.

    Args:
        matrix_test: [T, K], raw signal values, any units; NaN: missing.
        matrix_reference: [R, K], the same signals of the reference, R >= 20, each signal with 20 values or more.
        families: K names, as evidence.
        directions: K of +1 (high is suspicious) or -1 (low is suspicious).
        tail: as conformal.tail_p_values, for signals and totals.
        smallest_signal_p: floor of what a signal's fitted tail may give, in (0, 1]; 1: signals speak by rank alone.

    How it is done, the null hypothesis, the assumption and the proof stand at the head of this module.
    Raises TooFewSamplesError where a signal has fewer than 20 reference values (leave such a signal out).

    Source: Bates et al. 2023, "Testing for outliers with conformal p-values"; Knijnenburg et al. 2009 (tail).
    """
    require(0.0 < smallest_signal_p <= 1.0, f"smallest_signal_p is {smallest_signal_p}, it must be in (0, 1]")
    tested, reference = _oriented(matrix_test, matrix_reference, directions)
    ranks, smooth = _both(tested, reference, tail, smallest_signal_p)
    rank_totals, rank_reference, _ = ranks.totals(families)
    totals, reference_totals, contributions = smooth.totals(families)
    together = tail_p_values(totals, reference_totals, tail=tail)
    return CombinedPValues(
        per_signal=smooth.tested,
        rank_per_signal=ranks.tested,
        contributions=contributions,
        totals=totals,
        reference_totals=reference_totals,
        rank_p=conformal_p_values(rank_totals, rank_reference),
        p=together.p,
        extrapolated=together.extrapolated,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signals:
    """P-values of the tested [T, K] and of the reference entities [R, K]; NaN: missing."""

    tested: FloatArray
    reference: FloatArray

    @classmethod
    def empty(cls, tested: FloatArray, reference: FloatArray) -> _Signals:
        """All missing, to be filled column by column."""
        return cls(tested=np.full(tested.shape, np.nan), reference=np.full(reference.shape, np.nan))

    def totals(self, families: Sequence[str]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Totals of the tested and of the reference entities, and the tested ones' contributions."""
        totals, contributions = evidence(self.tested, families)
        # Equal evidence that is summed in another order must tie, not win.
        return np.round(totals, 9), np.round(evidence(self.reference, families)[0], 9), contributions


def _both(tested: FloatArray, reference: FloatArray, tail: float, smallest: float) -> tuple[_Signals, _Signals]:
    """All signals' p-values, by rank alone and with tails."""
    ranks, smooth = _Signals.empty(tested, reference), _Signals.empty(tested, reference)
    for column in range(tested.shape[1]):
        _fill(column, tested, reference, ranks, smooth, tail, smallest)
    return ranks, smooth


def _fill(column: int, tested: FloatArray, reference: FloatArray, ranks: _Signals, smooth: _Signals, tail: float, smallest: float) -> None:
    """Fill one signal's p-values: by rank alone, and with the fitted tail above the reference."""
    given, known = ~np.isnan(tested[:, column]), ~np.isnan(reference[:, column])
    values = reference[known, column]
    require_samples(f"combined p-value, signal {column}", needed=REFERENCE_MINIMUM, got=values.size)
    own = count_at_least(values, np.sort(values)) / (values.size + 1.0)
    ranks.tested[given, column] = conformal_p_values(tested[given, column], values)
    ranks.reference[known, column] = own
    smooth.tested[given, column] = _beyond(tested[given, column], values, tail, smallest)
    top = int(values.argmax())
    highest = float(_beyond(values[top : top + 1], np.delete(values, top), tail, smallest)[0])
    own[top] = min(own[top], highest)
    smooth.reference[known, column] = own


def _beyond(scores: FloatArray, reference: FloatArray, tail: float, smallest: float) -> FloatArray:
    """Rank p-values, and above every reference value the fitted tail's where it is lower, but not below `smallest`."""
    ranks = conformal_p_values(scores, reference)
    fitted = tail_p_values(scores, reference, tail=tail)
    return np.where(fitted.extrapolated, np.minimum(ranks, np.maximum(fitted.p, smallest)), ranks)


def _oriented(matrix_test: ArrayLike, matrix_reference: ArrayLike, directions: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Both matrices with high meaning suspicious, shapes agreeing, no infinity."""
    tested = np.asarray(matrix_test, dtype=np.float64)
    reference = np.asarray(matrix_reference, dtype=np.float64)
    sign = np.asarray(directions, dtype=np.float64)
    require(tested.ndim == 2 and reference.ndim == 2, "both matrices must be [entities, signals]")
    shapes = (tested.shape[1], reference.shape[1], sign.size)
    require(len(set(shapes)) == 1, f"tested, reference and directions have {shapes} signals; they must agree")
    require(np.all(np.abs(sign) == 1.0), "directions must be +1 or -1")
    require(shapes[0] > 0, "there are no signals to combine")
    require(not (np.isinf(tested).any() or np.isinf(reference).any()), "signal values must be finite, or NaN if missing")
    return tested * sign, reference * sign
