"""Watermarks as logits processors of transformers' `generate`; they hold no state between calls. Need the `models` extra.

A context is the last `width` tokens of the answer, without the prompt: so whoever has an answer alone can read its mark. The first `width`
tokens of an answer carry no mark, and neither does a token after a context that the answer has had before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from stillwatch.marks.green_list import threshold
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import unused_context
from stillwatch.marks.torch_draws import as_uniforms, below, draws_over_vocabulary
from stillwatch.stats.samples import require


class _Marking:
    """What both watermarks do: find the rows of a batch whose next token may be marked."""

    def __init__(self, key: MarkKey, *, width: int, prompt_tokens: int) -> None:
        require(width >= 1, f"width is {width}; a context has at least 1 token")
        require(prompt_tokens >= 0, f"prompt_tokens is {prompt_tokens}; pass the width of the input ids that generate was given")
        self._key = key
        self._width = width
        self._prompt_tokens = prompt_tokens

    def _fresh(self, input_ids: Any) -> tuple[list[int], list[int]]:
        """Rows whose context is there and new to their answer, and its seed."""
        seeds = [unused_context(answer, self._width) for answer in input_ids[:, self._prompt_tokens :].cpu().numpy()]
        found = [(row, seed) for row, seed in enumerate(seeds) if seed is not None]
        return [row for row, _ in found], [seed for _, seed in found]


class GreenListProcessor(_Marking):
    """Adds `delta` to the logits of green tokens (Kirchenbauer et al. 2023, algorithm 2).

    Args:
        key: a mark key.
        gamma: expected share of green tokens, in (0, 1).
        delta: nats, above 0; 2 is usual, 0.5 is hard to see and hard to prove.
        width: tokens of a context; 1 is learnt best by a student and stolen best by a spoofer.
        prompt_tokens: `input_ids.shape[1]` of what `generate` is given; 1 for encoder-decoder models.

    Raises UnusableValuesError for settings outside their bounds, MissingExtraError without torch.
    """

    def __init__(self, key: MarkKey, *, gamma: float, delta: float, width: int, prompt_tokens: int) -> None:
        super().__init__(key, width=width, prompt_tokens=prompt_tokens)
        require(math.isfinite(delta) and delta > 0, f"delta is {delta}; it takes a finite number of nats above 0")
        self._threshold = threshold(gamma)
        self._delta = delta

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The logits [batch, vocabulary] for the next token of each row of input ids [batch, tokens]; the given ones stay as they are."""
        rows, seeds = self._fresh(input_ids)
        if not rows:
            return scores
        green = below(draws_over_vocabulary(self._key, seeds, scores.shape[1], scores.device), self._threshold)
        marked = scores.clone()
        marked[rows] += self._delta * green.to(scores.dtype)
        return marked


class GumbelMaxProcessor(_Marking):
    """Lets the key draw the next token: it alone keeps a finite logit, so that whatever samples afterwards takes it.

    Use it with `do_sample=True`: rows without a fresh context keep their logits, and `generate` draws them with fresh randomness. Give
    temperature and truncation here and not to `generate`, whose own come after this one.

    Args:
        key: a mark key.
        width: tokens of a context.
        prompt_tokens: `input_ids.shape[1]` of what `generate` is given; 1 for encoder-decoder models.
        temperature: above 0.
        before: processors that are applied first, such as transformers' `TopPLogitsWarper`.

    Raises UnusableValuesError for settings outside their bounds, MissingExtraError without torch.
    """

    def __init__(
        self,
        key: MarkKey,
        *,
        width: int,
        prompt_tokens: int,
        temperature: float = 1.0,
        before: Sequence[Callable[[Any, Any], Any]] = (),
    ) -> None:
        super().__init__(key, width=width, prompt_tokens=prompt_tokens)
        require(math.isfinite(temperature) and temperature > 0, f"temperature is {temperature}; greedy text carries no sampling watermark")
        self._temperature = temperature
        self._before = tuple(before)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The logits [batch, vocabulary] for the next token of each row of input ids [batch, tokens]; the given ones stay as they are."""
        scores = scores / self._temperature
        for processor in self._before:
            scores = processor(input_ids, scores)
        rows, seeds = self._fresh(input_ids)
        if not rows:
            return scores
        uniforms = as_uniforms(draws_over_vocabulary(self._key, seeds, scores.shape[1], scores.device))
        # log p plus Gumbel noise has its maximum where U ** (1 / p) has; a token that was cut off stays at minus infinity
        chosen = (scores[rows].double().log_softmax(-1) - (-uniforms.log()).log()).argmax(-1)
        marked = scores.clone()
        marked[rows] = -math.inf
        marked[rows, chosen] = 0.0
        return marked
