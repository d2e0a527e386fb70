"""Everything that is held about one account, for the account: as JSON and as a page, with what was withheld and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.app.approving import Said
from stillwatch.app.case_keeping import held_in_cases
from stillwatch.app.governance import Keeper
from stillwatch.app.holdings import QUARANTINE, folders_below, is_result
from stillwatch.app.opening import exhibit_texts
from stillwatch.app.private_files import create_private
from stillwatch.app.recording import log_box
from stillwatch.app.retaining import pair_lines
from stillwatch.app.state import EXCHANGES, EXHIBITS
from stillwatch.cases.store import CaseStore
from stillwatch.errors import OutputError, UsageError
from stillwatch.govern.access import said
from stillwatch.govern.policy import Act, DataClass
from stillwatch.govern.retention import mentions, without
from stillwatch.govern.vault import Vault
from stillwatch.ledger.canonical import read_canonical
from stillwatch.ledger.reading import LogReader
from stillwatch.records.evidence import Export, Input
from stillwatch.records.findings import Finding
from stillwatch.records.tables import EXCHANGES as EXCHANGE_COLUMNS
from stillwatch.report import read_findings
from stillwatch.report.codec import to_plain
from stillwatch.report.page import environment

FORMAT = "stillwatch-subject-access-1"
_SHOWN = 200
ANOTHER = "[another account]"
_OPEN_KINDS = frozenset({"decision", "approval_request", "suspension_lift"})
"""Kinds of records whose contents are given: what was decided about the account, and why."""

_FINDING = (
    "uid",
    "entity_id",
    "kind",
    "title",
    "summary",
    "pooling",
    "harvest",
    "severity",
    "first_at",
    "last_at",
    "ordinary",
    "next_step",
)
_TWINS = (
    "Answers of twin pairs: two answers were sampled and one was served, which the account has. Giving both would give away the one that "
    "was withheld, and with it what proves that a model was trained on our answers."
)
_OTHERS = "Identifiers, numbers and text of other accounts, wherever they stand beside this one's."
_RECORDS = "Contents of other records of the evidence log that name the account: they speak of other accounts and of staff as well."
_CASES = "Words and files of people who worked on a case, and their names: they speak of other accounts and of staff as well."
_NOT_LOOKED = "Request logs themselves, backups, and what was handed over to others."
_HASHES = (
    "Fingerprints of wording and subjects (sketches): numbers from which no text can be read; they stand for the exchanges listed here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """Whose data is asked for, and where it is looked for; meanings as in `erasing.ErasureRequest`. `to`: who gets it."""

    account: str
    roots: tuple[Path, ...]
    pairs: tuple[Path, ...]
    vault: Vault | None
    out: Path
    to: str
    cases: CaseStore | None = None


def give_access(keeper: Keeper, request: AccessRequest, who: Said) -> dict[str, Any]:
    """Write `access.json` and `access.html` into a new folder; that they were made, by whom and for whom, is recorded first.

    Raises OutputError where the folder is there, DeniedError and PersonError as the policy does.
    """
    if not request.account.strip():
        raise UsageError("no account was named; name the one that asked")
    by, why, to = keeper.policy.check(Act.GIVE_ACCESS, who.by), said(who.why, "the reason"), said(request.to, "--to")
    if request.out.exists():
        raise OutputError(f"{request.out} is there already; name a new folder")
    held = [*_held_in_folders(request), *_held_in_pairs(request), *held_in_cases(request.cases, request.account)]
    held += _held_in_log(keeper, request.account)
    whole = {
        "format": FORMAT,
        "account": request.account,
        "made_at": keeper.clock().isoformat(),
        "held": held,
        "withheld": _withheld(held),
        "not_looked_through": _NOT_LOOKED + ("" if request.cases is not None else " No case store was named."),
    }
    texts = {"access.json": json.dumps(whole, ensure_ascii=False, indent=1, default=str) + "\n", "access.html": _page(whole)}
    files = tuple(Input(name=name, sha256=hashlib.sha256(text.encode()).hexdigest()) for name, text in texts.items())
    with keeper.writing() as writer:
        index = keeper.append(writer, Export(by=by, to=to, why=why, form="subject-access", files=files))
    request.out.mkdir(mode=0o700, parents=True)
    for name, text in texts.items():
        create_private(request.out / name, text)
    return {"folder": str(request.out), "held": len(held), "withheld": len(whole["withheld"]), "recorded_in": index}


def _held_in_folders(request: AccessRequest) -> Iterator[dict[str, Any]]:
    for folder in folders_below(request.roots):
        if is_result(folder):
            yield from _tables(folder, request.account)
            yield from _findings(folder, request.account, request.vault)
            yield from _refused(folder / QUARANTINE, request.account)


def _tables(folder: Path, account: str) -> Iterator[dict[str, Any]]:
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    plain = [name for name in EXCHANGE_COLUMNS.names if not name.endswith("_text")]
    tables = [("entities.parquet", "entity_id"), ("features.parquet", "entity_id"), ("members.parquet", "account_id")]
    for name, column in [*tables, ("links.parquet", "account_id"), (EXCHANGES, "account_id")]:
        path = folder / name
        if not path.exists():
            continue
        data = ds.dataset(path, format="parquet")
        columns = [each for each in data.schema.names if name != EXCHANGES or each in plain]
        rows = data.to_table(columns=columns, filter=pc.field(column) == account).to_pylist()
        if rows:
            yield _held(path, DataClass.SCAN_RESULTS, [{key: value for key, value in row.items() if value is not None} for row in rows])


def _findings(folder: Path, account: str, vault: Vault | None) -> Iterator[dict[str, Any]]:
    path = folder / "findings.jsonl"
    for finding in read_findings(path):
        members = [member.account_id for member in finding.members]
        if account not in {*members, finding.entity_id}:
            continue
        yield _held(path, DataClass.SCAN_RESULTS, [_own_part(finding, account, members)])
        if (folder / EXHIBITS).exists():
            texts = [to_plain(exhibit) for exhibit in exhibit_texts(folder, finding.uid, vault) if exhibit.account_id == account]
            if texts:
                yield _held(folder / EXHIBITS, DataClass.EXHIBITS, texts)


def _own_part(finding: Finding, account: str, members: Sequence[str]) -> dict[str, Any]:
    """A finding as one of its accounts may see it: its own membership, and no other account's name."""
    plain: dict[str, Any] = to_plain(finding)
    own = {name: plain[name] for name in _FINDING}
    own |= {"signals": plain["readings"], "accounts": len(members)}
    own["membership"] = [member for member in plain["members"] if member["account_id"] == account]
    for other in members:
        if other != account:
            own = without(own, other, ANOTHER)
    return own


