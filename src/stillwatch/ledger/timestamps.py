"""RFC 3161 time-stamps of checkpoints: the request to an authority, and what its answer proves. Pure: whoever asks brings the answer.

Needs the extra `anchors` (rfc3161-client).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from stillwatch.errors import MissingExtraError
from stillwatch.ledger.notes import shown
from stillwatch.ledger.refusals import NoteError, ProofError

LARGEST_TOKEN = 64 * 1024
REQUEST_TYPE = "application/timestamp-query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a time-stamp proves: the checkpoint was there at that time, UTC, says the authority of that name."""

    at: datetime
    authority: str


def timestamp_request(note: bytes) -> tuple[bytes, int]:
    """The request to be sent for a checkpoint's note, and the nonce that the answer must hold. SHA-256, with the authority's certificate.

    Source: RFC 3161, section 2.4.1.
    """
    client = _client()
    builder = client.TimestampRequestBuilder().data(note).hash_algorithm(client.HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    return request.as_bytes(), request.nonce


def check_timestamp(token: bytes, note: bytes, roots: Sequence[x509.Certificate], place: str, *, nonce: int | None = None) -> Stamp:
    """What the answer proves of the note, under root certificates that are trusted.

    Raises ProofError for an answer that is none, of another note, of another nonce, or not signed under the roots.

    Source: RFC 3161, section 2.4.2.
    """
    client = _client()
    if len(token) > LARGEST_TOKEN:
        raise ProofError(f"{place} has more than {LARGEST_TOKEN} bytes, which no time-stamp has; ask for another")
    if not roots:
        raise ProofError(f"{place} cannot be checked without a root certificate of the authority; give one with --tsa-root")
    try:
        response = client.decode_timestamp_response(token)
        builder = client.VerifierBuilder(roots=list(roots), nonce=nonce)
        builder.build().verify_message(response, note)
        found: datetime = response.tst_info.gen_time
        authority = _authority(response)
    except client.VerificationError as error:
        raise ProofError(
            f"{place} is no time-stamp of this checkpoint under the roots given: {shown(str(error))}; ask for another"
        ) from None
    except (ValueError, TypeError, IndexError) as error:
        raise ProofError(f"{place} is no answer of a time-stamp authority ({shown(str(error))}); ask for another") from None
    return Stamp(at=found.astimezone(UTC), authority=authority)


def read_roots(pem: bytes, place: str) -> list[x509.Certificate]:
    """The certificates of a PEM file. Raises NoteError for another content."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise NoteError(f"{place} holds no certificates in PEM form; give the root certificate of the time-stamp authority") from None


def _authority(response: Any) -> str:
    """The name in the signer's certificate, as far as the answer holds it."""
    certificates = [x509.load_der_x509_certificate(found) for found in response.signed_data.certificates]
    signer = next(iter(response.signed_data.signer_infos), None)
    names = [found.subject.rfc4514_string() for found in certificates if signer and found.serial_number == signer.serial_number]
    return names[0] if names else "unnamed"


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise MissingExtraError("rfc3161-client", extra="anchors") from None
    return rfc3161_client
