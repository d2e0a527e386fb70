"""Text of customers on its way into a case by break glass; text and names on their way out of it with a second person's approval."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch.app.approving import KINDS, Said, asked_words, expiry
from stillwatch.app.casework import Desk
from stillwatch.app.governance import Keeper, recorded
from stillwatch.app.opening import break_glass
from stillwatch.app.state import EXHIBITS, RUN, file_sha256
from stillwatch.cases.box import PlainBox
from stillwatch.cases.claims import NewExhibit
from stillwatch.cases.texts import TEXT_TABLE, check_wanted, text_opened
from stillwatch.cases.words import case_name
from stillwatch.errors import UsageError
from stillwatch.govern.access import said
from stillwatch.govern.approvals import check_export, new_request, requests, text_sha256
from stillwatch.govern.policy import Act
from stillwatch.govern.vault import Vault
from stillwatch.ledger.notes import VerifierKey
from stillwatch.records.cases import CaseContent, CaseExhibit, Column, Identifies
from stillwatch.records.evidence import Input
from stillwatch.records.findings import Finding
from stillwatch.records.governance import ApprovalRequest, TwoPersonAct
from stillwatch.report.codec import to_plain
from stillwatch.sealing.disclosure import Cells, cells_of
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.seal import Prepared, prepared

HOUSE = "the house"
"""Who a file is for that keeps identifiers as they are."""

_COLUMNS = (
    *(("exchange_id", "string"), ("account_id", "string"), ("started_at", "timestamp")),
    *(("shows", "string"), ("prompt", "string"), ("response", "string")),
)
_ROWS = "application/vnd.stillwatch.rows+json"
_DOMAIN = b"stillwatch case text v1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingText:
    """What would leave with a sealed case or a disclosure and takes two people.

    Attributes:
        sha256: over the commitments of its cells, in their places.
        accounts: whose it is.
        columns: that it stands in, such as `E4.prompt`.
    """

    sha256: str
    accounts: tuple[str, ...]
    columns: tuple[str, ...]


def take_in(
    desk: Desk, keeper: Keeper, number: int, source: tuple[Path, Finding], who: Said, *, vault: Vault | None, expected: int | None
) -> dict[str, Any]:
    """Put the text of a finding's exhibits into an open case that claims it; `source` is its result folder and the finding.

    The view stands in the evidence log before the text is read into the case, and the case keeps it encrypted.

    Raises UsageError where the store has no key or the finding shows no exchange, CaseStateError where the case does not claim the finding
    or holds its text, and what `opening.break_glass` raises.
    """
    folder, finding = source
    if desk.store.box.name == PlainBox.name:
        raise UsageError("text is kept in a case encrypted only: set STILLWATCH_VAULT_KEY to the key that the case store is to use")
    if not finding.exhibits:
        raise UsageError(f"finding {finding.uid[:80]} shows no exchange, so there is no text of it to open")
    acting = desk.acting(keeper.policy.check(Act.OPEN_TEXT, who.by), expected=expected)
    check_wanted(desk.store, number, acting, finding.uid)
    opened, view = break_glass(keeper, folder, finding, who, case=case_name(number), vault=vault)
    exhibit = _exhibit(folder, opened, view)
    act, made = text_opened(desk.store, number, acting, exhibit, finding=finding.uid, view=view, why=who.why)
    desk.settle()
    return {"act": act, "exhibit": made, "rows": len(opened.exhibits), "viewed_in": view}


def _exhibit(folder: Path, finding: Finding, view: int) -> NewExhibit:
    rows = [[to_plain(getattr(exhibit, name)) for name, _ in _COLUMNS] for exhibit in finding.exhibits]
    held = {"table": TEXT_TABLE, "columns": [{"name": name, "type": kind} for name, kind in _COLUMNS], "rows": rows}
    return NewExhibit(
        kind="rows",
        label=f"Text of {len(rows)} exchanges",
        media_type=_ROWS,
        content=json.dumps(held, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode(),
        private=True,
        rows=len(rows),
        facts={
            "table": TEXT_TABLE,
            "file": EXHIBITS,
            "sha256": file_sha256(folder / EXHIBITS),
            "run_sha256": file_sha256(folder / RUN),
            "finding": finding.uid,
            "view": view,
        },
    )


def shown_cells(case: Prepared, withholding: Withholding) -> Cells:
    """The cells that would leave with a sealed case."""
    found: dict[str, Sequence[int]] = {}
    for exhibit in case.content.exhibits:
        if exhibit.uid not in withholding.exhibits:
            hidden = withholding.of(exhibit)
            names = (column.name for column in exhibit.columns if column.name not in hidden)
            found |= {f"{exhibit.uid}.{name}": range(len(exhibit.rows)) for name in names}
    return found


def holds_text(column: Column) -> bool:
    """What takes two people in a sealed case: text of customers. Names leave it as pseudonyms."""
    return column.text


def opens_something(column: Column) -> bool:
    """What takes two people in a disclosure: text of customers, and names as they are."""
    return column.text or column.identifies is not None


def leaving_text(case: Prepared, cells: Cells, takes_two: Callable[[Column], bool]) -> LeavingText | None:
    """What takes two people among cells that would leave; None: there is none."""
    digest, accounts, columns = hashlib.sha256(_DOMAIN + case.content.case_id.encode() + b"\0"), set[str](), list[str]()
    for exhibit in case.content.exhibits:
        for place, column in enumerate(exhibit.columns):
            rows = cells.get(name := f"{exhibit.uid}.{column.name}")
            if rows is None or not takes_two(column):
                continue
            columns.append(name if len(rows) == len(exhibit.rows) else f"{name}:{','.join(str(row + 1) for row in rows)}")
            # a cell's commitment fixes exhibit, row, column and value, so that their order is all that is left to fix
            digest.update(b"".join(case.made[exhibit.uid].cells[row][place] for row in rows))
            accounts |= set(_accounts(exhibit, rows, case.content))
    return LeavingText(sha256=digest.hexdigest(), accounts=tuple(sorted(accounts)), columns=tuple(columns)) if columns else None


def _accounts(exhibit: CaseExhibit, rows: Sequence[int], content: CaseContent) -> Iterator[str]:
    """Whose rows of an exhibit are: the accounts that they name, or all of the case where they name none."""
    places = [place for place, column in enumerate(exhibit.columns) if column.identifies is Identifies.ACCOUNT]
    named = {str(exhibit.rows[row][place]) for place in places for row in rows if exhibit.rows[row][place] is not None}
    yield from named or {member.account_id for member in content.members}


def request_leaving(keeper: Keeper, content: CaseContent, columns: Sequence[str], who: Said, *, to: str, case: str) -> dict[str, Any]:
    """Ask that columns of text or of names, or rows of them, may leave; it is bound to these cells, their accounts and the recipient.

    Raises UsageError for columns that hold neither, SealError for unknown ones, and what the policy raises.
    """
    cells, guarded = cells_of(content, columns), _guarded_columns(content)
    if plain := sorted(set(cells) - guarded):
        raise UsageError(f"{plain[0]} holds no text of customers and names nobody, which is all that takes two people; leave it out")
    text = leaving_text(prepared(content), cells, opens_something)
    if text is None:
        raise UsageError("no column was named; name those that are to leave with --show")
    recipient = said(to, "--recipient")
    asked = ApprovalRequest(
        act=TwoPersonAct.EXPORT_TEXT,
        by=keeper.policy.check(Act.REQUEST_TEXT_EXPORT, who.by),
        why=said(who.why, "the reason"),
        subject_sha256=text_sha256(text.sha256, text.accounts, recipient),
        accounts=text.accounts,
        to=recipient,
        file=Input(name=f"{case}: {', '.join(text.columns)}", sha256=text.sha256),
        expires_at=expiry(keeper),
        case=case,
    )
    with keeper.writing() as writer:
        index = keeper.append(writer, new_request(keeper.policy, asked))
    return asked_words(index, asked) | {"to": recipient, "columns": list(text.columns)}


def _guarded_columns(content: CaseContent) -> set[str]:
    return {f"{exhibit.uid}.{column.name}" for exhibit in content.exhibits for column in exhibit.columns if opens_something(column)}


def check_approved(
    folder: Path, keys: Sequence[VerifierKey], text: LeavingText | None, approved: int | None, *, to: str, now: datetime
) -> None:
    """Nothing where nothing leaves that takes two people, or one approved exactly this for this recipient and it has not left yet.

    Raises UsageError where a request is named and nothing needs it, or something needs it and none is named; else ApprovalError.
    """
    if text is None:
        if approved is not None:
            raise UsageError(
                "--approved names a request, and nothing would leave that takes two people; leave it out, or name columns of text"
            )
        return
    if approved is None:
        raise UsageError(
            f"{', '.join(text.columns)} would leave, which takes two people: ask with `stillwatch case request-text`, and give the request "
            "that another person approved with --approved"
        )
    standing = requests(recorded(folder, keys, KINDS), now)
    check_export(standing.get(approved), approved, file_sha256=text.sha256, accounts=text.accounts, to=to)
