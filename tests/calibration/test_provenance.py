"""Size of the tests of a suspect over keys and coins, on natural, templated and repetitive text; the naive counts fail here on purpose."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from stillwatch.marks.keys import KEY_BYTES, MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.provenance.canaries import canaries
from stillwatch.provenance.closed_radioactivity import Pairs, closed_radioactivity, distinct_pairs
from stillwatch.provenance.combine import e_values, holm
from stillwatch.provenance.open_radioactivity import dense_coefficients, keyed_mass, random_keys
from stillwatch.provenance.scoring import GreenListScoring, GumbelScoring, Scoring
from stillwatch.provenance.twins import twins
from stillwatch.stats.chernoff import WeightedSum
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.seeds import generator

LEVELS = (0.05, 0.01, 0.001)
WIDTH = 2
SHORT, LONG = 400, 4000
RUNS = [SHORT, pytest.param(LONG, marks=pytest.mark.many_runs)]
SHARED = Path(__file__).parents[3] / "shared" / "data" / "prompts.parquet"
KINDS = ("natural", "templated", "repetitive")
SCORINGS = {"green": GreenListScoring(0.25), "gumbel": GumbelScoring()}


def _holds(log10_p: Sequence[float] | np.ndarray, *, discrete: bool = True) -> None:
    """Rejections lie below the upper end of the band, and above its lower end where p is continuous."""
    p = np.asarray(log10_p)
    for level in LEVELS:
        low, high = binomial_band(p.size, level)
        count = np.count_nonzero(p <= np.log10(level) + 1e-12)
        assert count <= high, (level, count, high)
        assert discrete or count >= low, (level, count, low)


@functools.cache
def _tokens(kind: str) -> tuple[int, ...]:
    """Token ids of a text of so many repeats: hashes of its words."""
    words = {"natural": _natural, "templated": _templated, "repetitive": _repetitive}[kind]()
    names = {word: place for place, word in enumerate(dict.fromkeys(words))}
    return tuple(names[word] for word in words)


def _natural() -> list[str]:
    if not SHARED.exists():
        pytest.skip("the corpora do not lie beside the project")
    from pyarrow import parquet

    rows = parquet.ParquetFile(SHARED).read_row_group(0, columns=["response"]).column("response").slice(2000, 60).to_pylist()
    return [word for row in rows for word in str(row).split()][:2500]


def _templated() -> list[str]:
    draw = generator(1, "templated")
    sentence = "Thank you for your question about {} . Here are three things to know about {} : first , {} is {} ."
    return list(itertools.chain(*(sentence.format(*draw.integers(0, 40, 4)).split() for _ in range(110))))


def _repetitive() -> list[str]:
    draw = generator(1, "repetitive")
    return list(
        itertools.chain(
            *([str(word)] * int(times) for word, times in zip(draw.integers(0, 300, 350), draw.geometric(0.15, 350), strict=True))
        )
    )


def _positions(kind: str) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.array(_tokens(kind))
    return context_seeds(tokens, WIDTH), tokens[WIDTH:]


def _keys(runs: int, name: str) -> list[MarkKey]:
    return list(random_keys(generator(20261125, name), runs))


@pytest.mark.slow
@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS)
def test_closed_radioactivity_holds_its_level_over_keys(scoring: Scoring, kind: str, runs: int) -> None:
    pairs = distinct_pairs(*_positions(kind), np.zeros(0, np.uint64))
    p = [
        scoring.log10_tail(float(scoring.scores(key, pairs.seeds, pairs.tokens).sum()), pairs.tokens.size) for key in _keys(runs, "closed")
    ]
    assert p[0] == closed_radioactivity(_keys(1, "closed")[0], pairs, scoring, level=0.01).log10_p
    _holds(p, discrete=isinstance(scoring, GreenListScoring))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["templated", "repetitive"])
@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS)
def test_the_naive_count_without_de_duplication_fails_visibly(scoring: Scoring, kind: str) -> None:
    seeds, tokens = _positions(kind)
    p = [scoring.log10_tail(float(scoring.scores(key, seeds, tokens).sum()), tokens.size) for key in _keys(SHORT, "naive")]
    assert np.mean(np.array(p) <= -2) > 0.1


def _innocent(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seeds, a suspect that repeats itself as the text does, and a reference, over 24 tokens; none of them knows a key."""
    draw = generator(5, f"innocent {kind}")
    seeds, _ = _positions(kind)
    seeds = seeds[:300]
    _, place = np.unique(seeds, return_inverse=True)
    laws = draw.dirichlet(np.full(24, 0.3), place.max() + 1)
    return seeds, laws[place], draw.dirichlet(np.full(24, 0.3), place.max() + 1)[place]


