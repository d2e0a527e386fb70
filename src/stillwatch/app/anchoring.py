"""Anchors of an evidence log outside the house, when they are asked for: RFC 3161 time-stamps and witness cosignatures, over HTTP."""

from __future__ import annotations

import http.client
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.errors import StillwatchError, UsageError
from stillwatch.ledger.files import Folder, only_writer
from stillwatch.ledger.notes import VerifierKey, parse_note, shown
from stillwatch.ledger.reading import TIMESTAMPS, WITNESSED, LogReader
from stillwatch.ledger.refusals import ProofError
from stillwatch.ledger.timestamps import LARGEST_TOKEN, REQUEST_TYPE, check_timestamp, read_roots, timestamp_request
from stillwatch.ledger.witnesses import CONFLICT, LARGEST_ANSWER, PATH, check_witness_key, seen_size, with_cosignatures, witness_request

TIMEOUT_S = 30.0


class AnchorError(StillwatchError):
    """An authority or a witness did not answer, or refused; the log itself is untouched."""


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """Every status comes back as it is; a redirect would send the checkpoint to somebody else."""

    def http_response(self, request: Any, response: Any) -> Any:
        """The response itself."""
        del request  # whatever was asked
        return response

    https_response = http_response


def anchor_in_time(folder: Path, url: str, roots: Path, keys: Sequence[VerifierKey]) -> dict[str, Any]:
    """Ask a time-stamp authority about the present checkpoint, check the answer, and keep it beside the log.

    Raises AnchorError where it does not answer, ProofError where its answer proves nothing under the roots.
    """
    trusted = read_roots(_pem(roots), str(roots))
    with only_writer(folder):
        reader = LogReader(folder, keys)
        request, nonce = timestamp_request(reader.note)
        status, token = _posted(url, request, REQUEST_TYPE, LARGEST_TOKEN)
        if status != http.client.OK:
            raise AnchorError(f"{url} answered with HTTP status {status}; ask its operator, or try again later")
        stamp = check_timestamp(token, reader.note, trusted, f"the answer of {url}", nonce=nonce)
        kept = Folder(folder / "public", private=False)
        kept.write(f"{TIMESTAMPS}/{reader.size}.tsr", token)
        kept.write(f"{TIMESTAMPS}/{reader.size}", reader.note)
        kept.settle()
    return {"size": reader.size, "at": stamp.at.isoformat().replace("+00:00", "Z"), "authority": stamp.authority}


def anchor_with_witness(folder: Path, url: str, witness: VerifierKey, keys: Sequence[VerifierKey]) -> dict[str, Any]:
    """Ask a witness to cosign the present checkpoint, check its line, and keep it beside the log.

    Raises AnchorError where it does not answer or refuses, NoteError where its signature is wrong, ProofError where it has seen more
    records than the log has.
    """
    check_witness_key(witness)
    with only_writer(folder):
        reader = LogReader(folder, keys)
        answer = _cosigned(reader, url, _last_seen(reader, witness))
        note = reader.public.fetch(f"{WITNESSED}/{reader.size}", 2 * LARGEST_ANSWER) or reader.note
        joined, opened = with_cosignatures(note, answer, reader.eras.at(reader.size), (witness,), f"the witness {url}")
        kept = Folder(folder / "public", private=False)
        kept.write(f"{WITNESSED}/{reader.size}", joined)
        kept.settle()
    return {"size": reader.size, "witness": witness.name, "at": max(at for _, at in opened.witnesses)}


def _cosigned(reader: LogReader, url: str, old: int) -> bytes:
    """The witness's lines; where it has seen the log at another size than we know of, it says so and is asked again."""
    for _ in range(2):
        body = witness_request(reader.prove_consistency(old))
        status, answer = _posted(url.rstrip("/") + PATH, body, "text/plain; charset=utf-8", LARGEST_ANSWER)
        if status == http.client.OK:
            return answer
        if status != CONFLICT:
            said = shown(answer[:200].decode(errors="replace").strip())
            raise AnchorError(f"the witness {url} refused with HTTP status {status} ({said}); ask its operator")
        old = seen_size(answer, f"the witness {url}")
        if old > reader.size:
            raise ProofError(
                f"the witness {url} has seen {old} records of this log, and the log has {reader.size}: it was rolled back, or another copy "
                "of it went on; find the copy with more records before anything is appended"
            )
    raise AnchorError(f"the witness {url} names another size each time it is asked; ask its operator")


def _last_seen(reader: LogReader, witness: VerifierKey) -> int:
    """The largest size that the witness's line stands under, among those that are kept."""
    sizes = [0]
    for place, note in reader.kept_notes(WITNESSED):
        size = int(place.rsplit("/", 1)[1])
        if size <= reader.size and any(witness.matches(line) for line in parse_note(note, place).signatures):
            sizes.append(size)
    return max(sizes)


def _posted(url: str, body: bytes, kind: str, most: int) -> tuple[int, bytes]:
    """HTTP status and answer, bounded in size and time, and never redirected."""
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{url[:100]!r} is no address; one with https:// or http:// was expected")
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind}, method="POST")  # noqa: S310 - checked above
    until = time.monotonic() + TIMEOUT_S
    try:
        with urllib.request.build_opener(_AsItIs).open(request, timeout=TIMEOUT_S) as response:
            return response.status, _bounded(response, most, until)
    except (OSError, http.client.HTTPException) as error:
        raise AnchorError(f"{url} did not answer ({type(error).__name__}: {str(error)[:200]}); the log is untouched, try again") from None


def _bounded(response: Any, most: int, until: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(16 * 1024):
        parts.append(part)
        size += len(part)
        if size > most:
            raise http.client.HTTPException(f"the answer is longer than {most:,} bytes")
        if time.monotonic() > until:
            raise http.client.HTTPException(f"the answer was not complete after {TIMEOUT_S:g} s")
    return b"".join(parts)


def _pem(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1024 * 1024)
    except OSError as error:
        raise UsageError(f"--tsa-root {path}: {error.strerror}; give the root certificate of the authority as a PEM file") from None
