#!/usr/bin/env python3
"""Verify a sealed case without the program that made it: python3 verify_case.py CASE [--key VERIFIER_KEY] [--json]

VERIFIER_KEY is the evidence log's line NAME+ID+KEY, or a file that holds it. Get it from somebody whom you trust, and not from the
case. Without it you learn that the file agrees with itself, and not who sealed it ("unknown signer"). Exit status: 0 every step
passed, 1 the file is refused, 2 wrong usage.

This needs Python 3.10 and, for signatures, the package `cryptography`. It reads one file, opens no connection, starts nothing and unpacks
nothing. It shares no code with Stillwatch; docs/reference/sealed-case.md describes the format. The twelve steps stand
in their order, and each relies on those before it.
"""

import argparse
import base64
import functools
import hashlib
import html
import json
import re
import struct
import sys
import zlib
from datetime import datetime
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path

LARGEST_FILE, LARGEST_ENVELOPE, LONGEST_LINE, MOST_MEMBERS = 64 * 2**20, 4 * 2**20, 2**20, 1200
MOST_ROWS, MOST_CELLS, MOST_WORK, DEEPEST = 50_000, 500_000, 5_000_000, 32
WITHHELD = object()
DIGITS = Context(prec=60)


class RefusedError(Exception):
    """The case does not hold: which defect, where, what was expected, and what is there."""

    def __init__(self, defect, place, expected, got):
        super().__init__(f"{defect}: {place}: expected {expected}, got {got!a}"[:600])
        self.found = {"defect": defect, "place": ascii(place)[:200], "expected": ascii(expected)[:300], "got": ascii(got)[:300]}


def need(holds, defect, place, expected, got):
    if not holds:
        raise RefusedError(defect, place, expected, got)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def canonical(value):
    """RFC 8785 for what a case may hold: text, whole numbers, true, false, null, lists, and objects with ASCII names."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def whole(text):
    """Of JSON's numbers, those that everybody reads alike."""
    if not re.fullmatch("-?[0-9]{1,16}", text) or abs(int(text)) >= 2**53:
        raise ValueError(f"a whole number below 2^53 was expected, not {text[:40]}")
    return int(text)


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def read_json(data, place):
    """The value, if these bytes are its one canonical form: so no name stands twice, and nobody reads it in another way."""
    try:
        value = json.loads(data.decode(), parse_int=whole, parse_float=whole, parse_constant=whole)
        same = canonical(value) == data and depth(value) <= DEEPEST
    except (ValueError, RecursionError) as error:
        raise RefusedError("json-form", place, "canonical JSON", str(error)) from None
    need(same, "json-form", place, "canonical JSON", "another order or form, or a name that stands twice")
    return value


def from_base64(text, defect, place):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = None
    need(data is not None and base64.b64encode(data).decode() == text, defect, place, "standard Base64", text[:40])
    return data


def decoded(data, defect):
    try:
        return data.decode()
    except ValueError as error:
        raise RefusedError(defect, defect, "UTF-8", str(error)) from None


# Step 1, the archive: a ZIP file in one form. What follows from names and contents has to be the same bytes.

HEAD = ("case.json", "checkpoint", "README.txt", "narrative.html", "narrative.pdf")
FOLDERS = (r"exhibits/E([1-9][0-9]{0,3})\.jsonl", r"files/E([1-9][0-9]{0,3})", r"proofs/E([1-9][0-9]{0,3})\.tlog-proof")


def rank(name):
    """Where a member stands. Other names are not allowed."""
    if name in HEAD:
        return (0, HEAD.index(name))
    found = [(place, re.fullmatch(form, name)) for place, form in enumerate(FOLDERS, 1)]
    ranks = [(place, int(match[1])) for place, match in found if match]
    need(ranks, "member-name", "the archive", "a name of the format, such as exhibits/E1.jsonl", name[:80])
    return ranks[0]


def local_header(name, content):
    sizes = (zlib.crc32(content), len(content), len(content), len(name), 0)
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, *sizes) + name.encode()


def directory(members):
    entries, offset = [], 0
    for name, content in members.items():
        sizes = (zlib.crc32(content), len(content), len(content), len(name), 0, 0, 0, 0, 0o100644 << 16, offset)
        entries.append(struct.pack("<4s6H3L5H2L", b"PK\1\2", 3 << 8 | 20, 20, 0, 0, 0, 33, *sizes) + name.encode())
        offset += 30 + len(name) + len(content)
    length = sum(map(len, entries))
    return b"".join(entries) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(members), len(members), length, offset, 0)


