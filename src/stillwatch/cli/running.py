"""How long commands run: with progress on standard error, and with an end in words when they are interrupted."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.output import new_console
from stillwatch.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from stillwatch.app.recording import Recorder

FAILED, WRONG_USAGE, FOUND, INTERRUPTED = 1, 2, 3, 130
"""Exit statuses; 0: done, whatever was found."""

VaultKey = Annotated[
    Path | None,
    typer.Option(
        "--vault-key", help="Key file of the vault, for private files that are encrypted; default: the variable STILLWATCH_VAULT_KEY."
    ),
]

STOPPED_WORDS = "interrupted; what was finished is kept: run the same command with --resume to go on"


def progress(*, quiet: bool) -> Any:
    """Progress on standard error; nothing where `quiet`."""
    from stillwatch.app.showing import progress as drawn

    return drawn(new_console(stderr=True), quiet=quiet)


@contextmanager
def stoppable(words: str = STOPPED_WORDS) -> Generator[None]:
    """An interrupt of the block as an error that says what is left: the parser takes an interrupt itself for a status without words."""
    try:
        yield
    except (KeyboardInterrupt, StoppedError) as stopped:
        raise StoppedError(f"{words}{noted(stopped)}") from None


def recorder_of(log: Path | None, key: Path | None) -> Recorder | None:
    """The evidence log that a command records in, seen to take it before the command does anything; None where none is named."""
    if log is None:
        if key is not None:
            raise UsageError("--log-key says nothing without --log; name the log as well")
        return None
    from stillwatch.app.recording import Recorder

    return Recorder.open(log, key, lambda: datetime.now(UTC))  # noqa: TID251 - the face may ask the clock


def noted(error: BaseException) -> str:
    """What was noted about an error on its way."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
