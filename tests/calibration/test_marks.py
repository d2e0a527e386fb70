"""Over thousands of keys, marks say of text that was made without the key just what their null hypotheses say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from stillwatch.marks import gumbel
from stillwatch.marks.canaries import choose, match_answers
from stillwatch.marks.canary_families import all_slots, shipped_families
from stillwatch.marks.green_list import threshold
from stillwatch.marks.keys import MarkKey, MasterSecret, derive
from stillwatch.marks.prf import context_seeds, draws
from stillwatch.marks.twins import assign
from stillwatch.marks.vllm_gumbel import detect
from stillwatch.stats.intervals import binomial_band
from stillwatch.stats.seeds import generator

pytestmark = pytest.mark.slow

KEYS = 4000
LEVELS = (0.05, 0.01, 0.001)
GAMMA = 0.25
MASTER = MasterSecret(generator(11, "calibration of marks").bytes(32))

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _keys(purpose: str, count: int = KEYS) -> list[MarkKey]:
    return [derive(MASTER, purpose=purpose, account=None, period=str(place)) for place in range(count)]


def _natural() -> Integers:
    """Tokens by Zipf's law, each depending on the one before."""
    draw = generator(11, "natural text")
    return (draw.zipf(1.3, 700) % 4000 + np.repeat(draw.integers(0, 50, 70), 10)).astype(np.int64)


def _templated() -> Integers:
    """One form, filled in sixty times."""
    draw = generator(11, "templated text")
    return np.concatenate([np.r_[np.arange(14), draw.integers(100, 160, 2), np.arange(20, 24)] for _ in range(60)])


def _repetitive() -> Integers:
    """A loop that hardly ever breaks."""
    draw = generator(11, "repetitive text")
    text = np.tile(np.arange(7), 120)
    text[draw.integers(0, text.size, 90)] = draw.integers(0, 400, 90)
    return text


def _p_values(text: Integers, *, once: bool) -> tuple[Floats, Floats, int]:
    """Green-list and Gumbel p-values of a text for every key, and how many pairs they rest on."""
    pairs = np.column_stack([context_seeds(text, 2), text[2:].astype(np.uint64)])
    if once:
        pairs = np.unique(pairs, axis=0)
    green, score = np.empty(KEYS), np.empty(KEYS)
    for place, key in enumerate(_keys("calibration")):
        drawn = draws(key, pairs[:, 0], pairs[:, 1])
        green[place] = np.count_nonzero(drawn < np.uint64(threshold(GAMMA)))
        score[place] = -np.log1p(-gumbel.as_uniforms(drawn)).sum()
    return stats.binom.sf(green - 1, len(pairs), GAMMA), stats.gamma.sf(score, len(pairs)), len(pairs)


def _attained(level: float, pairs: int) -> float:
    """The size that an exact binomial test has at a level: the largest tail that is not above it."""
    tails = stats.binom.sf(np.arange(-1, pairs), pairs, GAMMA)
    return float(tails[tails <= level].max())


@pytest.mark.parametrize("text", [_natural, _templated, _repetitive])
def test_each_pair_once_gives_the_stated_size_on_every_kind_of_text(text: Callable[[], Integers]) -> None:
    green, score, pairs = _p_values(text(), once=True)
    assert pairs > 100
    for level in LEVELS:
        low, high = binomial_band(KEYS, _attained(level, pairs))
        assert low <= np.count_nonzero(green <= level) <= high
        low, high = binomial_band(KEYS, level)
        assert low <= np.count_nonzero(score <= level) <= high
    assert stats.kstest(score, "uniform").pvalue > 1e-4


def test_pairs_that_count_as_often_as_they_occur_accuse_innocent_text() -> None:
    """The control: without counting pairs once, the size is many times the level."""
    green, score, _ = _p_values(_repetitive(), once=False)
    for found in (green, score):
        assert np.count_nonzero(found <= 0.01) > 10 * 0.01 * KEYS


def test_the_reading_of_vllm_has_the_stated_size_on_repetitive_text() -> None:
    text = _repetitive()
    found = np.array([detect(key, [text, text[5:]]).p_value for key in _keys("vllm-gumbel")])
    for level in LEVELS:
        low, high = binomial_band(KEYS, level)
        assert low <= np.count_nonzero(found <= level) <= high
    assert stats.kstest(found, "uniform").pvalue > 1e-4


def test_the_coin_of_twins_is_fair_and_independent_of_the_share() -> None:
    (key,) = _keys("twins", 1)
    over_requests = [assign(key, f"request-{place}", 0.3) for place in range(KEYS)]
    over_keys = [assign(key, "request", 0.3) for key in _keys("twins")]
    for found in (over_requests, over_keys):
        counts = np.zeros((2, 2))
        for assignment in found:
            counts[int(assignment.twinned), int(assignment.second_is_served)] += 1
        expected = KEYS * np.outer([0.7, 0.3], [0.5, 0.5])
        assert stats.chisquare(counts.ravel(), expected.ravel()).pvalue > 1e-4
        coins = np.array([assignment.second_is_served for assignment in found])
        low, high = binomial_band(KEYS - 1, 0.5)
        assert low <= np.count_nonzero(coins[1:] == coins[:-1]) <= high


def test_the_sign_test_on_the_coin_has_its_exact_size_whatever_a_suspect_prefers() -> None:
    """A suspect that always prefers the longer answer prefers served ones no more often than the coin says."""
    pairs = 40
    prefers_second = generator(11, "preference").random(pairs) < 0.9
    found = np.empty(KEYS)
    for place, key in enumerate(_keys("twins")):
        coins = np.array([assign(key, f"request-{number}", 1.0).second_is_served for number in range(pairs)])
        found[place] = stats.binom.sf(np.count_nonzero(coins == prefers_second) - 1, pairs, 0.5)
    for level in LEVELS:
        tails = stats.binom.sf(np.arange(-1, pairs), pairs, 0.5)
        low, high = binomial_band(KEYS, float(tails[tails <= level].max()))
        assert low <= np.count_nonzero(found <= level) <= high


def test_the_choice_of_a_canary_is_uniform_over_keys_in_every_kind_of_slot() -> None:
    keys = _keys("canaries")
    for slot in [family.slots[0] for family in shipped_families()]:
        chosen = [choose(key, slot) for key in keys]
        counts = np.array([chosen.count(variant) for variant in slot.variants])
        assert stats.chisquare(counts).pvalue > 1e-5


def test_matches_of_an_innocent_suspect_follow_their_exact_distribution() -> None:
    """A suspect with habits of its own matches as independent draws of 1 in K do."""
    slots = all_slots(shipped_families())
    answers = {slot.id: slot.variants[0] for slot in slots}
    exact = np.ones(1)
    for slot in slots:
        exact = np.convolve(exact, [1 - 1 / len(slot.variants), 1 / len(slot.variants)])
    found = np.array([sum(match.matched for match in match_answers(key, slots, answers)) for key in _keys("canaries")])
    for matches in range(1, 9):
        low, high = binomial_band(KEYS, float(exact[matches:].sum()))
        assert low <= np.count_nonzero(found >= matches) <= high