def read_archive(data):
    need(len(data) <= LARGEST_FILE, "too-large", "the file", f"at most {LARGEST_FILE} bytes", "more")
    need(data[:4] == b"PK\3\4", "not-a-case", "the file", "a ZIP archive", data[:4])
    members, at, last = {}, 0, (-1, -1)
    while data[at : at + 4] == b"PK\3\4":
        need(at + 30 <= len(data), "truncated", "the archive", "a whole member", "the end of the file")
        flags, method, crc, packed, size, length, extra = struct.unpack_from("<6xHH4xLLLHH", data, at)
        name = data[at + 30 : at + 30 + length].decode("ascii", "backslashreplace")
        here, start = rank(name), at + 30 + length + extra
        need(method == flags == 0 and packed == size, "member-packed", name, "a member stored as it is", f"method {method}, flags {flags}")
        need(start + size <= len(data), "truncated", name, f"{size} bytes", "the end of the file")
        content = data[start : start + size]
        need(zlib.crc32(content) == crc, "member-crc", name, crc, zlib.crc32(content))
        need(data[at:start] == local_header(name, content), "member-header", name, "the one header of the format", "another")
        need(name not in members, "member-twice", "the archive", "each name once", name)
        need(here > last, "member-order", "the archive", "members in the order of the format", name)
        members[name], at, last = content, start + size, here
        need(len(members) <= MOST_MEMBERS, "too-large", "the archive", f"at most {MOST_MEMBERS} members", "more")
    expected, rest = directory(members), data[at:]
    need(rest == expected or not expected.startswith(rest), "truncated", "the archive's end", f"{len(expected)} bytes", len(rest))
    need(rest == expected or not rest.startswith(expected), "trailing-data", "the file", "nothing after the archive", "more")
    place = 38
    for name in members:
        mode = int.from_bytes(rest[place : place + 4], "little") >> 16
        need(mode & 0o170000 != 0o120000, "member-link", name, "an ordinary file", "a symbolic link")
        place += 46 + len(name)
    need(rest == expected, "directory", "the archive's directory", "the one that the members give", "another")
    need("case.json" in members, "member-missing", "the archive", "case.json", "no such member")
    return members


# The form of JSON values, for steps 2 and 5. A shape is a pattern for text, a type, None, a list of one shape for its items, a tuple of
# shapes one of which has to fit, or an object's fields: none may be missing, and no further one may be there.


def misfit(value, shape, place):
    """(place, shape, value) of the first thing that does not fit; None."""
    if isinstance(shape, tuple):
        return None if any(misfit(value, one, place) is None for one in shape) else (place, shape, value)
    if isinstance(shape, list) and isinstance(value, list):
        return next((odd for number, item in enumerate(value) if (odd := misfit(item, shape[0], f"{place}[{number}]"))), None)
    if isinstance(shape, dict) and isinstance(value, dict) and set(shape) == set(value):
        return next((odd for name in shape if (odd := misfit(value[name], shape[name], f"{place}.{name}"))), None)
    if isinstance(shape, str):
        holds = isinstance(value, str) and re.fullmatch(shape, value, re.DOTALL) and (shape != TIME or in_calendar(value))
    else:
        holds = value is None if shape is None else isinstance(shape, type) and type(value) is shape
    return None if holds else (place, shape, value)


def in_calendar(text):
    try:
        return bool(datetime.fromisoformat(text[:-1]))
    except ValueError:
        return False


def fit(value, shape, defect, place):
    odd = misfit(value, shape, place)
    need(odd is None, defect, odd and odd[0], odd and odd[1], odd and odd[2])


