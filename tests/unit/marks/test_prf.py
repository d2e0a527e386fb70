"""Keyed integers are Philox's, the same wherever they are asked for, and depend on the exact window."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import DOMAIN, context_seeds, draws, draws_over_vocabulary, philox
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

KEY = MarkKey(bytes(range(1, 33)))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]) -> None:
    words = tuple(np.array([word, word], np.uint64) for word in counter)
    output = philox((words[0], words[1], words[2], words[3]), key)
    assert [(int(word[0]), int(word[1])) for word in output] == [(word, word) for word in expected]


def _philox_of_whole_numbers(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """The published rounds in Python's whole numbers: a second writing, so that an overflow of arrays would show."""
    first, second, third, fourth = counter
    for turn in range(10):
        left, right = first * 0xD2511F53, third * 0xCD9E8D57
        keys = tuple((word + turn * step) % 2**32 for word, step in zip(key, (0x9E3779B9, 0xBB67AE85), strict=True))
        first, second, third, fourth = right // 2**32 ^ second ^ keys[0], right % 2**32, left // 2**32 ^ fourth ^ keys[1], left % 2**32
    return first, second, third, fourth


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32))
def test_a_draw_is_what_whole_numbers_give(seed: int, token: int, secret: bytes) -> None:
    word = int.from_bytes(secret[:8], "little")
    low, high, _, _ = _philox_of_whole_numbers((seed % 2**32, seed // 2**32, token, DOMAIN), (word % 2**32, word // 2**32))
    assert int(draws(MarkKey(secret), np.array([seed], np.uint64), [token])[0]) == high * 2**32 + low


def test_the_vocabulary_holds_the_draws_of_single_tokens() -> None:
    seeds = context_seeds([3, 1, 4, 1, 5], 2)
    for seed in seeds:
        whole = draws_over_vocabulary(KEY, int(seed), 20_000)
        single = draws(KEY, np.full(4, seed, np.uint64), [0, 1, 8192, 19_999])
        assert whole[[0, 1, 8192, 19_999]].tolist() == single.tolist()


def test_a_seed_depends_on_its_window_alone() -> None:
    tokens = generator(1, "prf windows").integers(0, 50_000, 60)
    seeds = context_seeds(tokens, 4)
    assert seeds.shape == (56,)
    assert int(context_seeds(tokens[10:15], 4)[0]) == int(seeds[10])
    assert context_seeds(tokens[:4], 4).shape == (0,)


def test_all_small_windows_have_seeds_of_their_own() -> None:
    windows = [window for width in (1, 2, 3) for window in itertools.product(range(12), repeat=width)]
    seeds = {int(context_seeds([*window, 0], len(window))[0]) for window in windows}
    assert len(seeds) == len(windows)


def test_order_counts_and_token_0_absorbs_nothing() -> None:
    assert int(context_seeds([1, 2, 9], 2)[0]) != int(context_seeds([2, 1, 9], 2)[0])
    assert int(context_seeds([0, 5, 9], 2)[0]) != int(context_seeds([0, 6, 9], 2)[0])


@pytest.mark.slow
def test_every_bit_of_a_draw_is_a_coin_over_tokens_contexts_and_keys() -> None:
    over_tokens = draws_over_vocabulary(KEY, 7, 40_000)
    over_contexts = draws(KEY, context_seeds(np.arange(40_001), 1), np.zeros(40_000, np.int64))
    secrets = generator(3, "prf keys").bytes(32 * 4000)
    over_keys = np.concatenate(
        [draws(MarkKey(secrets[32 * place : 32 * place + 32]), np.array([7], np.uint64), [11]) for place in range(4000)]
    )
    for values in (over_tokens, over_contexts, over_keys):
        ones = np.array([int(np.count_nonzero((values >> np.uint64(bit)) & np.uint64(1))) for bit in range(64)])
        assert np.all(np.abs(ones - values.size / 2) < 5.5 * np.sqrt(values.size) / 2)


@pytest.mark.parametrize("tokens", [[-1, 2, 3], [1.5, 2.0], [[1, 2], [3, 4]], [2**32, 1]])
def test_what_is_no_token_is_refused(tokens: list[int]) -> None:
    with pytest.raises(UnusableValuesError, match="tokens"):
        context_seeds(tokens, 1)


def test_seeds_and_tokens_of_different_length_or_kind_are_refused() -> None:
    with pytest.raises(UnusableValuesError, match="1 seeds and 2 tokens"):
        draws(KEY, np.array([1], np.uint64), [1, 2])
    with pytest.raises(UnusableValuesError, match="uint64"):
        draws(KEY, [1, 2], [1, 2])
    with pytest.raises(UnusableValuesError, match="width is 0"):
        context_seeds([1, 2], 0)
    with pytest.raises(UnusableValuesError, match="vocabulary is 0"):
        draws_over_vocabulary(KEY, 1, 0)
