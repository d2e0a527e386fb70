"""The map of controls: published requirements, the commands that show what serves them, and what stays with whoever runs the product."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One requirement.

    Attributes:
        source: where it was published.
        checked: how its identifier was checked.
        id: as the source numbers it.
        about: what it asks for, in our words.
        commands: that show what serves it.
        shows: what they show.
        duty: what remains to be done by whoever runs the product.
    """

    source: str
    checked: str
    id: str
    about: str
    commands: tuple[str, ...]
    shows: str
    duty: str

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self) | {"commands": list(self.commands)}


@functools.cache
def control_map() -> tuple[Control, ...]:
    """Every requirement, by source, in the order of the file that comes with the program."""
    found = tomllib.loads((files("stillwatch.govern") / "controls.toml").read_text("utf-8"))
    return tuple(_control(found["sources"][given["source"]], given) for given in found["controls"])


def _control(source: dict[str, str], given: dict[str, Any]) -> Control:
    own = {name: given[name] for name in ("id", "about", "shows", "duty")}
    return Control(source=source["name"], checked=source["checked"], commands=tuple(given["commands"]), **own)
