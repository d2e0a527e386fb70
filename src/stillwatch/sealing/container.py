"""The file itself: a ZIP archive in one strict form, so that names and contents give every byte of it. Pure.

Members are stored and never compressed, in one order, with one time and one mode, without comments or extra fields. Every archive program
opens it, and whoever verifies it unpacks nothing: what is not exactly these bytes is refused.

Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

from stillwatch.sealing.refusals import RefusedCaseError, SealError

LARGEST_FILE = 64 * 1024 * 1024
MOST_MEMBERS = 1200
ENVELOPE, CHECKPOINT, README = "case.json", "checkpoint", "README.txt"
NARRATIVE, PRINTED = "narrative.html", "narrative.pdf"
HEAD = (ENVELOPE, CHECKPOINT, README, NARRATIVE, PRINTED)
"""Members that stand first, in this order; the printed narrative may be missing."""

_NUMBERED = re.compile(r"(exhibits|files|proofs)/E([1-9][0-9]{0,3})(\.jsonl|\.tlog-proof)?", re.ASCII)
_ENDINGS = {"exhibits": ".jsonl", "files": None, "proofs": ".tlog-proof"}

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _MADE_BY = 20, 3 << 8 | 20
_DATE = 0x21  # 1 January 1980, the first day that the form knows
_MODE = 0o100644 << 16
_LINK = 0o120000


def exhibit_member(folder: str, uid: str) -> str:
    """Name of an exhibit's member in `exhibits`, `files` or `proofs`."""
    return f"{folder}/{uid}{_ENDINGS[folder] or ''}"


def rank(name: str) -> tuple[int, int]:
    """Where a member stands in the file. Raises RefusedCaseError for a name that no member has."""
    if name in HEAD:
        return 0, HEAD.index(name)
    match = _NUMBERED.fullmatch(name)
    if match is None or match[3] != _ENDINGS[match[1]]:
        raise RefusedCaseError("member-name", "the archive", expected="a name of the format, such as exhibits/E1.jsonl", got=_shown(name))
    return 1 + tuple(_ENDINGS).index(match[1]), int(match[2])


def pack(members: Mapping[str, bytes]) -> bytes:
    """The file of these members, put in order. Raises SealError for more than LARGEST_FILE bytes or MOST_MEMBERS."""
    ordered = sorted(members, key=rank)
    if len(ordered) > MOST_MEMBERS:
        raise SealError(f"a sealed case has {len(ordered)} members, at most {MOST_MEMBERS} are allowed; seal fewer exhibits together")
    local, central = bytearray(), bytearray()
    for name in ordered:
        entry = _local(name, members[name])
        central += _central(name, members[name], len(local))
        local += entry + members[name]
    whole = bytes(local + central + _end(len(ordered), len(central), len(local)))
    if len(whole) > LARGEST_FILE:
        raise SealError(
            f"a sealed case has {len(whole):,} bytes, at most {LARGEST_FILE:,} are allowed; withhold files, or give them by their sha256"
        )
    return whole


def unpack(data: bytes) -> dict[str, bytes]:
    """Members by name, in order. Raises RefusedCaseError for everything but what `pack` gives for them."""
    if len(data) > LARGEST_FILE:
        raise RefusedCaseError("too-large", "the file", expected=f"at most {LARGEST_FILE} bytes", got=f"{len(data)} or more")
    if data[:4] != _LOCAL_MARK:
        raise RefusedCaseError("not-a-case", "the file", expected="a ZIP archive", got=_shown(data[:4].decode("latin-1")))
    members: dict[str, bytes] = {}
    place, last = 0, (-1, -1)
    while data[place : place + 4] == _LOCAL_MARK:
        name, content, place = _member(data, place)
        if name in members:
            raise RefusedCaseError("member-twice", "the archive", expected="each name once", got=_shown(name))
        if (here := rank(name)) < last:
            raise RefusedCaseError("member-order", "the archive", expected="members in the order of the format", got=_shown(name))
        last = here
        members[name] = content
        if len(members) > MOST_MEMBERS:
            raise RefusedCaseError("too-large", "the archive", expected=f"at most {MOST_MEMBERS} members", got="more")
    _check_rest(members, memoryview(data)[place:])
    return members


