"""Documents without a mark are as rarely marked as is said, and intervals of shares hold the truth as often as is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy import stats

from stillwatch.marks.keys import MasterSecret, derive
from stillwatch.screen.documents import Documents
from stillwatch.screen.judging import CHANCE, FRESH_P, Judge
from stillwatch.screen.leads import shipped_leads
from stillwatch.screen.marked import GREEN_LIST, GUMBEL, Mark, attained, seen_pairs, watermark_scores
from stillwatch.screen.mixture import excess_share
from stillwatch.screen.settings import ScreenSettings
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.multiplicity import benjamini_hochberg
from stillwatch.stats.seeds import generator

pytestmark = pytest.mark.slow

KEYS = 4000
LEVELS = (0.05, 0.01, 0.001)
MASTER = MasterSecret(generator(13, "calibration of screening").bytes(32))
SETTINGS = ScreenSettings()

Integers = npt.NDArray[np.int64]


def _mark(kind: str, place: int) -> Mark:
    return Mark(kind=kind, key=derive(MASTER, purpose=kind, account=None, period=str(place)), width=2, gamma=0.25)


def _natural() -> Integers:
    draw = generator(13, "natural text")
    return (draw.zipf(1.3, 500) % 4000 + np.repeat(draw.integers(0, 50, 50), 10)).astype(np.int64)


def _templated() -> Integers:
    draw = generator(13, "templated text")
    return np.concatenate([np.r_[np.arange(14), draw.integers(100, 160, 2), np.arange(20, 24)] for _ in range(40)])


def _repetitive() -> Integers:
    draw = generator(13, "repetitive text")
    text = np.tile(np.arange(7), 100)
    text[draw.integers(0, text.size, 80)] = draw.integers(0, 400, 80)
    return text


@pytest.mark.parametrize("text", [_natural, _templated, _repetitive])
@pytest.mark.parametrize("kind", [GREEN_LIST, GUMBEL])
def test_a_document_without_the_mark_has_the_stated_size_on_every_kind_of_text(kind: str, text: Callable[[], Integers]) -> None:
    """Over 4,000 keys, at the size that whole counts allow."""
    ids = text().astype(np.uint32)
    offsets = np.array([0, ids.size])
    found = [watermark_scores(ids, offsets, _mark(kind, place), least_scored=50) for place in range(KEYS)]
    p, scored = np.array([one.p[0] for one in found]), found[0].scored
    for level in LEVELS:
        low, high = binomial_band(KEYS, float(attained(level, scored, _mark(kind, 0))[0]))
        assert low <= np.count_nonzero(p <= level) <= high
    if kind == GUMBEL:
        assert stats.kstest(p, "uniform").pvalue > 1e-4


def _corpus(draw: np.random.Generator, documents: int) -> Documents:
    sizes = draw.integers(60, 160, documents)
    ids = (draw.zipf(1.3, int(sizes.sum())) % 3000).astype(np.uint32)
    return Documents(
        numbers=np.arange(1, documents + 1),
        ids=pa.nulls(documents, pa.string()),
        texts=pa.nulls(documents, pa.large_string()),
        tokens=ids,
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
    )


def test_several_keys_at_once_keep_the_size_and_the_false_discovery_rate() -> None:
    """Three keys of two kinds: the corrected p-values, their stated chances, and Benjamini-Hochberg over documents of clean corpora."""
    corpora, documents = 200, 60
    hits, expected, alarms = 0, 0.0, 0
    for place in range(corpora):
        marks = (_mark(GUMBEL, 10_000 + place), _mark(GREEN_LIST, 10_000 + place), _mark(GUMBEL, 20_000 + place))
        judge = Judge(settings=SETTINGS, leads=shipped_leads(), marks=marks, seen=tuple(seen_pairs(1 << 20) for _ in marks))
        rows = judge.judge(_corpus(generator(place, "clean corpus"), documents), source="s", file="f")
        p = rows.column("p_value").to_numpy(zero_copy_only=False)
        hits += int(np.count_nonzero(rows.column(FRESH_P).to_numpy(zero_copy_only=False) <= SETTINGS.mixture_level))
        expected += float(np.nansum(rows.column(CHANCE).to_numpy(zero_copy_only=False)))
        alarms += bool(np.any(benjamini_hochberg(p) <= SETTINGS.level))
    low, high = binomial_band(corpora * documents, expected / (corpora * documents))
    assert low <= hits <= high
    assert alarms <= binomial_band(corpora, SETTINGS.level)[1]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.6])
@pytest.mark.parametrize("documents", [40, 1000])
def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says(share: float, documents: int) -> None:
    """4,000 corpora whose documents have chances of their own."""
    draw = generator(documents, f"coverage {share}")
    chances = draw.uniform(0.001, 0.01, documents)
    carries = draw.random((KEYS, documents)) < share
    hits = carries | (draw.random((KEYS, documents)) < chances)
    # an interval depends on the number of hits alone
    counts = hits.sum(axis=1)
    ends = {count: excess_share(np.arange(documents) < count, chances) for count in np.unique(counts).tolist()}
    held = sum(ends[count].low <= share <= ends[count].high for count in counts.tolist())
    assert held >= binomial_band(KEYS, 0.95)[0]
    below = sum(ends[count].low > share for count in counts.tolist())
    assert below <= binomial_band(KEYS, 0.025)[1]


def test_a_clean_corpus_is_given_no_share() -> None:
    """The lower end is above nought in at most one of forty clean corpora."""
    draw = generator(17, "clean share")
    chances = np.full(500, 0.01)
    found = [excess_share(draw.random(500) < 0.01, chances).low > 0 for _ in range(KEYS)]
    assert sum(found) <= binomial_band(KEYS, 0.025)[1]


def test_documents_of_one_template_count_their_shared_pairs_once_so_that_no_clean_corpus_is_given_a_share() -> None:
    """The naive estimate over each document's own p is kept as a control that visibly fails."""
    draw = generator(19, "templates")
    form, documents, keys = draw.integers(0, 5000, 80), 200, 1000
    text = [np.concatenate([form[:40], draw.integers(0, 5000, 60), form[40:], draw.integers(0, 5000, 15)]) for _ in range(documents)]
    ids, offsets = np.concatenate(text).astype(np.uint32), np.concatenate([[0], np.cumsum([one.size for one in text])])
    fresh = naive = 0
    for place in range(keys):
        found = watermark_scores(ids, offsets, _mark(GUMBEL, 50_000 + place), least_scored=50, seen=seen_pairs(ids.size))
        told = ~np.isnan(found.fresh_p)
        assert told.sum() == documents
        fresh += excess_share(found.fresh_p <= 0.01, np.full(documents, 0.01)).low > 0
        naive += excess_share(found.p <= 0.01, np.full(documents, 0.01)).low > 0
    assert fresh <= binomial_band(keys, 0.025)[1]
    assert naive > binomial_band(keys, 0.025)[1]
