"""run.json: what was read, with which settings and versions, how the counts reconcile, and what the run could have seen."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

import stillwatch
from stillwatch.app.judging import Described, Judged, log_bounds
from stillwatch.detect.power import power
from stillwatch.ingest import IngestResult
from stillwatch.records.findings import Power, Run, Stage
from stillwatch.records.tables import EXCHANGES

if TYPE_CHECKING:
    from stillwatch.app.request import ScanRequest

_LIBRARIES = ("ibis-framework", "duckdb", "pyarrow", "numpy", "scipy", "numba", "igraph")


def run_record(
    request: ScanRequest, read: IngestResult, described: Described, judged: Judged, stages: Sequence[Stage], *, now: datetime
) -> Run:
    """The record of the run; `now` is when it began."""
    first, last = (datetime.fromtimestamp(micros / 1e6, UTC) for micros in log_bounds(described.features))
    accounts = judged.evidence.entities.accounts
    return Run(
        version=stillwatch.__version__,
        engine=request.engine,
        created_at=now,
        seed=request.settings.seed,
        settings=request.settings.as_json(),
        versions={"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _LIBRARIES},
        inputs=read.input_hashes,
        files=read.files,
        rows_in=sum(file.rows_in for file in read.files),
        rows_out=sum(file.rows_out for file in read.files),
        quarantined=sum(file.quarantined for file in read.files),
        quarantine_reasons=read.reasons,
        accounts=accounts,
        entities=len(judged.rulings),
        judged=int((~np.isnan(judged.evidence.judgement.p_values)).sum()),
        groups=len(judged.linked.groups),
        first_at=first,
        last_at=last,
        missing_columns=tuple(column for column in EXCHANGES.names if column not in read.filled_columns),
        silent=judged.evidence.silent,
        power=run_power(judged, request),
        stages=tuple(stages),
        notes=_notes(request, read, judged),
    )


def run_power(judged: Judged, request: ScanRequest) -> Power:
    """The smallest campaign that the run could have seen."""
    entities, settings = judged.evidence.entities, request.settings
    volumes = entities.features["exchanges"]
    judged_rows = ~np.isnan(judged.evidence.judgement.p_values)
    groups = int((judged_rows & entities.is_group).sum())
    return power(
        reference=int(
            (
                ~(entities.claimed[: entities.accounts] | judged.linked.suspects)
                & (volumes[: entities.accounts] >= settings.detect.reference_least)
            ).sum()
        ),
        groups=groups,
        accounts=int(judged_rows.sum()) - groups,
        able=int((volumes[: entities.accounts] >= settings.link.least_exchanges).sum()),
        draws=settings.link.confirming_draws,
        settings=settings.detect,
        pooling_level=settings.link.level,
    )


def _notes(request: ScanRequest, read: IngestResult, judged: Judged) -> tuple[str, ...]:
    notes: list[str] = []
    skipped = sum(read.skipped.values())
    if skipped:
        notes.append(f"{skipped:,} entries of the input are no exchanges of their own (other spans, matched requests, access-log lines).")
    if judged.linked.untested:
        notes.append(f"{judged.linked.untested:,} weaker nominations for groups were not tested; raise link.nominations to test them.")
    rejected = sum(q > request.settings.link.level for _, q in judged.linked.tested)
    notes.append(f"{len(judged.linked.tested):,} candidate groups were tested; {rejected:,} of them behave as independent customers.")
    return tuple(notes)
