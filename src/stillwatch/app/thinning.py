"""Result folders without one account: its rows go from every table, it goes from every finding, and the page is written again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stillwatch.app.alone import alone_in
from stillwatch.app.explaining import read_run
from stillwatch.app.holdings import QUARANTINE
from stillwatch.app.retaining import erase_lines
from stillwatch.app.sealed_lines import plain_lines
from stillwatch.app.state import EXCHANGES, EXHIBITS, PREVIOUS, RUN, WORK, file_sha256, remove_folder, write_text
from stillwatch.app.writing import write_arrow
from stillwatch.govern.access import masked_findings
from stillwatch.govern.policy import DataClass
from stillwatch.govern.retention import mentions, without
from stillwatch.govern.vault import Vault
from stillwatch.records.findings import EntityKind, Finding, Report
from stillwatch.records.governance import Disposed
from stillwatch.records.inputs import Ground
from stillwatch.report import read_findings, render_html, write_findings
from stillwatch.report.codec import from_plain, to_plain

ERASED = "[erased]"
"""What stands in sentences in the place of an account's identifier."""

_TABLES = (
    ("entities.parquet", "entity_id"),
    ("features.parquet", "entity_id"),
    ("members.parquet", "account_id"),
    ("links.parquet", "account_id"),
)


def thinned(folder: Path, account: str, vault: Vault | None) -> list[Disposed]:
    """Take one account out of a result folder; what was changed, with hashes before and after. Files without it stay as they are.

    Counts in run.json and the numbers of groups stay: they are of everybody together.
    """
    with alone_in(folder):
        changed = list(_tables(folder, account))
        changed += _findings(folder, account)
        changed += _texts(folder, account, vault)
        changed += _lines(folder / QUARANTINE, account)
        for path in (folder / PREVIOUS, folder / WORK):
            if path.exists() and not (path / RUN).exists():
                remove_folder(path)
                changed.append(Disposed(name=str(path), data_class=DataClass.WORK_FOLDERS.value))
    if (folder / PREVIOUS / RUN).exists():
        changed += thinned(folder / PREVIOUS, account, vault)
    return changed


def thinned_finding(finding: Finding, account: str) -> Finding | None:
    """A finding without an account; None where it is about that account alone."""
    if finding.kind is EntityKind.ACCOUNT and account in {finding.entity_id, *(member.account_id for member in finding.members)}:
        return None
    plain: dict[str, Any] = to_plain(finding)
    plain["members"] = [member for member in plain["members"] if member["account_id"] != account]
    plain["exhibits"] = [exhibit for exhibit in plain["exhibits"] if exhibit["account_id"] != account]
    plain["pictures"]["edges"] = [edge for edge in plain["pictures"]["edges"] if edge["account_id"] != account]
    return from_plain(Finding, without(plain, account, ERASED))


def _tables(folder: Path, account: str) -> Iterator[Disposed]:
    parts = [(path, "account_id") for path in sorted((folder / EXCHANGES).glob("*.parquet"))]
    for path, column in [*((folder / name, column) for name, column in _TABLES), *parts]:
        if path.exists():
            yield from _table(path, column, account)


def _table(path: Path, column: str, account: str) -> Iterator[Disposed]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    left = table.filter(pc.not_equal(table[column], account))
    if len(left) < len(table):
        before = file_sha256(path)
        write_arrow(path, left)
        path.chmod(0o640)
        yield _disposed(path, DataClass.SCAN_RESULTS, len(table) - len(left), before)


def _findings(folder: Path, account: str) -> list[Disposed]:
    path, page = folder / "findings.jsonl", folder / "report.html"
    if not mentions(path.read_text("utf-8"), account) and account not in path.read_text("utf-8"):
        return []
    before = {file: file_sha256(file) for file in (path, page) if file.exists()}
    findings = read_findings(path)
    left = [thin for finding in findings if (thin := thinned_finding(finding, account)) is not None]
    changed = sum(thin not in findings for thin in left) + len(findings) - len(left)
    if not changed:
        return []
    report = Report(run=read_run(folder), findings=masked_findings(left))
    write_findings(path, report)
    write_text(page, render_html(report))
    return [_disposed(file, DataClass.SCAN_RESULTS, changed, digest) for file, digest in before.items()]


def _texts(folder: Path, account: str, vault: Vault | None) -> list[Disposed]:
    path = folder / EXHIBITS
    if not path.exists():
        return []
    numbers = frozenset(number for number, plain in plain_lines(path, vault) if mentions(json.loads(plain), account))
    before = file_sha256(path)
    gone = erase_lines(path, numbers, Ground.DATA_SUBJECT)
    return [_disposed(path, DataClass.EXHIBITS, gone, before)] if gone else []


def _lines(path: Path, account: str) -> list[Disposed]:
    """Refused rows that name the account."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").splitlines(keepends=True)
    left = [line for line in lines if not _names(line, account)]
    if len(left) == len(lines):
        return []
    before = file_sha256(path)
    write_text(path, "".join(left))
    return [_disposed(path, DataClass.QUARANTINE, len(lines) - len(left), before)]


def _names(line: str, account: str) -> bool:
    """A refused row may be broken anywhere, so that the identifier is looked for in its text, whatever stands around it."""
    return f'"{account}' in json.dumps(json.loads(line), ensure_ascii=False).replace('\\"', '"') or mentions(json.loads(line), account)


def _disposed(path: Path, data_class: DataClass, rows: int, before: str) -> Disposed:
    return Disposed(name=str(path), data_class=data_class.value, rows=rows, before_sha256=before, after_sha256=file_sha256(path))
