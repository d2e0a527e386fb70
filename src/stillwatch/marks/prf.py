"""Keyed integers for (context, token): the same on a processor, on an accelerator and in numpy, because nothing but integers is added.

The function is Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"), keyed with the first
64 bits of a mark key. Its counter is (low word of the context seed, high word, token id, DOMAIN). The context seed is a 64-bit mix of the
exact window.
Assumption of every p-value: for a key that the suspect does not know, the values behave as independent uniform integers. Philox passes the
usual batteries of tests, but is no cipher: somebody who can ask for many marked answers may learn small windows, so keys are rotated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillwatch.marks.keys import MarkKey
from stillwatch.stats.samples import require

Words: TypeAlias = NDArray[np.uint64]
WideProduct: TypeAlias = Callable[[int, Any], tuple[Any, Any]]

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF
DOMAIN = 0x53574D31
"""Last counter word: `SWM1`, so that no other use of Philox with this key repeats a value."""
LARGEST_TOKEN = MASK

MIX_STEP = 0x9E3779B97F4A7C15
MIX_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
MIX_SHIFTS = (30, 27, 31)

_BLOCK = 8192
"""Values mixed at a time: four columns of words stay in the second-level cache."""


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[Any, Any]) -> tuple[Any, Any, Any, Any]:
    """Philox 4x32-10; four arrays of 32-bit words.

    Args:
        counter: four uint64 arrays that broadcast together, with values below 2 ** 32.
        key: two whole numbers below 2 ** 32, or uint64 arrays of such.

    Source: Salmon et al. 2011, section 3.4; known answers of Random123 are in the tests.
    """
    return rounds(counter, key, _wide_product)


def rounds(counter: tuple[Any, Any, Any, Any], key: tuple[Any, Any], wide_product: WideProduct) -> tuple[Any, Any, Any, Any]:
    """The ten rounds over any library's integer arrays that hold 32-bit words and know `^`, `+` and `&`.

    Args:
        counter, key: as for `philox`.
        wide_product: (multiplier, words) to the high and the low 32 bits of their product.
    """
    first, second, third, fourth = counter
    for turn in range(ROUNDS):
        left_high, left_low = wide_product(MULTIPLIERS[0], first)
        right_high, right_low = wide_product(MULTIPLIERS[1], third)
        first = right_high ^ second ^ ((key[0] + turn * WEYL[0]) & MASK)
        third = left_high ^ fourth ^ ((key[1] + turn * WEYL[1]) & MASK)
        second, fourth = right_low, left_low
    return first, second, third, fourth


def _wide_product(multiplier: int, words: Any) -> tuple[Any, Any]:
    product = words * np.uint64(multiplier)
    return product >> np.uint64(32), product & np.uint64(MASK)


def token_vector(tokens: ArrayLike, name: str = "tokens") -> Words:
    """[n] token ids as uint64; UnusableValuesError where they are not whole numbers in [0, 2 ** 32)."""
    array = np.asarray(tokens)
    require(
        array.ndim == 1 and (array.size == 0 or np.issubdtype(array.dtype, np.integer)),
        f"{name} must be a vector of whole numbers, got {array.ndim} axes of {array.dtype}; pass one document's token ids",
    )
    if array.size:
        low, high = int(array.min()), int(array.max())
        require(low >= 0 and high <= LARGEST_TOKEN, f"{name} holds ids from {low} to {high}; ids of tokens lie in [0, {LARGEST_TOKEN}]")
    return array.astype(np.uint64)


def context_seeds(tokens: ArrayLike, width: int) -> Words:
    """[n - width] 64-bit seeds: number i is that of tokens[i : i + width], the window before tokens[i + width].

    Each id is mixed into the state by a bijection (splitmix64's finisher), so windows that differ in one place always have different
    seeds, order matters, no id (0 included) absorbs the others, and any two different windows meet with a chance of about 2 ** -64.

    Args:
        tokens: [n] token ids in [0, 2 ** 32).
        width: tokens of a window, at least 1. The result is empty for n <= width.

    Raises UnusableValuesError for other tokens or a width below 1.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators" (the finisher).
    """
    require(width >= 1, f"width is {width}; a window has at least 1 token")
    ids = token_vector(tokens)
    count = max(0, ids.size - width)
    seeds = np.full(count, width, np.uint64)
    for offset in range(width):
        seeds = _mixed((seeds ^ ids[offset : offset + count]) + np.uint64(MIX_STEP))
    return seeds


def unused_context(response: ArrayLike, width: int) -> int | None:
    """The seed of the last `width` tokens of an answer so far; None where it is shorter, or has had this context before.

    A sampler marks the next token only where a seed is given: a context that is marked twice in one answer would use the same random
    numbers twice, which draws answers into loops and makes the marks of one answer depend on each other.

    Args:
        response: [n] token ids of the answer, without its prompt.
        width: tokens of a context, at least 1.

    Errors as for `context_seeds`.
    """
    # the window before a token that is yet to come
    seeds = context_seeds(np.append(np.asarray(response, np.int64), 0), width)
    return None if not seeds.size or np.any(seeds[:-1] == seeds[-1]) else int(seeds[-1])


def _mixed(words: Words) -> Words:
    for shift, multiplier in zip(MIX_SHIFTS, (*MIX_MULTIPLIERS, None), strict=True):
        words = words ^ (words >> np.uint64(shift))
        if multiplier is not None:
            words = words * np.uint64(multiplier)
    return words


def draws(key: MarkKey, seeds: ArrayLike, tokens: ArrayLike) -> Words:
    """[n] keyed integers, uniform in [0, 2 ** 64): one for each pair of a context seed and the token that follows it.

    Args:
        key: a mark key.
        seeds: [n] uint64 of `context_seeds`.
        tokens: [n] token ids in [0, 2 ** 32).

    Raises UnusableValuesError for vectors of different length or other kinds of values.
    """
    ids = token_vector(tokens)
    contexts = np.asarray(seeds)
    require(
        contexts.dtype == np.uint64 and contexts.ndim == 1, f"seeds must be a vector of uint64, got {contexts.dtype}; use context_seeds"
    )
    require(contexts.size == ids.size, f"{contexts.size} seeds and {ids.size} tokens were given; pass one seed for each token")
    words = key_words(key)
    result = np.empty(ids.size, np.uint64)
    for start in range(0, ids.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        low, high = contexts[part] & np.uint64(MASK), contexts[part] >> np.uint64(32)
        output = philox((low, high, ids[part], np.uint64(DOMAIN)), words)
        result[part] = output[0] | (output[1] << np.uint64(32))
    return result


def draws_over_vocabulary(key: MarkKey, seed: int, vocabulary: int) -> Words:
    """[vocabulary] keyed integers: entry t is what `draws` gives for this seed and token t.

    Raises UnusableValuesError for a vocabulary outside [1, 2 ** 32] or a seed outside [0, 2 ** 64).
    """
    require(1 <= vocabulary <= LARGEST_TOKEN + 1, f"vocabulary is {vocabulary}; it takes 1 to {LARGEST_TOKEN + 1} tokens")
    require(0 <= int(seed) < 2**64, f"seed is {seed}; it takes a whole number in [0, 2 ** 64)")
    return draws(key, np.full(vocabulary, seed, np.uint64), np.arange(vocabulary, dtype=np.uint64))


def key_words(key: MarkKey) -> tuple[int, int]:
    """The two 32-bit words that key Philox, low word first. A secret."""
    return key.word & MASK, key.word >> 32
