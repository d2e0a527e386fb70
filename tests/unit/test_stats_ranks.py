"""Average ranks against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from stillwatch.stats.ranks import average_ranks
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator


def test_ranks_are_those_of_scipy() -> None:
    rng = generator(3, "ranks")
    for size in (1, 2, 50, 1000):
        values = rng.integers(0, max(2, size // 3), size).astype(float)
        assert np.array_equal(average_ranks(values), rankdata(values))


def test_nothing_has_no_ranks_and_what_is_no_number_is_refused() -> None:
    assert average_ranks([]).shape == (0,)
    with pytest.raises(UnusableValuesError):
        average_ranks([1.0, np.nan])
