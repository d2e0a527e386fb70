"""Counts what becomes of each input file, and carries what a whole run shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stillwatch.ingest.quarantine import Quarantine
from stillwatch.ingest.seen import SeenIds
from stillwatch.ingest.settings import IngestSettings
from stillwatch.records.findings import FileCount


@dataclass(slots=True, kw_only=True)
class Tally:
    """One file's counts while it is read."""

    name: str
    format: str
    rows_out: int = 0
    quarantined: int = 0
    skipped: int = 0

    def count(self) -> FileCount:
        """The counts as a record; rows_in = rows_out + quarantined."""
        rows_in = self.rows_out + self.quarantined
        return FileCount(path=self.name, format=self.format, rows_in=rows_in, rows_out=self.rows_out, quarantined=self.quarantined)


@dataclass(slots=True, kw_only=True)
class Session:
    """What all files of one run share."""

    settings: IngestSettings
    quarantine: Quarantine
    seen: SeenIds
    progress: Callable[[int, int], None]
    filled: set[str] = field(default_factory=set)
    hashes: dict[str, str] = field(default_factory=dict)
    rows_done: int = 0
    bytes_done: int = 0

    def refuse(self, tally: Tally, *, line: int, offset: int | None, reason: str, detail: str, head: bytes) -> None:
        """Write one row to quarantine and count it."""
        tally.quarantined += 1
        self.quarantine.add(file=tally.name, line=line, byte_offset=offset, reason=reason, detail=detail, head=head)

    def report(self, *, rows: int = 0, bytes_read: int = 0) -> None:
        """Tell the caller how far the run is."""
        self.rows_done += rows
        self.bytes_done += bytes_read
        self.progress(self.rows_done, self.bytes_done)
