"""Witness cosignatures: what a witness is sent, and what its answer adds to a checkpoint. Pure: whoever asks brings the answer.

Source: c2sp.org/tlog-witness v1.0.0, c2sp.org/tlog-cosignature v1.1.0-rc.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.ledger.checkpoints import Opened, open_checkpoint, parse_number
from stillwatch.ledger.notes import Kind, Note, VerifierKey, parse_note, parse_signatures, shown
from stillwatch.ledger.proofs import ConsistencyProof
from stillwatch.ledger.refusals import NoteError

LARGEST_ANSWER = 64 * 1024
PATH = "/add-checkpoint"
CONFLICT = 409
"""HTTP status of a witness that has seen the log at another size, which its answer names."""


def witness_request(proof: ConsistencyProof) -> bytes:
    """The body to be posted: the size that the witness saw last, the proof from there, and the checkpoint."""
    return proof.content()


def seen_size(answer: bytes, place: str) -> int:
    """The size that a witness saw last, from its answer with status CONFLICT. Raises NoteError for another answer."""
    return parse_number(answer.decode(errors="replace").strip(), place)


def with_cosignatures(
    note: bytes, answer: bytes, keys: Sequence[VerifierKey], witnesses: Sequence[VerifierKey], place: str
) -> tuple[bytes, Opened]:
    """The note with the known witnesses' lines of the answer, verified; lines of others are left out.

    Raises NoteError where no known witness signed, a signature is wrong, or it states no time.
    """
    given = parse_signatures(answer.decode(errors="replace"), place)
    known = tuple(line for line in given if any(key.matches(line) for key in witnesses))
    if not known:
        names = ", ".join(shown(line.name) for line in given)
        raise NoteError(f"{place} answered with signatures of {names}, none of which is a witness that was named; check its key")
    before = parse_note(note, "the checkpoint")
    joined = Note(text=before.text, signatures=tuple(dict.fromkeys((*before.signatures, *known))))
    opened = open_checkpoint(joined.content(), keys, place, witnesses=witnesses)
    if any(time == 0 for _, time in opened.witnesses):
        raise NoteError(f"{place} answered with a cosignature without a time; ask its operator")
    return joined.content(), opened


def check_witness_key(key: VerifierKey) -> None:
    """Nothing for a key that cosigns; else NoteError."""
    if key.kind is Kind.ED25519:
        raise NoteError(
            f"the key of the witness {shown(key.name)} signs notes and no cosignatures; give the key that the witness names for those"
        )
