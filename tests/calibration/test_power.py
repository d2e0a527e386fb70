"""What the power paragraph says of the smallest group is what simulation gives."""

from __future__ import annotations

import numpy as np

from stillwatch.detect.power import LEAST_EACH, SMALLEST_GROUP
from stillwatch.stats.homogeneity import homogeneity_p_value
from stillwatch.stats.seeds import generator

AXES = 24
OWNERS = 200
RUNS = 60


def _share_found(accounts: int, each: int) -> float:
    """Share of runs in which accounts that draw from one mixed list are told from independent customers at 1 %."""
    found = 0
    for run in range(RUNS):
        draw = generator(run, f"power/{accounts}/{each}")
        topics = draw.standard_normal((40, AXES))
        topics /= np.linalg.norm(topics, axis=1, keepdims=True)
        counts = np.full(OWNERS, each)
        sums = np.zeros((OWNERS, AXES))
        for owner in range(OWNERS):
            shares = draw.dirichlet(np.full(40, 0.15)) if owner >= accounts else np.full(40, 1 / 40)
            sums[owner] = topics[draw.choice(40, each, p=shares)].sum(axis=0)
        eligible = np.arange(OWNERS) >= accounts
        p_value = homogeneity_p_value(
            draw, counts, sums, counts.astype(float), np.arange(accounts), np.zeros(OWNERS, int), draws=199, eligible=eligible
        )
        found += p_value <= 0.01
    return found / RUNS


def test_the_smallest_group_of_the_power_paragraph_is_seen_nearly_always() -> None:
    assert _share_found(SMALLEST_GROUP, LEAST_EACH) >= 0.9


def test_a_smaller_group_is_seen_less_often() -> None:
    assert _share_found(3, LEAST_EACH // 4) < 0.9
