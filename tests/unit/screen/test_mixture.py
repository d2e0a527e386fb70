"""The estimate of a share and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.screen.mixture import excess_share
from stillwatch.stats.samples import UnusableValuesError


def test_as_many_hits_as_chance_gives_are_no_share_and_the_interval_reaches_nought() -> None:
    found = excess_share(np.arange(1000) < 10, np.full(1000, 0.01))
    assert found.share == pytest.approx(0, abs=1e-12)
    assert found.low == 0
    assert found.by_chance == pytest.approx(10)


def test_hits_beyond_chance_are_taken_apart_from_it() -> None:
    found = excess_share(np.arange(1000) < 208, np.full(1000, 0.01))
    assert found.share == pytest.approx(0.2)
    assert found.low < 0.2 < found.high


def test_without_chance_the_share_is_that_of_the_hits() -> None:
    found = excess_share([True] * 5 + [False] * 5, np.zeros(10))
    assert (found.share, found.hits, found.documents) == (0.5, 5, 10)


def test_no_documents_and_senseless_chances_are_refused() -> None:
    with pytest.raises(TooFewSamplesError):
        excess_share([], [])
    with pytest.raises(UnusableValuesError, match="chance"):
        excess_share([True], [1.0])
    with pytest.raises(UnusableValuesError, match="one of each"):
        excess_share([True, False], [0.1])
