"""What `stillwatch log` does: makes, fills, shows, proves, verifies and erases; decides nothing that `ledger` decides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch import __version__
from stillwatch.app.log_keys import load_signers, make_signers
from stillwatch.app.recording import act, log_box, writing
from stillwatch.errors import OutputError, UnreadableInputError, UsageError
from stillwatch.govern.approvals import Recorded
from stillwatch.govern.policy import DataClass
from stillwatch.govern.retention import Holds, holds_of
from stillwatch.ledger.canonical import read_canonical
from stillwatch.ledger.entries import LARGEST_CONTENT, MOST_CONCERNED
from stillwatch.ledger.notes import VerifierKey, check_name
from stillwatch.ledger.reading import KEYS, PUBLIC, LogReader
from stillwatch.ledger.refusals import BrokenLogError, HeldError, LedgerError
from stillwatch.ledger.signing import NoteSigner
from stillwatch.ledger.writing import create_log
from stillwatch.records.evidence import ACTS, Erasure, Ground, Hold, KeyRotation, LogStart, Release, View, record_of

OWN_COMMANDS = {
    "log_start": "log init",
    "erasure": "log erase",
    "hold": "log hold",
    "release": "log release",
    "key_rotation": "log rotate-key",
    "approval_request": "govern suspend request",
    "approval": "govern approve",
    "suspension_lift": "govern suspend lift",
    "disposal": "govern retain",
}
"""Kinds that are recorded by a command of their own, because something is done with them."""

LASTING = frozenset({"log_start", "erasure", "hold", "release", "key_rotation", "disposal"})
"""Kinds whose contents are not erased: they say what was erased, held, or signed by whom, and hold no text of exchanges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who does something with evidence, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a hold keeps beside records that it names: whatever is held about accounts, and whole classes of data."""

    accounts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def start_log(folder: Path, origin: str, key: Path, *, ml_dsa: bool, purpose: str, now: datetime) -> dict[str, Any]:
    """A new log with a new key file, and its first record; its verifier keys."""
    check_name(origin)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already and not empty; name a new folder for the log")
    signers = make_signers(key, origin, ml_dsa=ml_dsa)
    vkeys = tuple(signer.verifier.text() for signer in signers)
    create_log(folder, signers, at=now)
    with writing(folder, signers) as writer:
        writer.append([act(LogStart(origin=origin, vkeys=vkeys, version=__version__, purpose=purpose))], at=now)
    return {"folder": str(folder), "key_file": str(key), "vkey": vkeys[0], "all_vkeys_in": str(folder / PUBLIC / KEYS)}


def append_lines(
    folder: Path, kind: str, lines: Iterator[str], key: Path | None, *, concerns: Sequence[int], now: datetime
) -> dict[str, Any]:
    """Record the content of every line, a JSON object of that kind; which records they became. All of them are checked first."""
    if kind in OWN_COMMANDS or kind not in ACTS:
        given = ", ".join(name for name in ACTS if name not in OWN_COMMANDS)
        hint = f"; use `stillwatch {OWN_COMMANDS[kind]}`" if kind in OWN_COMMANDS else ""
        raise UsageError(f"--kind is {kind!r}; it takes one of {given}{hint}")
    records = [record_of(ACTS[kind], _json(line, number), f"line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not records:
        raise UsageError("nothing was given to be recorded; give a JSON object on each line")
    with writing(folder, load_signers(key)) as writer:
        first = writer.append([act(record, concerns=tuple(concerns)) for record in records], at=now)
        return {"first": first, "records": len(records), "size": writer.size}


def listed(folder: Path, keys: Sequence[VerifierKey], *, kinds: Sequence[str], start: int, limit: int) -> list[dict[str, Any]]:
    """What the log itself says of records, without their contents."""
    reader = LogReader(folder, keys)
    found: list[dict[str, Any]] = []
    for index, entry in reader.entries(kinds, start=max(0, start if start >= 0 else reader.size + start)):
        if len(found) == limit:
            break
        if not kinds or entry.kind in kinds:
            found.append({"index": index, "at": entry.at, "kind": entry.kind, "concerns": list(entry.concerns)})
    return found


def viewed(folder: Path, index: int, who: Who, key: Path | None, *, now: datetime) -> dict[str, Any]:
    """A record with its content; that it was looked at is recorded before it is given."""
    signers = load_signers(key)
    held = opening(LogReader(folder, [signer.verifier for signer in signers]), index)
    if held is None:
        raise UnreadableInputError(f"the content of record {index} was erased; `stillwatch log show` lists the erasures")
    with writing(folder, signers) as writer:
        view = View(by=_said(who.by, "--by"), why=_said(who.why, "--why"), what=f"content of record {index}")
        recorded = writer.append([act(view, concerns=(index,))], at=now)
    return {"index": index, "viewed_in": recorded, "content": held[1]}


def opening(reader: LogReader, index: int) -> tuple[bytes, Any] | None:
    """(salt, content) of a record, seen to open its commitment; None: it was erased."""
    from stillwatch.ledger.entries import commitment

    entry = reader.entry(index)
    with reader.contents(log_box()) as contents:
        for _, salt, content in contents.openings(index, index + 1):
            if commitment(salt, content) != entry.commitment:
                raise BrokenLogError(f"the content of record {index} is not what was committed to; see `stillwatch log verify`")
            return salt, read_canonical(content)
    if not any(index in erasure.concerns for _, erasure in reader.entries(("erasure",), start=index)):
        raise BrokenLogError(f"the content of record {index} is missing, and no record says that it was erased; restore it from a copy")
    return None


def erase(folder: Path, indexes: Sequence[int], who: Who, ground: Ground, key: Path | None, *, now: datetime) -> dict[str, Any]:
    """Record the erasure of contents, and erase them.

    Raises HeldError where a hold protects one, LedgerError where one cannot be erased or is gone already.
    """
    wanted = sorted(set(indexes))
    if not wanted:
        raise UsageError("no record was named whose content is to be erased; name indexes, or a time with --before")
    signers = load_signers(key)
    with writing(folder, signers) as writer:
        _check_erasable(LogReader(folder, [signer.verifier for signer in signers]), wanted)
        erasure = Erasure(by=_said(who.by, "--by"), ground=ground, why=_said(who.why, "--why"))
        parts = [tuple(wanted[start : start + MOST_CONCERNED]) for start in range(0, len(wanted), MOST_CONCERNED)]
        first = writer.append([act(erasure, concerns=part) for part in parts], at=now, erases=wanted)
    return {"erased": len(wanted), "recorded_in": list(range(first, first + len(parts)))}


def before(folder: Path, moment: datetime, kinds: Sequence[str], keys: Sequence[VerifierKey]) -> list[int]:
    """Records from before a time, of some kinds or all, whose contents may be erased and are still there."""
    from stillwatch.ledger.entries import time_text

    reader = LogReader(folder, keys)
    limit = time_text(moment)
    old = {i for i, entry in reader.entries(kinds) if entry.at < limit and entry.kind not in LASTING and (not kinds or entry.kind in kinds)}
    with reader.contents(log_box()) as contents:
        return [index for index, _, _ in contents.openings(0, reader.size) if index in old]


def hold(
    folder: Path, indexes: Sequence[int], who: Who, key: Path | None, *, until: str | None, now: datetime, scope: Scope | None = None
) -> dict[str, Any]:
    """Protect contents from erasure, and whatever the scope names; neither named: all."""
    scope = scope or Scope()
    if unknown := sorted(set(scope.classes) - {each.value for each in DataClass}):
        raise UsageError(f"--class is {unknown[0]!r}; it takes one of {', '.join(DataClass)}")
    who_and_why = {"by": _said(who.by, "--by"), "why": _said(who.why, "--why")}
    record = Hold(**who_and_why, until=until, accounts=scope.accounts, classes=scope.classes)
    parts = [tuple(indexes[start : start + MOST_CONCERNED]) for start in range(0, len(indexes), MOST_CONCERNED)] or [()]
    with writing(folder, load_signers(key)) as writer:
        first = writer.append([act(record, concerns=part) for part in parts], at=now)
    held = {"accounts": len(scope.accounts), "classes": list(scope.classes)} if scope.accounts or scope.classes else len(indexes) or "all"
    return {"held": held, "recorded_in": list(range(first, first + len(parts)))}


def release(folder: Path, hold_index: int, who: Who, key: Path | None, *, now: datetime) -> dict[str, Any]:
    """End a hold. Raises LedgerError where the record is no hold, or was released."""
    signers = load_signers(key)
    with writing(folder, signers) as writer:
        active = holds(LogReader(folder, [signer.verifier for signer in signers]))
        if hold_index not in active:
            known = ", ".join(map(str, active)) or "none"
            raise LedgerError(f"record {hold_index} is no hold that stands (those are: {known}); name one of them")
        record = Release(by=_said(who.by, "--by"), why=_said(who.why, "--why"))
        return {"released": hold_index, "recorded_in": writer.append([act(record, concerns=(hold_index,))], at=now)}


def holds(reader: LogReader) -> dict[int, frozenset[int]]:
    """Record of each hold that stands, and the records that it protects; none: all."""
    active: dict[int, frozenset[int]] = {}
    for index, entry in reader.entries(("hold", "release")):
        if entry.kind == "hold":
            active[index] = frozenset(entry.concerns)
        elif entry.kind == "release":
            for released in entry.concerns:
                active.pop(released, None)
    return active


def scoped_holds(reader: LogReader) -> Holds:
    """The holds that stand, with what each keeps."""
    found: list[Recorded] = []
    standing = holds(reader)
    for index, entry in reader.entries(("hold", "release")):
        held = opening(reader, index)
        if held is None and index not in standing:
            continue
        if held is None:
            raise BrokenLogError(f"the content of record {index}, a {entry.kind}, is gone; restore the log from a copy")
        record = record_of(ACTS[entry.kind], held[1], f"record {index}")
        found.append(Recorded(index=index, at=datetime.fromisoformat(entry.at), record=record, concerns=entry.concerns))
    return holds_of(found)


def rotate(folder: Path, key: Path | None, new_key: Path, who: Who, *, ml_dsa: bool, now: datetime) -> dict[str, Any]:
    """A new key for the log, made in a new file, announced in the log and signed by the old and the new key."""
    signers = load_signers(key)
    record = KeyRotation(by=_said(who.by, "--by"), why=_said(who.why, "--why"))
    with writing(folder, signers) as writer:
        new = make_signers(new_key, signers[0].verifier.name, ml_dsa=ml_dsa)
        index = writer.rotate(new, act(record), at=now)
    return {"recorded_in": index, "key_file": str(new_key), "vkey": new[0].verifier.text()}


def recover(folder: Path, signers: Sequence[NoteSigner] | None = None) -> dict[str, int]:
    """Finish what a crash left unfinished: records that were committed and not published, contents that were to be erased."""
    with writing(folder, signers) as writer:
        published, erased = writer.recovered
        return {"size": writer.size, "published": published, "erased": erased}


def _check_erasable(reader: LogReader, wanted: Sequence[int]) -> None:
    if wanted[-1] >= reader.size:
        raise LedgerError(f"record {wanted[-1]} is not in a log of {reader.size} records; name those that are")
    standing = scoped_holds(reader)
    present: set[int] = set()
    with reader.contents(log_box()) as contents:
        for index in wanted:
            for found, _, content in contents.openings(index, index + 1):
                present.add(found)
                if (held_by := standing.on_record(index, read_canonical(content))) is not None:
                    raise HeldError(
                        f"record {index} is held by record {held_by}; nothing was erased; release the hold first, where that is lawful"
                    )
    if gone := [index for index in wanted if index not in present]:
        raise LedgerError(f"the content of record {gone[0]} is gone already; nothing was erased; leave it out")
    for index in wanted:
        if (kind := reader.entry(index).kind) in LASTING:
            raise LedgerError(f"record {index} is a {kind}, whose content stays; nothing was erased; leave it out")


def _said(text: str, option: str) -> str:
    if not text.strip():
        raise UsageError(f"{option} is empty; say it in words, for it is what the log keeps")
    return text.strip()


def _json(line: str, number: int) -> Any:
    try:
        return json.loads(line[: LARGEST_CONTENT + 1], object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UnreadableInputError(f"line {number} is no JSON object ({error}); nothing was recorded; mend the line") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UnreadableInputError("a name stands twice in a JSON object; nothing was recorded; leave one of them out")
    return value
