"""Files of derived keys: for whoever runs the sampler, and for a plan. They hold 64 hexadecimal digits and have mode 0600."""

from __future__ import annotations

from pathlib import Path

from stillwatch.app.private_files import create_private, read_private
from stillwatch.marks.keys import KeyMaterialError, MarkKey, commitment


def write_key(key: MarkKey, out: Path) -> dict[str, object]:
    """The key in a new private file; its commitment. OutputError where something is there already."""
    create_private(out, key.reveal().hex() + "\n")
    return {"commitment": commitment(key)}


def read_key(path: Path) -> MarkKey:
    """The key of a file that `write_key` wrote.

    Raises UnreadableInputError for a file that is missing or that others may read, KeyMaterialError for another content.
    """
    try:
        return MarkKey(bytes.fromhex(read_private(path).strip()))
    except ValueError:
        message = f"{path} is no key: 64 hexadecimal digits were expected; write the derived key with `stillwatch mark derive`"
        raise KeyMaterialError(message) from None
