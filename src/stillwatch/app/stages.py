"""Runs stages: times them, tells the progress, and keeps what an earlier run finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from stillwatch.app.progress import Progress
from stillwatch.app.state import RunState
from stillwatch.records.findings import Stage

Result = TypeVar("Result")


def staged(
    progress: Progress, name: str, total: int | None, work: Callable[[Callable[[int], None]], tuple[Result, int]]
) -> tuple[Result, Stage]:
    """Run a stage, timed and told; `work` takes a function to report rows with, and gives its result and its number of rows."""
    progress.begin(name, total)
    start = time.perf_counter()
    result, rows = work(progress.advance)
    seconds = time.perf_counter() - start
    progress.end(rows, seconds, resumed=False)
    return result, Stage(name=name, seconds=round(seconds, 3), rows=rows)


class Stages:
    """The stages of one run, in the order in which they ended."""

    def __init__(self, state: RunState, progress: Progress) -> None:
        self.done: list[Stage] = []
        self._state = state
        self._progress = progress

    def run(self, name: str, total: int | None, work: Callable[[Callable[[int], None]], tuple[Result, int]]) -> Result:
        """As `staged`."""
        result, stage = staged(self._progress, name, total, work)
        self.done.append(stage)
        return result

    def keep(self, name: str, total: int | None, work: Callable[[Callable[[int], None]], tuple[dict[str, Any], int]]) -> dict[str, Any]:
        """Run a stage whose files stay in place, or take what an earlier run noted of it."""
        if name in self._state.done:
            stage = self._state.stage(name)
            self.done.append(stage)
            self._progress.begin(name, total)
            self._progress.end(stage.rows, stage.seconds, resumed=True)
            return self._state.done[name]["noted"]
        noted = self.run(name, total, work)
        self._state.finish(name, {"noted": noted, "rows": self.done[-1].rows, "seconds": self.done[-1].seconds})
        return noted
