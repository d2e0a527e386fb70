"""Which families count, and that a dealt-out list counts as its template would: once."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect.assemble import _families
from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.judge import LEAST_REFERENCE, judge_group
from stillwatch.detect.judge import _blank as blank
from stillwatch.stats.seeds import generator

LEVEL = 0.05


def _p_signals(**low: float) -> np.ndarray:
    return np.array([low.get(signal.id, 0.9) for signal in HARVEST_SIGNALS])


@pytest.mark.parametrize(
    ("low", "families", "telling"),
    [
        ({}, 0, 0),
        ({"reasoning_elicitation_share": 0.01, "grading_share": 0.01, "output_yield": 0.01}, 3, 2),
        ({"fixed_wording_share": 0.01, "broad_template": 0.01}, 2, 1),  # a template for whatever comes
        ({"account_breadth": 0.01, "single_turn_share": 0.01, "prompt_repeat_probability": 0.4}, 2, 1),  # a list
        ({"account_breadth": 0.01, "single_turn_share": 0.01, "prompt_repeat_probability": 0.6}, 1, 0),  # a gateway's users ask twice
        ({"account_breadth": 0.01, "prompt_repeat_probability": 0.01}, 1, 0),  # a relay's users hold conversations
        # a list under one wording is no more than either
        ({"account_breadth": 0.01, "single_turn_share": 0.01, "prompt_repeat_probability": 0.01, "fixed_wording_share": 0.01}, 3, 1),
    ],
)
def test_families_and_those_that_tell(low: dict[str, float], families: int, telling: int) -> None:
    assert _families(_p_signals(**low), LEVEL) == (families, telling)


def test_a_missing_signal_stands_for_nothing() -> None:
    assert _families(np.full(len(HARVEST_SIGNALS), np.nan), LEVEL) == (0, 0)


def test_a_signal_that_does_not_weigh_has_a_p_value_and_adds_nothing() -> None:
    place = [signal.id for signal in HARVEST_SIGNALS].index("account_breadth")
    pools = generator(3, "pools").random((4 * LEAST_REFERENCE, len(HARVEST_SIGNALS)))
    values = np.full((1, len(HARVEST_SIGNALS)), 0.5)
    with_breadth = values.copy()
    with_breadth[0, place] = 9.0
    judged = [blank(own) for own in (values, with_breadth)]
    for judgement in judged:
        judge_group(judgement, 0, pools, None, HARVEST_SIGNALS)
    assert judged[1].p_signals[0, place] == pytest.approx(1 / (len(pools) + 1))
    assert judged[1].contributions[0, place] == 0.0
    assert judged[0].totals.tolist() == judged[1].totals.tolist()
