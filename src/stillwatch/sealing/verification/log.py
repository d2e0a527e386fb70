"""The log's part of a sealed file: the checkpoint, and for each exhibit the proof that its record stands in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import Opened, open_checkpoint
from stillwatch.ledger.entries import commitment, parse_entry
from stillwatch.ledger.merkle import check_inclusion, leaf_hash
from stillwatch.ledger.notes import VerifierKey
from stillwatch.ledger.proofs import parse_inclusion
from stillwatch.ledger.refusals import LedgerError, NoteError, ProofError
from stillwatch.sealing.container import CHECKPOINT, exhibit_member
from stillwatch.sealing.refusals import RefusedCaseError

KIND = "case_exhibit"


def record_content(case_id: str, exhibit: Mapping[str, Any]) -> bytes:
    """What the log's record of an exhibit commits to, from the statement: nothing in it depends on the recipient."""
    columns = [{name: column[name] for name in ("identifies", "name", "text", "type")} for column in exhibit["columns"]]
    return canonical_json(
        {
            "case_id": case_id,
            "columns": columns,
            "exhibit": exhibit["uid"],
            "kind": exhibit["kind"],
            "root": exhibit["root"],
            "rows": exhibit["rows"],
        }
    )


def read_checkpoint(note: bytes, keys: Sequence[VerifierKey], log: Mapping[str, Any]) -> Opened:
    """The checkpoint, signed by the keys that signed the statement and of the state that it names; else RefusedCaseError."""
    try:
        opened = open_checkpoint(note, keys, CHECKPOINT)
    except NoteError as error:
        raise RefusedCaseError("checkpoint", CHECKPOINT, expected="a checkpoint that the log's key signed", got=str(error)) from None
    if not all(signature.name.isascii() for signature in opened.note.signatures):
        raise RefusedCaseError("checkpoint", CHECKPOINT, expected="names of ASCII alone", got="another name")
    if set(opened.signed_by) != set(keys):
        raise RefusedCaseError("checkpoint", CHECKPOINT, expected="a line of every key that signed the statement", got="fewer")
    checkpoint = opened.checkpoint
    if checkpoint.extensions:
        raise RefusedCaseError("checkpoint", CHECKPOINT, expected="name, size and root alone", got="further lines")
    got = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
    for name, value in got.items():
        if log[name] != value:
            raise RefusedCaseError("checkpoint-other", f"{CHECKPOINT}: {name}", expected=ascii(log[name])[:80], got=ascii(value)[:80])
    return opened


def check_proof(predicate: Mapping[str, Any], exhibit: Mapping[str, Any], data: bytes, note: bytes, opened: Opened) -> None:
    """Nothing where the exhibit's record stands in the log at the checkpoint and commits to the exhibit; else RefusedCaseError."""
    place = exhibit_member("proofs", exhibit["uid"])
    try:
        proof = parse_inclusion(data, place)
        if proof.note != note:
            raise RefusedCaseError("proof-checkpoint", place, expected="the case's own checkpoint", got="another one")
        if proof.index != exhibit["index"]:
            raise RefusedCaseError("proof-index", place, expected=f"record {exhibit['index']}", got=str(proof.index))
        record = proof.extra or b""
        check_inclusion(leaf_hash(record), proof.index, opened.checkpoint.size, proof.path, opened.checkpoint.root)
    except ProofError as error:
        raise RefusedCaseError("proof", place, expected="a path from the record to the checkpoint's root", got=str(error)) from None
    try:
        entry = parse_entry(record, proof.index)
    except LedgerError as error:
        raise RefusedCaseError("record", place, expected="a record of the log", got=str(error)) from None
    if entry.kind != KIND or entry.concerns or entry.vkeys:
        raise RefusedCaseError("record", place, expected=f"a {KIND} that points to nothing", got=entry.kind)
    found = commitment(bytes.fromhex(exhibit["salt"]), record_content(predicate["case"]["id"], exhibit))
    if found != entry.commitment:
        raise RefusedCaseError("commitment", place, expected=f"the commitment {entry.commitment}", got=found)
