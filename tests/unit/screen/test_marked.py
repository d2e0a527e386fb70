"""The compiled watermark pass against the arithmetic of `marks`, and its tails against SciPy's."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from stillwatch.marks import gumbel, vllm_gumbel
from stillwatch.marks.green_list import is_green
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.screen.marked import GREEN_LIST, GUMBEL, VLLM, Mark, attained, green_tail, watermark_scores
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

KEY = MarkKey(generator(3, "screen key").bytes(32))
SIZES = (0, 1, 2, 3, 60, 200, 1500)


def _documents() -> tuple[np.ndarray, np.ndarray]:
    draw = generator(3, "screen tokens")
    ids = draw.integers(0, 40, sum(SIZES)).astype(np.uint32)
    ids[-3:] = [0, 2**32 - 1, 0]
    return ids, np.concatenate([[0], np.cumsum(SIZES)]).astype(np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [GREEN_LIST, GUMBEL])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_compiled_pass_scores_each_pair_once_as_the_marks_do(kind: str, width: int) -> None:
    ids, offsets = _documents()
    found = watermark_scores(ids, offsets, Mark(kind=kind, key=KEY, width=width, gamma=0.25), least_scored=50)
    for row, (low, high) in enumerate(pairwise(offsets)):
        document = ids[low:high]
        pairs = (
            np.column_stack([context_seeds(document, width), document[width:].astype(np.uint64)])
            if high - low > width
            else np.empty((0, 2))
        )
        pairs = np.unique(pairs, axis=0).astype(np.uint64)
        scored = is_green(KEY, pairs[:, 0], pairs[:, 1], 0.25) if kind == GREEN_LIST else gumbel.scores(KEY, pairs[:, 0], pairs[:, 1])
        assert found.scored[row] == len(pairs)
        assert found.score[row] == pytest.approx(float(scored.sum()), rel=1e-12)
        if len(pairs) < 50:
            assert np.isnan(found.p[row])
        else:
            exact = stats.binom.sf(scored.sum() - 1, len(pairs), 0.25) if kind == GREEN_LIST else stats.gamma.sf(scored.sum(), len(pairs))
            assert found.p[row] == pytest.approx(exact, rel=1e-9)


def test_vllms_own_mark_is_read_by_its_detector() -> None:
    ids, offsets = _documents()
    found = watermark_scores(ids, offsets, Mark(kind=VLLM, key=KEY, width=4), least_scored=50)
    reading = vllm_gumbel.detect(KEY, [ids[offsets[-2] :]], width=4)
    assert (found.scored[-1], found.p[-1]) == (reading.scored, pytest.approx(reading.p_value))
    assert np.isnan(found.p[:3]).all()


def test_the_tail_is_the_exact_binomial_one_and_never_nought() -> None:
    for trials in (1, 50, 1000):
        counts = np.arange(trials + 1)
        assert green_tail(counts, np.full(trials + 1, trials), 0.25) == pytest.approx(stats.binom.sf(counts - 1, trials, 0.25), rel=1e-9)
    marked = np.zeros(200_000, np.uint32)
    draw = generator(4, "green")
    ids = draw.integers(0, 2**31, marked.size).astype(np.uint32)
    found = watermark_scores(ids, np.array([0, ids.size]), Mark(kind=GREEN_LIST, key=KEY, width=1, gamma=0.9999), least_scored=50)
    assert 0 < found.p[0] <= 1


def test_the_chance_of_a_hit_is_the_largest_tail_within_the_level() -> None:
    mark = Mark(kind=GREEN_LIST, key=KEY, width=1, gamma=0.25)
    for trials in (50, 333):
        tails = stats.binom.sf(np.arange(-1, trials), trials, 0.25)
        assert attained(0.01, np.array([trials]), mark)[0] == pytest.approx(tails[tails <= 0.01].max(), rel=1e-9)
    assert attained(0.01, np.array([70]), Mark(kind=GUMBEL, key=KEY, width=1)).tolist() == [0.01]


def test_an_unknown_kind_and_a_width_out_of_range_are_refused() -> None:
    ids, offsets = _documents()
    with pytest.raises(UnusableValuesError, match="kind"):
        watermark_scores(ids, offsets, Mark(kind="kgw", key=KEY, width=2), least_scored=50)
    with pytest.raises(UnusableValuesError, match="width"):
        watermark_scores(ids, offsets, Mark(kind=GUMBEL, key=KEY, width=17), least_scored=50)


def test_a_mark_does_not_show_its_key() -> None:
    assert "MarkKey" not in repr(Mark(kind=GUMBEL, key=KEY, width=2))
    assert KEY.reveal().hex() not in repr(Mark(kind=GUMBEL, key=KEY, width=2))