TEXT, HEX, COLUMN = ".*", "[0-9a-f]{64}", "[a-z][a-z0-9_]{0,63}"
C, N, E = "C[1-9][0-9]{0,3}", "N[1-9][0-9]{0,3}", "E[1-9][0-9]{0,3}"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
DECIMAL = r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?"
RULES = "count|distinct|sum|min|max|share|ratio|q_value|holm|log_mean|stated"
TYPES = "text|integer|decimal|time|boolean"
NAMES = "account|exchange|group|finding|trace"
NAME = "[!-*,-~]{1,255}"
TYPE = "application/vnd.in-toto+json"
ENVELOPE = {"payload": TEXT, "payloadType": TEXT, "signatures": [{"keyid": TEXT, "sig": TEXT}]}
# fmt: off
SHOWN = {"name": COLUMN, "type": TYPES, "identifies": (NAMES, None), "text": bool, "shown": "value|alias|hash"}
PREDICATE = {
    "case": {"id": TEXT, "title": TEXT, "summary": TEXT, "opened_at": TIME},
    "sealed": {"at": TIME, "by": TEXT, "recipient": (TEXT, None), "version": TEXT},
    "log": {"keys": [TEXT], "origin": TEXT, "size": int, "root": HEX},
    "claims": [{"uid": C, "text": TEXT, "about": TEXT, "certainty": TEXT, "source": TEXT, "numbers": [N], "exhibits": [E]}],
    "numbers": [{"uid": N, "label": TEXT, "value": f"{DECIMAL}|{TIME}", "unit": TEXT, "how": TEXT, "rule": RULES,
                 "exhibit": (E, None), "of": [N], "column": (COLUMN, None), "by": (COLUMN, None),
                 "where": [{"column": COLUMN, "equals": (TEXT, int, bool, None)}]}],
    "exhibits": [{"uid": E, "kind": "rows|file|note", "title": TEXT, "shows": TEXT, "origin": TEXT, "columns": [SHOWN], "rows": int,
                  "root": HEX, "withheld": bool, "index": int, "salt": HEX}],
    "ordinary": [{"text": TEXT, "weighed": TEXT}],
    "limits": [TEXT],
    "members": [{"account": TEXT, "group": (TEXT, None)}],
    "versions": [{"name": TEXT, "value": TEXT}], "settings": [{"name": TEXT, "value": TEXT}], "seeds": [{"name": TEXT, "value": TEXT}],
    "inputs": [{"name": TEXT, "sha256": HEX, "rows": (int, None)}],
    "dispositions": [{"at": TIME, "by": TEXT, "outcome": "true|benign_true|false|undetermined", "reason": TEXT, "words": TEXT}],
    "custody": [{"at": TIME, "who": TEXT, "action": TEXT, "why": TEXT, "before": (HEX, None), "after": HEX, "previous": (HEX, None)}],
}
STATEMENT = {"_type": "https://in-toto[.]io/Statement/v1", "predicateType": "urn:stillwatch:sealed-case:1",
             "subject": [{"name": TEXT, "digest": {"sha256": HEX}}], "predicate": PREDICATE}
# fmt: on
TAKES = {  # what a number of a rule has to name, and what it may name besides; all others name an exhibit and a column
    "stated": ([], []),
    "ratio": (["of"], []),
    "count": (["exhibit"], ["where"]),
    "share": (["exhibit"], ["where"]),
    "sum": (["exhibit", "column"], ["by", "where"]),
    "q_value": (["exhibit", "column", "by", "of"], ["where"]),
}

# Steps 2 to 4: the envelope (DSSE), the key, the signature. Nothing that is signed is read before its signature was checked.


def read_key(line):
    """(name, key id, kind, public key, line) of a verifier key; kind 1 is Ed25519, 6 is ML-DSA-44."""
    match = re.fullmatch(rf"({NAME})\+([0-9a-f]{{8}})\+(.*)", line)
    need(match, "envelope-form", "the key", "NAME+ID+KEY", line[:80])
    name, digits, encoded = match.groups()
    data = from_base64(encoded, "envelope-form", "the key")
    need((data[:1], len(data)) in ((b"\1", 33), (b"\6", 1313)), "envelope-form", "the key", "an Ed25519 or ML-DSA-44 key", line[:80])
    key_id = sha256(name.encode(), b"\n", data)[:4]
    need(digits == key_id.hex(), "envelope-form", "the key", f"the key id {key_id.hex()}", digits[:20])
    return name, key_id, data[0], data[1:], line


def read_envelope(data):
    need(len(data) <= LARGEST_ENVELOPE, "too-large", "case.json", f"at most {LARGEST_ENVELOPE} bytes", len(data))
    envelope = read_json(data, "case.json")
    fit(envelope, ENVELOPE, "envelope-form", "case.json")
    need(envelope["payloadType"] == TYPE, "payload-type", "case.json", TYPE, envelope["payloadType"][:80])
    keys = [read_key(one["keyid"]) for one in envelope["signatures"]]
    kinds = [key[2] for key in keys]
    need(kinds in ([1], [1, 6]) and keys[0][0] == keys[-1][0], "envelope-form", "case.json", "Ed25519, and at most one ML-DSA-44", kinds)
    signatures = [from_base64(one["sig"], "envelope-form", "case.json") for one in envelope["signatures"]]
    return from_base64(envelope["payload"], "envelope-form", "case.json"), list(zip(keys, signatures, strict=True))


def check_key(signers, trusted):
    """Who was given no ML-DSA-44 key relies on the Ed25519 key. Who was given one relies on it, and it has to have signed."""
    signed = [key for key, _ in signers]
    second = [key for key in trusted if key[2] == 6 and key[0] == signed[0][0]]
    need(not second or set(second) & set(signed), "key", "case.json", [key[:2] for key in second], "no signature of that key")
    for key in signed:
        if trusted and (key[2] == 1 or 6 in [one[2] for one in trusted]):
            need(key in trusted, "key", "case.json", [one[:2] for one in trusted], key[:2])


