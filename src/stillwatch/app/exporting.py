"""An export, from the result folder of a scan to files for a recipient."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.app.alone import alone_in
from stillwatch.app.explaining import read_run
from stillwatch.app.progress import Progress
from stillwatch.app.stages import staged
from stillwatch.app.state import EXCHANGES, WORK, is_of, refuse_strangers, remove_folder, write_text
from stillwatch.engines.duckdb import DuckEngine
from stillwatch.errors import TooFewSamplesError, UnreadableInputError, naming
from stillwatch.records.findings import Finding, Run
from stillwatch.records.tables import EXCHANGES as EXCHANGE_COLUMNS
from stillwatch.report import incident_finding, ocsf_finding, read_findings
from stillwatch.settings import ScanSettings
from stillwatch.share.claim import IN_HOUSE, UNDER_NAMES, Claim, plain_indicators
from stillwatch.share.hashing import Hashing
from stillwatch.share.indicators import CARRIED, carried
from stillwatch.share.misp import misp_event
from stillwatch.share.misp import template as misp_template
from stillwatch.share.naming import Names
from stillwatch.share.profile import make_profile, profile_text
from stillwatch.share.redact import shareable
from stillwatch.share.sigma import sigma_rules
from stillwatch.share.stix import stix_bundle
from stillwatch.share.tables import finding_tables
from stillwatch.share.thresholds import THRESHOLDS, amounts, threshold

FORMATS = ("ocsf", "stix", "misp", "sigma", "csv", "profile")
NAMED = frozenset({"ocsf", "stix", "misp", "csv", "sigma"})
"""Formats that name accounts or findings, so that it must be said under which names."""

MANIFEST = "export.json"
SIGMA = "sigma-rules.yml"
_MEASURED = frozenset({"stix", "misp", "sigma", "profile"})
_NAMES_NONE = "No account is named."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What an export is asked to do.

    Attributes:
        folder: result folder of a scan.
        formats: of FORMATS.
        out: folder of the export.
        names: under which accounts, exchanges and groups stand; None: for a profile alone, which names nobody.
        recipient: who it is for; None: the house itself.
        hashing: of a profile's indicators; None where no profile is asked for.
        producer: who makes it, as recipients are to read it.
        tlp: marking of all that is written.
        settings: threads and memory.
    """

    folder: Path
    formats: tuple[str, ...]
    out: Path
    names: Names | None
    recipient: str | None
    hashing: Hashing | None
    producer: str
    tlp: str
    settings: ScanSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the formats are made of; `not_written`: formats that cannot be made of this scan, each with the reason."""

    run: Run
    findings: tuple[Finding, ...]
    rows: tuple[Mapping[str, Any], ...]
    limits: Mapping[str, int]
    not_written: Mapping[str, str] = field(default_factory=dict[str, str])


def export(request: ExportRequest, progress: Progress) -> dict[str, Any]:
    """Write the files, the manifest last of all; the manifest is given back. The same input gives the same bytes.

    A format that this scan is too small for is left out where there are others, and the manifest says why.

    Raises UsageError for a folder that holds no scan, UnreadableInputError for one that is not whole, OutputError for files of others,
    TooFewSamplesError where the scan is too small for the only format.
    """
    run = read_run(request.folder)
    findings = read_findings(request.folder / "findings.jsonl")
    work = request.out / WORK
    refuse_strangers(request.out, "an export", ours=any(is_of(folder / MANIFEST, "export") for folder in (request.out, work)))
    with alone_in(request.out):
        try:
            known, _ = staged(progress, "measure", run.rows_out, lambda tell: (_measured(request, run, findings, work, tell), run.rows_out))
            files, _ = staged(progress, "write", None, lambda _: _counted(_texts(request, known)))
            return _written(request, known, files)
        finally:
            remove_folder(work)


def _measured(request: ExportRequest, run: Run, findings: Sequence[Finding], work: Path, tell: Callable[[int], None]) -> _Known:
    if not _MEASURED.intersection(request.formats):
        return _Known(run=run, findings=tuple(findings), rows=(), limits={})
    folder = request.folder / EXCHANGES
    if not folder.is_dir():
        raise UnreadableInputError(f"{folder} is not there, and indicators are counted from it; run the scan again")
    work.mkdir(mode=0o700, exist_ok=True)
    # a killed export leaves its work folder, and the next one has to know whose it is
    write_text(work / MANIFEST, json.dumps({"command": "export"}))
    with naming(work), DuckEngine(work, threads=request.settings.threads, memory_limit=request.settings.memory_limit) as engine:
        exchanges = engine.read([folder])
        rows = [row for part in engine.arrows(carried(exchanges, _members(engine, findings), run.accounts)) for row in part.to_pylist()]
        tell(run.rows_out)
        limits, not_written = _limits_or_reason(request, engine, exchanges, findings, run)
    order = [name for name in CARRIED if name not in ("accounts", "exchanges")]
    ordered = tuple(sorted(rows, key=lambda row: [row[name] for name in order]))
    return _Known(run=run, findings=tuple(findings), rows=ordered, limits=limits, not_written=not_written)


def _limits_or_reason(
    request: ExportRequest, engine: DuckEngine, exchanges: Any, findings: Sequence[Finding], run: Run
) -> tuple[dict[str, int], dict[str, str]]:
    """Thresholds of Sigma's rules, and why there are none where other formats are still to be written."""
    if "sigma" not in request.formats:
        return {}, {}
    try:
        return _limits(engine, exchanges, findings, run), {}
    except TooFewSamplesError as error:
        if set(request.formats) == {"sigma"}:
            raise
        return {}, {"sigma": str(error)}


