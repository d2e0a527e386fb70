"""Proofs from a log, and checks of logs and proofs: files in, words out. The arithmetic is the ledger's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.app.evidence_log import Who, opening
from stillwatch.app.log_keys import load_signers
from stillwatch.app.private_files import create_private
from stillwatch.app.recording import act, log_box, writing
from stillwatch.app.state import write_text
from stillwatch.errors import UnreadableInputError
from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import Opened, open_checkpoint
from stillwatch.ledger.entries import LARGEST_CONTENT, commitment, parse_entry
from stillwatch.ledger.notes import LARGEST_NOTE, VerifierKey
from stillwatch.ledger.proofs import (
    LARGEST_PROOF,
    check_consistency_proof,
    check_inclusion_proof,
    parse_consistency,
    parse_inclusion,
)
from stillwatch.ledger.reading import TIMESTAMPS, WITNESSED, LogReader
from stillwatch.ledger.refusals import BrokenLogError, ProofError
from stillwatch.ledger.timestamps import LARGEST_TOKEN, Stamp, check_timestamp, read_roots
from stillwatch.ledger.verifying import ERASURE, Verified, verify
from stillwatch.records.evidence import Export, Input


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a verifier brings along; the less of it, the less is proved.

    Attributes:
        keys: the log's keys; empty: those that the folder names.
        witnesses: keys of witnesses.
        quorum: how many of them must have cosigned the newest cosigned checkpoint; 0: none need have.
        roots: PEM file of the time-stamp authority's root; None: time-stamps are not checked.
        earlier: files of earlier checkpoints or proofs that the log must still hold.
    """

    keys: tuple[VerifierKey, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    roots: Path | None = None
    earlier: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A log that was found sound, and what vouches for it.

    Attributes:
        verified: what was counted.
        reader: of the log.
        cosigned: (size, witness, POSIX seconds) of verified cosignatures.
        stamps: (size, time-stamp) that were verified.
        unchecked: what there was and could not be checked, in sentences.
    """

    verified: Verified
    reader: LogReader
    cosigned: tuple[tuple[int, str, int], ...]
    stamps: tuple[tuple[int, Stamp], ...]
    unchecked: tuple[str, ...] = field(default=())


def check_log(folder: Path, trust: Trust, *, contents: bool, progress: Callable[[int], None] = lambda _: None) -> Checked:
    """Read a whole log and hold it against what the verifier trusts.

    Raises BrokenLogError, NoteError and ProofError, naming the first thing that does not hold.
    """
    reader = LogReader(folder, trust.keys)
    cosigned_notes = [(place, _opened(reader, place, note, trust.witnesses)) for place, note in reader.kept_notes(WITNESSED)]
    stamped = [(place, note, _opened(reader, place, note, ())) for place, note in reader.kept_notes(TIMESTAMPS)]
    earlier = [
        *((str(path), _earlier(reader, path)) for path in trust.earlier),
        *cosigned_notes,
        *((place, opened) for place, _, opened in stamped),
        *(("a change of keys", turn) for turn in reader.eras.turns),
    ]
    verified = _verified(reader, earlier, contents=contents, progress=progress)
    stamps, unchecked = _stamps(reader, stamped, trust.roots)
    cosigned = tuple((opened.checkpoint.size, key.name, at) for _, opened in cosigned_notes for key, at in opened.witnesses)
    _check_quorum(reader, cosigned, trust)
    return Checked(verified=verified, reader=reader, cosigned=cosigned, stamps=stamps, unchecked=unchecked)


def _verified(reader: LogReader, earlier: Sequence[tuple[str, Opened]], *, contents: bool, progress: Callable[[int], None]) -> Verified:
    checkpoint = reader.opened.checkpoint
    if not contents:
        return verify(reader.public.fetch, checkpoint, earlier=earlier, progress=progress)

    def erased_later() -> Iterable[int]:
        newer = LogReader(reader.folder, reader.eras.every)
        return [index for _, entry in newer.entries((ERASURE,), start=checkpoint.size) for index in entry.concerns]

    with reader.contents(log_box()) as held:
        return verify(
            reader.public.fetch, checkpoint, earlier=earlier, openings=held.openings, erased_later=erased_later, progress=progress
        )


def prove_record(folder: Path, index: int, out: Path, keys: Sequence[VerifierKey]) -> dict[str, Any]:
    """Write a record's `.tlog-proof`, which anybody can check offline with the log's verifier key."""
    reader = LogReader(folder, keys)
    proof = reader.prove(index)
    write_text(out, proof.content().decode())
    return {"proof": str(out), "index": index, "vkeys": [key.text() for key in reader.eras.every]}


def export_opening(folder: Path, index: int, out: Path, who: Who, to: str, key: Path | None, *, now: datetime) -> dict[str, Any]:
    """Write a record's content with its salt into a new private file, once the log says that it was handed over.

    Raises UnreadableInputError where the content was erased.
    """
    signers = load_signers(key)
    held = opening(LogReader(folder, [signer.verifier for signer in signers]), index)
    if held is None:
        raise UnreadableInputError(f"the content of record {index} was erased; its proof can still be given, its content cannot")
    text = canonical_json({"content": held[1], "salt": held[0].hex()}).decode() + "\n"
    handed = Input(name=out.name, sha256=hashlib.sha256(text.encode()).hexdigest())
    with writing(folder, signers) as writer:
        export = Export(by=who.by, to=to, why=who.why, form="opening", files=(handed,))
        recorded = writer.append([act(export, concerns=(index,))], at=now)
    create_private(out, text)
    return {"opening": str(out), "index": index, "recorded_in": recorded}


def prove_since(folder: Path, old: int, out: Path, keys: Sequence[VerifierKey]) -> dict[str, Any]:
    """Write the proof that the log still holds all that it held at `old` records."""
    reader = LogReader(folder, keys)
    write_text(out, reader.prove_consistency(old).content().decode())
    return {"proof": str(out), "old": old, "size": reader.size}


def check_proof(path: Path, trust: Trust, opened_by: Path | None) -> dict[str, Any]:
    """Check a proof's file without the log: an inclusion proof, with the content where it is given, or a consistency proof.

    Raises ProofError and NoteError for what does not hold.
    """
    data = _read(path, LARGEST_PROOF)
    if data.startswith(b"old "):
        return _check_since(path, data, trust)
    proof = parse_inclusion(data, str(path))
    if proof.extra is None:
        raise ProofError(f"{path} does not bring its entry along; it was written by another program, check it with the entry there")
    opened = check_inclusion_proof(proof, proof.extra, trust.keys, str(path), witnesses=trust.witnesses)
    entry = parse_entry(proof.extra, proof.index)
    found: dict[str, Any] = {
        "index": proof.index,
        "kind": entry.kind,
        "at": entry.at,
        "origin": opened.checkpoint.origin,
        "size": opened.checkpoint.size,
        "witnesses": [{"name": key.name, "at": _moment(at)} for key, at in opened.witnesses],
    }
    if opened_by is not None:
        found["content"] = _opening_of(opened_by, entry.commitment)
    return found


def _check_since(path: Path, data: bytes, trust: Trust) -> dict[str, Any]:
    if len(trust.earlier) != 1:
        raise ProofError(f"{path} is a consistency proof; give the one checkpoint that it starts from with --earlier")
    place = trust.earlier[0]
    earlier = open_checkpoint(_read(place, LARGEST_NOTE), trust.keys, str(place))
    opened = check_consistency_proof(parse_consistency(data, str(path)), earlier, trust.keys, str(path))
    return {"origin": opened.checkpoint.origin, "old": earlier.checkpoint.size, "size": opened.checkpoint.size}


def _opening_of(path: Path, committed: str) -> Any:
    place = f"{path} is no opening: a JSON object with content and salt was expected"
    try:
        value = json.loads(_read(path, LARGEST_CONTENT + 4096))
        salt, content = bytes.fromhex(value["salt"]), canonical_json(value["content"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ProofError(f"{place}; ask for it again") from None
    if commitment(salt, content) != committed:
        raise ProofError(f"{path} is not what the record committed to: the content or the salt is another; ask for it again")
    return value["content"]


def _opened(reader: LogReader, place: str, note: bytes, witnesses: Iterable[VerifierKey]) -> Opened:
    """A checkpoint that the folder keeps, which must be one of the log's own."""
    opened = open_checkpoint(note, reader.eras.every, place, witnesses=witnesses)
    reader.eras.check(opened, place)
    return opened


def _earlier(reader: LogReader, path: Path) -> Opened:
    """A checkpoint that the verifier kept, or the one within a proof."""
    data = _read(path, LARGEST_PROOF)
    if data.startswith(b"c2sp.org/tlog-proof@"):
        data = parse_inclusion(data, str(path)).note
    elif data.startswith(b"old "):
        data = parse_consistency(data, str(path)).note
    return open_checkpoint(data, reader.eras.every, str(path))


def _stamps(
    reader: LogReader, stamped: Sequence[tuple[str, bytes, Opened]], roots: Path | None
) -> tuple[tuple[tuple[int, Stamp], ...], tuple[str, ...]]:
    if not stamped:
        return (), ()
    if roots is None:
        return (), (f"{len(stamped)} time-stamps were not checked; give the authority's root certificate with --tsa-root",)
    trusted = read_roots(_read(roots, 1024 * 1024), str(roots))
    found: list[tuple[int, Stamp]] = []
    for place, note, opened in stamped:
        size = opened.checkpoint.size
        token = reader.public.fetch(f"{TIMESTAMPS}/{size}.tsr", LARGEST_TOKEN)
        if token is None:
            raise BrokenLogError(f"{place}.tsr is missing; restore it from a copy, or delete {place}")
        found.append((size, check_timestamp(token, note, trusted, f"{place}.tsr")))
    return tuple(found), ()


def _check_quorum(reader: LogReader, cosigned: Sequence[tuple[int, str, int]], trust: Trust) -> None:
    newest = max((size for size, _, _ in cosigned), default=0)
    names = {name for size, name, _ in cosigned if size == newest}
    if len(names) < trust.quorum:
        raise ProofError(
            f"{reader.folder}: {len(names)} of the witnesses named cosigned the checkpoint of {newest} records, {trust.quorum} were asked "
            "for; ask them with `stillwatch log anchor`"
        )


def text_lines(path: Path) -> Iterator[str]:
    """Lines of a text file. Raises UnreadableInputError where it cannot be read or is not UTF-8."""
    try:
        with path.open(encoding="utf-8") as file:
            yield from iter(lambda: file.readline(LARGEST_CONTENT + 2), "")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UnreadableInputError(f"{path} cannot be read: {reason}; name a file of JSON Lines") from None


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a file that is there") from None
    if len(data) > most:
        raise UnreadableInputError(f"{path} has more than {most} bytes, which no such file has; name the right one")
    return data


def _moment(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s after 1970"