def holds(key, signature, message, notes):
    """Whether it is the key's signature of the message."""
    try:
        if key[2] == 1:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Key
        else:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey as Key
        from cryptography.exceptions import InvalidSignature
    except ImportError:
        if key[2] == 1:
            sys.exit("verify_case.py: signatures need the Python package cryptography: pip install cryptography")
        notes[:] = ["ML-DSA-44 lines were not checked: that needs the package cryptography, version 48 or newer"]
        return True
    try:
        Key.from_public_bytes(key[3]).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def check_signatures(payload, signers, notes):
    message = b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)
    for key, signature in signers:
        need(holds(key, signature, message, notes), "signature", "case.json", f"a signature of {key[0]} {key[1].hex()}", "another")


# Step 5, the statement: what is claimed. Everything is numbered in order, and names only what is there.


def read_statement(payload):
    statement = read_json(payload, "the statement")
    kind = statement.get("predicateType") if isinstance(statement, dict) else STATEMENT["predicateType"]
    need(kind == STATEMENT["predicateType"], "predicate-type", "the statement", STATEMENT["predicateType"], kind)
    fit(statement, STATEMENT, "statement-form", "the statement")
    case = statement["predicate"]
    exhibits, numbers = case["exhibits"], case["numbers"]
    whole = [case["log"]["size"]] + [exhibit[name] for exhibit in exhibits for name in ("rows", "index")]
    whole += [one["rows"] for one in case["inputs"] if one["rows"] is not None]
    need(min(whole) >= 0, "statement-form", "the statement", "no number below nothing", min(whole))
    never_empty = [statement["subject"], *(case[name] for name in ("claims", "exhibits", "ordinary", "limits", "custody"))]
    never_empty += [exhibit["columns"] for exhibit in exhibits]
    need(all(never_empty), "statement-form", "the statement", "claims, exhibits, explanations, limits, custody, columns", "none")
    for letter, name in (("C", "claims"), ("N", "numbers"), ("E", "exhibits")):
        found = [item["uid"] for item in case[name]]
        need(found == [f"{letter}{place + 1}" for place in range(len(found))], "statement-order", name, f"{letter}1, {letter}2, …", found)
    known = {item["uid"] for item in exhibits + numbers}
    named = {uid for claim in case["claims"] for uid in claim["numbers"] + claim["exhibits"]} | {one["exhibit"] for one in numbers} - {None}
    need(named <= known, "reference", "the statement", "what is in it", sorted(named - known)[:1])
    for number in numbers:  # a number names what its rule takes, and no more: none looks better founded than it is
        takes, may = TAKES.get(number["rule"], (["exhibit", "column"], ["where"]))
        found = [name for name in ("exhibit", "column", "by", "of", "where") if number[name]]
        right = set(takes) <= set(found) <= set(takes + may) and len(number["of"]) == {"ratio": 2, "q_value": 1}.get(number["rule"], 0)
        need(right, "statement-form", number["uid"], takes, found)
    for exhibit in exhibits:
        names = [column["name"] for column in exhibit["columns"]]
        need(len(set(names)) == len(names), "statement-form", exhibit["uid"], "each column once", names)
        for column in exhibit["columns"]:  # identifiers leave the house only as pseudonyms
            best = "value" if column["identifies"] is None or case["sealed"]["recipient"] is None else "alias"
            need(column["shown"] in (best, "hash"), "identifier", column["name"], f"{best} or hash", column["shown"])
    rows = {exhibit["uid"]: exhibit["rows"] for exhibit in exhibits}
    cells = sum(exhibit["rows"] * len(exhibit["columns"]) for exhibit in exhibits)
    costs = [(1 + len(number["where"])) * (100 if number["rule"] == "log_mean" else 1) for number in numbers]
    work = sum(rows.get(number["exhibit"], 0) * cost for number, cost in zip(numbers, costs, strict=True))
    small = sum(rows.values()) <= MOST_ROWS and cells <= MOST_CELLS and work <= MOST_WORK
    need(small, "too-large", "the statement", f"{MOST_ROWS} rows, {MOST_CELLS} cells, {MOST_WORK} reads", [cells, work])
    return statement


# Step 6, the members: those that the statement names, byte for byte.


def check_members(statement, members):
    subjects, present, exhibits = [one["name"] for one in statement["subject"]], list(members)[1:], statement["predicate"]["exhibits"]
    required = {"checkpoint", "README.txt", "narrative.html"} | {f"proofs/{one['uid']}.tlog-proof" for one in exhibits}
    required |= {f"exhibits/{one['uid']}.jsonl" for one in exhibits if not one["withheld"]}
    optional = {"narrative.pdf"} | {f"files/{one['uid']}" for one in exhibits if one["kind"] == "file" and not one["withheld"]}
    for wanted, allowed in ((set(subjects), set(subjects)), (required, required | optional)):
        need(wanted <= set(present), "member-missing", "the archive", sorted(wanted - set(present))[:1], "no such member")
        need(set(present) <= allowed, "member-extra", "the archive", "what the statement names", sorted(set(present) - allowed)[:1])
    need(subjects == present, "subject-order", "the statement", present, subjects)
    for one in statement["subject"]:
        digest = sha256(members[one["name"]]).hex()
        need(digest == one["digest"]["sha256"], "member-changed", one["name"], one["digest"]["sha256"], digest)


