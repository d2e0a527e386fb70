"""What is kept on the disk, by class of data: result folders, exports, matches and their parts, found below folders that are named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stillwatch.app.state import EXCHANGES, EXHIBITS, PREVIOUS, RESULTS, RUN, STATE, WORK, earlier_result, is_of, run_in
from stillwatch.errors import UsageError
from stillwatch.govern.policy import DataClass
from stillwatch.govern.retention import Holding

QUARANTINE = "quarantine.jsonl"
_MOST_FOLDERS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A holding and the files that it consists of; folders among them go with all that is in them."""

    holding: Holding
    paths: tuple[Path, ...]


def kept_below(roots: Sequence[Path]) -> list[Kept]:
    """Everything of ours below the folders, in order of names. Raises UsageError for a root that is no folder."""
    found: list[Kept] = []
    for folder in folders_below(roots):
        found += _kept_in(folder)
    return found


def folders_below(roots: Sequence[Path]) -> Iterator[Path]:
    """The folders that are named and those below them; links are not followed, hidden ones are parts of others."""
    waiting = sorted(roots, reverse=True)
    for root in waiting:
        if not root.is_dir():
            raise UsageError(f"{root} is no folder; name folders that hold results, exports and matches")
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        folder = waiting.pop()
        yield folder
        waiting += sorted(
            (path for path in folder.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "."), reverse=True
        )
    raise UsageError(f"more than {_MOST_FOLDERS:,} folders lie below those that were named; name the ones that hold results")


def is_result(folder: Path) -> bool:
    """Whether a folder holds a finished scan."""
    return run_in(folder / RUN) is not None


def accounts_of(folder: Path) -> frozenset[str] | None:
    """The accounts of a result folder; None where that cannot be told."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return frozenset(pq.read_table(folder / "features.parquet", columns=["entity_id"])["entity_id"].to_pylist())
    except (OSError, KeyError, pa.ArrowException):
        return None


def _kept_in(folder: Path) -> list[Kept]:
    if is_result(folder):
        return _parts(folder, earlier_result(folder) or _changed(folder / RUN))
    if is_of(folder / "export.json", "export"):
        return [_kept(folder, DataClass.EXPORTS, _changed(folder / "export.json"), _named_in(folder / "export.json"))]
    if is_of(folder / "match.json", "match"):
        names = ("match.json", "accounts.csv")
        parts = [_kept(folder, DataClass.SCAN_RESULTS, _changed(folder / "match.json"), [folder / name for name in names])]
        return parts + _single(folder / QUARANTINE, DataClass.QUARANTINE)
    return _single(folder / WORK, DataClass.WORK_FOLDERS) if (folder / WORK / STATE).exists() else []


def _parts(folder: Path, made_at: datetime) -> list[Kept]:
    # what the run left behind for --resume says the same of every account, so it goes with the result
    own = [folder / name for name in (*RESULTS, RUN, EXCHANGES, WORK, PREVIOUS) if name != QUARANTINE]
    parts = [_kept(folder, DataClass.SCAN_RESULTS, made_at, own)]
    for name, data_class in ((EXHIBITS, DataClass.EXHIBITS), (QUARANTINE, DataClass.QUARANTINE)):
        if (folder / name).exists():
            parts.append(_kept(folder, data_class, made_at, [folder / name], name=str(folder / name)))
    return parts + [part for name in (WORK, PREVIOUS) for part in _single(folder / name, DataClass.WORK_FOLDERS)]


def _single(path: Path, data_class: DataClass) -> list[Kept]:
    return [_kept(path.parent, data_class, _changed(path), [path], name=str(path))] if path.exists() else []


def _kept(folder: Path, data_class: DataClass, made_at: datetime, paths: Sequence[Path], *, name: str | None = None) -> Kept:
    there = tuple(path for path in paths if path.exists())

    def names(account: str) -> bool:
        known = accounts_of(folder)
        return known is None or account in known

    return Kept(holding=Holding(name=name or str(folder), data_class=data_class, made_at=made_at, names=names), paths=there)


def _named_in(manifest: Path) -> list[Path]:
    """The files that an export names; a name that leads elsewhere is none of its own."""
    found = json.loads(manifest.read_text("utf-8")).get("files", {})
    return [*(manifest.parent / name for name in found if Path(name).name == name), manifest]


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
