"""Writes the golden case files: sound ones, and broken ones named by their defect. The same bytes come out whenever it runs.

    python tests/golden/build_cases.py

`cases/expected.json` says of each which verdict it gets, and, where it is refused, at which step and for which defect.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import inside_defects
import making
import outside_defects
import told_defects
from grounds import BROKEN, ground, small

from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.verification.verifying import STEPS

FOLDER = Path(__file__).parent / "cases"
EXPECTED = "expected.json"
SOUND = ("full", "redacted", "ml-dsa", "printed")
"""Names of the sound ones; `printed` holds a PDF, whose bytes are those of the pinned library."""

DEFECTS = (outside_defects, inside_defects, told_defects)
"""Modules whose functions are registered as broken files, in this order."""


def sound() -> Iterator[tuple[str, bytes]]:
    """The sound files by name."""
    from stillwatch.sealing.printed import narrative_pdf

    held = Withholding(exhibits=frozenset({"E3"}), columns=frozenset({"E1.price"}))
    yield "full", making.seal_sample(small())[0]
    yield "redacted", making.seal_sample(small(), recipient="acme-labs", withholding=held)[0]
    yield "ml-dsa", making.seal_sample(small(), recipient="acme-labs", keys=making.signers(ml_dsa=True))[0]
    yield "printed", making.seal_sample(small(), recipient="acme-labs", render_pdf=narrative_pdf)[0]


def files() -> Iterator[tuple[str, bytes, Mapping[str, Any]]]:
    """(name, bytes, what is expected) of every golden file."""
    for name, data in sound():
        yield name, data, {"verdict": "verified", "step": None, "defect": None}
    given = ground()
    for name, (step, defect, make) in BROKEN.items():
        yield name, make(given), {"verdict": "refused", "step": STEPS.index(step) + 1, "defect": defect}


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    expected: dict[str, Any] = {"key": making.signers()[0].verifier.text(), "files": {}}
    for name, data, wanted in files():
        (FOLDER / f"{name}.zip").write_bytes(data)
        expected["files"][name] = wanted
    for path in FOLDER.glob("*.zip"):
        if path.stem not in expected["files"]:
            path.unlink()
    (FOLDER / EXPECTED).write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
    total = sum(path.stat().st_size for path in FOLDER.glob("*.zip"))
    print(f"{len(expected['files'])} files, {total:,} bytes")


if __name__ == "__main__":
    main()
