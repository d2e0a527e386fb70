from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stillwatch.stats.dispersion import synchrony, volume_dispersion

MATRICES = hnp.arrays(np.int64, st.tuples(st.integers(2, 8), st.integers(2, 10)), elements=st.integers(0, 50))


@settings(max_examples=60, deadline=None)
@given(MATRICES, st.integers(0, 10**6))
def test_synchrony_lies_between_zero_and_the_number_of_accounts_in_any_order(matrix: np.ndarray, seed: int) -> None:
    profile = np.ones(matrix.shape[1])
    assume(np.any(matrix != matrix[:, :1]))
    value = synchrony(matrix, profile)
    assert -1e-9 <= value <= matrix.shape[0] * (1 + 1e-9)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(matrix.shape[1])
    np.testing.assert_allclose(synchrony(matrix[::-1][:, order], profile * 7.0), value, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.int64, st.integers(2, 50), elements=st.integers(1, 10**6)))
def test_volume_dispersion_is_never_negative_and_ignores_order(counts: np.ndarray) -> None:
    assert volume_dispersion(counts) >= 0.0
    np.testing.assert_allclose(volume_dispersion(counts[::-1]), volume_dispersion(counts), atol=1e-6)
