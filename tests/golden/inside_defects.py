"""Golden files as somebody breaks them who holds the keys."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import editing
import making
from grounds import Ground, broken, short_page, small

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import open_checkpoint
from stillwatch.ledger.proofs import InclusionProof, parse_inclusion
from stillwatch.ledger.signing import sign_note
from stillwatch.sealing.commitments import cell_hash, exhibit_root, row_hash

# What somebody does who holds the keys.


@broken("statement", "json-form")
def not_a_number(given: Ground) -> bytes:
    opened = given.opened()
    payload = canonical_json(opened.statement)
    return opened.signed(payload.replace(b'"rows":4,', b'"rows":NaN,', 1))


@broken("statement", "json-form")
def deep_nesting(given: Ground) -> bytes:
    return given.opened().signed(b"[" * 5_000 + b"]" * 5_000)


@broken("statement", "json-form")
def duplicate_key_in_statement(given: Ground) -> bytes:
    opened = given.opened()
    payload = canonical_json(opened.statement)
    return opened.signed(payload.replace(b'"by":"ann"', b'"by":"ann","by":"bob"', 1))


@broken("statement", "predicate-type")
def other_predicate_type(given: Ground) -> bytes:
    opened = given.opened()
    opened.statement["predicateType"] = "https://slsa.dev/provenance/v1"
    return opened.signed()


@broken("statement", "statement-form")
def unknown_field(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["sealed"]["note"] = "read me"
    return opened.signed()


@broken("statement", "statement-form")
def no_ordinary_explanation(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["ordinary"] = []
    return opened.signed()


@broken("statement", "statement-form")
def count_of_no_exhibit(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][0] |= {"exhibit": None, "value": "9999"}
    return opened.signed()


@broken("statement", "statement-form")
def stated_as_if_from_rows(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][0] |= {"rule": "stated", "value": "9999"}
    return opened.signed()


@broken("statement", "statement-form")
def no_exhibit_at_all(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["exhibits"] = []
    return opened.signed()


@broken("statement", "statement-form")
def day_that_there_is_not(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["sealed"]["at"] = "2026-02-30T09:00:00.000000Z"
    return opened.signed()


@broken("statement", "json-form")
def whole_number_as_a_fraction(given: Ground) -> bytes:
    opened = given.opened()
    payload = canonical_json(opened.statement)
    return opened.signed(payload.replace(b'"rows":4,', b'"rows":4.0,', 1))


@broken("statement", "json-form")
def number_beyond_doubles(given: Ground) -> bytes:
    opened = given.opened()
    payload = canonical_json(opened.statement)
    return opened.signed(payload.replace(b'"rows":4,', b'"rows":9007199254740993,', 1))


@broken("statement", "statement-form")
def look_alike_field(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["case"]["ti\u0442le"] = opened.case["case"].pop("title")
    return opened.signed()


@broken("statement", "statement-order")
def reordered_exhibits(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["exhibits"].reverse()
    return opened.signed()


@broken("statement", "reference")
def claim_without_its_exhibit(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["claims"][0]["exhibits"].append("E9")
    return opened.signed()


@broken("statement", "identifier")
def bare_identifiers(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["exhibits"][0]["columns"][1]["shown"] = "value"
    return opened.signed()


@broken("statement", "too-large")
def too_many_rows(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["exhibits"][2]["rows"] = 10**9
    return opened.signed()


@broken("statement", "signers")
def second_signature_taken_away(_: Ground) -> bytes:
    opened = editing.Opened(making.seal_sample(small(), recipient="acme-labs", keys=making.signers(ml_dsa=True), render=short_page)[0], ())
    opened.envelope["signatures"].pop()
    return opened.unsigned()


@broken("members", "member-missing")
def missing_proof_signed(given: Ground) -> bytes:
    opened = given.opened()
    del opened.members["proofs/E2.tlog-proof"]
    return opened.signed()


@broken("members", "member-extra")
def smuggled_file(given: Ground) -> bytes:
    opened = given.opened()
    opened.members["files/E1"] = b"not evidence"
    return opened.signed()


@broken("checkpoint", "checkpoint-other")
def wrong_root(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["log"]["root"] = hashlib.sha256(b"another root").hexdigest()
    return opened.signed()


@broken("checkpoint", "checkpoint")
def forged_checkpoint(given: Ground) -> bytes:
    opened = given.opened()
    opened.members["checkpoint"] = given.log.note_at(len(given.log.entries), making.signers(9))
    return opened.signed()


@broken("checkpoint", "checkpoint")
def checkpoint_with_a_further_line(given: Ground) -> bytes:
    opened = given.opened()
    noted = open_checkpoint(opened.members["checkpoint"], [key.verifier for key in making.signers()], "checkpoint").checkpoint
    opened.members["checkpoint"] = sign_note(replace(noted, extensions=("more",)), making.signers(), time=0).content()
    return opened.signed()


@broken("proofs", "proof-checkpoint")
def replayed_checkpoint(given: Ground) -> bytes:
    opened = given.opened()
    older = given.log.note_at(8, making.signers())
    opened.members["checkpoint"] = older
    opened.case["log"] |= {"size": 8, "root": base64.b64decode(older.split(b"\n")[2]).hex()}
    return opened.signed()


@broken("proofs", "proof")
def older_checkpoint_than_the_exhibit(given: Ground) -> bytes:
    opened = given.opened()
    older = given.log.note_at(5, making.signers())
    opened.members["checkpoint"] = older
    opened.case["log"] |= {"size": 5, "root": base64.b64decode(older.split(b"\n")[2]).hex()}
    for name in [name for name in opened.members if name.startswith("proofs/")]:
        found = parse_inclusion(opened.members[name], name)
        opened.members[name] = InclusionProof(index=found.index, path=found.path[:1], note=older, extra=found.extra).content()
    return opened.signed()


@broken("proofs", "proof")
def index_in_another_form(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("proofs/E1.tlog-proof", b"\nindex ", b"\nindex 0")
    return opened.signed()


@broken("proofs", "commitment")
def exhibit_of_another_case(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["case"]["id"] = "case-2026-0008"
    return opened.signed()


@broken("proofs", "proof")
def forged_path(given: Ground) -> bytes:
    opened = given.opened()
    found = parse_inclusion(opened.members["proofs/E1.tlog-proof"], "E1")
    path = (hashlib.sha256(b"forged").digest(), *found.path[1:])
    opened.members["proofs/E1.tlog-proof"] = InclusionProof(index=found.index, path=path, note=found.note, extra=found.extra).content()
    return opened.signed()


@broken("proofs", "proof-index")
def swapped_proofs(given: Ground) -> bytes:
    opened = given.opened()
    one, two = "proofs/E1.tlog-proof", "proofs/E2.tlog-proof"
    opened.members[one], opened.members[two] = opened.members[two], opened.members[one]
    return opened.signed()


@broken("proofs", "record")
def record_of_another_kind(given: Ground) -> bytes:
    opened = given.opened()
    opened.members["proofs/E1.tlog-proof"] = given.log.proof(1, len(given.log.entries), given.log.note).content()
    opened.case["exhibits"][0]["index"] = 1
    return opened.signed()


@broken("proofs", "commitment")
def row_altered_with_its_root(given: Ground) -> bytes:
    opened = given.opened()
    rows = opened.rows("E1")
    rows[1][3]["value"] = 938
    opened.set_rows("E1", rows)
    names = [column["name"] for column in opened.case["exhibits"][0]["columns"]]
    hashes = [
        row_hash(
            cell_hash(bytes.fromhex(cell["salt"]), "E1", place, name, cell["value"]) if "salt" in cell else bytes.fromhex(cell["hash"])
            for name, cell in zip(names, row, strict=True)
        )
        for place, row in enumerate(rows)
    ]
    opened.case["exhibits"][0]["root"] = exhibit_root(hashes)
    return opened.signed()


@broken("exhibits", "exhibit-root")
def altered_row(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("exhibits/E1.jsonl", b'"value":937', b'"value":938')
    return opened.signed()


@broken("exhibits", "exhibit-root")
def reordered_rows(given: Ground) -> bytes:
    opened = given.opened()
    opened.set_rows("E1", reversed(opened.rows("E1")))
    return opened.signed()


@broken("exhibits", "exhibit-root")
def another_hash_for_a_withheld_cell(given: Ground) -> bytes:
    opened = given.opened()
    rows = opened.rows("E1")
    rows[0][6] = {"hash": hashlib.sha256(b"another").hexdigest()}
    opened.set_rows("E1", rows)
    return opened.signed()


@broken("exhibits", "rows-count")
def row_left_out(given: Ground) -> bytes:
    opened = given.opened()
    opened.set_rows("E1", opened.rows("E1")[:-1])
    return opened.signed()


@broken("exhibits", "json-form")
def duplicate_key_in_a_row(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("exhibits/E1.jsonl", b'"value":937', b'"value":936,"value":937')
    return opened.signed()


@broken("exhibits", "row-form")
def cell_without_salt(given: Ground) -> bytes:
    opened = given.opened()
    rows = opened.rows("E1")
    del rows[0][4]["salt"]
    opened.set_rows("E1", rows)
    return opened.signed()


@broken("exhibits", "file")
def altered_file(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("files/E2", b"0.05", b"0.50")
    return opened.signed()
