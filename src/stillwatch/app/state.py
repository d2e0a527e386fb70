"""What a run has finished, so that a second one with --resume does not do it again.

The state lives in the result folder's hidden work folder. A stage is noted only after its files stand under their final names, so that a
run killed at any point leaves either a finished stage or none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from stillwatch import __version__
from stillwatch.errors import OutputError, UnreadableInputError, UsageError, naming
from stillwatch.ingest import IngestResult, InputFile, InputPlan, Shard
from stillwatch.records.findings import FileCount, Stage

WORK = ".work"
PREVIOUS = ".previous"
RUN = "run.json"
STATE = "state.json"
EXCHANGES = "exchanges"
EXHIBITS = "exhibits.jsonl"
"""The text of exhibits: private, and no result that anything else is made of."""

RESULTS = (
    "report.html",
    "findings.jsonl",
    "entities.parquet",
    "members.parquet",
    "links.parquet",
    "features.parquet",
    "quarantine.jsonl",
    "subjects.json",
)
_NO_MATTER = frozenset({"threads", "memory_limit"})
"""Settings that change how fast a run is and nothing that it finds, so that a run may be resumed with others."""


STAGE_FILES = {
    "describe": ("features.parquet", "wording.parquet"),
    "trace": ("traces.parquet",),
    "link": ("linked.json", "profiles.npz"),
    "judge": ("outcome.json", "entities.parquet", "members.parquet", "links.parquet"),
}
"""What a finished stage leaves in the work folder."""


def remove_folder(path: Path) -> None:
    """Delete a folder and all in it, if it is there."""
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """A file to be written under a temporary name, then synced and renamed: a reader sees the old file or the whole new one.

    It may hold excerpts of private texts, so it is closed to others from its first byte on, and what was begun is taken away where writing
    it fails or is interrupted. OutputError names `path` where it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    with naming(path):
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o640)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Put a file in place as `replacing` does."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """The same, of a text as UTF-8."""
    write_bytes(path, text.encode())


def file_sha256(path: Path) -> str:
    """Of a file's bytes, hexadecimal. Raises UnreadableInputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read ({error.strerror}); check that it is still there") from None


@dataclass(slots=True)
class RunState:
    """The finished stages of one result folder.

    Attributes:
        folder: the work folder.
        key: what the run depends on; a state with another key is not resumed.
        done: stage name to what it noted.
    """

    folder: Path
    key: str
    done: dict[str, dict[str, Any]]

    @classmethod
    def open(cls, out: Path, key: str, *, resume: bool) -> RunState:
        """The state of `out`: an earlier run's where `resume` asks for it and the key agrees, else an empty one."""
        folder = out / WORK
        if resume and (folder / STATE).exists():
            known = _known_state(folder / STATE)
            if known["key"] == key:
                return cls(folder=folder, key=key, done=known["done"])
        return cls(folder=folder, key=key, done={})

    def begin(self) -> None:
        """Note that nothing is done, before anything of another run is overwritten, so that what is left of it is never gone on with."""
        if (self.folder / STATE).exists():
            self._write()

    def claim(self) -> None:
        """Note whose the work folder is before anything is put into it: a folder that says nothing may be somebody else's."""
        if not self.done:
            self._write()

    def finish(self, stage: str, noted: dict[str, Any]) -> None:
        """Note that the stage's files are in place."""
        self.done[stage] = noted
        self._write()

    def _write(self) -> None:
        write_text(self.folder / STATE, json.dumps({"key": self.key, "done": self.done}))

    def forget_lost(self) -> None:
        """Take a stage as unfinished where its files are gone: a finished run deletes the text that it read and what it quotes."""
        if "read" in self.done:
            read = ingest_from_json(self.done["read"]["noted"])
            if not all(path.exists() for path in (read.quarantine, *(shard.path for shard in read.shards))):
                del self.done["read"]
        for stage, files in STAGE_FILES.items():
            if stage in self.done and not all((self.folder / name).exists() for name in files):
                del self.done[stage]

    def stage(self, name: str) -> Stage:
        """The finished stage as it goes into run.json, marked as resumed."""
        noted = self.done[name]
        return Stage(name=name, seconds=noted["seconds"], rows=noted["rows"], resumed=True)


def _known_state(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text("utf-8"))
        if isinstance(known["key"], str) and isinstance(known["done"], dict):
            return known
        reason = "its key or its stages are missing"
    except (ValueError, LookupError, TypeError) as error:
        reason = str(error)
    message = f"{path} is damaged ({reason}); run without --resume to start again"
    raise OutputError(message)


def run_key(plan: InputPlan, accounts: Path | None, settings: dict[str, Any], engine: str, prices: dict[str, Any]) -> str:
    """A digest of what the finished stages depend on: files with size and time of change, settings, prices, engine, version."""
    files = [*(file.path for file in (*plan.files, *plan.access_logs)), *([accounts] if accounts else [])]
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    formats = [file.format for file in plan.files]
    lost = [(file.name, file.reason) for file in plan.unreadable]
    kept = {name: value for name, value in settings.items() if name not in _NO_MATTER}
    return hashlib.sha256(json.dumps([stats, formats, lost, kept, prices, engine, __version__], sort_keys=True).encode()).hexdigest()