# Steps 7 and 8: the evidence log. A signed state of it, and for each exhibit the path from its record to that state (RFC 6962).


def check_checkpoint(note, signers, log, notes):
    origin, size, root = log["origin"], log["size"], bytes.fromhex(log["root"])
    body, _, below = decoded(note, "checkpoint").rpartition("\n\n")
    need(
        len(note) <= 2**17 and below.endswith("\n") and origin == signers[0][0][0], "checkpoint", "checkpoint", "a state of the log", origin
    )
    wanted = f"{origin}\n{size}\n{base64.b64encode(root).decode()}"
    need(re.fullmatch("[^\n]+\n(0|[1-9][0-9]*)\n[A-Za-z0-9+/]{43}=", body), "checkpoint", "checkpoint", "name, size and root alone", body)
    need(body == wanted, "checkpoint-other", "checkpoint", wanted, body)
    lines = [re.fullmatch(f"— ({NAME}) (.+)", line) for line in below[:-1].split("\n")]
    need(len(lines) <= 32 and all(lines), "checkpoint", "checkpoint", "signature lines", below)
    found = [(line[1], from_base64(line[2], "checkpoint", "checkpoint")) for line in lines]
    need(all(len(data) >= 5 for _, data in found), "checkpoint", "checkpoint", "whole signatures", "one that is cut short")
    for key, _ in signers:
        mine = [data[4:] for name, data in found if (name, data[:4]) == key[:2]]
        need(mine, "checkpoint", "checkpoint", f"a line of {key[0]} {key[1].hex()}", [name for name, _ in found])
        for stated in mine:
            signature, message = stated, f"{body}\n".encode()
            if key[2] == 6:  # as c2sp.org/tlog-cosignature says: with a time of eight bytes before the signature
                short, time, signature = bytes([len(origin)]) + origin.encode(), stated[:8], stated[8:] if stated[0] < 128 else b""
                message = b"subtree/v1\n\0" + short + time + short + bytes(8) + size.to_bytes(8, "big") + root
            need(holds(key, signature, message, notes), "checkpoint", "checkpoint", f"a signature of {key[0]} {key[1].hex()}", "another")


def root_over(leaf, index, size, path):
    """Root of the tree of that size with this leaf at this index; the path's last hash is a child of the root. None: it does not fit."""
    if size == 1 or not path:
        return leaf if size == 1 and not path else None
    half = 1 << (size - 1).bit_length() - 1
    right = index >= half
    inner = root_over(leaf, index - half if right else index, size - half if right else half, path[:-1])
    return inner and (sha256(b"\1", path[-1], inner) if right else sha256(b"\1", inner, path[-1]))


def check_proof(case, exhibit, data, note):
    place, index, log = f"proofs/{exhibit['uid']}.tlog-proof", exhibit["index"], case["log"]
    head, _, end = data.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    need(len(lines) >= 3 and lines[0] == "c2sp.org/tlog-proof@v1" and lines[1][:6] == "extra ", "proof", place, "a tlog-proof", lines[:2])
    need(re.fullmatch("index (0|[1-9][0-9]*)", lines[2]), "proof", place, "an index", lines[2])
    need(end == note, "proof-checkpoint", place, "the case's own checkpoint", "another one")
    need(lines[2] == f"index {index}", "proof-index", place, f"index {index}", lines[2])
    record, path = from_base64(lines[1][6:], "proof", place), [from_base64(line, "proof", place) for line in lines[3:]]
    fitting = len(path) <= 63 and all(len(one) == 32 for one in path) and index < log["size"]
    root = root_over(sha256(b"\0", record), index, log["size"], path) if fitting else None
    need(root is not None and root.hex() == log["root"], "proof", place, f"a path to the root {log['root']}", root and root.hex())
    form = f'{{"at":"{TIME}","commitment":"({HEX})","kind":"case_exhibit","v":1}}'
    match = re.fullmatch(form, record.decode("utf-8", "replace"))
    need(match, "record", place, "the record of an exhibit", record)
    columns = [{name: column[name] for name in ("identifies", "name", "text", "type")} for column in exhibit["columns"]]
    content = {name: exhibit[name] for name in ("kind", "root", "rows")} | {"exhibit": exhibit["uid"], "columns": columns}
    content = canonical({**content, "case_id": case["case"]["id"]})
    found = sha256(b"stillwatch evidence commitment v1\0", bytes.fromhex(exhibit["salt"]), content).hex()
    need(found == match[1], "commitment", place, match[1], found)


# Step 9, the exhibits: cells are hashed with salt, rows over cells, the exhibit over rows. What is withheld stands as its hash.


