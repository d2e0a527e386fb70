"""vLLM's own Gumbel-max watermark: a configuration for it, and a detector that reads its output token ids without torch.

The PRF is the one that vLLM calls `philox4x32-10-v1` (vllm-project/vllm, pull requests 54053 and 56122): Philox 4x32-10 over the context
in blocks of four ids, then over the candidate id. It differs from `prf` in counter, key and precision, so the two never share a key: use
a purpose of its own. The tests hold this module to the words, the generated sequence, the scores and the p-values that vLLM publishes as
compatibility vectors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from stillwatch.errors import TooFewSamplesError
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import MASK, Words, key_words, philox, token_vector
from stillwatch.stats.samples import FloatArray, require

PURPOSE = "vllm-gumbel"
DEFAULT_WIDTH = 4
WIDEST = 16
PRF_VERSION = "philox4x32-10-v1"

_CONTEXT_DOMAIN = 0x574D4358
_TOKEN_DOMAIN = 0x574D544B
_BLOCK_WORDS = 4
_MANTISSA_BITS = 24
_LATTICE_SLACK = 2.0**-_MANTISSA_BITS
"""Nats by which one score on the lattice of 24-bit numbers may exceed an exponential variable: the tail at each score is at most
(1 + 2 ** -24) times the exponential one, so a score is dominated by an exponential variable plus this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmReading:
    """What the detector read.

    Attributes:
        score: sum of -log(1 - U) over scored tokens (nats).
        scored: tokens that were scored, one for each different context.
        given: tokens that were given.
        p_value: chance of such a score or a higher one for text made without the key.
    """

    score: float
    scored: int
    given: int
    p_value: float


def configuration(key: MarkKey, *, width: int = DEFAULT_WIDTH) -> str:
    """The JSON text of vLLM's `--watermark-config`. It holds the key: write it to a file that nobody else may read.

    Repeated contexts of an answer are sampled without the mark (`deduplicate_contexts`), which keeps answers from repeating themselves.
    Raises UnusableValuesError for a width outside [1, 16].
    """
    _check_width(width)
    settings = {"algorithm": "gumbel", "key": key.word, "context_width": width, "prf": "philox", "deduplicate_contexts": "single_turn"}
    return json.dumps(settings)


def words(key: MarkKey, contexts: ArrayLike, tokens: ArrayLike) -> Words:
    """[n] 32-bit words, as uint64, of contexts [n, width] and the tokens [n] that follow them; -1 stands for no token yet.

    Raises UnusableValuesError for another shape, or a width outside [1, 16].
    """
    ids = token_vector(tokens)
    windows = np.asarray(contexts)
    require(windows.ndim == 2 and len(windows) == ids.size, f"contexts have shape {windows.shape}; {ids.size} tokens need as many rows")
    _check_width(windows.shape[1])
    state = _context_state(key, windows.astype(np.int64).astype(np.uint64) & np.uint64(MASK))
    low, high = key_words(key)
    output = philox((ids >> np.uint64(2), *state[:3]), (low ^ state[3], high ^ _TOKEN_DOMAIN))
    return np.choose((ids & np.uint64(3)).astype(np.intp), output)


def _context_state(key: MarkKey, windows: Words) -> tuple[Any, Any, Any, Any]:
    count, width = windows.shape
    low, high = key_words(key)
    state: tuple[Any, Any, Any, Any] = tuple(np.full(count, word, np.uint64) for word in (_CONTEXT_DOMAIN, width, 0, 0))  # type: ignore[assignment]
    for offset in range(0, width, _BLOCK_WORDS):
        block = [
            windows[:, offset + place] if offset + place < width else np.full(count, MASK - place, np.uint64)
            for place in range(_BLOCK_WORDS)
        ]
        counter = (state[0] ^ block[0], state[1] ^ block[1], state[2] ^ block[2], state[3] ^ block[3])
        state = philox(counter, (low ^ offset, high))
    return state


def uniforms(key: MarkKey, contexts: ArrayLike, tokens: ArrayLike) -> FloatArray:
    """[n] vLLM's uniform numbers: 24 bits of a word, rounded to float32 as there, in (0, 1); arguments and errors as for `words`."""
    mantissas = (words(key, contexts, tokens) >> np.uint64(32 - _MANTISSA_BITS)).astype(np.float64)
    return ((mantissas + 1.0) / (2**_MANTISSA_BITS + 1)).astype(np.float32).astype(np.float64)


def detect(key: MarkKey, documents: Sequence[ArrayLike], *, width: int = DEFAULT_WIDTH) -> VllmReading:
    """Score the token ids of answers, each context once over all of them.

    Null hypothesis: the tokens were chosen independently of the key. Assumption: the PRF gives independent uniform numbers. Under both,
    the score of n different contexts is dominated by Gamma(n, 1) + n * 2 ** -24 (the lattice of 24-bit numbers); the p-value is its tail.

    Args:
        key: the key that `configuration` was made with.
        documents: token ids of each answer alone, without its prompt, in the tokenizer of the marked model.
        width: context width of the configuration.

    Raises TooFewSamplesError where no token is given, UnusableValuesError for a width outside [1, 16] or what is no token id.

    Source: Aaronson 2023; vLLM pull request 54053. It counts a context once within an answer; here it counts once in all.
    """
    _check_width(width)
    contexts, tokens, given = _first_uses(documents, width)
    if not tokens.size:
        raise TooFewSamplesError("vLLM Gumbel detector", needed=1, got=0)
    score = float(-np.log1p(-uniforms(key, contexts, tokens)).sum())
    p_value = float(special.gammaincc(tokens.size, max(0.0, score - tokens.size * _LATTICE_SLACK)))
    return VllmReading(score=score, scored=int(tokens.size), given=given, p_value=p_value)


def _first_uses(documents: Sequence[ArrayLike], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Contexts [n, width] and tokens [n] at the first use of each context, and how many tokens were given."""
    contexts: list[NDArray[np.int64]] = []
    tokens: list[NDArray[np.int64]] = []
    for place, document in enumerate(documents):
        ids = token_vector(document, f"document {place}").astype(np.int64)
        padded = np.concatenate([np.full(width, -1, np.int64), ids])
        contexts.append(np.lib.stride_tricks.sliding_window_view(padded, width)[: ids.size])
        tokens.append(ids)
    if not tokens:
        return np.empty((0, width), np.int64), np.empty(0, np.int64), 0
    every, following = np.concatenate(contexts), np.concatenate(tokens)
    _, first = np.unique(every, axis=0, return_index=True)
    kept = np.sort(first)
    return every[kept], following[kept], int(following.size)


def _check_width(width: int) -> None:
    require(1 <= width <= WIDEST, f"width is {width}; vLLM's Gumbel watermark is used with 1 to {WIDEST} tokens of context")
