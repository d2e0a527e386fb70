"""From how many exchanges members are compared."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.link.compared import least_compared
from stillwatch.link.settings import LinkSettings

SETTINGS = LinkSettings()


@pytest.mark.parametrize(
    ("counts", "least"),
    [
        ([10] * 100, 10),
        ([10] * 99 + [7], 7),  # a whole sample is there from seven on
        ([3] * 100, 3),
        ([2] * 500, 10),  # no step has a sample: asked as ever
        ([5] * 60, 10),  # a small group is asked as ever
        ([4] * 300 + [12] * 40, 4),
    ],
)
def test_many_members_are_compared_from_fewer_exchanges(counts: list[int], least: int) -> None:
    assert least_compared(np.array(counts), SETTINGS) == least


def test_no_step_lies_above_the_setting() -> None:
    assert least_compared(np.full(200, 50), LinkSettings(least_compared=5)) == 5