def _refused(path: Path, account: str) -> Iterator[dict[str, Any]]:
    if path.exists():
        rows = [row for row in map(json.loads, path.read_text("utf-8").splitlines()) if mentions(row, account)]
        if rows:
            yield _held(path, DataClass.QUARANTINE, [{name: row[name] for name in ("file", "line", "reason", "head")} for row in rows])


def _held_in_pairs(request: AccessRequest) -> Iterator[dict[str, Any]]:
    for path in request.pairs:
        mine = [pair for _, pair in pair_lines(path, request.vault) if pair is not None and pair.account_id == request.account]
        rows = [{"request_id": pair.request_id, "at": pair.at, "model": pair.model, "prompt": pair.prompt} for pair in mine]
        if rows:
            yield _held(path, DataClass.WITHHELD_TWINS, rows)


def _held_in_log(keeper: Keeper, account: str) -> Iterator[dict[str, Any]]:
    reader = LogReader(keeper.folder, keeper.keys)
    entries = dict(reader.entries())
    rows: list[dict[str, Any]] = []
    with reader.contents(log_box()) as contents:
        for index, _, content in contents.openings(0, reader.size):
            said_there = read_canonical(content)
            if mentions(said_there, account):
                row: dict[str, Any] = {"record": index, "kind": entries[index].kind, "at": entries[index].at}
                rows.append(row | ({"content": _decided(said_there, account)} if row["kind"] in _OPEN_KINDS else {}))
    if rows:
        yield _held(keeper.folder, DataClass.LOG_CONTENTS, rows)


def _decided(content: Mapping[str, Any], account: str) -> dict[str, Any]:
    """What was decided about the account: no other account, and no name of whoever decided."""
    staff = {"by", "decided_by", "approved_by"}
    own = {name: value for name, value in content.items() if name not in staff and value is not None}
    return own | ({"accounts": [account]} if "accounts" in own else {})


def _held(path: Path, data_class: DataClass, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"where": str(path), "class": data_class.value, "rows": rows}


def _withheld(held: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was left out, and why; only of what is held."""
    classes = {part["class"] for part in held}
    reasons = [_OTHERS] if DataClass.SCAN_RESULTS in classes else []
    reasons += [_HASHES] if any(str(part["where"]).endswith(EXCHANGES) for part in held) else []
    reasons += [_CASES] if DataClass.CASE_TEXT in classes else []
    reasons += [_TWINS] if DataClass.WITHHELD_TWINS in classes else []
    return reasons + ([_RECORDS] if DataClass.LOG_CONTENTS in classes else [])


def _page(whole: Mapping[str, Any]) -> str:
    parts = [{**part, "rows": [{name: _cell(value) for name, value in row.items()} for row in part["rows"]]} for part in whole["held"]]
    return environment().get_template("subject_access.html").render(whole=whole, parts_held=parts, most=_SHOWN)


def _cell(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)
