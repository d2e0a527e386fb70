"""What every `stillwatch case` command shares: its options, the open store, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import recorder_of

if TYPE_CHECKING:
    from stillwatch.app.casework import Desk
    from stillwatch.cases.store import Acting

Result = TypeVar("Result")

Case = Annotated[str, typer.Argument(metavar="CASE", help="The case, as case-12 or 12.")]
Cases = Annotated[
    str | None,
    typer.Option(help="Case store: a file or a postgresql:// address; default: the variable STILLWATCH_CASES, else cases.db."),
]
As = Annotated[str | None, typer.Option("--as", help="Who does this; recorded. Default: the variable STILLWATCH_ACTOR.")]
Log = Annotated[Path | None, typer.Option("--log", help="Evidence log that the act is recorded in.")]
LogKey = Annotated[Path | None, typer.Option("--log-key", help="Its private key file; default: the variable STILLWATCH_LOG_KEY.")]
Version = Annotated[
    int | None, typer.Option(min=1, help="Version of the case that you looked at; refused where somebody changed it since. Default: any.")
]
Why = Annotated[str, typer.Option(help="Why, in words; recorded.")]
Json = Annotated[bool, typer.Option("--json", help="Print for machines on standard output, and nothing else.")]


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the face may ask the clock


@contextmanager
def at_desk(cases: str | None, log: Path | None = None, log_key: Path | None = None) -> Generator[Desk]:
    """The open store; the log, where one is named, is asked before anything is done."""
    from stillwatch.app.casework import desk

    recorder = recorder_of(log, log_key)
    with desk(cases, clock=now, recorder=recorder) as opened:
        yield opened


def act(
    given: tuple[str | None, str | None, Path | None, Path | None], work: Callable[[Desk, Acting], Result], *, expected: int | None = None
) -> Result:
    """Do one thing in the store and the log; `given` is --cases, --as, --log and --log-key."""
    cases, by, log, log_key = given
    with at_desk(cases, log, log_key) as desk:
        return desk.do(by, lambda acting: work(desk, acting), expected=expected)


def acted(case: str, number: int, what: str, *, as_json: bool, **more: Any) -> None:
    """Say what was done; `number` is that of the act."""
    from stillwatch.cases.words import case_name, case_number

    name = case_name(case_number(case))
    if as_json:
        print_json({"case": name, "version": number, **more})
        return
    new_console(stderr=False).print(f"{name}: {what} (act {number})", markup=False, soft_wrap=True)