def read_cell(cell, column, uid, row, place):
    """(what is seen, hash)."""
    shapes = {"value": {"salt": HEX, "value": (TEXT, int, bool, None)}, "alias": {"alias": (".{1,500}", None), "hash": HEX}}
    fit(cell, shapes.get(column["shown"], {"hash": HEX}), "row-form", place)
    if column["shown"] != "value":
        return cell.get("alias", WITHHELD), bytes.fromhex(cell["hash"])
    kinds = {"integer": int, "boolean": bool, "decimal": DECIMAL}
    fit(cell["value"], (kinds.get(column["type"], TEXT), None), "row-form", place)
    salted = canonical([uid, row, column["name"], cell["value"]])
    return cell["value"], sha256(b"stillwatch case cell v1\0", bytes.fromhex(cell["salt"]), salted)


def read_rows(exhibit, data):
    """Rows as dictionaries, if their hashes give the exhibit's root."""
    place, rows, hashes, columns = f"exhibits/{exhibit['uid']}.jsonl", [], [], exhibit["columns"]
    lines = data.split(b"\n")
    need(lines.pop() == b"" and len(lines) == exhibit["rows"], "rows-count", place, f"{exhibit['rows']} whole lines", len(lines))
    for number, line in enumerate(lines):
        need(len(line) <= LONGEST_LINE, "too-large", place, f"at most {LONGEST_LINE} bytes", len(line))
        cells = read_json(line, place)
        need(isinstance(cells, list) and len(cells) == len(columns), "row-form", place, f"{len(columns)} cells", line)
        here = f"{place} {number + 1}"
        seen = [read_cell(cell, column, exhibit["uid"], number, here) for cell, column in zip(cells, columns, strict=True)]
        hashes.append(sha256(b"stillwatch case row v1\0", *(digest for _, digest in seen)))
        rows.append({column["name"]: value for column, (value, _) in zip(columns, seen, strict=True)})
    root = sha256(b"stillwatch case exhibit v1\0", *hashes).hex()
    need(root == exhibit["root"], "exhibit-root", place, exhibit["root"], root)
    return rows


def check_file(exhibit, rows, data):
    place, names = f"files/{exhibit['uid']}", ["name", "media_type", "bytes", "sha256"]
    found = [column["name"] for column in exhibit["columns"]]
    need(found == names and len(rows) == 1, "file", place, f"one row of {names}", found)
    described, got = [rows[0][name] for name in names[2:]], [len(data), sha256(data).hex()]
    need(described == got and type(described[0]) is int, "file", place, described, got)


# Step 10, the numbers: each is computed again from the rows by its rule, in exact arithmetic.


def chosen(number, rows, names):
    """Rows that meet all conditions; None where a cell that decides it is withheld."""
    for one in number["where"]:
        need(one["column"] in names, "number-rule", number["uid"], "a column of the exhibit", one["column"])
        if any(row[one["column"]] is WITHHELD for row in rows):
            return None
        rows = [row for row in rows if type(row[one["column"]]) is type(one["equals"]) and row[one["column"]] == one["equals"]]
    return rows


def cells(number, rows, names):
    """The number's columns in each row in which none of them is null; None where one is withheld."""
    wanted = [name for name in (number["column"], number["by"]) if name]
    need(set(wanted) <= set(names), "number-rule", number["uid"], "columns of the exhibit", wanted)
    found = [[row[name] for name in wanted] for row in rows]
    return None if any(WITHHELD in values for values in found) else [values for values in found if None not in values]


def aggregate(number, found, earlier):
    """What the rule gives over (value of `column`, value of `by`) of each row."""
    rule, uid = number["rule"], number["uid"]
    if rule == "distinct":
        return Fraction(len({(type(values[0]), values[0]) for values in found}))
    times = rule in ("min", "max") and re.fullmatch(TIME, number["value"])
    for value in (value for values in found for value in values):
        fit(value, TIME if times else (DECIMAL, int), "number-rule", uid)
    exact = found if times else [[Fraction(value) for value in values] for values in found]
    if rule == "sum":
        return sum((values[0] * (values[1] if number["by"] else 1) for values in exact), Fraction(0))
    need(exact, "number-rule", uid, f"a {rule} of something", "no values")
    if rule == "q_value":
        return q_value(exact, earlier.get(number["of"][0]), uid)
    first = [values[0] for values in exact]
    return {"min": min, "max": max, "holm": holm, "log_mean": log_mean}[rule](first)


def holm(log10_p):
    """Holm 1979: the smallest of m p-values, multiplied by m; all as log10."""
    need(max(log10_p) <= 0, "number-rule", "holm", "p-values of at most 1", max(log10_p))
    return min(Fraction(0), min(log10_p) + Fraction(Decimal(len(log10_p)).log10(DIGITS)))


