from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.stats.multiplicity import benjamini_hochberg
from stillwatch.stats.power import smallest_detectable, smallest_testable_group


def test_a_campaign_at_the_needed_p_is_found_and_just_above_it_is_not() -> None:
    needed = smallest_detectable(reference_size=1000, tested=200, level=0.05, campaigns=3).p_needed
    for factor, found in ((1 - 1e-9, 3), (1 + 1e-6, 0)):
        p = np.concatenate([np.full(3, needed * factor), np.full(197, 1.0)])
        assert np.count_nonzero(benjamini_hochberg(p) <= 0.05) == found


@pytest.mark.parametrize("tested", [1, 7, 200, 25_000])
def test_ranks_suffice_from_the_stated_reference_on(tested: int) -> None:
    needed = smallest_detectable(reference_size=1, tested=tested, level=0.05).reference_needed
    assert smallest_detectable(reference_size=needed, tested=tested, level=0.05).ranks_suffice
    assert not smallest_detectable(reference_size=needed - 1, tested=tested, level=0.05).ranks_suffice


def test_the_smallest_group_has_enough_different_sets() -> None:
    assert smallest_testable_group(owners=25_000, draws=499, level=0.002) == 2
    assert smallest_testable_group(owners=20, draws=499, level=0.002) == 3
    assert smallest_testable_group(owners=12, draws=499, level=0.002) == 5


def test_too_few_draws_or_owners_are_an_error_that_says_how_many() -> None:
    with pytest.raises(TooFewSamplesError, match="draws needs at least 499 samples, got 498"):
        smallest_testable_group(owners=100, draws=498, level=0.002)
    with pytest.raises(TooFewSamplesError, match="owners needs at least 12 samples, got 11"):
        smallest_testable_group(owners=11, draws=499, level=0.002)
    with pytest.raises(TooFewSamplesError):
        smallest_detectable(reference_size=0, tested=5, level=0.05)
