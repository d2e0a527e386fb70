from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats.combine import combined_p_values, evidence
from stillwatch.stats.seeds import generator

FAMILIES = ["a", "a", "b", "c"]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 3))
def test_a_more_suspicious_value_never_lowers_the_total_nor_raises_p(seed: int, column: int) -> None:
    draw = generator(seed, "monotone")
    reference, row = draw.normal(size=(80, 4)), draw.normal(size=(1, 4))
    more = row.copy()
    more[0, column] += draw.exponential()
    before = combined_p_values(row, reference, FAMILIES, directions=[1, 1, 1, 1])
    after = combined_p_values(more, reference, FAMILIES, directions=[1, 1, 1, 1])
    assert after.totals[0] >= before.totals[0]
    assert after.p[0] <= before.p[0]


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_any_rising_change_of_scale_and_any_order_of_the_reference_change_nothing(seed: int) -> None:
    draw = generator(seed, "scale")
    reference, rows = draw.normal(size=(60, 4)), draw.normal(size=(5, 4))
    order = draw.permutation(60)
    plain = combined_p_values(rows, reference, FAMILIES, directions=[1, -1, 1, 1])
    bent = combined_p_values(np.exp(rows), np.exp(reference[order]), FAMILIES, directions=[1, -1, 1, 1])
    np.testing.assert_allclose(bent.rank_p, plain.rank_p)
    np.testing.assert_allclose(bent.rank_per_signal, plain.rank_per_signal)
    moved = combined_p_values(3.0 * rows + 7.0, 3.0 * reference[order] + 7.0, FAMILIES, directions=[1, -1, 1, 1])
    np.testing.assert_allclose(moved.p, plain.p)
    np.testing.assert_allclose(moved.contributions, plain.contributions)


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_contributions_and_missing_families_make_up_the_total(seed: int) -> None:
    draw = generator(seed, "sum")
    p = draw.uniform(1e-6, 1.0, size=(8, 4))
    p[draw.random(p.shape) < 0.3] = np.nan
    totals, contributions = evidence(p, FAMILIES)
    silent = np.isnan(p[:, :2]).all(axis=1).astype(int) + np.isnan(p[:, 2]) + np.isnan(p[:, 3])
    np.testing.assert_allclose(totals, contributions.sum(axis=1) + silent)
