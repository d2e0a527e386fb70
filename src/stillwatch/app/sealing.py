"""A case sealed: exhibits recorded in the evidence log, the file made, checked as a stranger would, recorded as handed over, written."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch import __version__
from stillwatch.app.case_texts import HOUSE, check_approved, holds_text, leaving_text, shown_cells
from stillwatch.app.governance import load_policy
from stillwatch.app.log_keys import load_signers
from stillwatch.app.marking import load_master
from stillwatch.app.private_files import create_private
from stillwatch.app.recording import PATIENCE_S, act, log_box, writing
from stillwatch.errors import MissingExtraError, OutputError, UsageError
from stillwatch.govern.approvals import TEXT_FORM
from stillwatch.govern.policy import Act as Deed
from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.merkle import inclusion_path
from stillwatch.ledger.proofs import InclusionProof
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.signing import NoteSigner
from stillwatch.records.cases import CaseContent, CaseExhibitMade
from stillwatch.records.evidence import Export, Input, content_of, record_of
from stillwatch.sealing.narrative import narrative_page
from stillwatch.sealing.printed import narrative_pdf
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.refusals import SealError
from stillwatch.sealing.seal import Logged, Prepared, Sealing, leaving, prepared, sealed
from stillwatch.sealing.verification.log import KIND
from stillwatch.sealing.verification.verifying import VERIFIED, verify_case
from stillwatch.share.naming import Identifiers, Names, pseudonyms_for


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRequest:
    """How a case is to be sealed.

    Attributes:
        log, log_key: evidence log that its exhibits stand in, and its private key; None: the variable STILLWATCH_LOG_KEY.
        out: new file.
        by, why: who seals and what for, as the recipient may read it.
        recipient: for whom; None: for use within the house, with identifiers as they are.
        key: master secret that pseudonyms are derived from; None: the variable STILLWATCH_MASTER_KEY.
        withholding: what does not leave.
        printed: whether the narrative is there as a PDF as well.
        approved: record of the request that lets text of customers leave; None: none leaves.
        governance: the governance file that is asked then; None: the variable STILLWATCH_GOVERNANCE.
    """

    log: Path
    log_key: Path | None
    out: Path
    by: str
    why: str
    recipient: str | None
    key: Path | None
    withholding: Withholding
    printed: bool
    approved: int | None = None
    governance: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCase:
    """A file that was written: where, for whom and what for, its sha256 and bytes, the verifier key to check it with, the index of its
    export in the log, and what became of each number."""

    path: Path
    recipient: str
    why: str
    sha256: str
    size: int
    vkey: str
    recorded_in: int
    numbers: dict[str, str]


def withholding_of(withhold: list[str], show: list[str]) -> Withholding:
    """From arguments: `E3` withholds an exhibit, `E1.prompt` a column, `E2.file` a file's bytes; shown are columns of text."""
    for text in (*withhold, *show):
        if not text.startswith("E"):
            raise UsageError(f"--withhold and --show take exhibits and columns, such as E3, E1.prompt or E2.file; {text[:60]!a} is neither")
    files = {text.removesuffix(".file") for text in withhold if text.endswith(".file")}
    columns = {text for text in withhold if "." in text and not text.endswith(".file")}
    exhibits = {text for text in withhold if "." not in text}
    return Withholding(exhibits=frozenset(exhibits), columns=frozenset(columns), files=frozenset(files), shown=frozenset(show))


def seal_case(content: CaseContent, request: SealRequest, *, now: datetime) -> SealedCase:
    """Seal a case into a new file with mode 0600.

    Its exhibits are recorded in the log, unless they stand there from an earlier sealing. That the file is handed over is recorded before
    it is written, and it is verified before that.

    Raises SealError where the case contradicts itself or something would leave that must not, UsageError for a recipient without a name,
    OutputError where the file is there already. Text of customers leaves only by a request that another person approved, and once: else
    ApprovalError, and DeniedError where the policy does not let `by` ask for that.
    """
    names = _names(request)
    _check(request)
    ready = prepared(content)
    by, why, whom = request.by.strip(), request.why.strip(), request.recipient and request.recipient.strip()
    how = Sealing(at=now, by=by, recipient=whom, why=why, version=__version__, withholding=request.withholding)
    leaving(ready, how, names)
    signers = load_signers(request.log_key)
    _check_text(request, ready, signers, to=whom or HOUSE, now=now)
    logged = _recorded(request.log, signers, ready, now)
    data = sealed(ready, how, names, logged, signers, narrative_page, narrative_pdf if request.printed else None)
    found = verify_case(data, [signer.verifier for signer in signers])
    if found.verdict != VERIFIED:
        raise SealError(
            f"the sealed case does not verify ({found.failure}); nothing was written: this is a mistake of the program, report it"
        )
    export = _handed(request, how, ready, [one.proof.index for one in logged.values()], data, signers)
    return SealedCase(
        path=request.out,
        recipient=whom or HOUSE,
        why=why,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        vkey=signers[0].verifier.text(),
        recorded_in=export,
        numbers=found.numbers,
    )


