"""Findings as OCSF 1.8 rows, one JSON object a line: Detection Findings (class 2004), and back; Incident Findings (class 2005)."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch.errors import OutputError, SchemaError, UnreadableInputError, naming
from stillwatch.records.findings import Finding, Report, Run, Severity
from stillwatch.report.codec import from_plain, to_plain
from stillwatch.report.words import expected_false, nothing_found, ranked, utc

OCSF_VERSION = "1.8.0"
ATLAS_VERSION = "5.6"
_CLASS, _CLASS_NAME = 2004, "Detection Finding"
_INCIDENT, _INCIDENT_NAME = 2005, "Incident Finding"
_CREATE = 1
_STATISTICAL = 3
_SUPPRESSED = {"status_id": 3, "status": "Suppressed"}
_TARGET, _ACTOR = 1, 2
_TACTICS = {
    "AML.T0005": ("AML.TA0001", "AI Attack Staging"),
    "AML.T0008": ("AML.TA0003", "Resource Development"),
    "AML.T0021": ("AML.TA0003", "Resource Development"),
    "AML.T0024": ("AML.TA0010", "Exfiltration"),
    "AML.T0034": ("AML.TA0011", "Impact"),
    "AML.T0040": ("AML.TA0000", "AI Model Access"),
    "AML.T0047": ("AML.TA0000", "AI Model Access"),
    "AML.T0048": ("AML.TA0011", "Impact"),
    "AML.T0065": ("AML.TA0003", "Resource Development"),
}
_PARENTS = {
    "AML.T0005": "Create Proxy AI Model",
    "AML.T0008": "Acquire Infrastructure",
    "AML.T0024": "Exfiltration via AI Inference API",
    "AML.T0034": "Cost Harvesting",
    "AML.T0048": "External Harms",
}


def ocsf_finding(finding: Finding, run: Run) -> dict[str, Any]:
    """The finding as an OCSF 1.8 Detection Finding; `unmapped.stillwatch.finding` holds all of it, so that it can be rebuilt.

    Times are milliseconds since 1970. `confidence_score` is 100 (1 - q), rounded down; absent where there is no q-value.
    """
    row = _envelope(run, finding.severity) | {"is_alert": finding.severity.rank >= Severity.MEDIUM.rank and finding.suppressed is None}
    row |= _SUPPRESSED if finding.suppressed is not None else {}
    row |= {
        "start_time": _milliseconds(finding.first_at),
        "end_time": _milliseconds(finding.last_at),
        "message": finding.summary,
        "finding_info": _finding_info(finding, run),
        "resources": _resources(finding),
        "evidences": _evidences(finding),
        "remediation": {"desc": finding.next_step},
        "unmapped": {"stillwatch": {"kind": "finding", "finding": to_plain(finding)}},
    }
    row |= _confidence(finding.q_value)
    return row


def incident_finding(finding: Finding, run: Run) -> dict[str, Any]:
    """The finding as an OCSF 1.8 Incident Finding, for a system of tickets: new, assigned to nobody, its verdict open.

    It points to the Detection Finding by `finding_info_list.uid` and holds none of its evidence.
    """
    row = _envelope(run, finding.severity, _INCIDENT, _INCIDENT_NAME)
    row["metadata"]["profiles"] = ["incident"]
    row["metadata"]["log_name"] = "incidents"
    priority = finding.severity.rank if finding.severity is not Severity.INFO else 1
    row |= {
        "start_time": _milliseconds(finding.first_at),
        "end_time": _milliseconds(finding.last_at),
        "message": finding.title,
        "desc": finding.summary,
        "finding_info_list": [_finding_info(finding, run)],
        "attacks": [_attack(technique, name) for technique, name in finding.techniques],
        "assignee_group": {"name": "unassigned"},
        "is_suspected_breach": False,
        "impact_id": 0,
        "impact": "Unknown",
        "priority_id": priority,
        "priority": ("Low", "Low", "Medium", "High", "Critical")[priority],
        "verdict_id": 0,
        "verdict": "Unknown",
        "comment": f"Ordinary explanations: {' '.join(finding.ordinary)} Next step: {finding.next_step}",
    }
    return row | _confidence(finding.q_value)


def finding_from_ocsf(row: Mapping[str, Any]) -> Finding:
    """The finding that `ocsf_finding` wrote.

    Raises:
        SchemaError: the row holds no Stillwatch finding, or one of another version.
    """
    held = row.get("unmapped", {}).get("stillwatch", {})
    if "finding" not in held:
        raise SchemaError(
            "this OCSF row holds no finding in unmapped.stillwatch.finding; is it of another product, or of a run without findings?"
        )
    return from_plain(Finding, held["finding"])


def notice(report: Report) -> dict[str, Any]:
    """The row of a run without findings: informational, no alert, `unmapped.stillwatch.kind` is `no-findings`; it holds the power."""
    run = report.run
    row = _envelope(run, Severity.INFO) | {"is_alert": False}
    row |= {
        "message": f"{nothing_found(run.power)}. {run.power.words}",
        "finding_info": {
            "uid": f"no-findings-{_milliseconds(run.created_at)}",
            "title": nothing_found(run.power),
            "desc": run.power.words,
            "created_time": _milliseconds(run.created_at),
            "analytic": _analytic(run),
            **_seen(run.first_at, run.last_at),
        },
        "unmapped": {
            "stillwatch": {
                "kind": "no-findings",
                "power": to_plain(run.power),
                "entities": run.entities,
                "accounts": run.accounts,
                "exchanges": run.rows_out,
                "expected_false": expected_false(report),
            }
        },
    }
    return row


def is_notice(row: Mapping[str, Any]) -> bool:
    """Whether a row says that its run found nothing."""
    return row.get("unmapped", {}).get("stillwatch", {}).get("kind") == "no-findings"


def write_findings(path: Path, report: Report) -> None:
    """Write one OCSF row a line, most severe first; a run without findings writes one notice. All of the file is there, or none.

    Raises:
        OutputError: the folder cannot be written.
    """
    rows = [ocsf_finding(finding, report.run) for finding in ranked(report.findings)] or [notice(report)]
    # ASCII with escapes: direction marks and lone surrogates from a log cannot act on whoever prints the file
    text = "".join(json.dumps(row, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n" for row in rows)
    try:
        with naming(path):
            _replace(path, text.encode("ascii"))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or type(error).__name__}; choose a folder that can be written") from error


def read_findings(path: Path) -> tuple[Finding, ...]:
    """The findings of a `findings.jsonl`, in the file's order; none for a run that found none.

    Raises:
        UnreadableInputError: the file is missing, or a line is not JSON.
        SchemaError: a row is not a Stillwatch finding.
    """
    found: list[Finding] = []
    try:
        for place, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            row = _parsed(path, place, line)
            if not is_notice(row):
                found.append(finding_from_ocsf(row))
    except OSError as error:
        raise UnreadableInputError(f"cannot read {path}: {error.strerror or type(error).__name__}; run `stillwatch scan` first") from error
    return tuple(found)


def _parsed(path: Path, place: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise UnreadableInputError(f"{path}, line {place}: not a JSON object; the file is torn or was edited, so scan again")
    return row


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o640)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _envelope(run: Run, severity: Severity, kind: int = _CLASS, name: str = _CLASS_NAME) -> dict[str, Any]:
    return {
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": "Stillwatch", "vendor_name": "Stillwatch", "version": run.version},
            "profiles": [],
            "log_name": "findings",
        },
        "category_uid": kind // 1000,
        "category_name": "Findings",
        "class_uid": kind,
        "class_name": name,
        "activity_id": _CREATE,
        "activity_name": "Create",
        "type_uid": kind * 100 + _CREATE,
        "time": _milliseconds(run.created_at),
        "severity_id": severity.rank + 1,
        "severity": "Informational" if severity is Severity.INFO else severity.value.capitalize(),
        "status_id": 1,
        "status": "New",
    }


def _finding_info(finding: Finding, run: Run) -> dict[str, Any]:
    return {
        "uid": finding.uid,
        "title": finding.title,
        "desc": finding.summary,
        "types": [f"pooling: {finding.pooling.value}", f"harvest: {finding.harvest.value}"],
        "created_time": _milliseconds(run.created_at),
        "analytic": _analytic(run),
        "attacks": [_attack(technique, name) for technique, name in finding.techniques],
        "related_events_count": finding.tally.exchanges,
        **_seen(finding.first_at, finding.last_at),
    }


def _analytic(run: Run) -> dict[str, Any]:
    return {"type_id": _STATISTICAL, "type": "Statistical", "uid": "stillwatch.scan", "name": "Stillwatch scan", "version": run.version}


def _seen(first: datetime | None, last: datetime | None) -> dict[str, int]:
    seen = {"first_seen_time": first, "last_seen_time": last}
    return {name: _milliseconds(at) for name, at in seen.items() if at is not None}


def _attack(technique: str, name: str) -> dict[str, Any]:
    family = ".".join(technique.split(".")[:2])
    attack: dict[str, Any] = {"version": ATLAS_VERSION}
    if family in _TACTICS:
        uid, tactic = _TACTICS[family]
        attack["tactic"] = {"uid": uid, "name": tactic}
    if family == technique:
        return attack | {"technique": {"uid": technique, "name": name}}
    parent = {"uid": family} | ({"name": _PARENTS[family]} if family in _PARENTS else {})
    return attack | {"technique": parent, "sub_technique": {"uid": technique, "name": name}}


def _resources(finding: Finding) -> list[dict[str, Any]]:
    models = [{"uid": model, "name": model, "type": "ai-model", "role_id": _TARGET, "role": "Target"} for model, _ in finding.tally.models]
    accounts = [
        {"uid": member.account_id, "type": "api-account", "role_id": _ACTOR, "role": "Actor", "group": {"uid": finding.entity_id}}
        for member in finding.members
    ]
    return models + accounts


def _evidences(finding: Finding) -> list[dict[str, Any]]:
    exhibits: list[dict[str, Any]] = [
        {
            "uid": exhibit.exchange_id,
            "name": exhibit.shows,
            "user": {"uid": exhibit.account_id},
            "data": {"started_at": to_plain(exhibit.started_at), "prompt": exhibit.prompt, "response": exhibit.response},
        }
        for exhibit in finding.exhibits
    ]
    links: list[dict[str, Any]] = [
        {"name": f"link: {edge.kind}", "user": {"uid": edge.account_id}, "data": to_plain(edge)} for edge in finding.pictures.edges
    ]
    return exhibits + links


def _confidence(q_value: float | None) -> dict[str, Any]:
    if q_value is None:
        return {"confidence_id": 0, "confidence": "Unknown"}
    level, word = (3, "High") if q_value <= 0.01 else (2, "Medium") if q_value <= 0.1 else (1, "Low")
    return {"confidence_score": max(0, min(100, int(100 * (1 - q_value)))), "confidence_id": level, "confidence": word}


def _milliseconds(at: datetime) -> int:
    return round(utc(at).timestamp() * 1000)