@pytest.mark.slow
@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS)
def test_open_radioactivity_holds_its_level_by_bound_and_by_rank(scoring: Scoring, kind: str, runs: int) -> None:
    seeds, suspect, reference = _innocent(kind)
    mass = dense_coefficients(seeds, np.ones(seeds.size), suspect, reference, exponent=0.5)
    bound = WeightedSum(mass.values, scoring.law)
    values = np.array([keyed_mass(key, mass, scoring) for key in _keys(runs, f"open {kind}")])
    assert abs(values.mean()) < 4 * bound.deviation / np.sqrt(runs)
    assert values.std() / bound.deviation == pytest.approx(1.0, abs=4 / np.sqrt(runs))
    _holds([bound.log10_tail(float(value)) for value in values])
    half = runs // 2
    ranks = (1 + np.array([np.count_nonzero(values[half:] >= value) for value in values[:half]])) / (half + 1)
    assert stats.kstest(ranks, "uniform").pvalue > 1e-4


@pytest.mark.slow
def test_a_window_counted_at_each_of_its_occurrences_fails_visibly() -> None:
    seeds, suspect, reference = _innocent("repetitive")
    apart = dense_coefficients(np.arange(seeds.size, dtype=np.uint64), np.ones(seeds.size), suspect, reference, exponent=0.5)
    bound = WeightedSum(apart.values, GreenListScoring(0.25).law)
    pooled = dense_coefficients(seeds, np.ones(seeds.size), suspect, reference, exponent=1.0)
    values = [keyed_mass(key, pooled, GreenListScoring(0.25)) for key in _keys(SHORT, "occurrences")]
    assert np.mean([bound.log10_tail(value) <= -2 for value in values]) > 0.03


DIFFERENCES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda draw, n: draw.normal(size=n),
    "heavy": lambda draw, n: draw.standard_t(1.5, n),
    "ties": lambda draw, n: draw.integers(1, 4, n).astype(float),
}


@pytest.mark.slow
@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("law", DIFFERENCES)
def test_twins_hold_their_level_over_coins(law: str, runs: int) -> None:
    draw = generator(20261125, f"twins {law}")
    sizes = DIFFERENCES[law](draw, 60)
    coins = draw.integers(0, 2, (runs, 60)) * 2 - 1
    results = [twins(sizes * coin, level=0.01, generator=draw, flips=99) for coin in coins]
    _holds([result.log10_p for result in results], discrete=law == "ties")
    _holds([result.beside[0].log10_p for result in results])
    _holds([result.beside[1].log10_p for result in results])


@pytest.mark.slow
@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("sizes", [np.full(40, 16), np.tile([4, 8, 16, 64], 10)], ids=["same K", "mixed K"])
def test_canaries_hold_their_level_over_keys_however_the_suspect_answers(sizes: np.ndarray, runs: int) -> None:
    draw = generator(20261125, "canaries")
    favourite = np.zeros(40, dtype=np.int64)
    _holds([canaries(draw.integers(0, sizes), favourite, sizes, level=0.01).log10_p for _ in range(runs)])


@pytest.mark.slow
def test_holm_and_e_values_hold_the_budget_of_a_whole_plan() -> None:
    draw = generator(20261125, "plan")
    p = np.log10(draw.random((LONG, 4)))
    p[:, 3] = p[:, 0]
    _holds(np.array([holm(row).min() for row in p]))
    _holds(-np.array([e_values(row[:3]).sum() for row in p]))


@pytest.mark.slow
def test_prompts_that_hold_marked_text_accuse_an_innocent_unless_their_windows_are_skipped() -> None:
    draw = generator(20261125, "prompts")
    key = MarkKey(draw.bytes(KEY_BYTES))
    seeds, tokens = draw.integers(0, 2**62, 400).astype(np.uint64), draw.integers(0, 9999, (400, 8))
    scoring = GreenListScoring(0.25)
    green = np.stack([scoring.scores(key, seeds, tokens[:, side]) for side in range(8)], axis=1)
    copied = tokens[np.arange(400), green.argmax(axis=1)]
    own_seeds, own = draw.integers(0, 2**62, 400).astype(np.uint64), draw.integers(0, 9999, 400)
    both: tuple[np.ndarray, np.ndarray] = (np.concatenate([seeds, own_seeds]), np.concatenate([copied, own]))

    def p(pairs: Pairs) -> float:
        return closed_radioactivity(key, pairs, scoring, level=0.01).log10_p

    assert p(distinct_pairs(*both, np.zeros(0, np.uint64))) < -10
    assert p(distinct_pairs(*both, seeds)) > -3
