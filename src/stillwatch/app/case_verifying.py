"""A sealed case read from a file and verified; what is printed of it. The steps themselves are `sealing.verification`."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stillwatch.errors import UsageError
from stillwatch.ledger.notes import VerifierKey
from stillwatch.report.text import visible
from stillwatch.sealing.container import LARGEST_FILE, unpack
from stillwatch.sealing.disclosure import LARGEST, Disclosed, check_disclosure
from stillwatch.sealing.verification.verifying import UNKNOWN_SIGNER, Verification, verify_case

_KINDS = ("recomputed", "withheld", "stated")
_LONGEST = 300


def verify_file(path: Path, trusted: Sequence[VerifierKey]) -> Verification:
    """The steps over a file, of which no more is read than a sealed case may have. Raises UsageError where it is no file."""
    return verify_case(_read(path, LARGEST_FILE), trusted)


def disclosed_in(case: Path, disclosure: Path, found: Verification) -> list[Disclosed]:
    """Cells of a disclosure, each seen to give the hash in a sealed case that was verified. Raises RefusedCaseError, and UsageError."""
    members = unpack(_read(case, LARGEST_FILE))
    return check_disclosure(_read(disclosure, LARGEST), found.statement["predicate"], members)


def disclosed_json(cells: Sequence[Disclosed]) -> list[dict[str, Any]]:
    """Cells that were opened, for machines."""
    return [asdict(cell) for cell in cells]


def disclosed_lines(cells: Sequence[Disclosed]) -> str:
    """The same in words, a cell on each line."""
    lines = [
        f"opened {one.exhibit}.{one.column}, row {one.row + 1}"
        f"{f', which stands as {_shown(one.alias)}' if one.alias is not None else ''}: {_shown(json.dumps(one.value, ensure_ascii=False))}"
        for one in cells
    ]
    return "\n".join([*lines, f"disclosure: {len(cells)} cells give the hashes in the file"])


def _read(path: Path, most: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path} is no ordinary file; name the sealed case or its disclosure")
            return file.read(most + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name the sealed case or its disclosure") from None


def verification_json(found: Verification) -> dict[str, Any]:
    """The result for machines, in the form that `verify_case.py` prints too."""
    failure = found.failure
    last = found.steps[-1]
    return {
        "verdict": found.verdict,
        "signer": found.signer.text() if found.signer else None,
        "steps": [
            {"step": step.number, "name": step.name, "passed": step.failure is None, "seen": _shown(step.seen)} for step in found.steps
        ],
        "failed": None
        if failure is None
        else {
            "step": last.number,
            "name": last.name,
            "defect": failure.defect,
            "place": _shown(failure.place),
            "expected": _shown(failure.expected),
            "got": _shown(failure.got),
        },
        "numbers": found.numbers,
        "notes": ["no key was given: the file agrees with itself, and who sealed it is not known"]
        if found.verdict == UNKNOWN_SIGNER
        else [],
    }


def verification_lines(found: Verification) -> str:
    """The result in words, a step on each line."""
    lines = [
        f"{step.number:2} {step.name:10} {'passed' if step.failure is None else 'FAILED'}  {_shown(step.seen)}" for step in found.steps
    ]
    said = verification_json(found)
    kinds = list(found.numbers.values())
    lines.append(f"numbers: {', '.join(f'{kinds.count(kind)} {kind}' for kind in _KINDS)}")
    lines.append(f"signer: {_shown(said['signer'] or 'none')}" + (", whom nobody vouched for: no --key was given" if said["notes"] else ""))
    if failed := said["failed"]:
        lines.append(f"step {failed['step']} ({failed['name']}): {failed['defect']}, in {failed['place']}")
        lines += [f"  expected: {failed['expected']}", f"  got:      {failed['got']}"]
    if found.statement:
        case, sealed = found.statement["predicate"]["case"], found.statement["predicate"]["sealed"]
        whom = "for use within the house" if sealed["recipient"] is None else f"for {sealed['recipient']}"
        lines.append(f"case: {_shown(case['id'])}, {_shown(case['title'])}; sealed {sealed['at']} {_shown(whom)}")
    lines.append(f"verdict: {found.verdict}")
    return "\n".join(lines)


def _shown(text: str) -> str:
    return visible(text, limit=_LONGEST)
