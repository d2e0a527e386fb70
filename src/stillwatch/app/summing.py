"""run.json: what was read, with which settings and versions, how the counts reconcile, and what the run could have seen."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import stillwatch
from stillwatch.app.judging import Described, log_bounds
from stillwatch.app.keeping import Outcome
from stillwatch.app.noting import Beforehand, accounts_known, accounts_words, left_aside_words
from stillwatch.ingest import IngestResult
from stillwatch.records.findings import LeftAside, Run, Stage
from stillwatch.records.tables import EXCHANGES

if TYPE_CHECKING:
    from stillwatch.app.request import ScanRequest

_LIBRARIES = ("ibis-framework", "duckdb", "pyarrow", "numpy", "scipy", "numba", "igraph")


def run_record(
    request: ScanRequest,
    read: IngestResult,
    described: Described,
    outcome: Outcome,
    stages: Sequence[Stage],
    before: Beforehand,
    now: datetime,
) -> Run:
    """The record of the run; `now` is when it began."""
    known = accounts_known(described.features["entity_id"], described.accounts)
    totals = {name: sum(getattr(file, name) for file in read.files) for name in ("rows_in", "rows_out", "quarantined")}
    first, last = (datetime.fromtimestamp(micros / 1e6, UTC) for micros in log_bounds(described.features))
    return Run(
        version=stillwatch.__version__,
        engine=request.engine,
        created_at=now,
        seed=request.settings.seed,
        settings=request.settings.as_json(),
        versions={"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _LIBRARIES},
        inputs=read.input_hashes,
        files=read.files,
        **totals,
        quarantine_reasons=read.reasons,
        accounts=len(described.features),
        entities=outcome.entities,
        judged=outcome.judged,
        groups=outcome.groups,
        first_at=first,
        last_at=last,
        missing_columns=tuple(column for column in EXCHANGES.names if column not in read.filled_columns),
        silent=outcome.silent,
        power=outcome.power,
        stages=tuple(stages),
        accounts_known=known,
        notes=(*_notes(read, before, known, len(described.features)), *outcome.notes),
        left_aside=tuple(LeftAside(path=path, reason=reason) for path, reason in before.left_aside),
        prices=request.prices_as_json(),
        suppressions=outcome.suppressions,
    )


def _notes(read: IngestResult, before: Beforehand, known: int | None, accounts: int) -> tuple[str, ...]:
    said: list[str] = []
    if before.left_aside:
        said.append(left_aside_words(before.left_aside))
    skipped = sum(read.skipped.values())
    if skipped:
        said.append(f"{skipped:,} entries of the input are no exchanges of their own (other spans, matched requests, access-log lines).")
    if known is not None:
        said.append(accounts_words(known, accounts))
    return (*said, *before.notes)
