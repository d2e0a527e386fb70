"""The log's files: read within bounds, never through a link, written whole or not at all. No other module of the log writes files."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from stillwatch.errors import OutputError, UnreadableInputError, naming
from stillwatch.ledger.refusals import BrokenLogError, BusyLogError

_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EACCES})
_LINKED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EMLINK})
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NOFOLLOW
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NOFOLLOW
_MOST_PARTIAL = 4096
_MANY_FILES = 64
"""From here on one sync of the system is cheaper than one of each file."""


class Folder:
    """Files below one folder, by relative paths of our own making.

    Folders and files within are opened one step at a time without following links, so that a hostile log reads and writes nowhere else.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path, *, private: bool) -> None:
        self.root = root
        self._folder_mode, self._file_mode = (0o700, 0o600) if private else (0o755, 0o644)
        self._unsettled: dict[str, None] = {}
        self._kept: tuple[str, int] | None = None

    def fetch(self, path: str, most: int) -> bytes | None:
        """The content of a file of at most `most` bytes; None where there is none.

        Raises BrokenLogError for a link, for what is no file, and for a larger one; UnreadableInputError where it may not be read.
        """
        folder, _, name = path.rpartition("/")
        try:
            with self._inside(folder, make=False) as parent:
                descriptor = os.open(name, _FILE, dir_fd=parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._odd(path, error) from None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise BrokenLogError(f"{self.root / path} is no ordinary file; restore it from a copy")
            content = b"" if found.st_size > most else file.read(most + 1)
        if found.st_size > most or len(content) > most:
            raise BrokenLogError(f"{self.root / path} has more than {most} bytes, which no such file has; restore it from a copy")
        return content

    def names(self, path: str, most: int) -> list[str]:
        """Names in a folder, sorted; none where it is not there. Raises BrokenLogError for more than `most`, and for a link."""
        try:
            with self._inside(path, make=False) as folder:
                found = _listed(folder, most + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._odd(path, error) from None
        if len(found) > most:
            raise BrokenLogError(f"{self.root / path} holds more than {most} files; it is no folder of this log")
        return sorted(found)

    def write(self, path: str, content: bytes) -> None:
        """Put a file in place: readers see the old one or the whole new one. `settle` makes it last."""
        folder, _, name = path.rpartition("/")
        with naming(self.root / path), self._telling_links(path):
            parent = self._kept_parent(folder)
            try:
                # where there is none, nobody looks for it before the checkpoint names it, and a torn one is written again
                self._fill(parent, name, os.O_EXCL, content)
            except FileExistsError:
                self._fill(parent, f".{name}.partial", os.O_TRUNC, content)
                os.replace(f".{name}.partial", name, src_dir_fd=parent, dst_dir_fd=parent)
        self._unsettled[path] = None

    def _fill(self, parent: int, name: str, how: int, content: bytes) -> None:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | how | _NOFOLLOW, self._file_mode, dir_fd=parent)
        try:
            written = 0
            while written < len(content):
                written += os.write(descriptor, content[written:])
        finally:
            os.close(descriptor)

    def _kept_parent(self, folder: str) -> int:
        """A descriptor of a folder that files are written into, made if it is not there; most follow each other into the same one."""
        if self._kept is None or self._kept[0] != folder:
            self.close()
            with self._inside(folder, make=True) as parent:
                self._kept = (folder, os.dup(parent))
        return self._kept[1]

    def close(self) -> None:
        """Let go of the folder that was written into last."""
        if self._kept is not None:
            os.close(self._kept[1])
            self._kept = None

    def settle(self) -> None:
        """Everything written so far is on the disk afterwards."""
        if len(self._unsettled) > _MANY_FILES and sys.platform == "linux":
            os.sync()  # on Linux it waits until all is written
            self._unsettled.clear()
            return
        with naming(self.root):
            for path in self._unsettled:
                folder, _, name = path.rpartition("/")
                self._sync(folder, name, _FILE)
            for folder in sorted({above for path in self._unsettled for above in _folders_above(path)}, reverse=True):
                self._sync(folder, ".", _FOLDER)
        self._unsettled.clear()

    def remove_folder(self, path: str) -> None:
        """Delete a folder of files, none of which is needed; what cannot be deleted stays."""
        above, _, own = path.rpartition("/")
        with suppress(OSError), self._inside(path, make=False) as folder:
            for name in _listed(folder, _MOST_PARTIAL):
                os.unlink(name, dir_fd=folder)
        with suppress(OSError), self._inside(above, make=False) as parent:
            os.rmdir(own, dir_fd=parent)

    def _sync(self, folder: str, name: str, flags: int) -> None:
        with self._inside(folder, make=False) as parent:
            descriptor = os.open(name, flags, dir_fd=parent)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _inside(self, folder: str, *, make: bool) -> Generator[int]:
        """A descriptor of a folder below the root; the root itself where `folder` is empty."""
        found = os.open(self.root, _FOLDER & ~getattr(os, "O_NOFOLLOW", 0))
        try:
            for step in folder.split("/") if folder else ():
                found = self._step(found, step, make=make)
            yield found
        finally:
            os.close(found)

    def _step(self, folder: int, step: str, *, make: bool) -> int:
        """Into a folder; the descriptor given is closed in any case but an error."""
        if make:
            with suppress(FileExistsError):
                os.mkdir(step, self._folder_mode, dir_fd=folder)
        inner = os.open(step, _FOLDER, dir_fd=folder)
        os.close(folder)
        return inner

    @contextmanager
    def _telling_links(self, path: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _LINKED:
                raise self._odd(path, error) from None
            raise

    def _odd(self, path: str, error: OSError) -> Exception:
        if error.errno in _LINKED:
            return BrokenLogError(f"{self.root / path} is a link, or lies behind one, and a log has none; restore it from a copy")
        return UnreadableInputError(f"{self.root / path} cannot be read: {error.strerror}; check who may read it")


def _listed(folder: int, most: int) -> list[str]:
    """At most so many names of a folder, given its descriptor."""
    with os.scandir(folder) as found:
        return [entry.name for entry, _ in zip(found, range(most), strict=False)]


def _folders_above(path: str) -> list[str]:
    """The folders that a path lies in, the root as an empty name."""
    steps = path.split("/")[:-1]
    return ["/".join(steps[:count]) for count in range(len(steps) + 1)]


def make_folder(path: Path, *, mode: int) -> None:
    """A new folder that stays after a power cut. Raises OutputError where it cannot be made."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror}; name another folder") from None


@contextmanager
def only_writer(path: Path) -> Generator[None]:
    """Hold the log for the time of the block; the system lets go of it if the process dies.

    Raises BusyLogError where another process holds it, and OutputError where the file system knows no locks: two writers would
    sign two histories.
    """
    if sys.platform == "win32":
        raise OutputError(f"{path} cannot be written on Windows, whose locks are of another kind; use Linux or macOS")
    import fcntl

    try:
        folder = os.open(path, _FOLDER & ~getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise UnreadableInputError(f"{path} is no log: {error.strerror}; make one with: stillwatch log init {path}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(folder)
        if error.errno in _TAKEN:
            raise BusyLogError(f"another process writes into the log {path} at this moment; wait for its end and run this again") from None
        raise OutputError(f"{path} lies on a file system without locks ({error.strerror}); keep the log on a local one") from None
    try:
        yield
    finally:
        os.close(folder)
