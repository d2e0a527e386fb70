"""What several records of the evidence log are made of: files by hash, and why something was erased."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ground(StrEnum):
    """Why a content was erased."""

    RETENTION = "retention"
    DATA_SUBJECT = "data_subject"
    COURT_ORDER = "court_order"
    MISTAKE = "mistake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file that was read, and what it held: its name, sha256 of its bytes, and rows, where they were counted."""

    name: str
    sha256: str
    rows: int | None = None