def _members(engine: DuckEngine, findings: Sequence[Finding]) -> Any:
    rows = [(finding.entity_id, member.account_id) for finding in findings for member in finding.members]
    columns = {"entity_id": [row[0] for row in rows], "account_id": [row[1] for row in rows]}
    return engine.table(pa.table(columns, schema=pa.schema([(name, pa.string()) for name in columns])), "members")


def _limits(engine: DuckEngine, exchanges: Any, findings: Sequence[Finding], run: Run) -> dict[str, int]:
    """Thresholds of the rules whose columns the log has."""
    there = set(EXCHANGE_COLUMNS.names) - set(run.missing_columns)
    rules = [rule for rule in THRESHOLDS if there.issuperset(rule.columns)]
    days = engine.arrow(amounts(exchanges, _members(engine, findings).select("account_id"), rules))
    return {rule.name: threshold(rule, days[rule.name].to_numpy()) for rule in rules}


def _texts(request: ExportRequest, known: _Known) -> dict[str, str]:
    """File name to text."""
    files: dict[str, str] = {}
    claims = _claims(request, known)
    given: dict[str, Any] = {"producer": request.producer, "tlp": request.tlp}
    voiced: dict[str, Any] = {**given, "in_house": request.names is not None and request.names.in_house}
    for name in dict.fromkeys(name for name in request.formats if name not in known.not_written):
        if name == "ocsf":
            files |= _ocsf(claims, known.run)
        elif name == "stix":
            files["stix-bundle.json"] = stix_bundle(claims, known.run, **voiced)
        elif name == "misp":
            files["misp-event.json"] = misp_event(claims, known.run, **voiced)
            files["misp-object-template.json"] = json.dumps(misp_template(), indent=1) + "\n"
        elif name == "sigma":
            files[SIGMA] = sigma_rules(claims, known.run, known.limits, **given)
        elif name == "csv":
            files |= finding_tables([claim.finding for claim in claims])
        elif request.hashing is not None:
            files["profile.json"] = profile_text(make_profile(known.findings, known.run, known.rows, request.hashing, **given))
    return files


def _claims(request: ExportRequest, known: _Known) -> list[Claim]:
    if request.names is None:
        return []
    secret = [member.account_id for finding in known.findings for member in finding.members]
    return [
        Claim(finding=shareable(finding, request.names), indicators=plain_indicators(known.rows, finding.entity_id, secret))
        for finding in known.findings
    ]


def _ocsf(claims: Sequence[Claim], run: Run) -> dict[str, str]:
    found = [ocsf_finding(claim.finding, run) for claim in claims]
    incidents = [incident_finding(claim.finding, run) for claim in claims if claim.harvest]
    return {"ocsf-detection-findings.jsonl": _lines(found), "ocsf-incident-findings.jsonl": _lines(incidents)}


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n" for row in rows)


def _counted(files: dict[str, str]) -> tuple[dict[str, str], int]:
    return files, len(files)


def _written(request: ExportRequest, known: _Known, files: Mapping[str, str]) -> dict[str, Any]:
    names = request.names
    manifest: dict[str, Any] = {
        "command": "export",
        "version": known.run.version,
        "scanned_at": known.run.created_at.isoformat(),
        "producer": request.producer,
        "tlp": request.tlp,
        "recipient": request.recipient,
        "names": _NAMES_NONE if names is None else IN_HOUSE if names.in_house else UNDER_NAMES,
        "formats": [name for name in dict.fromkeys(request.formats) if name not in known.not_written],
        "findings": len(known.findings),
        "thresholds": dict(known.limits),
        "not_written": dict(known.not_written),
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())},
    }
    (request.out / MANIFEST).unlink(missing_ok=True)
    if "sigma" in known.not_written:
        (request.out / SIGMA).unlink(missing_ok=True)  # of an earlier export
    for name, text in files.items():
        write_text(request.out / name, text)
    write_text(request.out / MANIFEST, json.dumps(manifest, ensure_ascii=True, indent=1) + "\n")
    return manifest
