"""What is refused: a case that cannot be sealed, and a sealed file that does not hold."""

from __future__ import annotations

from stillwatch.errors import StillwatchError


class SealError(StillwatchError):
    """A case cannot be sealed as it is: it contradicts itself, or lacks what a recipient needs."""


class RefusedCaseError(StillwatchError):
    """A sealed file does not hold.

    Attributes:
        defect: what is wrong, as one of the words on the page of the format.
        place: where in the file.
        expected, got: both sides.
    """

    def __init__(self, defect: str, place: str, *, expected: str, got: str) -> None:
        super().__init__(f"{defect}: {place}: expected {expected}, got {got}")
        self.defect = defect
        self.place = place
        self.expected = expected
        self.got = got
