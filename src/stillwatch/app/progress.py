"""How a run says where it is; the command line draws it, tests and libraries ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of each stage as it begins, moves and ends."""

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins; `total` rows are expected, None if that is not known."""
        ...

    def advance(self, rows: int) -> None:
        """The stage under way has done `rows` rows in all."""
        ...

    def end(self, rows: int, seconds: float, *, resumed: bool) -> None:
        """The stage under way is done, or was found done by an earlier run."""
        ...

    def note(self, sentence: str) -> None:
        """Something that whoever started the run should know."""
        ...


class Quiet:
    """Says nothing."""

    def begin(self, stage: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, rows: int) -> None:
        """Nothing."""

    def end(self, rows: int, seconds: float, *, resumed: bool) -> None:
        """Nothing."""

    def note(self, sentence: str) -> None:
        """Nothing."""
