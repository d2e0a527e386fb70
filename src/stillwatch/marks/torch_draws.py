"""The integers of `prf` over whole vocabularies on torch tensors, on a processor or an accelerator. Needs the `models` extra.

torch has no unsigned 64-bit product, so words stand in int64 and products are put together from halves of 16 bits: nothing overflows,
nothing is rounded, and every device gives numpy's integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.errors import MissingExtraError
from stillwatch.marks.gumbel import UNIFORM_BITS
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import DOMAIN, MASK, key_words, rounds

_HALF = 16
_HALF_MASK = 0xFFFF


def import_torch() -> Any:
    """The torch module; MissingExtraError where it is not installed."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", extra="models") from None
    return torch


def draws_over_vocabulary(key: MarkKey, seeds: Sequence[int], vocabulary: int, device: Any = None) -> tuple[Any, Any]:
    """Low and high 32 bits of the keyed integers of every token after each context, as int64 tensors [contexts, vocabulary].

    Args:
        key: a mark key.
        seeds: 64-bit context seeds of `prf.context_seeds`.
        vocabulary: tokens, from 1 to 2 ** 32.
        device: of torch; None: its default.

    Raises MissingExtraError without torch.
    """
    torch = import_torch()
    low = torch.tensor([[int(seed) & MASK] for seed in seeds], dtype=torch.int64, device=device)
    high = torch.tensor([[int(seed) >> 32] for seed in seeds], dtype=torch.int64, device=device)
    tokens = torch.arange(vocabulary, dtype=torch.int64, device=device).unsqueeze(0)
    output = rounds((low, high, tokens, DOMAIN), key_words(key), _wide_product)
    return output[0], output[1]


def below(draws: tuple[Any, Any], bound: int) -> Any:
    """[contexts, vocabulary] bool: whether each draw is below `bound`, a whole number in [0, 2 ** 64)."""
    low, high = draws
    return (high < bound >> 32) | ((high == bound >> 32) & (low < (bound & MASK)))


def as_uniforms(draws: tuple[Any, Any]) -> Any:
    """[contexts, vocabulary] float64 in (0, 1): the numbers of `gumbel.as_uniforms`, to the last bit."""
    low, high = draws
    cells = (high << (UNIFORM_BITS - 32)) | (low >> (64 - UNIFORM_BITS))
    return (cells.double() + 0.5) * 2.0**-UNIFORM_BITS


def _wide_product(multiplier: int, words: Any) -> tuple[Any, Any]:
    low, high = words & _HALF_MASK, words >> _HALF
    multiplier_low, multiplier_high = multiplier & _HALF_MASK, multiplier >> _HALF
    crossed = high * multiplier_low + low * multiplier_high
    lower = low * multiplier_low + ((crossed & _HALF_MASK) << _HALF)
    return high * multiplier_high + (crossed >> _HALF) + (lower >> 32), lower & MASK
