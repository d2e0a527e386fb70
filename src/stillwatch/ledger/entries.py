"""What stands in the log itself: kind, time and commitment of a record, never its content. Pure.

The content stands beside the log with 32 random bytes, and the commitment is a hash over both. So it can be erased: what is left of it in
the log tells nothing, and the log verifies as before.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from stillwatch.ledger.canonical import canonical_json, read_canonical
from stillwatch.ledger.notes import parse_key, shown
from stillwatch.ledger.refusals import BrokenLogError, CanonicalError, NoteError

SALT_BYTES = 32
MOST_CONCERNED = 1000
"""Records that one entry may point to; more take several entries."""

MOST_KEYS = 2
LARGEST_CONTENT = 16 * 1024 * 1024
VERSION = 1
_DOMAIN = b"stillwatch evidence commitment v1\0"
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FIELDS = frozenset({"at", "commitment", "kind", "v"})
_FURTHER = frozenset({"concerns", "vkeys"})
LARGEST_INDEX = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record as the log holds it.

    Attributes:
        kind: of the act, such as `scan_run`.
        at: when it was recorded, UTC, with microseconds: `2026-11-27T12:00:00.000000Z`.
        commitment: to the content, 64 hexadecimal digits.
        concerns: indexes of earlier records that it speaks of; an erasure and a hold name theirs.
        vkeys: the log's next keys, in a record that announces them.
    """

    kind: str
    at: str
    commitment: str
    concerns: tuple[int, ...] = ()
    vkeys: tuple[str, ...] = ()

    def content(self) -> bytes:
        """The leaf's bytes: canonical JSON."""
        value: dict[str, Any] = {"at": self.at, "commitment": self.commitment, "kind": self.kind, "v": VERSION}
        value |= {"concerns": list(self.concerns)} if self.concerns else {}
        value |= {"vkeys": list(self.vkeys)} if self.vkeys else {}
        return canonical_json(value)


def commitment(salt: bytes, content: bytes) -> str:
    """64 hexadecimal digits that say which content is meant, and tell nothing of it to whoever lacks the salt.

    Assumption: SHA-256 is collision resistant (nobody finds a second content), and with 32 random bytes before it hides what follows.
    """
    if len(salt) != SALT_BYTES:
        raise CanonicalError(f"a salt has {len(salt)} bytes, {SALT_BYTES} were expected; the content store is damaged, restore it")
    return hashlib.sha256(_DOMAIN + salt + content).hexdigest()


def time_text(at: datetime) -> str:
    """A time as entries hold it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_entry(kind: str, at: datetime, committed: str, *, concerns: tuple[int, ...] = (), vkeys: tuple[str, ...] = ()) -> Entry:
    """An entry, checked. Raises CanonicalError for a kind, a commitment or indexes that no entry may hold."""
    entry = Entry(kind=kind, at=time_text(at), commitment=committed, concerns=concerns, vkeys=vkeys)
    _check(entry)
    return entry


class PlainEntries:
    """Entries of one time that concern nothing else, fast: what is the same for all of them is checked and written once."""

    def __init__(self, at: datetime) -> None:
        self._at = time_text(at)
        self._heads: dict[str, tuple[bytes, bytes]] = {}

    def record(self, kind: str, committed: str) -> bytes:
        """The bytes of `new_entry(kind, at, committed).content()`. Raises CanonicalError as it does for the kind."""
        head = self._heads.get(kind)
        if head is None:
            whole = Entry(kind=kind, at=self._at, commitment="0" * 64)
            _check(whole)
            before, _, after = whole.content().partition(b"0" * 64)
            head = self._heads[kind] = (before, after)
        return head[0] + committed.encode() + head[1]


def parse_entry(data: bytes, index: int) -> Entry:
    """The entry whose content the bytes are. Raises BrokenLogError, naming `index`, for anything else."""
    try:
        given = _fields(read_canonical(data))
        entry = Entry(
            kind=given["kind"],
            at=given["at"],
            commitment=given["commitment"],
            concerns=_list(given, "concerns"),
            vkeys=_list(given, "vkeys"),
        )
        _check(entry)
    except (CanonicalError, NoteError) as error:
        raise BrokenLogError(f"record {index} is none that this log may hold: {error}") from None
    return entry


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CanonicalError("it is no JSON object; restore the log from a copy")
    given = cast("dict[str, Any]", value)
    if not _FIELDS <= set(given) <= _FIELDS | _FURTHER or given["v"] != VERSION:
        raise CanonicalError(f"its fields are {shown(', '.join(given))}; read it with the version that wrote it")
    return given


def _check(entry: Entry) -> None:
    texts = ((entry.kind, _KIND, "kind"), (entry.at, _TIME, "time"), (entry.commitment, _HASH, "commitment"))
    for text, form, name in texts:
        if not isinstance(text, str) or form.fullmatch(text) is None:  # pyright: ignore[reportUnnecessaryIsInstance] - it may be hostile JSON
            raise CanonicalError(
                f"its {name} is {shown(str(text))}, of another form than entries have; give a {name} as the page on the log says"
            )
    if len(entry.concerns) > MOST_CONCERNED or not all(type(index) is int and 0 <= index <= LARGEST_INDEX for index in entry.concerns):
        raise CanonicalError(
            f"it concerns {len(entry.concerns)} records, and 1 to {MOST_CONCERNED} indexes were expected; use several records"
        )
    if len(entry.vkeys) > MOST_KEYS or not all(isinstance(vkey, str) for vkey in entry.vkeys):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CanonicalError(f"it names {len(entry.vkeys)} keys, at most {MOST_KEYS} texts were expected; restore the log from a copy")
    for vkey in entry.vkeys:
        parse_key(vkey)


def _list(given: dict[str, Any], name: str) -> tuple[Any, ...]:
    """A list that is not empty where it is there."""
    value = given.get(name, ())
    if name in given and (not isinstance(value, list) or not value):
        raise CanonicalError(f"its {name} are no list with anything in it; restore the log from a copy")
    return tuple(cast("list[Any]", value))
