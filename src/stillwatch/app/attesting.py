"""The attestation of a screening: one statement with the hashes of what was scanned, ready to be signed, and the same in words.

The JSON file holds exactly the bytes to sign: UTF-8, keys in order, no blanks (RFC 8785; every number in it is whole, shares are text).
Its form is an in-toto Statement v1, so that the usual tools wrap it in an envelope and sign it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from stillwatch.records.screening import NOT_SHOWN, Screening, ShareEstimate, SourceScreened, unlooked
from stillwatch.report.text import visible
from stillwatch.report.words import moment, percent, plural

STATEMENT, PREDICATE = "https://in-toto.io/Statement/v1", "urn:stillwatch:corpus-screening:1"


def statement(screening: Screening) -> bytes:
    """The canonical bytes to sign."""
    subjects = [{"name": file.file, "digest": {"sha256": file.sha256}} for file in screening.files]
    predicate: dict[str, Any] = {
        "tool": {"name": "stillwatch", "version": screening.version},
        "created_at": screening.created_at.isoformat(),
        "settings": screening.settings,
        "scanned": [asdict(file) for file in screening.files],
        "left_aside": [{"file": path, "reason": reason} for path, reason in screening.ignored],
        "compared_with": {
            "served_log": None if screening.log is None else asdict(screening.log),
            "watermark_keys": [asdict(mark) for mark in screening.marks],
            "tokenizer_sha256": screening.tokenizer,
        },
        "found": {"corpus": asdict(screening.whole), "sources": [asdict(source) for source in screening.sources]},
        "does_not_show": list(NOT_SHOWN),
    }
    content = {"_type": STATEMENT, "subject": subjects, "predicateType": PREDICATE, "predicate": _canonical(predicate)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # a name of a file may hold bytes that are no text
    return text.encode("utf-8", "replace")


def attestation_text(screening: Screening) -> str:
    """The statement in words, with the sha256 of the bytes to sign."""
    digest = hashlib.sha256(statement(screening)).hexdigest()
    whole = screening.whole
    lines = [
        "Statement on the screening of a training corpus",
        "",
        f"Made by Stillwatch {screening.version} on {moment(screening.created_at)}.",
        f"To sign: the bytes of attestation.json, sha256 {digest}.",
        "",
        "What was scanned",
        *(f"  {file.sha256}  {visible(file.file, limit=300)} ({_rows(file.rows_out, file.quarantined)})" for file in screening.files),
        *(f"  not read: {visible(path, limit=300)}: {visible(reason, limit=300)}" for path, reason in screening.ignored),
        "",
        "With what",
        f"  {_log_words(screening)}",
        *(f"  Watermark {mark.kind}, context {mark.width}, period {mark.period}, key {mark.commitment}" for mark in screening.marks),
        *([] if screening.marks else ["  No watermark key was given, so nothing was tested for a watermark."]),
        "",
        "What was found",
        f"  {plural(whole.documents, 'document')}, {whole.distinct:,} of different content.",
        *(f"  {line}" for line in unlooked(screening)),
        *(f"  {line}" for line in found_words(whole, level=screening.settings["level"])),
        "",
        "What this does not show",
        *(f"  {line}" for line in NOT_SHOWN),
        "",
    ]
    return "\n".join(lines)


def found_words(found: SourceScreened, *, level: float) -> list[str]:
    """What was found in a source, a sentence each."""
    said: list[str] = []
    if found.comparable:
        said.append(
            f"{found.exact:,} with exactly and {found.near:,} with nearly the wording of a served response, "
            f"of {found.comparable:,} compared"
            f"{_interval(found.matched_share)}."
        )
    if found.tested:
        said.append(
            f"{found.marked:,} with a watermark at a false discovery rate of {percent(level)}, of {found.tested:,} tested"
            f"{_interval(found.marked_share)}."
        )
    said.append(f"{plural(found.with_leads, 'document')} with leads.")
    return said


def _interval(estimate: ShareEstimate | None) -> str:
    if estimate is None:
        return ""
    ends = f"{percent(estimate.low)} to {percent(estimate.high)} at {percent(estimate.confidence)}"
    return f"; share among {estimate.documents:,} distinct ones, beyond chance: {percent(estimate.share)} ({ends})"


def _rows(read: int, quarantined: int) -> str:
    return f"{read:,} read, {quarantined:,} quarantined"


def _log_words(screening: Screening) -> str:
    log = screening.log
    if log is None:
        return "No served log was given, so nothing was compared with one."
    read = f"{plural(len(log.files), 'file')}, {plural(log.rows_out, 'exchange')}"
    return f"A served log of {read}, {plural(log.responses, 'response')} indexed."


def _canonical(value: Any) -> Any:
    """The value with every number that is not whole as text, whose form is then beyond doubt."""
    if isinstance(value, dict):
        return {str(name): _canonical(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [_canonical(inner) for inner in value]
    return repr(value) if isinstance(value, float) else value
