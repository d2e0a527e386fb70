"""Keys that sign checkpoints, and their text for a private file. Pure: whoever makes one brings the random bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.ledger.checkpoints import Checkpoint, cosigned_message
from stillwatch.ledger.notes import Kind, Note, Signature, VerifierKey, check_name, strict_base64
from stillwatch.ledger.refusals import NoteError

SEED_BYTES = 32
_FORM = "PRIVATE+KEY+"
_MAKE_ONE = "make one with `stillwatch log init` or `stillwatch log rotate-key`"


class NoteSigner:
    """The private key of a log or witness, under its name; no representation, copy or serialisation gives it away.

    Raises NoteError for a name that no key may have, a seed of another length, and ML-DSA-44 where the installed library has none.
    """

    __slots__ = ("_seed", "_sign", "verifier")

    def __init__(self, name: str, kind: Kind, seed: bytes) -> None:
        check_name(name)
        if len(seed) != SEED_BYTES:
            raise NoteError(f"the key of a log has {len(seed)} bytes, {SEED_BYTES} were expected; {_MAKE_ONE}")
        self._seed = bytes(seed)
        if kind is Kind.ML_DSA_44_COSIGNATURE:
            public, self._sign = _ml_dsa(self._seed)
        else:
            key = Ed25519PrivateKey.from_private_bytes(self._seed)
            public, self._sign = key.public_key().public_bytes_raw(), key.sign
        self.verifier = VerifierKey(name=name, kind=kind, public=public)

    def __repr__(self) -> str:
        return f"NoteSigner({self.verifier.name!r}, hidden)"

    def __reduce__(self) -> NoReturn:
        raise NoteError("the private key of a log was to be serialised; read it again where it is needed")

    def sign(self, checkpoint: Checkpoint, *, time: int) -> Signature:
        """The key's line for the checkpoint; `time` in POSIX seconds is stated by cosignatures alone."""
        payload = b"" if self.verifier.kind is Kind.ED25519 else time.to_bytes(8, "big")
        message = cosigned_message(self.verifier, checkpoint, checkpoint.text(), time)
        return Signature(name=self.verifier.name, key_id=self.verifier.key_id, payload=payload + self._sign(message))

    def sign_envelope(self, message: bytes) -> bytes:
        """The key's signature of a DSSE message. Raises NoteError for other bytes: nothing else that a log's key signs begins like one."""
        if not message.startswith(b"DSSEv1 "):
            raise NoteError("the key of a log signs checkpoints and DSSE envelopes alone; give the envelope's message")
        return self._sign(message)

    def text(self) -> str:
        """The one line that a private file holds. A secret."""
        encoded = base64.b64encode(bytes([self.verifier.kind]) + self._seed).decode()
        return f"{_FORM}{self.verifier.name}+{self.verifier.key_id.hex()}+{encoded}\n"


def _ml_dsa(seed: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        key = MLDSA44PrivateKey.from_seed_bytes(seed)
    except (ImportError, UnsupportedAlgorithm):
        message = "the installed library cryptography, or the OpenSSL that it was built with, has no ML-DSA-44; make the key without it"
        raise NoteError(message) from None
    return key.public_key().public_bytes_raw(), key.sign


def signers_text(signers: tuple[NoteSigner, ...]) -> str:
    """The lines of a private key file. A secret."""
    return "".join(signer.text() for signer in signers)


def parse_signers(text: str, place: str) -> tuple[NoteSigner, ...]:
    """The keys of a private file, the Ed25519 key first. The message of an error never holds the text.

    Raises NoteError for another form, and where no Ed25519 key is among them or the names differ.
    """
    signers = tuple(_signer(line, place) for line in text.splitlines() if line.strip())
    ordered = tuple(sorted(signers, key=lambda signer: signer.verifier.kind))
    kinds = [signer.verifier.kind for signer in ordered]
    if kinds not in ([Kind.ED25519], [Kind.ED25519, Kind.ML_DSA_44_COSIGNATURE]) or len({key.verifier.name for key in ordered}) != 1:
        raise NoteError(f"{place} holds no key of a log: one Ed25519 line, and at most one ML-DSA-44 line of the same name; {_MAKE_ONE}")
    return ordered


def sign_note(checkpoint: Checkpoint, signers: tuple[NoteSigner, ...], *, time: int) -> Note:
    """The checkpoint with a line of every key; `time` in POSIX seconds."""
    return Note(text=checkpoint.text(), signatures=tuple(signer.sign(checkpoint, time=time) for signer in signers))


def _signer(line: str, place: str) -> NoteSigner:
    wrong = NoteError(f"{place} holds a line that is no private key of a log ({_FORM}NAME+ID+KEY was expected); {_MAKE_ONE}")
    name, _, rest = line.strip().removeprefix(_FORM).partition("+")
    digits, _, encoded = rest.partition("+")
    if not line.startswith(_FORM):
        raise wrong
    try:
        material = strict_base64(encoded, place)
        signer = NoteSigner(name, Kind(material[0]), material[1:])
    except (NoteError, ValueError, IndexError):
        raise wrong from None
    if signer.verifier.key_id.hex() != digits:
        raise wrong
    return signer
