"""Files that only their owner may read: keys, configurations that hold one, and withheld answers."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from stillwatch.errors import OutputError, UnreadableInputError, naming

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LARGEST_SECRET = 64 * 1024


def create_private(path: Path, content: str | bytes) -> None:
    """A new file with mode 0600, whole or none; OutputError where something is there already, or the folder is not."""
    try:
        with naming(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileExistsError:
        raise OutputError(f"{path} is there already and is never overwritten; name another file, or move it away yourself") from None
    except OSError as error:
        raise OutputError(
            f"{path} cannot be made: {error.strerror}; name a file in a folder that is there and that you may write"
        ) from None
    try:
        with naming(path), os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)  # it would stand in the way of the next try, and is no key
        raise


def open_appending(path: Path, mode: int = 0o640) -> IO[str]:
    """A file at its end, made if it is not there, that nobody may use beyond `mode`; one that was open to others is closed to them."""
    with naming(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), mode)
    if os.name != "nt" and (found := stat.S_IMODE(os.fstat(descriptor).st_mode)) & ~mode:
        os.fchmod(descriptor, found & mode)
    return os.fdopen(descriptor, "a", encoding="utf-8")


def read_private(path: Path) -> str:
    """The text of a small file that nobody but its owner may read.

    Raises UnreadableInputError for a file that is missing, no file, larger than 64 KiB, no UTF-8, or open to others.
    """
    try:
        with path.open("rb") as file:
            require_private(path, os.fstat(file.fileno()))
            content = file.read(_LARGEST_SECRET + 1)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a file that is there and that you may read") from None
    if len(content) > _LARGEST_SECRET:
        raise UnreadableInputError(f"{path} has more than {_LARGEST_SECRET} bytes, which no key file has; name the key file")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UnreadableInputError(f"{path} is not UTF-8 text, as a key file is; name the key file") from None


def require_private(path: Path, found: os.stat_result) -> None:
    """Nothing when the file is an ordinary one that its owner alone may use; else UnreadableInputError. Windows has no such modes."""
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableInputError(f"{path} is no ordinary file; name a file")
    if os.name != "nt" and found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise UnreadableInputError(f"{path} may be used by others (mode {mode:04o}, 0600 was expected); run: chmod 600 {path}")