def ingest_to_json(result: IngestResult) -> dict[str, Any]:
    """An ingest result as JSON, to be read back by `ingest_from_json`."""
    shards = [
        asdict(shard) | {"path": str(shard.path.resolve()), "refused": base64.b64encode(shard.refused).decode()} for shard in result.shards
    ]
    return {
        "shards": shards,
        "files": [asdict(file) for file in result.files],
        "reasons": result.reasons,
        "filled_columns": list(result.filled_columns),
        "input_hashes": result.input_hashes,
        "quarantine": str(result.quarantine.resolve()),
        "skipped": result.skipped,
    }


def ingest_from_json(noted: dict[str, Any]) -> IngestResult:
    """What `ingest_to_json` wrote."""
    shards = tuple(
        Shard(
            **shard | {"path": Path(shard["path"]), "refused": base64.b64decode(shard["refused"]), "row_groups": tuple(shard["row_groups"])}
        )
        for shard in noted["shards"]
    )
    return IngestResult(
        shards=shards,
        files=tuple(FileCount(**file) for file in noted["files"]),
        reasons=noted["reasons"],
        filled_columns=tuple(noted["filled_columns"]),
        input_hashes=noted["input_hashes"],
        quarantine=Path(noted["quarantine"]),
        skipped=noted["skipped"],
    )


def without_results(plan: InputPlan, out: Path) -> InputPlan:
    """The plan without files that lie in the result folder: what a run writes must not be its input, nor its input be taken away.

    Raises:
        UsageError: nothing else is left.
    """
    top = out.resolve()

    def apart(files: tuple[InputFile, ...]) -> tuple[InputFile, ...]:
        return tuple(file for file in files if top not in file.path.resolve().parents)

    files, logs = apart(plan.files), apart(plan.access_logs)
    if len(files) + len(logs) == 0:
        message = f"every input file lies in the result folder {out}; give --out another folder"
        raise UsageError(message)
    left = tuple((file.name, f"in the result folder {out}") for file in (*plan.files, *plan.access_logs) if file not in (*files, *logs))
    lost = tuple(file for file in plan.unreadable if top not in file.path.resolve().parents)
    return InputPlan(files=files, access_logs=logs, ignored=(*plan.ignored, *left), unreadable=lost)


def run_in(path: Path) -> dict[str, Any] | None:
    """The record of a scan; None where the file is not there, or somebody else's of the same name."""
    try:
        known = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(known, dict) and {"version", "engine", "settings", "stages"} <= set(cast("dict[str, Any]", known)):
        return cast("dict[str, Any]", known)
    return None


def earlier_result(out: Path) -> datetime | None:
    """When the finished result that lies in `out` was made; None where there is none."""
    run = run_in(out / RUN)
    try:
        return None if run is None else datetime.fromisoformat(run["created_at"])
    except (LookupError, TypeError, ValueError):
        return None


def check_folder(out: Path) -> None:
    """Refuse, and leave as it is, a folder that holds somebody else's files."""
    # names prove nothing: a provider's own logs may lie in a folder called exchanges
    ours = any(run_in(folder / RUN) is not None for folder in (out, *out.glob(f"{PREVIOUS}*"))) or (out / WORK / STATE).exists()
    refuse_strangers(out, "a scan", ours=ours)


def refuse_strangers(out: Path, run: str, *, ours: bool) -> None:
    """Nothing for a folder that is not there, is empty, or is `ours`; else OutputError, or UsageError for a file.

    `run` says what wants to write there, as `a scan`.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder for the results")
    strangers = [] if ours else _strange_files(out)
    if strangers:
        raise OutputError(f"{out} holds files that are not {run}'s ({', '.join(strangers[:3])}); choose another --out")


def is_of(path: Path, command: str) -> bool:
    """Whether a file is the JSON record that a command of this name leaves in its folders."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and cast("dict[str, Any]", found).get("command") == command


def _strange_files(out: Path) -> list[str]:
    """What a folder without a run of ours holds of somebody else's; hidden files stay as they are, but a work folder would be emptied."""
    if not out.exists():
        return []
    shown = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    work = out / WORK
    if work.exists() and not (work.is_dir() and not any(work.iterdir())):
        shown.append(WORK)
    return sorted(shown)


def prepare_folder(out: Path, *, resume: bool) -> None:
    """Make `out` ready: refuse a folder of somebody else's files, and take away an earlier run's results so that none looks current."""
    check_folder(out)
    try:
        # what is found is about people, and the work folder holds their text
        out.mkdir(mode=0o750, parents=True, exist_ok=True)
        (out / WORK).mkdir(mode=0o700, exist_ok=True)
        for path in (*(out / name for name in (RUN, *RESULTS, EXHIBITS)), *out.glob(".*.partial")):
            path.unlink(missing_ok=True)
        if not resume:
            remove_folder(out / EXCHANGES)
            remove_folder(out / WORK)
            (out / WORK).mkdir(mode=0o700)
    except OSError as error:
        message = f"{out} cannot be written ({error.strerror}); choose another --out or free some room"
        raise OutputError(message) from None
