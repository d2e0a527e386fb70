"""What a scan is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stillwatch.detect.tally import Prices
from stillwatch.settings import ScanSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What a scan is asked to do.

    Attributes:
        paths: files, folders and patterns.
        accounts: the accounts side table; None: there is none.
        format: a reader's name, or auto.
        out: the result folder.
        engine: duckdb or spark.
        resume: whether to keep the finished stages of an earlier run over the same input.
        prices: the price table of the harvest tally.
        settings: everything else.
    """

    paths: tuple[Path, ...]
    accounts: Path | None
    format: str
    out: Path
    engine: str
    resume: bool
    prices: Prices
    settings: ScanSettings
