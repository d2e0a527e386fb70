"""vLLM's watermark is read as vLLM reads it; the figures are the compatibility vectors that it publishes (tests/watermarking)."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stillwatch.errors import TooFewSamplesError
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.vllm_gumbel import configuration, detect, uniforms, words
from stillwatch.stats.samples import UnusableValuesError


def _key(word: int) -> MarkKey:
    return MarkKey(word.to_bytes(8, "little") + bytes(24))


OF_KEY_42 = [
    *(46, 24, 45, 80, 14, 26, 22, 124, 21, 45, 16, 30, 5, 89, 0, 10, 27, 70, 80, 62, 1, 11, 117, 53, 10, 45, 94, 37, 43, 22, 78, 49),
    *(
        119,
        9,
        22,
        118,
        82,
        75,
        32,
        24,
        84,
        27,
        122,
        66,
        78,
        64,
        124,
        17,
        91,
        12,
        51,
        15,
        75,
        64,
        127,
        45,
        112,
        15,
        83,
        114,
        121,
        109,
        24,
        77,
    ),
]
OF_KEY_0 = [
    *(24, 42, 66, 26, 51, 107, 36, 25, 63, 24, 6, 48, 65, 124, 117, 85, 45, 112, 48, 101, 19, 22, 89, 88, 63, 77, 115, 104, 65, 61, 32, 20),
    *(95, 98, 30, 58, 86, 50, 39, 113, 122, 62, 69, 40, 29, 92, 113, 120, 52, 112, 108, 1, 25, 96, 3, 95, 84, 65, 76, 3, 68, 71, 81, 56),
]
OF_KEY_MAX = [
    *(46, 42, 38, 34, 30, 26, 22, 18, 14, 10, 6, 2, 44, 125, 121, 117, 88, 6, 97, 12, 86, 121, 0, 106, 98, 119, 101, 36, 47, 110, 25, 24),
    *(102, 6, 101, 37, 114, 50, 53, 127, 109, 80, 69, 5, 96, 60, 14, 42, 38, 58, 118, 79, 4, 110, 42, 102, 66, 80, 72, 33, 78, 106, 67, 52),
]
OF_KEY_2_32 = [
    *(21, 10, 73, 94, 19, 61, 85, 42, 95, 116, 105, 47, 58, 36, 74, 42, 95, 70, 34, 37, 125, 29, 64, 85, 70, 73, 44, 90, 47, 107, 25, 70),
    *(98, 41, 1, 51, 8, 57, 99, 88, 80, 119, 55, 15, 121, 43, 124, 56, 34, 87, 115, 65, 4, 110, 53, 77, 58, 126, 19, 72, 64, 113, 109, 123),
]


def test_the_words_are_those_that_vllm_publishes() -> None:
    contexts = [[1, 2, 3, 4], [1, 2, 3, 4], [4, 5, 6, 7], [4, 5, 6, 7]]
    assert words(_key(42), contexts, [7, 8, 7, 8]).tolist() == [425429266, 2706218805, 2494036831, 3424185538]


def test_the_uniform_numbers_are_those_that_vllm_publishes() -> None:
    mantissas = np.array([1661833, 10571167, 9742331, 13375724], np.float64)
    contexts = [[1, 2, 3, 4], [1, 2, 3, 4], [4, 5, 6, 7], [4, 5, 6, 7]]
    assert uniforms(_key(42), contexts, [7, 8, 7, 8]).tolist() == ((mantissas + 1) / (2**24 + 1)).astype(np.float32).tolist()


@pytest.mark.parametrize(
    ("word", "width", "tokens", "score", "p_value", "scored"),
    [
        (42, 4, OF_KEY_42, 296.27295787856264, 7.128196280874065e-61, 64),
        (43, 4, OF_KEY_42, 63.25096716585621, 0.5208447936891313, 64),
        (0, 1, OF_KEY_0, 236.2768211235414, 4.532248480235615e-47, 54),
        (2**64 - 1, 16, OF_KEY_MAX, 220.2767573421712, 6.166345567165398e-36, 64),
        (2**32, 5, OF_KEY_2_32, 263.04926919645095, 1.1027575381260964e-49, 64),
    ],
)
def test_sequences_are_scored_as_vllm_scores_them(
    word: int, width: int, tokens: list[int], score: float, p_value: float, scored: int
) -> None:
    read = detect(_key(word), [tokens], width=width)
    assert read.score == pytest.approx(score, rel=1e-9)
    assert read.scored == scored
    # ours allows for the lattice of 24-bit numbers, so it is larger by at most a thousandth here
    assert p_value <= read.p_value == pytest.approx(p_value, rel=1e-3)


def test_the_published_sequence_is_what_its_key_samples_from_the_published_logits() -> None:
    vocabulary = np.arange(128)
    generated: list[int] = []
    for position in range(64):
        context = [-1, -1, -1, -1, *generated][-4:]
        noise = -np.log(-np.log(uniforms(_key(42), np.tile(context, (128, 1)), vocabulary)))
        logits = ((vocabulary * 37 + position * 17) % 131 - 56) / 16
        generated.append(int(np.argmax(logits + noise)))
    assert generated == OF_KEY_42


def test_a_context_counts_once_over_all_answers() -> None:
    once = detect(_key(42), [OF_KEY_42])
    again = detect(_key(42), [OF_KEY_42, OF_KEY_42, OF_KEY_42[:20]])
    assert (again.scored, again.given) == (once.scored, 148)
    assert again.p_value == pytest.approx(once.p_value)


def test_too_little_and_unusable_input_is_an_error() -> None:
    with pytest.raises(TooFewSamplesError):
        detect(_key(42), [])
    with pytest.raises(TooFewSamplesError):
        detect(_key(42), [[]])
    with pytest.raises(UnusableValuesError, match="width is 17"):
        detect(_key(42), [[1, 2]], width=17)
    with pytest.raises(UnusableValuesError, match="document 1"):
        detect(_key(42), [[1, 2], [-3]])


def test_the_configuration_is_what_vllm_takes() -> None:
    assert json.loads(configuration(_key(2**64 - 1))) == {
        "algorithm": "gumbel",
        "key": 2**64 - 1,
        "context_width": 4,
        "prf": "philox",
        "deduplicate_contexts": "single_turn",
    }