def log_mean(log10_e):
    """The mean of e-values; all as log10."""
    need(max(map(abs, log10_e)) <= 100_000, "number-rule", "log_mean", "exponents of ten up to 100,000", "another")
    exponents = [DIGITS.divide(Decimal(one.numerator), Decimal(one.denominator)) for one in log10_e]
    total = functools.reduce(DIGITS.add, (DIGITS.power(Decimal(10), one) for one in exponents))
    return Fraction(DIGITS.divide(total, Decimal(len(log10_e))).log10(DIGITS))


def q_value(tests, stated, uid):
    """Benjamini and Hochberg 1995, section 3.1, over (p-value, how many tests have it); twice, for two families at half the level each."""
    fit(stated, DECIMAL, "number-rule", uid)
    sound = Fraction(stated) in [value for value, _ in tests] and all(count >= 1 and count.denominator == 1 for _, count in tests)
    need(sound, "number-rule", uid, "a p-value among tests that are counted", stated)
    counts = {}
    for value, count in tests:
        counts[value] = counts.get(value, 0) + count
    best, below, all_tests = Fraction(1, 2), 0, sum(counts.values())
    for value in sorted(counts):
        below += counts[value]
        if value >= Fraction(stated):
            best = min(best, value * all_tests / below)
    return 2 * best


def recompute(number, tables, columns, earlier):
    """The exact value, or a time; None where it rests on what is withheld, or is merely stated."""
    rule, uid, every = number["rule"], number["uid"], tables.get(number["exhibit"])
    if rule == "ratio":
        need(set(number["of"]) <= set(earlier), "number-rule", uid, "two earlier numbers", number["of"])
        for one in number["of"]:
            fit(earlier[one], DECIMAL, "number-rule", uid)
        upper, lower = (Fraction(earlier[one]) for one in number["of"])
        need(lower, "number-rule", uid, "a ratio to something", "a ratio to nothing")
        return upper / lower
    rows = None if every is None else chosen(number, every, columns[number["exhibit"]])
    if rows is None or rule == "count":
        return rows if rows is None else Fraction(len(rows))
    if rule == "share":
        need(every, "number-rule", uid, "a share of something", "a share of no rows")
        return Fraction(len(rows), len(every))
    found = cells(number, rows, columns[number["exhibit"]])
    return found if found is None else aggregate(number, found, earlier)


def check_number(number, tables, columns, earlier):
    value = recompute(number, tables, columns, earlier)
    if value is None:
        return "stated" if number["rule"] == "stated" else "withheld"
    if isinstance(value, Fraction):
        places = len(number["value"].partition(".")[2])
        scaled = round(value * 10**places)  # to as many places as are claimed, half to even
        digits = str(abs(scaled)).zfill(places + 1)
        value = "-" * (scaled < 0) + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
    need(value == number["value"], "number", number["uid"], value, number["value"])
    return "recomputed"


# Steps 11 and 12: the chain of custody, and the narrative, whose claims and numbers have to be the statement's.


def check_custody(case):
    last = None
    for place, event in enumerate(case["custody"], 1):
        link, before = (sha256(canonical(last)).hex(), last["after"]) if last else (None, None)
        need(event["previous"] == link, "custody-link", f"event {place}", link, event["previous"])
        need(event["before"] == before, "custody-hash", f"event {place}", before, event["before"])
        need(not last or event["at"] >= last["at"], "custody-time", f"event {place}", last and last["at"], event["at"])
        last = event
    evidence = sha256(b"stillwatch case evidence v1\0", *(bytes.fromhex(exhibit["root"]) for exhibit in case["exhibits"])).hex()
    end, expected = [last["action"], last["after"], last["at"]], ["sealed", evidence, case["sealed"]["at"]]
    need(end == expected, "custody-end", "the last event", expected, end)


