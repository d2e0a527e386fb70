"""The wording kernel against a plain reading of the same rules."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.screen.wording import SAMPLE, SHINGLE_WORDS, Wording
from stillwatch.stats.seeds import generator


def _wording(*texts: str | None) -> Wording:
    return Wording(pa.array(texts, pa.large_string()))


def _random_text(words: int, seed: int = 1, vocabulary: int = 400) -> str:
    return " ".join(f"w{number}" for number in generator(seed, "words").integers(0, vocabulary, words))


def test_case_punctuation_and_spacing_make_no_other_wording_but_a_number_does() -> None:
    found = _wording("The sum, of 3 and 4: is 7!", "the  SUM of 3 and 4\nis 7", "the sum of 3 and 5 is 8", "the sum of 3 and 4 is")
    assert found.whole[0] == found.whole[1]
    assert len(set(found.whole.tolist())) == 3
    assert found.words.tolist() == [8, 8, 8, 7]


def test_an_absent_and_an_empty_text_have_no_words() -> None:
    found = _wording(None, "", "...", "one")
    assert found.words.tolist() == [0, 0, 0, 1]
    assert found.starts.tolist() == [0] * 5


def test_each_character_of_a_script_without_spaces_is_a_word() -> None:
    found = _wording("我们今天去公园散步。", "мы идём в парк", "café", "한국어")
    assert found.words.tolist() == [9, 4, 1, 3]


def test_texts_share_sampled_shingles_exactly_where_they_share_runs_of_words() -> None:
    """Over many texts: the sampled keys of a text in a longer one are all among the longer one's keys."""
    inner = _random_text(300)
    outer = f"{_random_text(200, 2)} {inner} {_random_text(200, 3)}"
    found = _wording(inner, outer, _random_text(300, 4))
    first, second, third = (set(found.keys[low:high].tolist()) for low, high in pairwise(found.starts))
    assert first
    assert first < second
    assert not first & third
    expected = (300 - SHINGLE_WORDS + 1) / SAMPLE
    assert 0.6 * expected < len(first) < 1.4 * expected


@pytest.mark.slow
def test_keys_are_as_many_as_different_shingles_that_the_sample_takes() -> None:
    text = _random_text(5000, vocabulary=3)
    words = re.findall(r"\w+", text)
    shingles = {tuple(words[start : start + SHINGLE_WORDS]) for start in range(len(words) - SHINGLE_WORDS + 1)}
    found = _wording(text, text)
    keys = found.keys[: found.starts[1]]
    assert np.all(keys[1:] > keys[:-1])
    assert abs(keys.size - len(shingles) / SAMPLE) < 6 * (len(shingles) * 0.25 * 0.75) ** 0.5
    assert np.array_equal(keys, found.keys[found.starts[1] :])


@pytest.mark.slow
def test_a_slice_of_a_column_reads_as_the_column_does() -> None:
    column = pa.array([_random_text(50, seed) for seed in range(6)], pa.string())
    assert np.array_equal(Wording(column.slice(2, 3)).whole, Wording(column).whole[2:5])
