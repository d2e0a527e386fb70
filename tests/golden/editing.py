"""Sealed cases taken apart, changed, and put together again: by an outsider, or by somebody who holds the keys."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.signing import NoteSigner
from stillwatch.sealing.container import ENVELOPE, pack, rank, unpack
from stillwatch.sealing.envelope import PAYLOAD_TYPE, message


class Opened:
    """A sealed file in parts.

    Attributes:
        members: by name, without the envelope.
        statement: as it was signed.
        keys: that sign it again.
    """

    def __init__(self, data: bytes, keys: Sequence[NoteSigner]) -> None:
        self.members = unpack(data)
        self.envelope: dict[str, Any] = json.loads(self.members.pop(ENVELOPE))
        self.statement: dict[str, Any] = json.loads(base64.b64decode(self.envelope["payload"]))
        self.keys = tuple(keys)

    @property
    def case(self) -> dict[str, Any]:
        """The predicate."""
        return self.statement["predicate"]

    def copy(self) -> Opened:
        """A copy to be changed."""
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Opened:
        made = object.__new__(Opened)
        made.members, made.keys = dict(self.members), self.keys
        made.envelope, made.statement = copy.deepcopy(self.envelope, memo), copy.deepcopy(self.statement, memo)
        return made

    def unsigned(self) -> bytes:
        """Put together by somebody without the keys: the envelope is as it was, or as it was changed."""
        return pack(self.members | {ENVELOPE: canonical_json(self.envelope)})

    def signed(self, payload: bytes | None = None, *, subjects: bool = True) -> bytes:
        """Put together by somebody with the keys: the members' digests are right, and so is the signature."""
        if subjects:
            self.statement["subject"] = [
                {"name": name, "digest": {"sha256": hashlib.sha256(self.members[name]).hexdigest()}}
                for name in sorted(self.members, key=rank)
            ]
        self.sign(canonical_json(self.statement) if payload is None else payload)
        return self.unsigned()

    def sign(self, payload: bytes) -> None:
        """A new envelope around a payload."""
        lines = [{"keyid": key.verifier.text(), "sig": base64.b64encode(key.sign_envelope(message(payload))).decode()} for key in self.keys]
        self.envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": lines}

    def rows(self, uid: str) -> list[list[dict[str, Any]]]:
        """Rows of an exhibit, cell by cell."""
        return [json.loads(line) for line in self.members[f"exhibits/{uid}.jsonl"].splitlines()]

    def set_rows(self, uid: str, rows: Iterable[Any]) -> None:
        """Other rows."""
        self.members[f"exhibits/{uid}.jsonl"] = b"".join(canonical_json(row) + b"\n" for row in rows)

    def replace(self, name: str, old: bytes, new: bytes) -> None:
        """Other bytes in a member; the old ones have to be there."""
        assert old in self.members[name], name
        self.members[name] = self.members[name].replace(old, new, 1)


Extra = dict[str, Any]


def raw_archive(members: Iterable[tuple[str, bytes, Extra]], *, comment: bytes = b"") -> bytes:
    """An archive whose headers may be anything: `method`, `flags`, `stored` bytes, `mode`, `extra`, `size` as the headers state it."""
    local, central, count = bytearray(), bytearray(), 0
    for name, content, given in members:
        stored, encoded = given.get("stored", content), name.encode()
        flags = given.get("flags", 0 if name.isascii() else 0x800)
        sizes = (zlib.crc32(content), given.get("packed", len(stored)), given.get("size", len(content)), len(encoded))
        extra, mode = given.get("extra", b""), given.get("mode", 0o100644)
        head = (20, flags, given.get("method", 0), 0, 0x21, *sizes, len(extra))
        central += struct.pack("<4s6H3L5H2L", b"PK\1\2", 3 << 8 | 20, *head, 0, 0, 0, mode << 16, len(local)) + encoded + extra
        local += struct.pack("<4s5H3L2H", b"PK\3\4", *head) + encoded + extra + stored
        count += 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(central), len(local), len(comment))
    return bytes(local + central + end + comment)


def members_of(data: bytes) -> list[tuple[str, bytes, Extra]]:
    """Members of a sound file, for `raw_archive`."""
    return [(name, content, {}) for name, content in unpack(data).items()]


def deflated(content: bytes) -> Extra:
    """What makes a member a packed one."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return {"method": 8, "stored": packer.compress(content) + packer.flush()}


Change = Callable[[Opened], bytes]
