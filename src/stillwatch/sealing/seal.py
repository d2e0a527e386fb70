"""A case made into the one file that a recipient is given. Pure: keys, time, names and the log's proofs are brought along."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import open_checkpoint
from stillwatch.ledger.entries import time_text
from stillwatch.ledger.proofs import InclusionProof
from stillwatch.ledger.signing import NoteSigner
from stillwatch.records.cases import CaseContent, CaseExhibit, Disposition, ExhibitKind
from stillwatch.sealing.checking import check_content, number_json
from stillwatch.sealing.commitments import evidence_digest, evidence_hash
from stillwatch.sealing.container import CHECKPOINT, ENVELOPE, NARRATIVE, PRINTED, README, exhibit_member, pack, rank
from stillwatch.sealing.custody import SEALED, chained, event_hash
from stillwatch.sealing.envelope import signed
from stillwatch.sealing.exhibits import Committed, column_json, committed, lines
from stillwatch.sealing.narrative import Tables
from stillwatch.sealing.readme import README_TEXT
from stillwatch.sealing.recipients import Reading, Withholding, check_cells, check_file
from stillwatch.sealing.refusals import SealError
from stillwatch.sealing.schema import PREDICATE_TYPE, STATEMENT_TYPE, problems, schema
from stillwatch.sealing.verification.log import record_content
from stillwatch.sealing.verification.rows import read_rows
from stillwatch.share.naming import Names

Render = Callable[[Mapping[str, Any], Tables], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case whose exhibits are committed to, before they are in the log.

    Attributes:
        content: the case, seen to be sound.
        made: commitments of each exhibit, by uid.
        records: canonical content of each exhibit's record in the log, by uid; the same for every recipient.
    """

    content: CaseContent
    made: Mapping[str, Committed]
    records: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """An exhibit's record in the log: the salt of its commitment, and the proof of its place, with the record's bytes as extra."""

    salt: bytes
    proof: InclusionProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How a case is sealed.

    Attributes:
        at: UTC.
        by: who seals, by the name that the recipient may read.
        recipient: for whom; None: for use within the house.
        why: in words; custody says so.
        version: of the program.
        withholding: what does not leave.
    """

    at: datetime
    by: str
    recipient: str | None
    why: str
    version: str
    withholding: Withholding


def prepared(content: CaseContent) -> Prepared:
    """The case, checked, with its commitments. Raises SealError where it contradicts itself."""
    check_content(content)
    made = {exhibit.uid: committed(exhibit, content.salt_key) for exhibit in content.exhibits}
    records = {exhibit.uid: record_content(content.case_id, _logged_form(exhibit, made[exhibit.uid])) for exhibit in content.exhibits}
    return Prepared(content=content, made=made, records=records)


def sealed(
    case: Prepared,
    how: Sealing,
    names: Names,
    logged: Mapping[str, Logged],
    signers: Sequence[NoteSigner],
    render: Render,
    render_pdf: Render | None = None,
) -> bytes:
    """The file.

    Args:
        case: what is sealed.
        how: by whom, for whom, and what is withheld.
        names: the recipient's pseudonyms.
        logged: each exhibit's record in the log, by uid; every proof ends with the same checkpoint.
        signers: the log's keys.
        render: the narrative's page, of a predicate and of what is seen of its exhibits.
        render_pdf: the printed narrative of the same; None: none.

    Raises SealError where something would leave that must not, or the proofs do not belong to the case.
    """
    reading = leaving(case, how, names)
    note = _one_note(case, logged)
    predicate = _predicate(case, how, reading, logged, note, signers)
    members = _evidence(case, how, reading, logged) | {CHECKPOINT: note, README: README_TEXT.encode()}
    seen = {
        exhibit["uid"]: read_rows(exhibit, members[exhibit_member("exhibits", exhibit["uid"])])
        for exhibit in predicate["exhibits"]
        if not exhibit["withheld"]
    }
    members |= {NARRATIVE: render(predicate, seen)} | ({PRINTED: render_pdf(predicate, seen)} if render_pdf else {})
    subjects = [{"name": name, "digest": {"sha256": hashlib.sha256(members[name]).hexdigest()}} for name in sorted(members, key=rank)]
    statement = {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": PREDICATE_TYPE, "predicate": predicate}
    for place, expected, got in problems(statement, schema()):
        raise SealError(f"the case cannot be sealed: {place} takes {expected}, and would be {got}; shorten or mend it")
    return pack(members | {ENVELOPE: signed(canonical_json(statement), signers)})


def leaving(case: Prepared, how: Sealing, names: Names) -> Reading:
    """What the recipient reads, once it is seen that nothing leaves that must not; so it can be asked before anything is recorded.

    Raises SealError for what is withheld and not there, for custody from the future, and where a cell or a file that leaves as it is names
    somebody.
    """
    how.withholding.check(case.content)
    reading = Reading(case.content, names)
    if reading.in_house != (how.recipient is None):
        raise SealError("identifiers stay as they are within the house alone; give the recipient's pseudonyms, or no recipient")
    last = case.content.custody[-1].at if case.content.custody else how.at
    if last > how.at:
        raise SealError(
            f"the last event of custody is of {time_text(last)}, and it is {time_text(how.at)}; set the clock, or mend the event"
        )
    for exhibit in case.content.exhibits:
        if exhibit.uid not in how.withholding.exhibits:
            check_cells(exhibit, how.withholding.of(exhibit), reading)
            if exhibit.uid not in how.withholding.files:
                check_file(exhibit, reading)
    return reading


def _one_note(case: Prepared, logged: Mapping[str, Logged]) -> bytes:
    """The checkpoint that all proofs end with."""
    notes = {logged[exhibit.uid].proof.note for exhibit in case.content.exhibits}
    if len(notes) != 1:
        raise SealError(f"the proofs end with {len(notes)} checkpoints, and one was expected; a case needs an exhibit, prove them together")
    return notes.pop()


def _predicate(
    case: Prepared, how: Sealing, reading: Reading, logged: Mapping[str, Logged], note: bytes, signers: Sequence[NoteSigner]
) -> dict[str, Any]:
    content = case.content
    checkpoint = open_checkpoint(note, [signer.verifier for signer in signers], CHECKPOINT).checkpoint
    log = {"origin": checkpoint.origin, "root": checkpoint.root.hex(), "size": checkpoint.size}
    return _made_with(content, reading) | {
        "case": {
            "id": content.case_id,
            "opened_at": time_text(content.opened_at),
            "summary": reading.text(content.summary),
            "title": reading.line(content.title),
        },
        "claims": [_claim(claim, reading) for claim in content.claims],
        "custody": _custody(case, how, reading),
        "dispositions": [_disposition(found, reading) for found in content.dispositions],
        "exhibits": [_exhibit(exhibit, case, how, reading, logged[exhibit.uid]) for exhibit in content.exhibits],
        "limits": [reading.text(limit) for limit in content.limits],
        "log": log | {"keys": [signer.verifier.text() for signer in signers]},
        "members": [
            {"account": reading.line(member.account_id), "group": None if member.group_id is None else reading.line(member.group_id)}
            for member in content.members
        ],
        "numbers": [_number(number_json(number), content, reading) for number in content.numbers],
        "ordinary": [{"text": reading.text(found.text), "weighed": reading.text(found.weighed)} for found in content.ordinary],
        "sealed": {"at": time_text(how.at), "by": reading.line(how.by, 180), "recipient": how.recipient, "version": how.version},
    }


def _made_with(content: CaseContent, reading: Reading) -> dict[str, Any]:
    """Versions, settings, seeds and inputs."""
    named: dict[str, Any] = {
        name: [{"name": reading.line(item.name, 180), "value": reading.text(item.value)} for item in getattr(content, name)]
        for name in ("versions", "settings", "seeds")
    }
    inputs = [{"name": reading.line(found.name, 1800), "rows": found.rows, "sha256": found.sha256} for found in content.inputs]
    return named | {"inputs": inputs}


def _disposition(found: Disposition, reading: Reading) -> dict[str, Any]:
    return {
        "at": time_text(found.at),
        "by": reading.line(found.by, 180),
        "outcome": found.outcome,
        "reason": reading.line(found.reason, 180),
        "words": reading.text(found.words),
    }


def _claim(claim: Any, reading: Reading) -> dict[str, Any]:
    return {
        "about": reading.line(claim.about),
        "certainty": reading.text(claim.certainty),
        "exhibits": list(claim.exhibits),
        "numbers": list(claim.numbers),
        "source": reading.line(claim.source),
        "text": reading.text(claim.text),
        "uid": claim.uid,
    }


def _number(number: dict[str, Any], content: CaseContent, reading: Reading) -> dict[str, Any]:
    columns = {
        column.name: column.identifies for exhibit in content.exhibits if exhibit.uid == number["exhibit"] for column in exhibit.columns
    }
    where: list[dict[str, Any]] = []
    for condition in number["where"]:
        kind = columns.get(condition["column"])
        aliased = kind is not None and not reading.in_house and condition["equals"] is not None
        where.append(condition | ({"equals": reading.alias(kind, str(condition["equals"]))} if aliased and kind else {}))
    texts = {"how": reading.text(number["how"]), "label": reading.line(number["label"]), "unit": reading.line(number["unit"], 40)}
    return number | texts | {"where": where}


def _exhibit(exhibit: CaseExhibit, case: Prepared, how: Sealing, reading: Reading, logged: Logged) -> dict[str, Any]:
    withheld = how.withholding.of(exhibit)
    columns = [
        column_json(column)
        | {"shown": "hash" if column.name in withheld else "alias" if column.identifies is not None and not reading.in_house else "value"}
        for column in exhibit.columns
    ]
    return _logged_form(exhibit, case.made[exhibit.uid]) | {
        "columns": columns,
        "index": logged.proof.index,
        "origin": reading.text(exhibit.origin),
        "salt": logged.salt.hex(),
        "shows": reading.text(exhibit.shows),
        "title": reading.line(exhibit.title),
        "withheld": exhibit.uid in how.withholding.exhibits,
    }


def _logged_form(exhibit: CaseExhibit, made: Committed) -> dict[str, Any]:
    return {
        "columns": [column_json(column) for column in exhibit.columns],
        "kind": exhibit.kind.value,
        "root": made.root,
        "rows": len(exhibit.rows),
        "uid": exhibit.uid,
    }


def _custody(case: Prepared, how: Sealing, reading: Reading) -> list[dict[str, Any]]:
    """The events as the recipient reads them, and the sealing as the last one."""
    chained(case.content.custody)
    linked: list[dict[str, Any]] = []
    events = [(event.action, event.after, time_text(event.at), event.before, event.who, event.why) for event in case.content.custody]
    before = evidence_digest(case.content.salt_key, case.content.exhibits) if events else None
    after = evidence_hash([case.made[exhibit.uid].root for exhibit in case.content.exhibits])
    events.append((SEALED, after, time_text(how.at), before, how.by, how.why))
    for action, after, at, before, who, why in events:
        event = {"action": reading.line(action, 180), "after": after, "at": at, "before": before, "who": reading.line(who, 180)}
        linked.append(event | {"previous": event_hash(linked[-1]) if linked else None, "why": reading.text(why)})
    return linked


def _evidence(case: Prepared, how: Sealing, reading: Reading, logged: Mapping[str, Logged]) -> dict[str, bytes]:
    """Members of exhibits, files and proofs."""
    members: dict[str, bytes] = {}
    for exhibit in case.content.exhibits:
        uid, withheld = exhibit.uid, how.withholding.of(exhibit)
        members[exhibit_member("proofs", uid)] = logged[uid].proof.content()
        if uid in how.withholding.exhibits:
            continue
        alias = None if reading.in_house else reading.alias
        members[exhibit_member("exhibits", uid)] = lines(exhibit, case.made[uid], withheld, alias)
        kept = exhibit.kind is ExhibitKind.FILE and exhibit.data is not None and "sha256" not in withheld and "bytes" not in withheld
        if kept and uid not in how.withholding.files:
            members[exhibit_member("files", uid)] = exhibit.data or b""
    return members
