"""Probabilities of suspect and references after the windows of neutral text; an interrupted measurement goes on where it was saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from stillwatch.app.measure_files import rows_of
from stillwatch.app.progress import Progress
from stillwatch.errors import naming
from stillwatch.marks.prf import context_seeds
from stillwatch.provenance.measures import MeasureError
from stillwatch.provenance.plan import PlanError, PlannedTest
from stillwatch.provenance.suspects import MOST_IN_A_ROW, AnswerError, SuspectError
from stillwatch.provenance.suspects.folder import FolderSuspect, listed

LISTED = 256
"""Tokens listed for each position and model where whole distributions would be too many."""
MOST_CELLS = 1 << 26
"""Numbers (windows times vocabulary times models) up to which means over whole distributions are kept, 8 bytes each."""
SAVED_EVERY_S = 60.0
"""Least seconds between two saves; a save that takes long is made more seldom."""
_SHARE_OF_TIME = 20.0

Arrays = dict[str, NDArray[Any]]
Laws = list[NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """What is measured.

    Attributes:
        test: of kind radioactivity_open.
        prompts: its neutral text.
        target: the npz to be made.
        suspect, references: of one tokenizer.
        seal_sha256, models_sha256: that a saved part is bound to.
    """

    test: PlannedTest
    prompts: Path
    target: Path
    suspect: FolderSuspect
    references: tuple[FolderSuspect, ...]
    seal_sha256: str
    models_sha256: str = ""

    @property
    def part(self) -> Path:
        """Where an unfinished measurement is saved."""
        return self.target.with_name(f".{self.target.name}.part.npz")

    @property
    def names(self) -> list[str]:
        """Columns of the models, the suspect's first."""
        return ["suspect", *(f"reference_{name}" for name in self.test.references)]


class _Form(Protocol):
    def add(self, seeds: NDArray[np.uint64], laws: Laws) -> None: ...
    def arrays(self, *, final: bool) -> Arrays: ...
    def restore(self, saved: Arrays) -> None: ...


class _Means:
    """Mean distributions after each distinct window, over all its occurrences: whole vocabularies, and one row per window."""

    def __init__(self, names: list[str], seeds: NDArray[np.uint64], vocabulary: int) -> None:
        self._names, self._seeds = names, seeds
        self._counts = np.zeros(seeds.size, np.int64)
        self._sums = [np.zeros((seeds.size, vocabulary)) for _ in names]

    def add(self, seeds: NDArray[np.uint64], laws: Laws) -> None:
        """Count a text's windows."""
        rows = np.searchsorted(self._seeds, seeds)
        np.add.at(self._counts, rows, 1)
        for sums, law in zip(self._sums, laws, strict=True):
            np.add.at(sums, rows, law)

    def arrays(self, *, final: bool) -> Arrays:
        """Sums to go on with, or in the end the means of the windows that were measured."""
        if not final:
            return {"counts": self._counts, **dict(zip(self._names, self._sums, strict=True))}
        seen = self._counts > 0
        counts = self._counts[seen]
        means = {name: (sums[seen] / counts[:, None]).astype(np.float32) for name, sums in zip(self._names, self._sums, strict=True)}
        return {"seeds": self._seeds[seen], "counts": counts, **means}

    def restore(self, saved: Arrays) -> None:
        """Go on from saved sums."""
        self._counts = saved["counts"]
        self._sums = [saved[name] for name in self._names]


@dataclass
class _Lists:
    """The likeliest tokens of each position, where whole distributions would be too many."""

    names: list[str]
    parts: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    positions: int = 0

    def add(self, seeds: NDArray[np.uint64], laws: Laws) -> None:
        """List a text's positions."""
        where, tokens = zip(*((np.full(chosen.size, place), chosen) for place, chosen in listed(laws, LISTED)), strict=True)
        positions, columns = np.concatenate(cast("Any", where)), np.concatenate(cast("Any", tokens))
        values = {name: law[positions, columns] for name, law in zip(self.names, laws, strict=True)}
        for name, column in {"seeds": seeds, "positions": positions + self.positions, "tokens": columns, **values}.items():
            self.parts.setdefault(name, []).append(column)
        self.positions += seeds.size

    def arrays(self, *, final: bool) -> Arrays:
        """All that is listed; the end is no other than the middle."""
        del final
        return {name: np.concatenate(parts) for name, parts in self.parts.items()}

    def restore(self, saved: Arrays) -> None:
        """Go on from saved lists."""
        self.parts = {name: [saved[name]] for name in ("seeds", "positions", "tokens", *self.names) if name in saved}
        self.positions = saved["seeds"].size if "seeds" in saved else 0


