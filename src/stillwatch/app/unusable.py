"""Unusable answers: noted at once, and held back until a usable one shows that the suspect works; a broken suspect costs no unit.

A unit is missing for good only where its answer could not be used and that of a later unit could; at the end of a file, which has no later
one, where two runs found it unusable. Whether an answer can be used is decided without any key, so what is asked again is independent of
the coin, whoever runs the proof.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stillwatch.app.measure_files import rows_of, whole_rows
from stillwatch.app.private_files import open_appending
from stillwatch.errors import OutputError, naming
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.suspects import MOST_IN_A_ROW

Row = dict[str, Any]


def journal_path(target: Path) -> Path:
    """Beside the file of answers: a line for every unusable answer, its unit and the reason."""
    return target.with_name(target.name + ".unusable")


def unusable_answers(target: Path) -> int:
    """How many unusable answers were noted beside a file of answers."""
    return len(_noted(target))


class HeldBack:
    """The unusable answers since the last usable one.

    A run stops after eight of them in a row. The next begins with the same units, and goes on for eight beyond those that were noted
    before: where a stretch of units cannot be answered, reruns get past it, and where nothing can, no unit is used up. A suspect that
    breaks in the last units of a file is found out likewise: they are missing only where a run before found them unusable too.

    Args:
        target: the file of answers; its journal lies beside.
        done: units that it holds.

    Raises OutputError for a journal whose file of answers is gone.
    """

    def __init__(self, target: Path, done: int) -> None:
        journal = journal_path(target)
        if journal.exists() and not target.exists():
            raise OutputError(f"{journal} notes answers to {target.name}, which is not there; restore it, or move {journal.name} away too")
        self._target = target
        self._tried = {unit for unit in _noted(target) if unit > done}
        self.most = MOST_IN_A_ROW + len(self._tried)
        self.unusable = 0
        self.reason = ""
        self.tried_once = False
        self._rows: list[Row] = []

    @property
    def too_many(self) -> bool:
        """Whether the run is to stop."""
        return self.unusable >= self.most

    @property
    def unsettled(self) -> bool:
        """Whether the file is not to end with what is held back: too many, or no run before found all of them unusable."""
        return self.too_many or self.tried_once

    def hold(self, unit: int, row: Row, reason: str) -> None:
        """Note an unusable answer, and keep its row back."""
        journal = journal_path(self._target)
        with naming(journal), open_appending(journal) as file:
            file.write(json.dumps({"unit": unit, "reason": reason}) + "\n")
            file.flush()
            os.fsync(file.fileno())  # what the file of answers holds as missing is always noted here
        self._rows.append(row)
        self.tried_once = self.tried_once or unit not in self._tried
        self.unusable += 1
        self.reason = reason

    def with_unasked(self, row: Row) -> str:
        """Lines for the file of answers from a row that nobody was asked for, and that therefore shows nothing of the suspect."""
        if self._rows:
            self._rows.append(row)
            return ""
        return json.dumps(row) + "\n"

    def released(self, *rows: Row) -> str:
        """The rows that were held back, and then these, as lines for the file of answers."""
        lines = "".join(json.dumps(row) + "\n" for row in (*self._rows, *rows))
        self._rows, self.unusable, self.tried_once = [], 0, False
        return lines

    def words(self, *, answered: bool) -> str:
        """Why the run stops, what that costs (nothing), and what to do. `answered`: the suspect gave a usable answer to any unit."""
        reason = self.reason.removesuffix("; it is left out").removesuffix("; the pair is left out")
        end = ", and those at the end that stay unusable are missing" if answered and not self.too_many else ""
        many = f"{self.unusable} unusable answers in a row, the last" if self.unusable > 1 else "an unusable answer,"
        return (
            f"{many} because {reason}; noted in {journal_path(self._target)}, and not used up. Find out what happens there, then run the "
            f"same command again: it asks again{end}"
        )


def _noted(target: Path) -> list[int]:
    """Units of the noted answers, each as often as it was asked without use."""
    journal = journal_path(target)
    if not whole_rows(journal):
        return []
    units = [row.get("unit") for row in rows_of(journal)]
    if not all(type(unit) is int for unit in units):
        raise MeasureError(f"{journal}: a line names no unit; restore the file, or move it and {target.name} away to ask anew")
    return [int(unit or 0) for unit in units]
