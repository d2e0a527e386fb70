"""Writes the golden case files: sound ones, and broken ones named by their defect. The same bytes come out whenever it runs.

    python tests/golden/build_cases.py

`cases/expected.json` says of each which verdict it gets, and, where it is refused, at which step and for which defect.
"""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import editing
import making

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.proofs import InclusionProof, parse_inclusion
from stillwatch.sealing.commitments import cell_hash, exhibit_root, row_hash
from stillwatch.sealing.custody import event_hash
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.verification.narrative import marked_texts
from stillwatch.sealing.verification.verifying import STEPS

FOLDER = Path(__file__).parent / "cases"
EXPECTED = "expected.json"
SOUND = ("full", "redacted", "ml-dsa", "printed")
"""Names of the sound ones; `printed` holds a PDF, whose bytes are those of the pinned library."""

BROKEN: dict[str, tuple[str, str, Callable[[Ground], bytes]]] = {}
"""Name to step, defect and how it is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What broken files are made from: sealed for a recipient, with its parts, its log and the case."""

    data: bytes
    log: making.Log

    def opened(self) -> editing.Opened:
        """Its parts, to be changed."""
        return editing.Opened(self.data, making.signers())


def broken(step: str, defect: str) -> Callable[[Callable[[Ground], bytes]], Callable[[Ground], bytes]]:
    """Registers a broken file under the function's name."""

    def register(make: Callable[[Ground], bytes]) -> Callable[[Ground], bytes]:
        BROKEN[make.__name__.strip("_").replace("_", "-")] = (step, defect, make)
        return make

    return register


def small(count: int = 4) -> Any:
    """A case of few rows."""
    rows = making.exchanges(count)
    keep = {
        "N1": str(count),
        "N2": "3",
        "N3": "2922",
        "N4": "0.75",
        "N5": "0.10",
        "N6": "0.13",
        "N7": "1",
        "N8": "1.333",
        "N10": str(count),
    }
    numbers = tuple(making.replace(number, value=keep.get(number.uid, number.value)) for number in making.numbers())
    return making.content(exhibits=(rows, *making.exhibits()[1:]), numbers=numbers)


def short_page(predicate: Mapping[str, Any], _: Any) -> bytes:
    """A narrative of few bytes, so that the broken files are small."""
    words = "".join(f'<p><span id="{uid}">{html.escape(text)}</span></p>\n' for uid, text in marked_texts(predicate))
    return f"<!doctype html>\n<main>\n{words}<p>{' '.join(predicate['limits'])}</p>\n</main>\n".encode()


def ground() -> Ground:
    """The sample that all changes begin with."""
    held = Withholding(exhibits=frozenset({"E3"}))
    data, _, log = making.seal_sample(small(), recipient="acme-labs", withholding=held, render=short_page)
    return Ground(data=data, log=log)


def sound() -> Iterator[tuple[str, bytes]]:
    """The sound files by name."""
    from stillwatch.sealing.printed import narrative_pdf

    held = Withholding(exhibits=frozenset({"E3"}), columns=frozenset({"E1.price"}))
    yield "full", making.seal_sample(small())[0]
    yield "redacted", making.seal_sample(small(), recipient="acme-labs", withholding=held)[0]
    yield "ml-dsa", making.seal_sample(small(), recipient="acme-labs", keys=making.signers(ml_dsa=True))[0]
    yield "printed", making.seal_sample(small(), recipient="acme-labs", render_pdf=narrative_pdf)[0]


# What an outsider does to the archive.


@broken("archive", "truncated")
def truncated(given: Ground) -> bytes:
    return given.data[:-100]


