"""Proofs as text that anybody can check without us: of inclusion (c2sp.org/tlog-proof@v1), and of consistency. Pure.

A consistency proof has the form in which c2sp.org/tlog-witness v1.0.0 asks a witness: the old size, hashes, an empty line, a checkpoint.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stillwatch.ledger.checkpoints import Opened, open_checkpoint, parse_number
from stillwatch.ledger.merkle import HASH_BYTES, LONGEST_PATH, check_consistency, check_inclusion, leaf_hash
from stillwatch.ledger.notes import LARGEST_NOTE, VerifierKey, shown, strict_base64
from stillwatch.ledger.refusals import NoteError, ProofError
from stillwatch.ledger.tiles import LONGEST_RECORD

_HEAD = "c2sp.org/tlog-proof@v1"
LARGEST_PROOF = LARGEST_NOTE + 2 * LONGEST_RECORD + 64 * LONGEST_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That a record stands in a log.

    Attributes:
        index: of the record.
        path: hashes from the leaf's sibling up to the root's child.
        note: the checkpoint, as it was signed.
        extra: the entry's bytes, which nothing but the proof itself makes trustworthy; None: given apart.
    """

    index: int
    path: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def content(self) -> bytes:
        """As a `.tlog-proof` file holds it."""
        extra = [] if self.extra is None else [f"extra {base64.b64encode(self.extra).decode()}"]
        lines = [_HEAD, *extra, f"index {self.index}", *_encoded(self.path)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.note


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """That a log still holds all that it held at an earlier size; `note` is the later checkpoint."""

    old: int
    path: tuple[bytes, ...]
    note: bytes

    def content(self) -> bytes:
        """As a witness takes it."""
        return "".join(f"{line}\n" for line in (f"old {self.old}", *_encoded(self.path))).encode() + b"\n" + self.note


def parse_inclusion(data: bytes, place: str) -> InclusionProof:
    """The proof of a file. Raises ProofError for what is none."""
    lines, note = _split(data, place)
    if not lines or lines[0] != _HEAD:
        raise ProofError(f"{place} is no inclusion proof: its first line is not {_HEAD}; give a .tlog-proof file")
    del lines[0]
    extra = _decoded(lines.pop(0).removeprefix("extra "), place) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise ProofError(f"{place} names no index; ask for the proof again")
    index = _number(lines.pop(0).removeprefix("index "), place)
    return InclusionProof(index=index, path=_path(lines, place), note=note, extra=extra)


def parse_consistency(data: bytes, place: str) -> ConsistencyProof:
    """The proof of a file. Raises ProofError for what is none."""
    lines, note = _split(data, place)
    if not lines or not lines[0].startswith("old "):
        raise ProofError(f"{place} is no consistency proof: its first line is not the old size; ask for the proof again")
    return ConsistencyProof(old=_number(lines[0].removeprefix("old "), place), path=_path(lines[1:], place), note=note)


def check_inclusion_proof(
    proof: InclusionProof, record: bytes, keys: Sequence[VerifierKey], place: str, *, witnesses: Iterable[VerifierKey] = ()
) -> Opened:
    """The proof's checkpoint, once a trusted key is seen to have signed it and to hold the record. Raises NoteError, ProofError."""
    opened = open_checkpoint(proof.note, keys, place, witnesses=witnesses)
    check_inclusion(leaf_hash(record), proof.index, opened.checkpoint.size, proof.path, opened.checkpoint.root)
    return opened


def check_consistency_proof(proof: ConsistencyProof, earlier: Opened, keys: Sequence[VerifierKey], place: str) -> Opened:
    """The proof's checkpoint, once it is seen to hold all of the earlier one. Raises NoteError, ProofError."""
    opened = open_checkpoint(proof.note, keys, place, origin=earlier.checkpoint.origin)
    if proof.old != earlier.checkpoint.size:
        raise ProofError(
            f"{place} starts from {proof.old} records, the earlier checkpoint has {earlier.checkpoint.size}; ask for the other proof"
        )
    check_consistency(proof.old, opened.checkpoint.size, proof.path, earlier.checkpoint.root, opened.checkpoint.root)
    return opened


def _split(data: bytes, place: str) -> tuple[list[str], bytes]:
    if len(data) > LARGEST_PROOF:
        raise ProofError(f"{place} has more than {LARGEST_PROOF} bytes, which no proof has; ask for the proof again")
    head, gap, note = data.partition(b"\n\n")
    try:
        lines = head.decode().split("\n")
    except UnicodeDecodeError:
        raise ProofError(f"{place} is not UTF-8, as a proof is; ask for the proof again") from None
    if not gap:
        raise ProofError(f"{place} is cut short: a proof has lines, an empty line and a checkpoint; ask for the proof again")
    return lines, note


def _path(lines: list[str], place: str) -> tuple[bytes, ...]:
    if len(lines) > LONGEST_PATH:
        raise ProofError(f"{place} has {len(lines)} hashes, and no proof has more than {LONGEST_PATH}; ask for the proof again")
    path = tuple(_decoded(line, place) for line in lines)
    if odd := [found for found in path if len(found) != HASH_BYTES]:
        raise ProofError(f"{place} has a hash of {len(odd[0])} bytes, {HASH_BYTES} were expected; ask for the proof again")
    return path


def _decoded(text: str, place: str) -> bytes:
    try:
        return strict_base64(text, place)
    except NoteError:
        raise ProofError(f"{place} holds {shown(text)}, which is not the Base64 of anything; ask for the proof again") from None


def _number(text: str, place: str) -> int:
    try:
        return parse_number(text, place)
    except NoteError as error:
        raise ProofError(str(error)) from None


def _encoded(path: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(found).decode() for found in path]
