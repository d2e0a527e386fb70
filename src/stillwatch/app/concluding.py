"""The second half of a scan, from sketched exchanges to a result folder: describe, trace, link, judge, report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.describing import account_features, accounts_table, shared_traces, sketched_columns
from stillwatch.app.judging import Described, Judged, judge_all
from stillwatch.app.request import ScanRequest
from stillwatch.app.stages import Stages
from stillwatch.app.state import EXCHANGES, WORK, remove_folder, write_text
from stillwatch.app.summing import run_record
from stillwatch.app.writing import write_arrow, write_entities, write_subjects
from stillwatch.engines.base import Engine
from stillwatch.ingest import IngestResult
from stillwatch.records.findings import Report
from stillwatch.report import render_html, run_to_json, write_findings


def conclude(
    engine: Engine,
    request: ScanRequest,
    read: IngestResult,
    labels: tuple[str, ...],
    accounts: pa.Table | None,
    stages: Stages,
    *,
    now: datetime,
) -> Report:
    """Describe the accounts, judge them and write the result folder; run.json last of all."""
    described = _describe(engine, stages, read, accounts, labels, request)
    judged = judge_all(described, stages, request.prices, request.settings)
    return _finish(request, read, described, judged, stages, now=now)


def _describe(
    engine: Engine, stages: Stages, read: IngestResult, accounts: pa.Table | None, labels: tuple[str, ...], request: ScanRequest
) -> Described:
    """Features and shared traces of every account."""
    rows = sum(file.rows_out for file in read.files)
    exchanges = engine.read([request.out / EXCHANGES])
    side = accounts_table(engine, accounts)
    available = sketched_columns(read.filled_columns) | _filled(accounts)
    work = request.out / WORK
    features_path, traces_path, wording_path = work / "features.parquet", work / "traces.parquet", work / "wording.parquet"

    def describe(_tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
        return {"accounts": account_features(engine, exchanges, side, available, features_path, wording_path)}, rows

    def trace(_tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
        write_arrow(traces_path, shared_traces(engine, exchanges, side, available, wording_path))
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
    remove_folder(out / WORK / "exchanges-text")
    write_text(out / "run.json", _json_text(run_to_json(run)))
    return Report(run=run, findings=report.findings)


def _json_text(value: dict[str, Any]) -> str:
    """JSON as people read it; not-a-number is refused."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
