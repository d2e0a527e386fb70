"""Probabilities of suspect and references after the windows of neutral text; an interrupted measurement goes on where it was saved."""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from stillwatch.app.measure_files import rows_of
from stillwatch.app.progress import Progress
from stillwatch.app.state import replacing
from stillwatch.errors import TooFewSamplesError
from stillwatch.marks.prf import context_seeds
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.open_radioactivity import WINDOWS
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
        seal_sha256: that a saved part is bound to; it fixes the models' files as well.
    """

    test: PlannedTest
    prompts: Path
    target: Path
    suspect: FolderSuspect
    references: tuple[FolderSuspect, ...]
    seal_sha256: str

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


def prepare_open(task: OpenTask) -> list[list[int]]:
    """Token ids of the neutral texts, seen to be what can be measured before a model is asked anything.

    Raises MeasureError for a row that holds no text or a saved part that is damaged, PlanError for a part of another seal,
    TooFewSamplesError for too few distinct windows, SuspectError for models that split a text differently or differ in their vocabulary.
    """
    texts = _texts(task)
    _check_windows(task, texts)
    sizes = {model.vocabulary for model in (task.suspect, *task.references)}
    if len(sizes) != 1:
        raise SuspectError(f"{task.test.name}: suspect and references have vocabularies of {sorted(sizes)} tokens; one for all is needed")
    _saved(task, ("bound",))
    return texts


def measure_open(
    task: OpenTask, progress: Progress, clock: Callable[[], float] = time.monotonic, texts: list[list[int]] | None = None
) -> None:
    """Make the measured file, from where an earlier run was saved.

    Texts after which a model gives no finite probabilities are left out and counted in the array `unusable`, once a later one is usable;
    several in a row end the run without being used up, and the next run goes on for as many beyond them.
    Raises what `prepare_open` does, unless its `texts` are given, and SuspectError where several texts in a row are unusable.
    """
    texts = prepare_open(task) if texts is None else texts
    form = _form(task, texts)
    at = _restored(task, form)
    progress.begin(task.test.name, len(texts))
    began = time.perf_counter()
    saved, took, most = clock(), 0.0, MOST_IN_A_ROW + at.tried
    for ids in texts[at.done :]:
        at.after(usable=_added(task, form, ids))
        progress.advance(at.done + at.held)
        stuck = at.held >= most
        if stuck or clock() - saved > max(SAVED_EVERY_S, _SHARE_OF_TIME * took):
            start = clock()
            _save(task, form, at)
            saved, took = clock(), clock() - start
        if stuck:
            break
    if at.held >= most or not at.usable:
        _save(task, form, at)
        raise SuspectError(
            f"{task.test.name}: {at.held} texts in a row without finite probabilities; they are not used up. Check the models' files, then "
            "run the same command again: it goes on beyond them if they stay so"
        )
    counted = {"documents": np.array([len(texts)]), "unusable": np.array([at.unusable + at.held])}
    _write(task.target, form.arrays(final=True) | counted)
    task.part.unlink(missing_ok=True)
    progress.end(len(texts), time.perf_counter() - began, resumed=False)


@dataclass(slots=True, kw_only=True)
class _At:
    """How far a measurement is.

    Attributes:
        done: texts that are settled: usable, or followed by one that is.
        unusable: of these.
        usable: whether any text was usable.
        held: unusable texts since the last usable one.
        tried: of these, how many an earlier run had tried.
    """

    done: int = 0
    unusable: int = 0
    usable: bool = False
    held: int = 0
    tried: int = 0

    def after(self, *, usable: bool) -> None:
        """The next text was asked."""
        if usable:
            self.done, self.unusable = self.done + self.held + 1, self.unusable + self.held
            self.usable, self.held, self.tried = True, 0, 0
        else:
            self.held += 1


def _texts(task: OpenTask) -> list[list[int]]:
    """Token ids of every text, the same by all models' tokenizers."""
    found: list[list[int]] = []
    models = (task.suspect, *task.references)
    for number, row in enumerate(rows_of(task.prompts), 1):
        place = f"{task.prompts}, row {number}"
        if not isinstance(row.get("text"), str):
            raise MeasureError(f"{place}: holds no `text`; give neutral text, one JSON object with it on each line")
        try:
            ids, *others = (model.encode(row["text"]) for model in models)
        except AnswerError as error:
            raise MeasureError(
                f"{place}: {str(error).removesuffix('; it is left out')}; take the row out, and seal the plan anew"
            ) from None
        if any(other != ids for other in others):
            raise SuspectError(
                f"{place}: suspect and reference split the text into different tokens; one tokenizer for all is needed by {task.test.name}"
            )
        found.append(ids[: min(model.longest for model in models)])
    return found


def _check_windows(task: OpenTask, texts: list[list[int]]) -> None:
    seen: set[int] = set()
    for ids in texts:
        seen.update(_windows(ids, task.test.width).tolist())
        if len(seen) >= WINDOWS:
            return
    raise TooFewSamplesError(f"{task.prompts}: {task.test.name}: open radioactivity, distinct windows", needed=WINDOWS, got=len(seen))


def _windows(ids: Sequence[int], width: int) -> NDArray[np.uint64]:
    """Seed of the window before each token that follows one."""
    return context_seeds(np.asarray(ids, np.int64), width)


def _form(task: OpenTask, texts: list[list[int]]) -> _Form:
    """Means over whole distributions where they are few enough, which text and vocabulary alone decide; else lists."""
    seeds = np.unique(np.concatenate([_windows(ids, task.test.width) for ids in texts]))
    if seeds.size * task.suspect.vocabulary * len(task.names) <= MOST_CELLS:
        return _Means(task.names, seeds, task.suspect.vocabulary)
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


def _restored(task: OpenTask, form: _Form) -> _At:
    """Where an earlier run was saved."""
    saved = _saved(task)
    if saved is None:
        return _At()
    try:
        form.restore(saved)
        done, unusable, tried = (int(saved[name][0]) for name in ("done", "unusable", "tried"))
    except (ValueError, KeyError, IndexError) as error:
        raise _damaged(task, error) from None
    return _At(done=done, unusable=unusable, usable=done > unusable, tried=tried)


def _saved(task: OpenTask, names: Sequence[str] = ()) -> Arrays | None:
    """Arrays of the saved part, all or those named; None where there is none, PlanError for a part of another seal."""
    if not task.part.exists():
        return None
    try:
        with np.load(task.part, allow_pickle=False) as file:
            found: Arrays = {name: file[name] for name in (names or file.files)}
        bound = str(found["bound"][0])
    except (ValueError, OSError, KeyError, EOFError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(task, error) from None
    if bound != _bond(task):
        raise PlanError(f"{task.part} was saved under another seal; move it away to measure from the start")
    return found


def _damaged(task: OpenTask, error: Exception) -> MeasureError:
    return MeasureError(f"{task.part} is damaged ({type(error).__name__}); delete it to measure from the start")


def _save(task: OpenTask, form: _Form, at: _At) -> None:
    noted = {"done": np.array([at.done]), "unusable": np.array([at.unusable]), "bound": np.array([_bond(task)])}
    _write(task.part, form.arrays(final=False) | noted | {"tried": np.array([max(at.held, at.tried)])})


def _bond(task: OpenTask) -> str:
    return f"{task.seal_sha256}/{task.test.name}"


def _write(path: Path, arrays: Arrays) -> None:
    """The whole file or none."""
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **cast("dict[str, Any]", arrays))