def measure_open(task: OpenTask, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
    """Make the measured file, from where an earlier run was saved.

    Texts after which a model gives no finite probabilities are left out and counted in the array `unusable`.
    Raises PlanError where no text is longer than a window, SuspectError for models that split a text differently, differ in their
    vocabulary, or give nothing usable for several texts in a row; what was measured until then is saved.
    """
    texts = _texts(task)
    form = _form(task, texts)
    done, unusable = _restored(task, form)
    progress.begin(task.test.name, len(texts))
    in_a_row, saved, took = 0, clock(), 0.0
    for ids in texts[done:]:
        usable = _added(task, form, ids)
        done, unusable, in_a_row = done + 1, unusable + (not usable), 0 if usable else in_a_row + 1
        progress.advance(done)
        stuck = in_a_row >= MOST_IN_A_ROW
        if stuck or clock() - saved > max(SAVED_EVERY_S, _SHARE_OF_TIME * took):
            start = clock()
            _save(task, form, done, unusable)
            saved, took = clock(), clock() - start
        if stuck:
            raise SuspectError(f"{task.test.name}: {in_a_row} texts in a row without finite probabilities; check the models' files")
    counted = {"documents": np.array([len(texts)]), "unusable": np.array([unusable])}
    _write(task.target, form.arrays(final=True) | counted)
    task.part.unlink(missing_ok=True)
    progress.end(len(texts), 0.0, resumed=False)


def _texts(task: OpenTask) -> list[list[int]]:
    """Token ids of every text, the same by all models' tokenizers."""
    found: list[list[int]] = []
    for number, row in enumerate(rows_of(task.prompts), 1):
        if not isinstance(row.get("text"), str):
            raise MeasureError(f"{task.prompts}, row {number}: holds no `text`; give neutral text, one JSON object with it on each line")
        ids = task.suspect.encode(row["text"])
        if any(reference.encode(row["text"]) != ids for reference in task.references):
            raise SuspectError(
                f"{task.test.name}: suspect and reference split text {number} into different tokens; one tokenizer for all is needed"
            )
        found.append(ids[: task.suspect.longest])
    if not any(len(ids) > task.test.width for ids in found):
        raise PlanError(f"{task.prompts}: test {task.test.name!r} has no text longer than a window; give neutral text")
    return found


def _windows(ids: Sequence[int], width: int) -> NDArray[np.uint64]:
    """Seed of the window before each token that follows one."""
    return context_seeds(np.asarray(ids, np.int64), width)


def _form(task: OpenTask, texts: list[list[int]]) -> _Form:
    """Means over whole distributions where they are few enough, which text and vocabulary alone decide; else lists."""
    seeds = np.unique(np.concatenate([_windows(ids, task.test.width) for ids in texts]))
    sizes = {model.vocabulary for model in (task.suspect, *task.references)}
    if len(sizes) != 1:
        raise SuspectError(f"{task.test.name}: suspect and references have vocabularies of {sorted(sizes)} tokens; one for all is needed")
    vocabulary = sizes.pop()
    if seeds.size * vocabulary * len(task.names) <= MOST_CELLS:
        return _Means(task.names, seeds, vocabulary)
    return _Lists(task.names)


def _added(task: OpenTask, form: _Form, ids: list[int]) -> bool:
    """Whether the text's probabilities are usable, and were added; a text without a window has nothing to add."""
    width = task.test.width
    if len(ids) <= width:
        return True
    try:
        # row i of a law follows ids[: i + 1], whose last `width` ids are window i + 1 - width
        laws = [model.next_tokens(ids)[width - 1 :] for model in (task.suspect, *task.references)]
    except AnswerError:
        return False
    form.add(_windows(ids, width), laws)
    return True


def _restored(task: OpenTask, form: _Form) -> tuple[int, int]:
    """How many texts an earlier run saved, and how many of them were unusable; PlanError for a part of another seal."""
    if not task.part.exists():
        return 0, 0
    try:
        with np.load(task.part, allow_pickle=False) as file:
            saved: Arrays = {name: file[name] for name in file.files}
        bound = str(saved["bound"][0])
        if bound == _bond(task):
            form.restore(saved)
            return int(saved["done"][0]), int(saved["unusable"][0])
    except (ValueError, OSError, KeyError, EOFError, IndexError) as error:
        raise MeasureError(f"{task.part} is damaged ({type(error).__name__}); delete it to measure from the start") from None
    raise PlanError(f"{task.part} was saved under another seal, or of other models; delete it to measure from the start")


def _save(task: OpenTask, form: _Form, done: int, unusable: int) -> None:
    noted = {"done": np.array([done]), "unusable": np.array([unusable]), "bound": np.array([_bond(task)])}
    _write(task.part, form.arrays(final=False) | noted)


def _bond(task: OpenTask) -> str:
    return f"{task.seal_sha256}/{task.test.name}/{task.models_sha256}"


def _write(path: Path, arrays: Arrays) -> None:
    """The whole file or none."""
    partial = path.with_name(f".{path.name}.partial.npz")
    with naming(path):
        np.savez_compressed(partial, allow_pickle=False, **cast("dict[str, Any]", arrays))
    partial.chmod(0o640)
    partial.replace(path)
