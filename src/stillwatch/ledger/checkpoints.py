"""Checkpoints: the signed statement of a log's size and root, cosignatures of it, and whom to believe. Pure.

Source: c2sp.org/tlog-checkpoint v1.0.0, c2sp.org/tlog-cosignature v1.1.0-rc.1.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.ledger.merkle import HASH_BYTES
from stillwatch.ledger.notes import PAYLOAD_BYTES, SIGNATURE_BYTES, Kind, Note, Signature, VerifierKey, parse_note, shown, strict_base64
from stillwatch.ledger.refusals import NoteError

LARGEST_SIZE = 2**63 - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log states of itself.

    Attributes:
        origin: the log's name.
        size: records.
        root: of the tree over them, 32 bytes.
        extensions: further lines; we write none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The text of its note."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A checkpoint that a trusted key signed.

    Attributes:
        checkpoint: what it states.
        note: as it was signed.
        signed_by: the log's keys whose signatures were verified.
        witnesses: (key, POSIX time in seconds) of verified cosignatures.
    """

    checkpoint: Checkpoint
    note: Note
    signed_by: tuple[VerifierKey, ...]
    witnesses: tuple[tuple[VerifierKey, int], ...] = ()


def parse_number(text: str, place: str) -> int:
    """A decimal below 2 ** 63 without leading zeros. Raises NoteError for anything else."""
    if _NUMBER.fullmatch(text) is None or int(text) > LARGEST_SIZE:
        raise NoteError(f"{place} holds {shown(text)} where a whole number was expected; restore it from a copy")
    return int(text)


def parse_checkpoint(text: str, place: str) -> Checkpoint:
    """The checkpoint of a note's text. Raises NoteError for any other text."""
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines):
        raise NoteError(f"{place} has {len(lines)} lines; a checkpoint has a name, a size and a root, and no empty line")
    size = parse_number(lines[1], place)
    root = strict_base64(lines[2], place)
    if len(root) != HASH_BYTES:
        raise NoteError(f"{place} has a root of {len(root)} bytes, {HASH_BYTES} were expected; restore it from a copy")
    return Checkpoint(origin=lines[0], size=size, root=root, extensions=tuple(lines[3:]))


def open_checkpoint(
    data: bytes, keys: Sequence[VerifierKey], place: str, *, origin: str | None = None, witnesses: Iterable[VerifierKey] = ()
) -> Opened:
    """The checkpoint of a note, once one of the log's trusted keys is seen to have signed it.

    Args:
        data: the note.
        keys: the log's keys that are trusted.
        place: where it was found, for messages.
        origin: name that the log must have; None: that of the keys.
        witnesses: keys of witnesses; lines of others are left alone.

    Raises NoteError where it is no checkpoint, of another log, no trusted key signed it, or a signature of a known key is wrong.
    """
    note = parse_note(data, place)
    checkpoint = parse_checkpoint(note.text, place)
    allowed = {key.name for key in keys} if origin is None else {origin}
    if checkpoint.origin not in allowed:
        expected = " or ".join(sorted(shown(name) for name in allowed)) or "none, since no key is trusted"
        raise NoteError(f"{place} is of the log {shown(checkpoint.origin)}, expected was {expected}; name the right log or key")
    signed = [key for key, _ in _verified(note, checkpoint, keys, place)]
    if not signed:
        ids = ", ".join(f"{shown(signature.name)} {signature.key_id.hex()}" for signature in note.signatures)
        known = ", ".join(f"{shown(key.name)} {key.key_id.hex()}" for key in keys)
        raise NoteError(f"{place} is signed by {ids}, and trusted are {known or 'none'}; get the log's key from whom you trust")
    return Opened(
        checkpoint=checkpoint,
        note=note,
        signed_by=tuple(dict.fromkeys(signed)),
        witnesses=tuple((key, time) for key, time in _verified(note, checkpoint, tuple(witnesses), place)),
    )


def cosigned_message(key: VerifierKey, checkpoint: Checkpoint, note_text: str, time: int) -> bytes:
    """What a key of the given kind signs for a checkpoint; `time` in POSIX seconds, nothing for a plain Ed25519 key."""
    if key.kind is Kind.ED25519:
        return note_text.encode()
    if key.kind is Kind.ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{note_text}".encode()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    if not (len(name) < 256 and len(origin) < 256):
        raise NoteError(f"{shown(checkpoint.origin)} is longer than 255 bytes, which ML-DSA-44 lines cannot state; give it a shorter name")
    parts = (b"subtree/v1\n\0", bytes([len(name)]), name, time.to_bytes(8, "big"), bytes([len(origin)]), origin, bytes(8))
    return b"".join((*parts, checkpoint.size.to_bytes(8, "big"), checkpoint.root))


def signature_holds(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    """Whether the bytes are the key's signature of the message."""
    try:
        if key.kind is Kind.ML_DSA_44_COSIGNATURE:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

            MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def signature_time(kind: Kind, payload: bytes) -> int:
    """POSIX seconds that a cosignature states; 0 for a plain signature, which states none."""
    return 0 if kind is Kind.ED25519 else int.from_bytes(payload[:8], "big")


def _verified(note: Note, checkpoint: Checkpoint, keys: Sequence[VerifierKey], place: str) -> list[tuple[VerifierKey, int]]:
    """(key, time) of every line of a known key; NoteError where one is wrong."""
    found: list[tuple[VerifierKey, int]] = []
    for signature in note.signatures:
        for key in keys:
            if key.matches(signature):
                _verify(note, checkpoint, key, signature, place)
                found.append((key, signature_time(key.kind, signature.payload)))
    return found


def _verify(note: Note, checkpoint: Checkpoint, key: VerifierKey, signature: Signature, place: str) -> None:
    wrong = NoteError(f"{place} carries a signature of {shown(key.name)} {key.key_id.hex()} that is wrong: the note was changed, or forged")
    if len(signature.payload) != PAYLOAD_BYTES[key.kind]:
        raise wrong
    time = signature_time(key.kind, signature.payload)
    if time > LARGEST_SIZE:
        raise wrong
    if not signature_holds(key, signature.payload[-SIGNATURE_BYTES[key.kind] :], cosigned_message(key, checkpoint, note.text, time)):
        raise wrong
