"""Suppressions as a file: what closed cases decided, written for the next scan and read by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stillwatch.cases.dispositions import SUPPRESSES
from stillwatch.cases.suppressing import LEAST_OVERLAP, Suppression, suppress
from stillwatch.errors import SchemaError, UnreadableInputError, UsageError
from stillwatch.report.codec import from_plain, to_plain

if TYPE_CHECKING:
    from stillwatch.app.keeping import Outcome

FORMAT = "stillwatch-suppressions-1"
LARGEST_FILE = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionFile:
    """A file of suppressions that a scan was given: its name, sha256, and what it holds."""

    name: str
    sha256: str
    suppressions: tuple[Suppression, ...]


def suppressions_content(suppressions: Sequence[Suppression], *, at: datetime) -> bytes:
    """Suppressions as `stillwatch scan --suppressions` reads them."""
    whole = {"format": FORMAT, "made_at": to_plain(at), "suppressions": [to_plain(one) for one in suppressions]}
    return (json.dumps(whole, ensure_ascii=True, allow_nan=False, indent=1) + "\n").encode()


def read_suppressions(path: Path) -> SuppressionFile:
    """What `suppressions_content` gave.

    Raises UsageError where it is not there, UnreadableInputError for another content, naming the suppression and the field.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"--suppressions {path}: {error.strerror}; give the file that stillwatch case suppressions wrote") from None
    if len(content) > LARGEST_FILE:
        raise UnreadableInputError(f"{path} has more than {LARGEST_FILE:,} bytes; make it again with fewer cases")
    try:
        held = json.loads(content)
        if not isinstance(held, dict) or held.get("format") != FORMAT:
            raise UnreadableInputError(f"{path} holds no suppressions of this version ({FORMAT}); write it again with this version")
        given = cast("list[Any]", held["suppressions"])
        found = tuple(_suppression(one, f"{path}, suppression {number}") for number, one in enumerate(given, 1))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableInputError(f"{path} is damaged ({type(error).__name__}); write it again: stillwatch case suppressions") from None
    return SuppressionFile(name=path.name, sha256=hashlib.sha256(content).hexdigest(), suppressions=found)


def _suppression(held: Any, place: str) -> Suppression:
    try:
        one = from_plain(Suppression, held)
    except SchemaError as error:
        raise UnreadableInputError(f"{place}: {error}") from None
    wrong = [
        name
        for name, bad in (
            ("disposition", one.disposition not in set(SUPPRESSES)),
            ("overlap", not LEAST_OVERLAP <= one.overlap <= 1),
            ("until", one.until.tzinfo is None or one.until <= one.decided_at),
            ("members", not one.members),
        )
        if bad
    ]
    if wrong:
        raise UnreadableInputError(f"{place}: {wrong[0]} is not what a suppression may have; write it again: stillwatch case suppressions")
    return one


def with_suppressions(outcome: Outcome, held: SuppressionFile | None, *, now: datetime) -> Outcome:
    """The outcome with the findings marked that are suppressed at that moment, and what became of every suppression."""
    if held is None:
        return outcome
    applied = suppress(outcome.findings, held.suppressions, at=now)
    told: dict[str, object] = {
        "name": held.name,
        "sha256": held.sha256,
        "held": len(held.suppressions),
        "expired": applied.expired,
        "suppressed": applied.suppressed,
        "unmatched": [{"case": f"case-{case}", "why": why} for case, why in applied.unmatched],
    }
    return replace(outcome, findings=applied.findings, suppressions=told)
