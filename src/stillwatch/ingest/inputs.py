"""What a run reads: files, what they were recognised as, and what was left aside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PARQUET = "parquet"
ACCESS_LOG = "access-log"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file and how to read it.

    Attributes:
        name: how it is called in counts and quarantine: as the user gave it, without the folders above that.
        path: where it is.
        folder: name of the folder it lies in, where that is below a folder that the user gave; else empty.
        format: the reader's name.
        compression: none, gzip or zstd.
        layout: lines, array or values; parquet for tables.
        bytes: size of the file.
    """

    name: str
    path: Path
    folder: str = ""
    format: str
    compression: str
    layout: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableFile:
    """A file found in a folder that is plainly meant as a log, and of which nothing can be read.

    Attributes:
        name: as an InputFile is called.
        path: where it is.
        reason: what is wrong with it, in words.
    """

    name: str
    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """What will be read.

    Attributes:
        files: sources of exchanges, by name: the order in which they are read.
        access_logs: files that only fill client_ip and user_agent of other rows.
        ignored: (path, reason) of files found in folders that are not read.
        unreadable: files of logs that are lost; each is counted and quarantined as one row.
    """

    files: tuple[InputFile, ...]
    access_logs: tuple[InputFile, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()

    def left_aside(self) -> tuple[tuple[str, str], ...]:
        """(path, reason) of every file that was found and is not read, unreadable logs first."""
        return (*((file.name, file.reason) for file in self.unreadable), *self.ignored)
