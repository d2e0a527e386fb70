"""What a screening has finished, file by file, so that a second run with --resume does not read those files again.

A file is done once its note stands; the note is written after the judged rows and the refused ones, under a temporary name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from stillwatch.app.state import RUN, WORK, refuse_strangers, remove_folder, write_text
from stillwatch.errors import OutputError, naming
from stillwatch.records.screening import ScreenedFile, ScreenedLog

KEY = "screen.json"
DOCUMENTS_FILE, SOURCES_FILE, QUARANTINE = "documents.parquet", "sources.parquet", "quarantine.jsonl"
REPORT, ATTESTATION, ATTESTATION_TEXT = "report.html", "attestation.json", "attestation.txt"
SCREEN_RESULTS = (DOCUMENTS_FILE, SOURCES_FILE, QUARANTINE, REPORT, ATTESTATION, ATTESTATION_TEXT)
_COMMAND = "screen"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenFolder:
    """The result folder of a screening."""

    out: Path

    @property
    def work(self) -> Path:
        """Where unfinished work lies."""
        return self.out / WORK

    @property
    def reference(self) -> Path:
        """Where the index of the served log lies."""
        return self.work / "reference"

    def check(self) -> None:
        """Nothing for a folder that is not there, is empty, or is a screening's; else OutputError, or UsageError for a file."""
        refuse_strangers(self.out, "a screening", ours=_json(self.work / KEY) is not None or self.holds_result())

    def prepare(self, key: str, *, resume: bool) -> None:
        """Make the folder, which is there, ready for a run; what an earlier run with the same key finished stays if `resume` asks.

        An earlier result stays in place until the new one is written. Raises OutputError for a folder that cannot be written.
        """
        known = _json(self.work / KEY)
        try:
            if not (resume and known is not None and known.get("key") == key):
                remove_folder(self.work)
            for folder in (self.work, self.work / "parts"):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.out} cannot be written ({error.strerror}); choose another --out or free some room") from None
        write_text(self.work / KEY, json.dumps({"key": key}))

    def holds_result(self) -> bool:
        """Whether a finished screening lies in the folder."""
        run = _json(self.out / RUN)
        return run is not None and run.get("command") == _COMMAND

    def part(self, place: int, suffix: str) -> Path:
        """A file of the corpus file with this number: `parquet` its judged rows, `jsonl` its refused ones, `json` its note."""
        return self.work / "parts" / f"{place:06d}.{suffix}"

    def done(self, place: int) -> ScreenedFile | None:
        """The note of a corpus file; None where it is not done."""
        noted = _json(self.part(place, "json"))
        return None if noted is None else ScreenedFile(**noted)

    def note(self, place: int, file: ScreenedFile) -> None:
        """Note that a corpus file is done."""
        write_text(self.part(place, "json"), json.dumps(asdict(file)))

    def load_seen(self, seen: Sequence[npt.NDArray[np.uint64]]) -> int:
        """Fill the records of seen pairs with what an earlier run saved; the number of files that they cover, 0 where there are none."""
        path = self.work / "seen.npz"
        if not path.exists():
            return 0
        with np.load(path) as saved:
            for place, record in enumerate(seen):
                record[:] = saved[f"seen_{place}"]
            return int(saved["covered"])

    def save_seen(self, seen: Sequence[npt.NDArray[np.uint64]], covered: int) -> None:
        """Save the records of the first `covered` files."""
        path = self.work / "seen.npz"
        partial = path.with_name(".seen.partial.npz")
        with naming(path):
            records: dict[str, Any] = {f"seen_{place}": record for place, record in enumerate(seen)}
            np.savez(partial, covered=np.int64(covered), **records)
        partial.replace(path)

    def forget_after(self, covered: int) -> None:
        """Take files from number `covered` on as not done."""
        for path in (self.work / "parts").glob("*.json"):
            if int(path.stem) >= covered:
                path.unlink()

    def noted_log(self) -> ScreenedLog | None:
        """The served log whose index is done; None where it is not."""
        noted = _json(self.reference / "log.json")
        return None if noted is None else ScreenedLog(**noted)

    def note_log(self, log: ScreenedLog) -> None:
        """Note that the index is done."""
        write_text(self.reference / "log.json", json.dumps(asdict(log)))


def _json(path: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", known) if isinstance(known, dict) else None
