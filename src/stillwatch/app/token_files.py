"""Token ids from JSON Lines: an array, an object with `token_ids`, or a completions response of vLLM, one answer or response per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stillwatch.errors import StillwatchError, UnreadableInputError
from stillwatch.marks.prf import LARGEST_TOKEN

Tokens = npt.NDArray[np.int64]


class TokenLineError(StillwatchError):
    """A line of a file of token ids holds something else."""


def read_token_lines(path: Path) -> list[Tokens]:
    """The answers of a file, in its order; empty lines are left out.

    Raises UnreadableInputError where the file cannot be read, TokenLineError at the first line that holds no token ids.
    """
    answers: list[Tokens] = []
    try:
        with path.open("rb") as file:
            for place, line in enumerate(file, 1):
                if line.strip():
                    answers += [_tokens(found, f"{path}, line {place}") for found in _arrays(line, f"{path}, line {place}")]
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a JSON Lines file of token ids") from None
    return answers


def _arrays(line: bytes, where: str) -> Iterator[Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise TokenLineError(f"{where}, is no JSON; write an array of token ids on each line") from None
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        for choice in value["choices"]:
            yield choice.get("token_ids") if isinstance(choice, dict) else choice
    else:
        yield value.get("token_ids") if isinstance(value, dict) else value


def _tokens(found: Any, where: str) -> Tokens:
    if not isinstance(found, list):
        message = f"{where}, holds no array of token ids; ask vLLM with `return_token_ids: true`, or write arrays"
        raise TokenLineError(message)
    if not all(type(token) is int and 0 <= token <= LARGEST_TOKEN for token in found):
        raise TokenLineError(f"{where}, holds something that is no token id; ids are whole numbers in [0, {LARGEST_TOKEN}]")
    return np.array(found, np.int64)
