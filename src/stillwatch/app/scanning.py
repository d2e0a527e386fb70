"""A scan, from paths to a result folder."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.app.alone import alone_in
from stillwatch.app.disk import room_in
from stillwatch.app.noting import Beforehand, read_side_table
from stillwatch.app.previous import Previous
from stillwatch.app.progress import Progress
from stillwatch.app.request import ScanRequest
from stillwatch.app.stages import Stages
from stillwatch.app.state import (
    EXCHANGES,
    WORK,
    RunState,
    check_folder,
    earlier_result,
    ingest_from_json,
    ingest_to_json,
    prepare_folder,
    remove_folder,
    run_key,
    without_results,
)
from stillwatch.engines.base import Engine
from stillwatch.errors import UnreadableInputError
from stillwatch.ingest import IngestResult, InputPlan, ingest, plan_inputs
from stillwatch.records.findings import Report
from stillwatch.report.words import moment
from stillwatch.settings import ScanSettings
from stillwatch.stats.seeds import generator

_LATER = ("stillwatch.app.sketching", "stillwatch.app.concluding", "ibis")


def open_engine(name: str, work: Path, settings: ScanSettings) -> Engine:
    """The engine called `name`; the only place that picks one."""
    if name == "spark":
        from stillwatch.engines.spark import SparkEngine

        return SparkEngine(work)
    from stillwatch.engines.duckdb import DuckEngine

    return DuckEngine(work, threads=settings.threads, memory_limit=settings.memory_limit)


def scan(request: ScanRequest, progress: Progress, *, now: datetime) -> Report:
    """Run every stage and lay out the result folder; run.json is written last, so that a folder that has one is whole.

    Raises StillwatchError subclasses for what the user can mend; an interrupt leaves finished stages for --resume.
    """
    threading.Thread(target=_load_ahead, daemon=True).start()
    plan = without_results(plan_inputs(request.paths, format=request.format), request.out)
    accounts, notes = read_side_table(request.accounts)
    before = Beforehand(left_aside=plan.left_aside(), notes=notes)
    check_folder(request.out)
    with alone_in(request.out):
        return _replacing(request, plan, accounts, before, progress, now=now)


def _replacing(
    request: ScanRequest, plan: InputPlan, accounts: pa.Table | None, before: Beforehand, progress: Progress, *, now: datetime
) -> Report:
    """The scan, with the folder's earlier result kept until the new one stands."""
    previous = Previous(request.out)
    state: RunState | None = None
    try:
        with room_in(request.out, input_bytes=sum(file.bytes for file in (*plan.files, *plan.access_logs))):
            state = _prepared(request, plan, previous, progress)
            report = _scan(request, plan, Stages(state, progress), accounts, before, now=now)
    except BaseException as error:
        previous.after_failure(error, resumable=state is not None and bool(state.done))
        raise
    previous.forget()
    return report


def _prepared(request: ScanRequest, plan: InputPlan, previous: Previous, progress: Progress) -> RunState:
    """The result folder with an earlier result set aside, and what is done of this run; a result that is to be replaced is told."""
    out = request.out
    previous.mend()
    key = run_key(plan, request.accounts, request.settings.as_json(), request.engine, request.prices_as_json())
    earlier = earlier_result(out)
    state = RunState.open(out, key, resume=request.resume)
    state.forget_lost()
    if not state.done:
        state.begin()
    previous.set_aside(exchanges="sketch" not in state.done)
    prepare_folder(out, resume=request.resume)
    state.claim()
    if earlier is not None:
        progress.note(f"The earlier result in {out}, of {moment(earlier)}, is replaced once this scan is done.")
    if not state.done:
        remove_folder(out / EXCHANGES)
        remove_folder(out / WORK / "exchanges-text")
    return state


def _scan(request: ScanRequest, plan: InputPlan, stages: Stages, accounts: pa.Table | None, before: Beforehand, *, now: datetime) -> Report:
    settings = request.settings
    read = ingest_from_json(stages.keep("read", None, lambda tell: _read(plan, request, tell)))
    rows = sum(file.rows_out for file in read.files)
    labels = tuple(stages.keep("sketch", rows, lambda tell: _sketch(read, request, tell))["labels"])
    from stillwatch.app.concluding import conclude

    engine = open_engine(request.engine, request.out / WORK, settings)
    try:
        return conclude(engine, request, read, labels, accounts, stages, before=before, now=now)
    finally:
        engine.close()


def _load_ahead() -> None:
    """Load the libraries of later stages while the log is read, which takes them as long; what fails here is told where it is needed."""
    for name in _LATER:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _read(plan: InputPlan, request: ScanRequest, tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
    result = ingest(plan, work=request.out / WORK, settings=request.settings.ingest, progress=lambda rows, _bytes: tell(rows))
    rows = sum(file.rows_in for file in result.files)
    if not any(file.rows_out for file in result.files):
        message = f"none of the {rows} rows could be read; see {result.quarantine} for the reasons"
        raise UnreadableInputError(message)
    return ingest_to_json(result), rows


def _sketch(read: IngestResult, request: ScanRequest, tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
    from stillwatch.app.sketching import fit_on_sample, sketch_shards

    settings = request.settings
    codebook = fit_on_sample(
        read.shards, texts=settings.codebook_sample, cells=settings.cells, generator=generator(settings.seed, "codebook")
    )
    rows = sketch_shards(read.shards, codebook, request.out / EXCHANGES, threads=settings.threads, progress=tell)
    return {"labels": list(codebook.labels)}, rows
