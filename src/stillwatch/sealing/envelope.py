"""The signed envelope around the statement: DSSE with the log's keys. Pure.

The keyid of a signature is the whole verifier key, so that the signature can be checked before anything that is signed is read.

Source: secure-systems-lab/dsse, protocol and envelope v1.0.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import signature_holds
from stillwatch.ledger.notes import Kind, VerifierKey, parse_key, strict_base64
from stillwatch.ledger.refusals import NoteError
from stillwatch.ledger.signing import NoteSigner
from stillwatch.sealing.refusals import RefusedCaseError, SealError
from stillwatch.sealing.whole_json import read_whole

PAYLOAD_TYPE = "application/vnd.in-toto+json"
LARGEST_ENVELOPE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What was signed, and by whom; nothing of it is trusted before the signatures are verified."""

    payload: bytes
    signatures: tuple[tuple[VerifierKey, bytes], ...]


def message(payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding of type and payload."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def signed(payload: bytes, signers: Sequence[NoteSigner]) -> bytes:
    """The envelope, canonical JSON, with a signature of every key. Raises SealError for a log whose name is not ASCII."""
    if not all(signer.verifier.name.isascii() for signer in signers):
        raise SealError("the log's name is not ASCII, and sealed cases name no other, so that none looks like another; use a log that is")
    lines = [
        {"keyid": signer.verifier.text(), "sig": base64.b64encode(signer.sign_envelope(message(payload))).decode()} for signer in signers
    ]
    return canonical_json({"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": lines})


def opened(data: bytes) -> Envelope:
    """The envelope of its bytes. Raises RefusedCaseError for another form, another type of payload, or keys that no log has."""
    if len(data) > LARGEST_ENVELOPE:
        raise RefusedCaseError("too-large", "case.json", expected=f"at most {LARGEST_ENVELOPE} bytes", got=str(len(data)))
    value = read_whole(data, "case.json")
    fields = _texts(value, ("payload", "payloadType"), {"signatures"}, "case.json")
    if fields["payloadType"] != PAYLOAD_TYPE:
        raise RefusedCaseError("payload-type", "case.json", expected=PAYLOAD_TYPE, got=ascii(fields["payloadType"][:80]))
    lines = fields["signatures"]
    if not isinstance(lines, list) or not 1 <= len(cast("list[Any]", lines)) <= 2:
        raise RefusedCaseError("envelope-form", "case.json", expected="one or two signatures", got="another number")
    found = [_signature(line) for line in cast("list[Any]", lines)]
    kinds = [key.kind for key, _ in found]
    if kinds not in ([Kind.ED25519], [Kind.ED25519, Kind.ML_DSA_44_COSIGNATURE]) or len({key.name for key, _ in found}) != 1:
        raise RefusedCaseError(
            "envelope-form", "case.json", expected="an Ed25519 key, and at most one ML-DSA-44 key of its name", got="others"
        )
    return Envelope(payload=_bytes(fields["payload"]), signatures=tuple(found))


def check_keys(envelope: Envelope, trusted: Sequence[VerifierKey]) -> None:
    """Nothing where the keys that signed are among the trusted ones; else RefusedCaseError.

    Whoever was given the log's ML-DSA-44 key relies on it: a file that it did not sign could be of somebody who can forge the other one.
    """
    kinds = {key.kind for key in trusted}
    signed_by = {key for key, _ in envelope.signatures}
    second = [key for key in trusted if key.kind is Kind.ML_DSA_44_COSIGNATURE and key.name == envelope.signatures[0][0].name]
    if second and not signed_by & set(second):
        expected = ascii(f"a signature of {second[0].name} {second[0].key_id.hex()} (ML-DSA-44) as well")
        raise RefusedCaseError("key", "case.json", expected=expected, got="none of that key")
    for key, _ in envelope.signatures:
        # who was given no ML-DSA-44 key relies on the Ed25519 key, which stands first
        if key not in trusted and (key.kind is Kind.ED25519 or key.kind in kinds):
            expected = " or ".join(f"{one.name} {one.key_id.hex()}" for one in trusted)
            raise RefusedCaseError("key", "case.json", expected=ascii(expected), got=ascii(f"{key.name} {key.key_id.hex()}"))


def check_signatures(envelope: Envelope) -> None:
    """Nothing where every signature is of the payload; else RefusedCaseError."""
    for key, signature in envelope.signatures:
        if not signature_holds(key, signature, message(envelope.payload)):
            raise RefusedCaseError(
                "signature", "case.json", expected=ascii(f"a signature of {key.name} {key.key_id.hex()} over the payload"), got="another"
            )


def check_signers(stated: Sequence[str], envelope: Envelope) -> None:
    """Nothing where the statement names the keys that signed it, so that none can be taken away or put in another's place."""
    found = [key.text() for key, _ in envelope.signatures]
    if found != list(stated):
        raise RefusedCaseError("signers", "case.json", expected=ascii(" ".join(stated))[:200], got=ascii(" ".join(found))[:200])


def _signature(line: Any) -> tuple[VerifierKey, bytes]:
    fields = _texts(line, ("keyid", "sig"), set(), "case.json: signatures")
    try:
        key = parse_key(fields["keyid"])
    except NoteError as error:
        raise RefusedCaseError("envelope-form", "case.json: signatures", expected="a verifier key", got=str(error)) from None
    if key.text() != fields["keyid"] or not key.name.isascii():
        # a name of ASCII alone, so that none looks like another
        raise RefusedCaseError("envelope-form", "case.json: signatures", expected=ascii(key.text()), got=ascii(fields["keyid"][:200]))
    return key, _bytes(fields["sig"])


def _texts(value: Any, names: Sequence[str], others: set[str], place: str) -> Mapping[str, Any]:
    """The object, seen to hold texts under these names, and besides only the others."""
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if set(fields) != {*names, *others} or not all(isinstance(fields[name], str) for name in names):
        raise RefusedCaseError("envelope-form", place, expected=", ".join((*names, *others)), got=ascii(", ".join(fields))[:120])
    return fields


def _bytes(text: str) -> bytes:
    try:
        return strict_base64(text, "case.json")
    except NoteError:
        raise RefusedCaseError("envelope-form", "case.json", expected="standard Base64", got=ascii(text[:40])) from None
