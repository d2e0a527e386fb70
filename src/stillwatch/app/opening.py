"""The text of exhibits: kept apart from findings, private and encrypted where there is a key, and opened for a case alone."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stillwatch.app.approving import KINDS, Said, asked_words, expiry
from stillwatch.app.governance import Keeper, recorded
from stillwatch.app.private_files import create_private
from stillwatch.app.sealed_lines import START, plain_lines, seal_line, stored_line
from stillwatch.app.state import EXHIBITS
from stillwatch.errors import SchemaError, UnreadableInputError, naming
from stillwatch.govern.access import opened_finding, opening, said
from stillwatch.govern.approvals import TEXT_FORM, check_export, new_request, requests, text_sha256
from stillwatch.govern.policy import Act
from stillwatch.govern.vault import Vault
from stillwatch.ledger.canonical import canonical_json
from stillwatch.records.evidence import Export, Input
from stillwatch.records.findings import Exhibit, Finding
from stillwatch.records.governance import ApprovalRequest, TwoPersonAct
from stillwatch.report.codec import from_plain, to_plain

TEXT_FORMAT = "stillwatch-text-1"


def write_exhibits(out: Path, findings: Iterable[Finding], vault: Vault | None) -> None:
    """The text of every finding's exhibits in a private file, a line each, sealed where there is a vault."""
    path = out / EXHIBITS
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    previous = START
    with naming(path), os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for finding in findings:
            for exhibit in finding.exhibits:
                plain = _encoded(finding.uid, exhibit)
                line = plain if vault is None else seal_line(plain, previous, vault)
                file.write(line + b"\n")
                previous = stored_line(line).digest
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _encoded(uid: str, exhibit: Exhibit) -> bytes:
    """A line without its end; with a salt, so that the digest that stays of an erased one confirms no guessed text."""
    return json.dumps({"uid": uid, "exhibit": to_plain(exhibit), "salt": secrets.token_hex(16)}, ensure_ascii=True).encode()


def exhibit_texts(folder: Path, uid: str, vault: Vault | None) -> tuple[Exhibit, ...]:
    """The exhibits of a finding with their text.

    Raises UnreadableInputError where they are not kept (any longer), VaultError where they are sealed and the key is not given.
    """
    path = folder / EXHIBITS
    if not path.exists():
        raise UnreadableInputError(f"{path} is not there: the text was not kept, or its time is over; scan the log again where it still is")
    found: list[Exhibit] = []
    for number, plain in plain_lines(path, vault):
        try:
            line: Any = json.loads(plain)
            if line["uid"] == uid:
                found.append(from_plain(Exhibit, line["exhibit"]))
        except (ValueError, LookupError, TypeError, SchemaError):
            raise UnreadableInputError(f"{path}, line {number}, holds no exhibit; scan the log again") from None
    return tuple(found)


def break_glass(keeper: Keeper, folder: Path, finding: Finding, who: Said, *, case: str, vault: Vault | None) -> tuple[Finding, int]:
    """The finding with the text of its exhibits, and the record that says who opened it; the record stands before the text is given.

    Raises DeniedError and PersonError as the policy does, GovernanceError for a case or reason that says nothing.
    """
    texts = exhibit_texts(folder, finding.uid, vault)
    view = opening(
        keeper.policy, by=who.by, case=case, why=who.why, what=f"the text of {len(texts)} exhibits of finding {finding.uid}", exhibits=texts
    )
    with keeper.writing() as writer:
        index = keeper.append(writer, view)
    return opened_finding(finding, texts), index


def request_text(
    keeper: Keeper, folder: Path, finding: Finding, who: Said, *, to: str, case: str | None, vault: Vault | None
) -> dict[str, Any]:
    """Ask for the export of the text of a finding's exhibits to somebody; it is bound to the bytes that would leave."""
    text, accounts = _text(folder, finding, vault)
    recipient = said(to, "--to")
    digest = hashlib.sha256(text.encode()).hexdigest()
    asked = ApprovalRequest(
        act=TwoPersonAct.EXPORT_TEXT,
        by=keeper.policy.check(Act.REQUEST_TEXT_EXPORT, who.by),
        why=said(who.why, "the reason"),
        subject_sha256=text_sha256(digest, accounts, recipient),
        accounts=accounts,
        to=recipient,
        file=Input(name=f"{finding.uid}.json", sha256=digest),
        expires_at=expiry(keeper),
        case=case,
    )
    with keeper.writing() as writer:
        index = keeper.append(writer, new_request(keeper.policy, asked))
    return asked_words(index, asked) | {"to": recipient}


def export_text(keeper: Keeper, index: int, folder: Path, finding: Finding, out: Path, *, by: str, vault: Vault | None) -> dict[str, Any]:
    """Write the text that a request was approved for into a new private file; that it left is recorded first, and it leaves once.

    Raises ApprovalError where the request does not stand approved, or the text, its accounts or the recipient are others by now.
    """
    text, accounts = _text(folder, finding, vault)
    by = keeper.policy.check(Act.REQUEST_TEXT_EXPORT, by)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with keeper.writing() as writer:
        request = requests(recorded(keeper.folder, keeper.keys, KINDS), keeper.clock()).get(index)
        to = (request.asked.to if request else None) or ""
        asked = check_export(request, index, file_sha256=digest, accounts=accounts, to=to)
        create_private(out, "")
        handed = (Input(name=out.name, sha256=digest),)
        record = Export(by=by, to=to, why=asked.why, form=TEXT_FORM, files=handed)
        written = keeper.append(writer, record, concerns=(index,))
        with naming(out), out.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    return {"file": str(out), "sha256": digest, "to": to, "recorded_in": written}


def _text(folder: Path, finding: Finding, vault: Vault | None) -> tuple[str, tuple[str, ...]]:
    """What would leave, and whose text it is. The same text gives the same bytes."""
    texts: Sequence[Exhibit] = exhibit_texts(folder, finding.uid, vault)
    if not texts:
        raise UnreadableInputError(f"finding {finding.uid} has no exhibits, so there is no text of it to export")
    content = {"format": TEXT_FORMAT, "finding": finding.uid, "exhibits": [to_plain(exhibit) for exhibit in texts]}
    return canonical_json(content).decode() + "\n", tuple(sorted({exhibit.account_id for exhibit in texts}))
