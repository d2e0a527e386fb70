"""Logs that tests fill: with a key that is always the same, and acts that differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillwatch.ledger import contents, files
from stillwatch.ledger.notes import Kind, VerifierKey
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.signing import NoteSigner
from stillwatch.ledger.verifying import Verified, verify
from stillwatch.ledger.writing import Act, LogWriter, create_log

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ORIGIN = "example.com/evidence"


def signers(seed: int = 1, origin: str = ORIGIN) -> tuple[NoteSigner, ...]:
    """The key of a log, by a number."""
    return (NoteSigner(origin, Kind.ED25519, bytes([seed]) * 32),)


def acts(count: int, start: int = 0) -> list[Act]:
    """Acts with different contents."""
    return [
        Act(kind="view", content={"by": "analyst", "why": f"case {number}", "what": "x" * (number % 7)})
        for number in range(start, start + count)
    ]


def append(folder: Path, count: int, *, start: int = 0, seed: int = 1) -> None:
    """Append acts in one batch."""
    with LogWriter(folder, signers(seed)) as writer:
        writer.append(acts(count, start), at=NOW)


def sound(folder: Path, *keys: VerifierKey) -> Verified:
    """What a whole verification finds; it raises where something does not hold."""
    reader = LogReader(folder, keys or (signers()[0].verifier,))
    with reader.contents() as held:
        return verify(
            reader.public.fetch,
            reader.opened.checkpoint,
            openings=held.openings,
            earlier=[("turn", turn) for turn in reader.eras.turns],
        )


@dataclass(frozen=True)
class Made:
    """A log in a folder."""

    folder: Path

    @property
    def public(self) -> Path:
        """What may be served."""
        return self.folder / "public"

    @property
    def contents(self) -> Path:
        """The content store."""
        return self.folder / "private" / "contents.sqlite"


@pytest.fixture
def empty(tmp_path: Path) -> Made:
    """A log without records."""
    create_log(tmp_path / "log", signers(), at=NOW)
    return Made(tmp_path / "log")


@pytest.fixture
def filled(empty: Made) -> Callable[..., Made]:
    """A log with so many records, appended in batches of the given sizes."""

    def fill(*batches: int) -> Made:
        start = 0
        for count in batches:
            append(empty.folder, count, start=start)
            start += count
        return empty

    return fill


@pytest.fixture(autouse=True)
def _unhurried_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the disk is most of what a small log costs; tests of crashes, and those marked slow, do wait."""
    if request.node.get_closest_marker("slow") is None and "test_crashes" not in request.node.nodeid:
        monkeypatch.setattr(contents, "_PRAGMAS", (*contents._PRAGMAS, "synchronous=OFF"))
        monkeypatch.setattr(files.os, "fsync", lambda _: None)
