from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats.homogeneity import between_share, set_p_value
from stillwatch.stats.seeds import generator


def _sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = generator(seed, "share")
    size, dimension, owners = int(draw.integers(12, 60)), int(draw.integers(1, 6)), int(draw.integers(2, 6))
    index = np.concatenate([np.arange(owners), np.arange(owners), draw.integers(0, owners, size)])
    return draw.normal(size=(index.size, dimension)) + draw.normal(size=(owners, dimension))[index], index


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_scale_and_rotation_leave_the_share_alone(seed: int, shift: float, scale: float) -> None:
    vectors, owners = _sample(seed)
    rotation = np.linalg.qr(generator(seed, "rotation").normal(size=(vectors.shape[1],) * 2))[0]
    moved = (vectors @ rotation) * scale + shift
    np.testing.assert_allclose(between_share(moved, owners), between_share(vectors, owners), rtol=1e-6, atol=1e-8)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_row_order_and_owner_names_leave_the_share_alone(seed: int) -> None:
    vectors, owners = _sample(seed)
    order = generator(seed, "order").permutation(owners.size)
    renamed = 1000 - 7 * owners[order]
    np.testing.assert_allclose(between_share(vectors[order], renamed), between_share(vectors, owners), atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_the_share_is_at_most_one(seed: int) -> None:
    assert between_share(*_sample(seed)) <= 1.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.floats(-10, 10), st.floats(0, 5))
def test_a_more_extreme_set_never_has_a_larger_p(null: list[float], statistic: float, step: float) -> None:
    assert set_p_value(statistic - step, null, tail="lower") <= set_p_value(statistic, null, tail="lower")
    assert set_p_value(statistic + step, null, tail="upper") <= set_p_value(statistic, null, tail="upper")
    assert set_p_value(statistic, null, tail="upper") >= 1 / (len(null) + 1)
