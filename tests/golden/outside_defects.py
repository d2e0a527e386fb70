"""Golden files as an outsider breaks them, who holds no key."""

from __future__ import annotations

import base64

import editing
import making
from grounds import Ground, broken, short_page, small

from stillwatch.ledger.canonical import canonical_json

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
    opened.members["exhibits/E5.jsonl"] = opened.members["exhibits/E1.jsonl"]
    return opened.unsigned()