def _member(data: bytes, place: int) -> tuple[str, bytes, int]:
    """Name, content and where the next one begins."""
    if place + _LOCAL.size > len(data):
        raise RefusedCaseError("truncated", "the archive", expected="a whole member", got=f"an end after {len(data)} bytes")
    fields = _LOCAL.unpack_from(data, place)
    flags, method, size, length = fields[2], fields[3], fields[8], fields[9]
    start = place + _LOCAL.size + length + fields[10]
    name = data[place + _LOCAL.size : place + _LOCAL.size + length].decode("ascii", "backslashreplace")
    rank(name)
    if method != 0 or flags != 0 or fields[7] != size:
        raise RefusedCaseError("member-packed", name, expected="a member stored as it is", got=f"method {method}, flags {flags}")
    if start + size > len(data):
        raise RefusedCaseError("truncated", name, expected=f"{size} bytes", got=f"{max(len(data) - start, 0)}")
    content = data[start : start + size]
    if fields[6] != zlib.crc32(content):
        raise RefusedCaseError("member-crc", name, expected=f"CRC-32 {fields[6]:08x}", got=f"{zlib.crc32(content):08x}")
    if data[place:start] != _local(name, content):
        raise RefusedCaseError("member-header", name, expected="the one header of the format", got="another")
    return name, content, start + size


def _check_rest(members: Mapping[str, bytes], rest: memoryview) -> None:
    """The directory must be the one that the members give, with nothing after it."""
    offset, central = 0, bytearray()
    for name, content in members.items():
        wanted = _central(name, content, offset)
        found = bytes(rest[len(central) : len(central) + len(wanted)])
        if found != wanted:
            _refuse_entry(name, wanted, found)
        central += wanted
        offset += _LOCAL.size + len(name) + len(content)
    end = _end(len(members), len(central), offset)
    found = bytes(rest[len(central) : len(central) + len(end)])
    if len(found) < len(end) and end.startswith(found):
        raise RefusedCaseError("truncated", "the archive's end", expected=f"{len(end)} bytes", got=f"{len(found)}")
    if found != end:
        raise RefusedCaseError("directory", "the archive's end", expected="the one that the members give", got="another")
    if extra := len(rest) - len(central) - len(end):
        raise RefusedCaseError("trailing-data", "the file", expected="nothing after the archive", got=f"{extra} bytes")


def _refuse_entry(name: str, wanted: bytes, found: bytes) -> None:
    if wanted.startswith(found):
        raise RefusedCaseError("truncated", "the archive's directory", expected=f"an entry for {name}", got="the end of the file")
    if len(found) == len(wanted) and found[:4] == _CENTRAL_MARK and _CENTRAL.unpack_from(found)[15] >> 16 & 0o170000 == _LINK:
        raise RefusedCaseError("member-link", name, expected="an ordinary file", got="a symbolic link")
    raise RefusedCaseError("directory", "the archive's directory", expected=f"the entry that {name} gives", got="another")


def _local(name: str, content: bytes) -> bytes:
    head = (_LOCAL_MARK, _VERSION, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content), len(name), 0)
    return _LOCAL.pack(*head) + name.encode()


def _central(name: str, content: bytes, offset: int) -> bytes:
    head = (_CENTRAL_MARK, _MADE_BY, _VERSION, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content), len(name))
    return _CENTRAL.pack(*head, 0, 0, 0, 0, _MODE, offset) + name.encode()


def _end(count: int, central: int, offset: int) -> bytes:
    return _END.pack(_END_MARK, 0, 0, count, count, central, offset, 0)


def _shown(text: str) -> str:
    return ascii(text[:80])
