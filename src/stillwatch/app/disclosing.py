"""Withheld cells of a sealed case opened for somebody: on record, and text of customers and names only as two people agreed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch.app.case_texts import check_approved, leaving_text, opens_something
from stillwatch.app.governance import allowed, load_policy
from stillwatch.app.log_keys import load_signers
from stillwatch.app.private_files import create_private
from stillwatch.app.recording import PATIENCE_S, act, writing
from stillwatch.app.sealing import standing
from stillwatch.errors import OutputError, UsageError
from stillwatch.govern.approvals import TEXT_FORM
from stillwatch.govern.policy import Act as Deed
from stillwatch.ledger.reading import LogReader
from stillwatch.records.cases import CaseContent
from stillwatch.records.evidence import Export, Input
from stillwatch.sealing.disclosure import Cells, cells_of, disclosure
from stillwatch.sealing.refusals import SealError
from stillwatch.sealing.seal import Prepared, prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureRequest:
    """Which cells are opened and for whom; `approved`, `governance`, `log` and `log_key` as in `sealing.SealRequest`."""

    cells: tuple[str, ...]
    log: Path
    log_key: Path | None
    out: Path
    by: str
    to: str
    why: str
    approved: int | None = None
    governance: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosedCells:
    """A file that was written: where, its sha256, how many cells it opens, and the record that says so."""

    path: Path
    sha256: str
    cells: int
    recorded_in: int


def disclose(content: CaseContent, request: DisclosureRequest, *, now: datetime) -> DisclosedCells:
    """Write values and salts of cells into a new private file, once the log says for whom.

    Raises SealError for cells that the case has not and for exhibits that stand in no record of the log, ApprovalError for text of
    customers and names that nobody let leave, DeniedError as the policy does, OutputError where the file is there.
    """
    if not request.by.strip() or not request.why.strip() or not request.to.strip():
        raise UsageError("--as, --to and --why take words; the log keeps them")
    if request.out.exists():
        raise OutputError(f"{request.out} is there already and is never overwritten; name another file")
    by, to = allowed(Deed.EXPORT_FINDINGS, request.by.strip()), request.to.strip()
    ready, cells, signers = prepared(content), cells_of(content, request.cells), load_signers(request.log_key)
    text, keys = leaving_text(ready, cells, opens_something), [signer.verifier for signer in signers]
    if text is not None:
        by = load_policy(request.governance).check(Deed.REQUEST_TEXT_EXPORT, by)
    data = disclosure(content.case_id, _opened(ready, cells))
    file = Input(name=request.out.name, sha256=hashlib.sha256(data).hexdigest())
    export = Export(by=by, to=to, why=request.why.strip(), form="disclosure", files=(file,))
    with writing(request.log, signers, patience_s=PATIENCE_S) as writer:
        check_approved(request.log, keys, text, request.approved, to=to, now=now)
        acts = [act(export, concerns=_records(request.log, keys, ready, cells))]
        if request.approved is not None:
            acts.append(act(Export(by=by, to=to, why=export.why, form=TEXT_FORM, files=(file,)), concerns=(request.approved,)))
        recorded = writer.append(acts, at=now)
    create_private(request.out, data)
    return DisclosedCells(path=request.out, sha256=file.sha256, cells=sum(map(len, cells.values())), recorded_in=recorded)


def _opened(case: Prepared, cells: Cells) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for exhibit in case.content.exhibits:
        for place, column in enumerate(exhibit.columns):
            for row in cells.get(f"{exhibit.uid}.{column.name}", ()):
                salt, value = case.made[exhibit.uid].salts[row][place].hex(), exhibit.rows[row][place]
                found.append({"column": column.name, "exhibit": exhibit.uid, "row": row, "salt": salt, "value": value})
    return found


def _records(log: Path, keys: Sequence[Any], case: Prepared, cells: Cells) -> tuple[int, ...]:
    """The records of the exhibits whose cells are opened. SealError where one has none, so that nobody can have its hashes."""
    there = standing(LogReader(log, keys), case)
    uids = sorted({name.split(".", 1)[0] for name in cells})
    if missing := [uid for uid in uids if uid not in there]:
        raise SealError(
            f"{missing[0]} stands in no record of this log as it is now: seal the case first, or name the log that it was sealed with"
        )
    return tuple(there[uid] for uid in uids)
