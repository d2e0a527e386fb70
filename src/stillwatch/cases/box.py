"""What contents pass through on their way into the store and out of it: one small class to put encryption into."""

from __future__ import annotations

from typing import Protocol


class ContentBox(Protocol):
    """Seals contents before they are stored, and opens them again.

    `name` stands beside each content, so that a store knows what sealed it; its first word is the scheme's and is never reused for another.
    """

    @property
    def name(self) -> str:
        """The scheme's name, and what else tells boxes apart, such as a key's id."""
        ...

    def at(self, *place: str) -> ContentBox:
        """The box for one place: what it sealed there opens there alone, so that two contents cannot be swapped."""
        ...

    def seal(self, content: bytes) -> bytes:
        """What is stored."""
        ...

    def open(self, sealed: bytes) -> bytes:
        """The content again; raises a StillwatchError where it cannot be opened or was changed."""
        ...


class PlainBox:
    """Stores contents as they are: whoever may read the database may read them."""

    name = "plain"

    def at(self, *place: str) -> PlainBox:
        """The same box."""
        del place  # nothing is sealed, so nothing is bound to a place
        return self

    def seal(self, content: bytes) -> bytes:
        """The content itself."""
        return content

    def open(self, sealed: bytes) -> bytes:
        """The content itself."""
        return sealed
