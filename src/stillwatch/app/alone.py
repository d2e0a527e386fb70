"""One run at a time in one result folder: two would write over each other, and both would call the mixture finished."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stillwatch.errors import OutputError

_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EACCES})


@contextmanager
def alone_in(out: Path) -> Generator[None]:
    """Hold the result folder, which is made if it is not there, for the time of the block; the system lets go of it if the process dies.

    The folder itself is locked, so that nothing is left in it. Where the file system knows no locks, as some network ones and
    Windows, the block runs without.

    Raises:
        OutputError: another run holds it, or it cannot be made.
    """
    try:
        # what is found is about people
        out.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        message = f"{out} cannot be made ({error.strerror}); choose another --out"
        raise OutputError(message) from error
    with _held(out, f"another run writes into {out} at this moment; wait for its end, or choose another --out"):
        yield


@contextmanager
def alone_with(file: Path, message: str) -> Generator[None]:
    """Hold a file that is there for the time of the block, as `alone_in` holds a folder; OutputError with the message where it is held."""
    with _held(file, message):
        yield


@contextmanager
def _held(path: Path, message: str) -> Generator[None]:
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _lock(descriptor, message)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, message: str) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise OutputError(message) from None
