"""Where a suspect's answers come from: a model on disk, or an endpoint. What comes from there is hostile until it is checked."""

from __future__ import annotations

from typing import Protocol

from stillwatch.errors import StillwatchError

MOST_IN_A_ROW = 8
"""Unusable answers in a row after which the suspect is taken to be broken or playing: units are not burnt on it."""


class SuspectError(StillwatchError):
    """The suspect cannot be reached or loaded, so that nothing can be measured; what was measured so far stands in its file."""


class AnswerError(StillwatchError):
    """One answer cannot be used: it contradicts itself, is cut off, not a number, or another model's. The unit counts as missing."""


class Suspect(Protocol):
    """What every suspect can be asked."""

    def answer(self, prompt: str, *, most_tokens: int) -> str:
        """The suspect's own answer to a prompt; AnswerError where it cannot be used, SuspectError where nothing can be had."""
        ...

    def log_likelihood(self, prompt: str, answer: str) -> float:
        """ln probability (nats) that the suspect gives to `answer` after `prompt`; errors as for answer."""
        ...


def shown(error: BaseException, limit: int = 200) -> str:
    """What an error says, in one line: a hostile host or folder may have written it, so that nothing in it may act on a terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(error).strip()[:limit])


def require_text(text: str) -> None:
    """Nothing for text that has a UTF-8 form; AnswerError for half a character (a lone surrogate), which no model can read or write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AnswerError("a text holds half of a character (a lone surrogate), so it is no text; it is left out") from None
