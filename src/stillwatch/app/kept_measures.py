"""What a file of kept answers belongs to: they are gone on with for what they were asked for, and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stillwatch.app.state import write_text
from stillwatch.errors import OutputError

_LARGEST = 10_000


def bond_path(target: Path) -> Path:
    """Beside the file of answers."""
    return target.with_name(target.name + ".bound")


def bind(target: Path, belongs: Mapping[str, str]) -> None:
    """Write beside a file of answers that is yet to come what it belongs to; nothing where that stands there already.

    The note is written before the first answer, so that no answer is ever kept without it.

    Args:
        target: the file of answers.
        belongs: such as the digest of a seal and the name of a test.

    Raises OutputError where the file is there and belongs to something else, or to nothing that is known.
    """
    ours = {"format": "stillwatch-kept-1", **belongs}
    place = bond_path(target)
    if not target.exists():
        write_text(place, json.dumps(ours) + "\n")
        return
    theirs = _noted(place)
    if theirs is None:
        raise OutputError(f"{target} is there, and no {place.name} says what its answers were asked for; move it away to ask anew")
    if theirs != ours:
        changed = next(name for name in (*ours, *theirs) if theirs.get(name) != ours.get(name))
        there, here = str(theirs.get(changed))[:80], str(ours.get(changed))[:80]
        message = f"{target} holds answers of another {changed} ({there}, now {here}); move it and {place.name} away to ask anew"
        raise OutputError(message)


def _noted(place: Path) -> dict[str, Any] | None:
    try:
        with place.open("rb") as file:
            known: Any = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return known if isinstance(known, dict) else None
