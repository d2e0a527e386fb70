"""A suspect behind an OpenAI-compatible endpoint, with or without log-probabilities."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

from stillwatch.provenance.suspects import AnswerError, require_text
from stillwatch.provenance.suspects.transport import Transport

NO_LOG_PROBABILITIES = "the endpoint gives no log-probabilities of the prompt"
"""Reason of an answer without them; who asked says what to do."""
LONGEST_TEXT = 1_000_000
"""Characters of an answer that are kept at most; a longer one is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSuspect:
    """Asks `/chat/completions` for answers and `/completions` with `echo` for likelihoods.

    Attributes:
        transport: to the endpoint.
        model: that is asked for; an answer that names another is refused.
        temperature: of its own answers.
    """

    transport: Transport
    model: str
    temperature: float = 1.0

    def answer(self, prompt: str, *, most_tokens: int) -> str:
        """The text of its answer. One that stops at `most_tokens` is kept; an empty one is refused."""
        question = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": most_tokens,
            "temperature": self.temperature,
            "n": 1,
        }
        choice = self._choice(self.transport.post("/chat/completions", question))
        message = choice.get("message")
        text = cast("dict[str, Any]", message).get("content") if isinstance(message, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise AnswerError("an answer holds no text; it is left out")
        require_text(text)
        if len(text) > LONGEST_TEXT:
            raise AnswerError(f"an answer has {len(text):,} characters, at most {LONGEST_TEXT:,} were expected; it is left out")
        if not isinstance(choice.get("finish_reason"), str):
            raise AnswerError("an answer does not say why it ended, so it may be cut off; it is left out")
        return text

    def log_likelihood(self, prompt: str, answer: str) -> float:
        """Sum of the echoed log-probabilities of the tokens that begin in `answer`; the echo must be our text, whole."""
        text = prompt + answer
        question = {"model": self.model, "prompt": text, "max_tokens": 1, "echo": True, "logprobs": 1, "temperature": 0, "n": 1}
        choice = self._choice(self.transport.post("/completions", question))
        echoed, logs = choice.get("text"), choice.get("logprobs")
        if not isinstance(echoed, str) or not echoed.startswith(text):
            raise AnswerError("the echoed text is not the one that was sent; the pair is left out")
        if not isinstance(logs, dict):
            raise AnswerError(NO_LOG_PROBABILITIES)
        table = cast("dict[str, Any]", logs)
        tokens, numbers, offsets = (_list(table, name) for name in ("tokens", "token_logprobs", "text_offset"))
        if not len(tokens) == len(numbers) == len(offsets):
            raise AnswerError(f"{len(tokens)} tokens, {len(numbers)} log-probabilities, {len(offsets)} offsets; the pair is left out")
        if "".join(str(token) for token in tokens)[: len(text)] != text:
            raise AnswerError("the echoed tokens do not add up to the text that was sent; the pair is left out")
        starts = accumulate((len(str(token)) for token in tokens), initial=0)
        if any(offset != start for offset, start in zip(offsets, starts, strict=False)):
            raise AnswerError("the echoed offsets are not those of the echoed tokens; the pair is left out")
        ours = [number for number, offset in zip(numbers, offsets, strict=True) if _within(offset, len(prompt), len(text))]
        if not ours or not all(_is_log_probability(number) for number in ours):
            raise AnswerError("a log-probability is missing, above 0 or not finite; the pair is left out")
        return math.fsum(ours)

    def _choice(self, answered: dict[str, Any]) -> dict[str, Any]:
        named = answered.get("model")
        if isinstance(named, str) and named != self.model:
            raise AnswerError(f"the answer is of model {named[:100]!r}, asked was {self.model!r}; it is left out")
        choices = answered.get("choices")
        if not isinstance(choices, list) or len(cast("list[Any]", choices)) != 1 or not isinstance(choices[0], dict):
            raise AnswerError("an answer does not hold exactly one choice; it is left out")
        return cast("dict[str, Any]", choices[0])


def _list(table: dict[str, Any], name: str) -> list[Any]:
    value = table.get(name)
    if not isinstance(value, list):
        raise AnswerError(f"log-probabilities lack {name}; the pair is left out")
    return cast("list[Any]", value)


def _within(offset: object, start: int, end: int) -> bool:
    return isinstance(offset, int) and not isinstance(offset, bool) and start <= offset < end


def _is_log_probability(number: object) -> bool:
    # compared and not converted: a whole number beyond doubles raises where it is converted
    return isinstance(number, int | float) and not isinstance(number, bool) and -sys.float_info.max <= number <= 0.0
