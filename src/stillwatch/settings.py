"""Every setting of a run, composed from the stages' own; the only module that reads the environment."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import Any

from stillwatch.detect.settings import DetectSettings
from stillwatch.errors import UsageError
from stillwatch.ingest.settings import IngestSettings
from stillwatch.link.settings import LinkSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """Settings of a scan.

    Attributes:
        seed: of every random draw of the run; recorded in run.json.
        threads: worker threads.
        memory_limit: of the table engine, as `2GB`.
        codebook_sample: exchanges that the subject space is fitted on.
        cells: subject cells.
        ingest, link, detect: the stages' own settings.
    """

    seed: int = 20260101
    threads: int = 2
    memory_limit: str = "2GB"
    codebook_sample: int = 20_000
    cells: int = 128
    ingest: IngestSettings = field(default_factory=IngestSettings)
    link: LinkSettings = field(default_factory=LinkSettings)
    detect: DetectSettings = field(default_factory=DetectSettings)

    def as_json(self) -> dict[str, Any]:
        """The settings as plain values, for run.json; times become ISO text."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def from_environment() -> ScanSettings:
    """The default settings, with STILLWATCH_THREADS and STILLWATCH_MEMORY where the environment sets them."""
    threads = os.environ.get("STILLWATCH_THREADS")
    if threads is not None and not (threads.isascii() and threads.isdigit() and int(threads) > 0):
        message = f"STILLWATCH_THREADS is {threads!r}, a whole number above 0 was expected; unset it to use every core"
        raise UsageError(message)
    return ScanSettings(
        threads=int(threads) if threads else max(1, os.cpu_count() or 1),
        memory_limit=os.environ.get("STILLWATCH_MEMORY", ScanSettings().memory_limit),
    )


def master_key_line() -> str | None:
    """What STILLWATCH_MASTER_KEY holds: the line of a key file; None where it is not set. A secret."""
    return os.environ.get("STILLWATCH_MASTER_KEY") or None


def suspect_key_line() -> str | None:
    """What STILLWATCH_SUSPECT_KEY holds: the bearer token of a suspect's endpoint; None where it is not set. A secret."""
    return os.environ.get("STILLWATCH_SUSPECT_KEY") or None


def teacher_key_line() -> str | None:
    """What STILLWATCH_TEACHER_KEY holds: the bearer token of the marked model's own endpoint; None where it is not set. A secret."""
    return os.environ.get("STILLWATCH_TEACHER_KEY") or None


def log_key_line() -> str | None:
    """What STILLWATCH_LOG_KEY holds: the lines of a log's key file; None where it is not set. A secret."""
    return os.environ.get("STILLWATCH_LOG_KEY") or None


def actor_name() -> str | None:
    """What STILLWATCH_ACTOR holds: the name that acts are recorded under; None where it is not set."""
    return os.environ.get("STILLWATCH_ACTOR") or None


def case_store_address() -> str | None:
    """What STILLWATCH_CASES holds: the file or the address of the case store; None where it is not set. It may hold a password."""
    return os.environ.get("STILLWATCH_CASES") or None


def vault_key_lines() -> str | None:
    """What STILLWATCH_VAULT_KEY holds: the lines of a vault's key file; None where it is not set. A secret."""
    return os.environ.get("STILLWATCH_VAULT_KEY") or None


def governance_file() -> str | None:
    """What STILLWATCH_GOVERNANCE holds: the path of a governance file; None where it is not set."""
    return os.environ.get("STILLWATCH_GOVERNANCE") or None
