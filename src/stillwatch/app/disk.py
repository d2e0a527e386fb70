"""Says what a full disk means: which file could not be written, how much room there is, and what to do."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from stillwatch.errors import OutputError, StillwatchError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS = ("No space left on device", "disk is full")
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@contextmanager
def room_in(out: Path, *, input_bytes: int) -> Generator[None]:
    """Whatever fails in the block because the disk is full becomes one OutputError; everything else goes on as it is.

    Args:
        out: the result folder.
        input_bytes: size of the logs, for comparison.
    """
    try:
        yield
    except (OSError, StillwatchError, sqlite3.Error) as error:
        full = next((cause for cause in _causes(error) if _is_full(cause)), None)
        if full is None:
            raise
        raise OutputError(_sentence(out, full, input_bytes)) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # the databases say it in words only
    return any(words in str(error) for words in _FULL_WORDS)


def _sentence(out: Path, error: BaseException, input_bytes: int) -> str:
    name = getattr(error, "filename", None) or f"a file in {out}"
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    free = size_words(shutil.disk_usage(there).free)
    written = size_words(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()))
    return (
        f"{name} cannot be written: the disk is full. It needs more than the {free} that are free; "
        f"the run has written {written} so far, from {size_words(input_bytes)} of logs. "
        "Free some room and run the same command with --resume, or give an --out on a larger disk"
    )


def size_words(size: int) -> str:
    """A number of bytes as people say it: `3.2 GB`, `17 kB`."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
