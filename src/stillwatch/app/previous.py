"""Keeps a folder's earlier result until the new one stands: set aside by renaming, deleted at the end, put back if nothing came of it.

Every step can be cut short: what is on its way lies in a folder of its own name, and the next scan carries it back first.
"""

from __future__ import annotations

from pathlib import Path

from stillwatch.app.state import EXCHANGES, EXHIBITS, PREVIOUS, RESULTS, RUN, STATE, WORK, remove_folder, run_in

_MOVING = f"{PREVIOUS}.partial"


class Previous:
    """The earlier result of one result folder, where there is one."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._folder = out / PREVIOUS
        self._moving = out / _MOVING
        self._begun = False

    @property
    def held(self) -> bool:
        """Whether an earlier result lies aside."""
        return run_in(self._folder / RUN) is not None

    def mend(self) -> None:
        """Bring back what a killed run left half-way between the two places, and forget what a finished one replaced."""
        if self._moving.is_dir():
            self._bring_back()
        if run_in(self._out / RUN) is not None:
            remove_folder(self._folder)

    def set_aside(self, *, exchanges: bool) -> None:
        """Take a finished result out of the way; `exchanges` says whether its exchanges go too, or stay because the new run reads them."""
        self._begun = True
        names = [name for name in (*RESULTS, EXHIBITS, *([EXCHANGES] if exchanges else []), RUN) if (self._out / name).exists()]
        if RUN in names and run_in(self._out / RUN) is not None:
            self._moving.mkdir(mode=0o750, exist_ok=True)
            for name in names:
                (self._out / name).rename(self._moving / name)
            self._moving.rename(self._folder)
        elif exchanges and self.held and EXCHANGES in names and not (self._folder / EXCHANGES).exists():
            # they stayed for a run that was to go on with them, and this one does not
            (self._out / EXCHANGES).rename(self._folder / EXCHANGES)

    def forget(self) -> None:
        """Delete the earlier result: the new one stands."""
        remove_folder(self._folder)

    def after_failure(self, error: BaseException, *, resumable: bool) -> None:
        """Put the earlier result back, unless the failed run can be resumed or changed nothing; a note of the error says where it is."""
        if not self.held:
            return
        if resumable or not self._begun:
            error.add_note(f"the earlier result lies in {self._folder} until a scan into {self._out} is done")
            return
        self._folder.rename(self._moving)
        self._bring_back()
        remove_folder(self._out / WORK / "exchanges-text")
        error.add_note(f"the earlier result is back in {self._out}")

    def _bring_back(self) -> None:
        """Everything on its way goes into the result folder, run.json last; what was done of another run does not fit to it."""
        (self._out / WORK / STATE).unlink(missing_ok=True)
        for path in sorted(self._moving.iterdir(), key=lambda path: path.name == RUN):
            target = self._out / path.name
            if path.is_dir():
                remove_folder(target)
            path.replace(target)
        self._moving.rmdir()
