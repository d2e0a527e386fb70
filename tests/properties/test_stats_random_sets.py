from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats.random_sets import set_p_value


@settings(deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.floats(-10, 10), st.floats(0, 5))
def test_a_more_extreme_set_never_has_a_larger_p(null: list[float], statistic: float, step: float) -> None:
    assert set_p_value(statistic - step, null, tail="lower") <= set_p_value(statistic, null, tail="lower")
    assert set_p_value(statistic + step, null, tail="upper") <= set_p_value(statistic, null, tail="upper")
    assert set_p_value(statistic, null, tail="upper") >= 1 / (len(null) + 1)
