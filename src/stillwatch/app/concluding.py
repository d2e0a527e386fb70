"""The second half of a scan, from sketched exchanges to a result folder: describe, trace, link, judge, report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.describing import account_features, accounts_table, shared_traces, sketched_columns
from stillwatch.app.judging import Described, judge_all
from stillwatch.app.keeping import OUTCOME, Outcome
from stillwatch.app.noting import Beforehand
from stillwatch.app.opening import write_exhibits
from stillwatch.app.request import ScanRequest
from stillwatch.app.stages import Stages
from stillwatch.app.state import EXCHANGES, WORK, remove_folder, write_text
from stillwatch.app.summing import run_record
from stillwatch.app.suppressing import with_suppressions
from stillwatch.app.writing import write_arrow, write_subjects
from stillwatch.engines.base import Engine
from stillwatch.errors import naming
from stillwatch.govern.access import masked_findings
from stillwatch.ingest import IngestResult
from stillwatch.records.findings import Report, Run
from stillwatch.report import render_html, run_to_json, write_findings

TABLES = ("entities", "members", "links", "features")


def conclude(
    engine: Engine,
    request: ScanRequest,
    read: IngestResult,
    labels: tuple[str, ...],
    accounts: pa.Table | None,
    stages: Stages,
    *,
    before: Beforehand,
    now: datetime,
) -> Report:
    """Describe the accounts, judge them and write the result folder; run.json last of all."""
    described = _describe(engine, stages, read, accounts, labels, request)
    judged = judge_all(described, stages, request.prices, request.settings, request.out / WORK)
    outcome = with_suppressions(judged, request.suppressions, now=now)
    return _finish(request, described, outcome, stages, lambda: run_record(request, read, described, outcome, stages.done, before, now))


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


def _finish(request: ScanRequest, described: Described, outcome: Outcome, stages: Stages, record: Callable[[], Run]) -> Report:
    """Write everything; run.json last."""
    out, work = request.out, request.out / WORK

    def write(_tell: Callable[[int], None]) -> tuple[Report, int]:
        for name in TABLES:
            _copy(work / f"{name}.parquet", out / f"{name}.parquet")
        _copy(work / "quarantine.jsonl", out / "quarantine.jsonl")
        write_subjects(out, described.labels)
        report = Report(run=record(), findings=outcome.findings)
        # text is masked in whatever is passed around; a case opens it from a private file, and that is recorded
        masked = Report(run=report.run, findings=masked_findings(report.findings))
        write_exhibits(out, report.findings, request.vault)
        write_findings(out / "findings.jsonl", masked)
        write_text(out / "report.html", render_html(masked))
        return report, len(outcome.findings)

    report = stages.run("report", len(outcome.findings), write)
    run = record()
    # nothing that is finished with keeps a second copy of anybody's text
    remove_folder(work / "exchanges-text")
    (work / OUTCOME).unlink(missing_ok=True)
    write_text(out / "run.json", _json_text(run_to_json(run)))
    return Report(run=run, findings=report.findings)


def _copy(source: Path, target: Path) -> None:
    """Copy under another name, then rename; readable to the owner and the group."""
    partial = target.with_name(f".{target.name}.partial")
    with naming(target):
        shutil.copyfile(source, partial)
    partial.chmod(0o640)
    partial.replace(target)


def _json_text(value: dict[str, Any]) -> str:
    """JSON as people read it; not-a-number is refused."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