PAGE_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
"""
PAGE_STYLE = "<title>[^<]*</title>\n<style>[^<]*</style>\n</head>\n"
TAG = (
    "</?(html|body|main|h[1-3]|p|b|i|ul|li|section|div|dl|dt|dd|table|thead|tbody|tr|th|td|code|pre|br|a|span)"
    '( class="[a-z ]*"| href="#[A-Za-z0-9]*"| id="(check|[CEN][0-9]{1,4})")?>'
)


def check_narrative(page, case):
    """It runs nothing and fetches nothing: a fixed head, a title, a style, and plain tags without handlers, comments and outside links."""
    text = decoded(page, "narrative")
    begins = re.match(re.escape(PAGE_HEAD) + PAGE_STYLE, text)
    need(begins and "\r" not in text, "narrative", "narrative.html", "a page with the head of the format", text[:40])
    body = text[begins.end() :]
    left = re.sub(TAG, "", body).partition("<")
    need(not left[1], "narrative", "narrative.html", "plain tags that run nothing", left[2][:40])
    found = [(uid, html.unescape(shown)) for uid, shown in re.findall('<span id="([CN][0-9]{1,4})">([^<]*)</span>', body)]
    expected = [(claim["uid"], claim["text"]) for claim in case["claims"]]
    expected += [(number["uid"], f"{number['value']} {number['unit']}") for number in case["numbers"]]
    other = next((one for one, two in zip(found, [*expected, None], strict=False) if one != two), "less")
    same = found == expected and len(re.findall(' id="[CN]', body)) == len(found)
    need(same, "narrative", "narrative.html", "claims and numbers of the statement, each once", other)


def steps(data, trusted, result):
    """The twelve steps; a name is given before each is taken."""
    yield "archive"
    members = read_archive(data)
    yield "envelope"
    payload, signers = read_envelope(members["case.json"])
    result["signer"] = signers[0][0][4]
    yield "key"
    check_key(signers, trusted)
    yield "signature"
    check_signatures(payload, signers, result["notes"])
    yield "statement"
    statement = read_statement(payload)
    case, exhibits = statement["predicate"], statement["predicate"]["exhibits"]
    need(
        case["log"]["keys"] == [key[4] for key, _ in signers], "signers", "case.json", case["log"]["keys"], [key[:2] for key, _ in signers]
    )
    yield "members"
    check_members(statement, members)
    yield "checkpoint"
    check_checkpoint(members["checkpoint"], signers, case["log"], result["notes"])
    yield "proofs"
    for exhibit in exhibits:
        check_proof(case, exhibit, members[f"proofs/{exhibit['uid']}.tlog-proof"], members["checkpoint"])
    yield "exhibits"
    columns = {exhibit["uid"]: [column["name"] for column in exhibit["columns"]] for exhibit in exhibits}
    tables = {one["uid"]: read_rows(one, members[f"exhibits/{one['uid']}.jsonl"]) for one in exhibits if not one["withheld"]}
    for exhibit in exhibits:
        if f"files/{exhibit['uid']}" in members:
            check_file(exhibit, tables[exhibit["uid"]], members[f"files/{exhibit['uid']}"])
    yield "numbers"
    earlier = {}
    for number in case["numbers"]:
        result["numbers"][number["uid"]] = check_number(number, tables, columns, earlier)
        earlier[number["uid"]] = number["value"]
    yield "custody"
    check_custody(case)
    yield "narrative"
    check_narrative(members["narrative.html"], case)


def verify(data, trusted):
    """The verdict, the steps that were taken, and what failed. `trusted` are keys as read_key gives them."""
    result = {"verdict": "refused", "signer": None, "steps": [], "failed": None, "numbers": {}, "notes": []}
    try:
        for name in steps(data, trusted, result):
            result["steps"].append({"step": len(result["steps"]) + 1, "name": name, "passed": True})
        result["verdict"] = "verified" if trusted else "unknown signer"
    except RefusedError as refused:
        last = result["steps"][-1]
        last["passed"] = False
        result["failed"] = {"step": last["step"], "name": last["name"], **refused.found}
    return result


def trusted_keys(given):
    try:
        lines = [given] if re.fullmatch(r"[^+\s]+\+[0-9a-f]{8}\+\S+", given) else Path(given).read_text("utf-8").split()
        need(lines, "no key", given, "a line NAME+ID+KEY", "an empty file")
        return [read_key(line) for line in lines]
    except (OSError, ValueError, RefusedError) as error:
        sys.stderr.write(f"verify_case.py: --key: {error}\n")
        sys.exit(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("--key", action="append", default=[], help="the log's verifier key, or a file of it; repeatable")
    parser.add_argument("--json", action="store_true", help="print the result for machines")
    given = parser.parse_args()
    trusted = [key for one in given.key for key in trusted_keys(one)]
    try:
        if not Path(given.case).is_file():
            parser.error(f"{given.case} is no file")
        with Path(given.case).open("rb") as file:
            result = verify(file.read(LARGEST_FILE + 1), trusted)
    except OSError as error:
        parser.error(str(error))
    kinds, failed = list(result["numbers"].values()), result["failed"]
    if given.json:
        print(json.dumps(result, indent=1))
        return 1 if failed else 0
    for one in result["steps"]:
        print(f"{one['step']:2} {one['name']:10} {'passed' if one['passed'] else 'FAILED'}")
    for note in result["notes"]:
        print(f"note: {note}")
    print(f"numbers: {', '.join(f'{kinds.count(kind)} {kind}' for kind in ('recomputed', 'withheld', 'stated'))}")
    print(f"signer: {result['signer']!a}" + ("" if trusted else ", whom nobody vouched for: no --key was given"))
    if failed:
        print(f"step {failed['step']} ({failed['name']}): {failed['defect']}, in {failed['place']}")
        print(f"  expected: {failed['expected']}\n  got:      {failed['got']}")
    print(f"verdict: {result['verdict']}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
