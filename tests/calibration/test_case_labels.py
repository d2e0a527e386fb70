"""The interval of a precision from labels covers the true share in at least as many runs as it says."""

from __future__ import annotations

import pytest

from stillwatch.cases.labels import CONFIDENCE, FEWEST
from stillwatch.stats.intervals import binomial_band, clopper_pearson
from stillwatch.stats.seeds import generator

RUNS = 4_000


@pytest.mark.slow
@pytest.mark.parametrize("labels", [FEWEST, 25, 80])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.99])
def test_intervals_of_randomly_labelled_findings_cover_the_true_share(labels: int, share: float) -> None:
    draw = generator(20261128, f"labels/{labels}/{share}")
    # findings of which `share` are right; somebody looks at `labels` of them at random, as the output's assumption says
    right = draw.random((RUNS, labels)) < share
    counts = right.sum(axis=1)
    ends = {int(count): clopper_pearson(int(count), labels, CONFIDENCE) for count in set(counts.tolist())}
    covered = sum(ends[int(count)][0] <= share <= ends[int(count)][1] for count in counts)
    least, _ = binomial_band(RUNS, CONFIDENCE)
    assert covered >= least


@pytest.mark.slow
def test_a_share_of_what_was_looked_at_because_it_looked_bad_is_not_covered() -> None:
    """Why the output states its assumption: who labels the worst findings alone measures that choice."""
    draw = generator(20261128, "labels/chosen")
    wrong = 0
    for _ in range(400):
        badness = draw.random(200)
        right = draw.random(200) < badness  # half of all findings are right
        chosen = right[badness.argsort()[-40:]]
        low, high = clopper_pearson(int(chosen.sum()), 40, CONFIDENCE)
        wrong += not low <= 0.5 <= high
    assert wrong > 390
