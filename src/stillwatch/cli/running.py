"""How long commands run: with progress on standard error, and with an end in words when they are interrupted."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from stillwatch.app.governance import Keeper
    from stillwatch.app.recording import Recorder

FAILED, WRONG_USAGE, FOUND, INTERRUPTED = 1, 2, 3, 130
"""Exit statuses; 0: done, whatever was found."""

VaultKey = Annotated[
    Path | None,
    typer.Option(
        "--vault-key", help="Key file of the vault, for private files that are encrypted; default: the variable STILLWATCH_VAULT_KEY."
    ),
]

Log = Annotated[Path | None, typer.Option("--log", help="Evidence log that it is recorded in.")]
LogKey = Annotated[Path | None, typer.Option("--log-key", help="Its private key file; default: the variable STILLWATCH_LOG_KEY.")]
LogFolder = Annotated[Path, typer.Option("--log", help="Evidence log that it is recorded in, or read from.")]
Governance = Annotated[
    Path | None,
    typer.Option(help="Governance file: people, roles, what they may, how long data is kept; default: the variable STILLWATCH_GOVERNANCE."),
]
Json = Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")]
NeededWhy = Annotated[str, typer.Option("--why", help="Why; recorded.")]
Actor = Annotated[str | None, typer.Option("--as", help="Who you are; default: the variable STILLWATCH_ACTOR.")]
Why = Annotated[str | None, typer.Option("--why", help="Why; recorded.")]

STOPPED_WORDS = "interrupted; what was finished is kept: run the same command with --resume to go on"
ENDED_WORDS = "interrupted; run the same command again"
"""Of commands that have nothing to go on from."""

RESUMABLE = frozenset({"scan", "screen"})
"""Commands that take --resume."""


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

    return Recorder.open(log, key, now)


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the face may ask the clock


def keeper_of(governance: Path | None, log: Path, log_key: Path | None) -> Keeper:
    """The policy and the evidence log of an act of governance, seen to take its record before anything is done."""
    from stillwatch.app.governance import Keeper, load_policy

    return Keeper.open(load_policy(governance), log, log_key, now)


def say(found: dict[str, Any], *, as_json: bool) -> None:
    """Print a summary for people or for machines."""
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_log import summary_lines

    console = new_console(stderr=False)
    for line in summary_lines(found):
        console.print(line, markup=False, soft_wrap=True)


def named_actor(given: str | None) -> str:
    """Who is at work, from the option or the environment. Raises UsageError where neither says."""
    from stillwatch.settings import actor_name

    name = given or actor_name()
    if not name or not name.strip():
        raise UsageError("the log is to say who did it: give --as NAME, or set STILLWATCH_ACTOR")
    return name.strip()


def said(text: str | None, option: str = "--why") -> str:
    """A reason that is to be recorded. Raises UsageError where it is missing or blank."""
    if text is None or not text.strip():
        raise UsageError(f"{option} is empty; say it in words, for it is what the log keeps")
    return text.strip()


def noted(error: BaseException) -> str:
    """What was noted about an error on its way."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