@broken("archive", "truncated")
def cut_in_a_member(given: Ground) -> bytes:
    return given.data[: len(given.data) // 2]


@broken("archive", "trailing-data")
def trailing_data(given: Ground) -> bytes:
    return given.data + b"PK\5\6 and more"


@broken("archive", "member-packed")
def zip_bomb(given: Ground) -> bytes:
    zeros = bytes(10 * 1024 * 1024)
    members = editing.members_of(given.data)
    members[3] = ("narrative.html", zeros, editing.deflated(zeros))
    return editing.raw_archive(members)


@broken("archive", "truncated")
def oversized_member(given: Ground) -> bytes:
    members = editing.members_of(given.data)
    members[3] = (members[3][0], members[3][1], {"size": 2**32 - 2, "packed": 2**32 - 2})
    return editing.raw_archive(members)


@broken("archive", "member-name")
def path_traversal(given: Ground) -> bytes:
    return editing.raw_archive([*editing.members_of(given.data), ("../../etc/cron.d/x", b"* * * * * root true\n", {})])


@broken("archive", "member-name")
def absolute_path(given: Ground) -> bytes:
    return editing.raw_archive([*editing.members_of(given.data), ("/etc/passwd", b"", {})])


@broken("archive", "member-name")
def look_alike_member(given: Ground) -> bytes:
    members = editing.members_of(given.data)
    place = next(number for number, one in enumerate(members) if one[0] == "exhibits/E1.jsonl")
    members[place] = ("exhibits/\u04151.jsonl", members[place][1], {})
    return editing.raw_archive(members)


@broken("archive", "member-twice")
def duplicate_member(given: Ground) -> bytes:
    members = editing.members_of(given.data)
    return editing.raw_archive([*members[:2], ("checkpoint", b"another", {}), *members[2:]])


@broken("archive", "member-link")
def symbolic_link(given: Ground) -> bytes:
    members = editing.members_of(given.data)
    members[2] = ("README.txt", members[2][1], {"mode": 0o120777})
    return editing.raw_archive(members)


@broken("archive", "member-order")
def reordered_members(given: Ground) -> bytes:
    members = editing.members_of(given.data)
    return editing.raw_archive([*members[:2], members[3], members[2], *members[4:]])


@broken("archive", "member-header")
def hidden_extra_field(given: Ground) -> bytes:
    members = editing.members_of(given.data)
    members[2] = (members[2][0], members[2][1], {"extra": b"\x99\x99\x04\x00hide"})
    return editing.raw_archive(members)


@broken("archive", "directory")
def archive_comment(given: Ground) -> bytes:
    return editing.raw_archive(editing.members_of(given.data), comment=b"hidden")


@broken("archive", "member-crc")
def flipped_byte(given: Ground) -> bytes:
    place = given.data.index(b"SEALED CASE")
    return given.data[:place] + b"sealed case" + given.data[place + 11 :]


@broken("archive", "not-a-case")
def not_an_archive(_: Ground) -> bytes:
    return b'{"payload":"","payloadType":"","signatures":[]}'


# What an outsider does to the envelope and the members.


@broken("envelope", "payload-type")
def wrong_payload_type(given: Ground) -> bytes:
    opened = given.opened()
    opened.envelope["payloadType"] = "application/vnd.in-toto+cbor"
    return opened.unsigned()


@broken("envelope", "json-form")
def duplicate_json_key(given: Ground) -> bytes:
    members = editing.members_of(given.data)
    doubled = members[0][1].replace(b'"payloadType":', b'"payloadType":"x","payloadType":', 1)
    return editing.raw_archive([("case.json", doubled, {}), *members[1:]])


@broken("envelope", "envelope-form")
def no_signature(given: Ground) -> bytes:
    opened = given.opened()
    opened.envelope["signatures"] = []
    return opened.unsigned()


@broken("envelope", "envelope-form")
def look_alike_key_name(given: Ground) -> bytes:
    other = making.signers(9, origin="ex\u0430mple.com/evidence")
    opened = given.opened()
    opened.keys = other
    return opened.signed()


@broken("key", "key")
def swapped_key(_: Ground) -> bytes:
    return making.seal_sample(small(), recipient="acme-labs", keys=making.signers(9), render=short_page)[0]


@broken("key", "key")
def similar_key_name(_: Ground) -> bytes:
    keys = making.signers(9, origin="examp1e.com/evidence")
    return making.seal_sample(small(), recipient="acme-labs", keys=keys, render=short_page)[0]


@broken("signature", "signature")
def wrong_signature(given: Ground) -> bytes:
    opened = given.opened()
    line = opened.envelope["signatures"][0]
    line["sig"] = base64.b64encode(base64.b64decode(line["sig"])[::-1]).decode()
    return opened.unsigned()


@broken("signature", "signature")
def altered_claim(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["claims"][0]["certainty"] = "Certain."
    opened.envelope["payload"] = base64.b64encode(canonical_json(opened.statement)).decode()
    return opened.unsigned()


@broken("signature", "signature")
def altered_number_unsigned(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][0]["value"] = "4000"
    opened.envelope["payload"] = base64.b64encode(canonical_json(opened.statement)).decode()
    return opened.unsigned()


@broken("members", "member-changed")
def altered_row_unsigned(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("exhibits/E1.jsonl", b'"value":937', b'"value":938')
    return opened.unsigned()


@broken("members", "member-changed")
def altered_narrative(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("narrative.html", b"It does not show that a model was trained.", b"It shows that a model was trained as well.")
    return opened.unsigned()


@broken("members", "member-missing")
def missing_proof(given: Ground) -> bytes:
    opened = given.opened()
    del opened.members["proofs/E2.tlog-proof"]
    return opened.unsigned()


@broken("members", "member-extra")
def extra_exhibit(given: Ground) -> bytes:
    opened = given.opened()
    opened.members["exhibits/E4.jsonl"] = opened.members["exhibits/E1.jsonl"]
    return opened.unsigned()


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


@broken("numbers", "number")
def altered_number(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][2]["value"] = "412000"
    return opened.signed()


@broken("numbers", "number")
def another_rounding(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][7]["value"] = "1.334"
    return opened.signed()


@broken("numbers", "number-rule")
def sum_of_words(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][2]["column"] = "started_at"
    return opened.signed()


@broken("custody", "custody-link")
def broken_custody_link(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["custody"][0]["who"] = "mallory"
    return opened.signed()


def relinked(events: list[dict[str, Any]]) -> None:
    """State in each event the hash of the one before it."""
    for before, after in itertools.pairwise(events):
        after["previous"] = event_hash(before)


@broken("custody", "custody-hash")
def gap_in_custody(given: Ground) -> bytes:
    opened = given.opened()
    del opened.case["custody"][1]
    relinked(opened.case["custody"])
    return opened.signed()


@broken("custody", "custody-time")
def custody_backwards(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["custody"][1]["at"] = "2026-06-01T00:00:00.000000Z"
    relinked(opened.case["custody"])
    return opened.signed()


@broken("custody", "custody-end")
def custody_of_other_evidence(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["custody"][-1]["after"] = hashlib.sha256(b"other evidence").hexdigest()
    return opened.signed()


@broken("narrative", "narrative")
def narrative_of_another_number(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("narrative.html", b">0.75 of requests<", b">0.95 of requests<")
    return opened.signed()


@broken("narrative", "narrative")
def narrative_with_a_script(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("narrative.html", b"</main>", b"<script>alert(1)</script></main>")
    return opened.signed()


def files() -> Iterator[tuple[str, bytes, Mapping[str, Any]]]:
    """(name, bytes, what is expected) of every golden file."""
    for name, data in sound():
        yield name, data, {"verdict": "verified", "step": None, "defect": None}
    given = ground()
    for name, (step, defect, make) in BROKEN.items():
        yield name, make(given), {"verdict": "refused", "step": STEPS.index(step) + 1, "defect": defect}


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    expected: dict[str, Any] = {"key": making.signers()[0].verifier.text(), "files": {}}
    for name, data, wanted in files():
        (FOLDER / f"{name}.zip").write_bytes(data)
        expected["files"][name] = wanted
    for path in FOLDER.glob("*.zip"):
        if path.stem not in expected["files"]:
            path.unlink()
    (FOLDER / EXPECTED).write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
    total = sum(path.stat().st_size for path in FOLDER.glob("*.zip"))
    print(f"{len(expected['files'])} files, {total:,} bytes")


if __name__ == "__main__":
    main()
