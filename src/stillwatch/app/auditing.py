"""An audit: the log is verified first, then the acts of people are read from it, and what is missing is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stillwatch.app.governance import recorded
from stillwatch.app.log_checking import Trust, check_log
from stillwatch.app.showing_log import verified_json
from stillwatch.errors import UsageError
from stillwatch.govern.auditing import DID, AuditRow, Wanted, audited


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What a verified log says of people's acts.

    Attributes:
        verified: what the verification counted, and what it rests on.
        rows: acts that were asked for.
        erased: acts of these kinds whose contents were erased, so that they cannot be told.
    """

    verified: dict[str, Any]
    rows: tuple[AuditRow, ...]
    erased: int

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "verified": self.verified,
            "acts": [asdict(row) | {"at": row.at.isoformat(), "did": DID[row.kind]} for row in self.rows],
            "acts_whose_contents_were_erased": self.erased,
        }


def audit(folder: Path, trust: Trust, wanted: Wanted, progress: Callable[[int], None] = lambda _: None) -> Audited:
    """Verify the log, then list acts.

    Raises BrokenLogError, NoteError and ProofError for a log that does not hold, before anything of it is told; UsageError for a kind that
    is no act of people.
    """
    unknown = sorted(set(wanted.kinds) - set(DID))
    if unknown:
        raise UsageError(f"--act is {unknown[0]!r}; it takes one of {', '.join(DID)}")
    checked = check_log(folder, trust, contents=True, progress=progress)
    keys = checked.reader.eras.every
    kinds = wanted.kinds or tuple(DID)
    records = recorded(folder, trust.keys and keys, kinds)
    there = sum(entry.kind in kinds for _, entry in checked.reader.entries(kinds))
    return Audited(verified=verified_json(checked, trust), rows=tuple(audited(records, wanted)), erased=there - len(records))
