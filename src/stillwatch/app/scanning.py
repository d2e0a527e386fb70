"""A scan, from paths to a result folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.describing import account_features, accounts_table, shared_traces, sketched_columns
from stillwatch.app.judging import Described, Judged, judge_all
from stillwatch.app.progress import Progress
from stillwatch.app.sketching import fit_on_sample, sketch_shards
from stillwatch.app.stages import Stages
from stillwatch.app.state import (
    EXCHANGES,
    WORK,
    RunState,
    ingest_from_json,
    ingest_to_json,
    prepare_folder,
    run_key,
    without_results,
    write_text,
)
from stillwatch.app.summing import run_record
from stillwatch.app.writing import write_arrow, write_entities, write_subjects
from stillwatch.detect.tally import Prices
from stillwatch.engines.base import Engine
from stillwatch.errors import UnreadableInputError
from stillwatch.ingest import IngestResult, InputPlan, ingest, plan_inputs, read_accounts
from stillwatch.records.findings import Report
from stillwatch.report import render_html, run_to_json, write_findings
from stillwatch.settings import ScanSettings
from stillwatch.stats.seeds import generator


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
    plan = without_results(plan_inputs(request.paths, format=request.format), request.out)
    accounts = _accounts(request.accounts)
    settings = request.settings
    key = run_key(plan, request.accounts, settings.as_json(), request.engine)
    prepare_folder(request.out, resume=request.resume, remove=_remove)
    state = RunState.open(request.out, key, resume=request.resume)
    if not state.done:
        _remove(request.out / EXCHANGES)
        _remove(request.out / WORK / "exchanges-text")
    state.forget_lost()
    stages = Stages(state, progress)
    read = ingest_from_json(stages.keep("read", None, lambda tell: _read(plan, request, tell)))
    rows = sum(file.rows_out for file in read.files)
    if rows == 0:
        message = f"none of the {sum(file.rows_in for file in read.files)} rows could be read; see {read.quarantine} for the reasons"
        raise UnreadableInputError(message)
    labels = tuple(stages.keep("sketch", rows, lambda tell: _sketch(read, request, tell))["labels"])
    engine = open_engine(request.engine, request.out / WORK, settings)
    try:
        described = _describe(engine, stages, read, accounts, labels, request)
        judged = judge_all(described, stages, request.prices, settings)
    finally:
        engine.close()
    return _finish(request, read, described, judged, stages, now=now)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _accounts(path: Path | None) -> pa.Table | None:
    if path is None:
        return None
    table, refused = read_accounts(path)
    if refused and len(table) == 0:
        message = f"{path}: none of its {len(refused)} rows is an account ({refused[0].detail}); check the column names"
        raise UnreadableInputError(message)
    return table


def _read(plan: InputPlan, request: ScanRequest, tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
    result = ingest(plan, work=request.out / WORK, settings=request.settings.ingest, progress=lambda rows, _bytes: tell(rows))
    return ingest_to_json(result), sum(file.rows_in for file in result.files)


def _sketch(read: IngestResult, request: ScanRequest, tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
    settings = request.settings
    codebook = fit_on_sample(
        read.shards, texts=settings.codebook_sample, cells=settings.cells, generator=generator(settings.seed, "codebook")
    )
    rows = sketch_shards(read.shards, codebook, request.out / EXCHANGES, threads=settings.threads, progress=tell)
    return {"labels": list(codebook.labels)}, rows


def _describe(
    engine: Engine, stages: Stages, read: IngestResult, accounts: pa.Table | None, labels: tuple[str, ...], request: ScanRequest
) -> Described:
    """Features and shared traces of every account."""
    rows = sum(file.rows_out for file in read.files)
    exchanges = engine.read([request.out / EXCHANGES])
    side = accounts_table(engine, accounts)
    available = sketched_columns(read.filled_columns) | _filled(accounts)
    features_path, traces_path = request.out / WORK / "features.parquet", request.out / WORK / "traces.parquet"

    def describe(_tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
        return {"accounts": account_features(engine, exchanges, side, available, features_path)}, rows

    def trace(_tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
        write_arrow(traces_path, shared_traces(engine, exchanges, side, available))
        return {}, rows

    stages.keep("describe", rows, describe)
    stages.keep("trace", rows, trace)
    return Described(
        engine=engine,
        exchanges=exchanges,
        side=side,
        accounts=accounts,
        available=available,
        features=pq.read_table(features_path),
        traces=pq.read_table(traces_path),
        labels=labels,
        shards=read.shards,
        folder=request.out / EXCHANGES,
        rows=rows,
    )


def _filled(accounts: pa.Table | None) -> frozenset[str]:
    """Columns of the accounts table that hold anything."""
    if accounts is None:
        return frozenset()
    return frozenset(name for name in accounts.column_names if accounts[name].null_count < len(accounts))


def _finish(request: ScanRequest, read: IngestResult, described: Described, judged: Judged, stages: Stages, *, now: datetime) -> Report:
    """Write everything; run.json last."""
    out = request.out

    def write(_tell: Callable[[int], None]) -> tuple[Report, int]:
        write_entities(out, judged.rulings, judged.findings, judged.evidence, described.traces)
        write_subjects(out, described.labels)
        write_arrow(out / "features.parquet", described.features)
        shutil.copyfile(read.quarantine, out / ".quarantine.partial")
        (out / ".quarantine.partial").chmod(0o640)
        (out / ".quarantine.partial").replace(out / "quarantine.jsonl")
        report = Report(run=run_record(request, read, described, judged, stages.done, now=now), findings=judged.findings)
        write_findings(out / "findings.jsonl", report)
        write_text(out / "report.html", render_html(report))
        return report, len(judged.findings)

    report = stages.run("report", len(judged.findings), write)
    run = run_record(request, read, described, judged, stages.done, now=now)
    _remove(out / WORK / "exchanges-text")
    write_text(out / "run.json", json_text(run_to_json(run)))
    return Report(run=run, findings=report.findings)


def json_text(value: dict[str, Any]) -> str:
    """JSON as people read it; not-a-number is refused."""
    import json

    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
