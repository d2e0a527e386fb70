"""Every exception that Stillwatch raises: one root, one sentence each.

A message names the place, both sides of the disagreement and the next step.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class StillwatchError(Exception):
    """Root of everything raised on purpose; the command line prints it as one sentence and exits with 1."""


class UsageError(StillwatchError):
    """The command was called in a way that cannot work; the command line exits with 2."""


class UnknownFormatError(StillwatchError):
    """No reader recognises a file."""


class UnreadableInputError(StillwatchError):
    """A file as a whole cannot be read (missing, not permitted, torn archive); single bad rows go to quarantine instead."""


class SchemaError(StillwatchError):
    """A table lacks a column or holds another type than it should."""


class OutputError(StillwatchError):
    """The output folder cannot be written, or holds another run's results."""


class EngineError(StillwatchError):
    """The table engine refused or failed; the message holds the expression's name."""


class MissingExtraError(StillwatchError):
    """A library that is an extra of the package is not installed."""

    def __init__(self, library: str, *, extra: str) -> None:
        super().__init__(f"{library} is not installed, and this needs it; install it with: pip install 'stillwatch[{extra}]'")
        self.library = library
        self.extra = extra


class StoppedError(StillwatchError):
    """The user interrupted the command; it exits with 130."""


class TooFewSamplesError(StillwatchError):
    """A test was asked for an answer that its sample cannot support."""

    def __init__(self, test: str, *, needed: int, got: int) -> None:
        super().__init__(f"{test} needs at least {needed} samples, got {got}")
        self.test = test
        self.needed = needed
        self.got = got


@contextmanager
def naming(path: Path) -> Generator[None]:
    """An OSError of the block that names no file names this one: a failed write does not say where it went."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