def _handed(
    request: SealRequest, how: Sealing, case: Prepared, concerns: Sequence[int], data: bytes, signers: tuple[NoteSigner, ...]
) -> int:
    """Record that the file is handed over, and write it; index of the record. What was approved is used up by that."""
    to = how.recipient or HOUSE
    file = Input(name=request.out.name, sha256=hashlib.sha256(data).hexdigest())
    export = Export(by=how.by, to=to, why=how.why, form="case", files=(file,))
    acts = [act(export, concerns=tuple(concerns))]
    if request.approved is not None:
        acts.append(act(replace(export, form=TEXT_FORM), concerns=(request.approved,)))
    with writing(request.log, signers, patience_s=PATIENCE_S) as writer:
        _check_text(request, case, signers, to=to, now=how.at)  # somebody else may have used the approval up since
        recorded = writer.append(acts, at=how.at)
    create_private(request.out, data)
    return recorded


def _check_text(request: SealRequest, case: Prepared, signers: tuple[NoteSigner, ...], *, to: str, now: datetime) -> None:
    """Nothing where no text of customers leaves, or two people agreed that this one does."""
    text = leaving_text(case, shown_cells(case, request.withholding), holds_text)
    check_approved(request.log, [signer.verifier for signer in signers], text, request.approved, to=to, now=now)
    if text is not None:
        load_policy(request.governance).check(Deed.REQUEST_TEXT_EXPORT, request.by)


def _check(request: SealRequest) -> None:
    """Everything that can be seen before anything is recorded."""
    if not request.by.strip() or not request.why.strip():
        raise UsageError("--by and --why take words; the log and the recipient read them")
    if request.printed and importlib.util.find_spec("reportlab") is None:
        raise MissingExtraError("reportlab", extra="cases")
    if request.out.exists():
        raise OutputError(f"{request.out} is there already and is never overwritten; name another file")


def _names(request: SealRequest) -> Names:
    return Identifiers() if request.recipient is None else pseudonyms_for(load_master(request.key), request.recipient)


def _recorded(folder: Path, signers: tuple[NoteSigner, ...], case: Prepared, now: datetime) -> Mapping[str, Logged]:
    """Each exhibit's record in the log with its proof; those that are not there yet are appended, all in one batch."""
    with writing(folder, signers, patience_s=PATIENCE_S) as writer:
        there = standing(LogReader(folder, [signer.verifier for signer in signers]), case)
        missing = [uid for uid in case.records if uid not in there]
        if missing:
            first = writer.append([act(_record(case, uid)) for uid in missing], at=now)
            there |= {uid: first + place for place, uid in enumerate(missing)}
        reader = LogReader(folder, [signer.verifier for signer in signers])
    with reader.contents(log_box()) as contents:
        salts = {uid: salt for uid, index in there.items() for _, salt, _ in contents.openings(index, index + 1)}
    return {uid: Logged(salt=salts[uid], proof=_proof(reader, there[uid])) for uid in case.records}


def _record(case: Prepared, uid: str) -> CaseExhibitMade:
    """The record of an exhibit, seen to give the very bytes that its proof will be checked against."""
    from stillwatch.ledger.canonical import read_canonical

    record = record_of(CaseExhibitMade, read_canonical(case.records[uid]), uid)
    if canonical_json(content_of(record)) != case.records[uid]:
        raise SealError(f"the record of {uid} is not the one that a verifier expects; this is a mistake of the program, report it")
    return record


def standing(reader: LogReader, case: Prepared) -> dict[str, int]:
    """Exhibits whose record stands in the log with its content, and where."""
    wanted = {content: uid for uid, content in case.records.items()}
    found: dict[str, int] = {}
    with reader.contents(log_box()) as contents:
        for index, entry in reader.entries((KIND,)):
            if entry.kind != KIND:
                continue
            for _, _, content in contents.openings(index, index + 1):
                if content in wanted:
                    found[wanted[content]] = index
    return found


def _proof(reader: LogReader, index: int) -> InclusionProof:
    path = tuple(inclusion_path(index, reader.size, reader.nodes))
    return InclusionProof(index=index, path=path, note=reader.note, extra=reader.record(index))


def seal_json(made: SealedCase) -> dict[str, Any]:
    """What was written, for machines."""
    return {
        "file": str(made.path),
        "sha256": made.sha256,
        "bytes": made.size,
        "vkey": made.vkey,
        "recorded_in": made.recorded_in,
        "numbers": made.numbers,
    }
