"""Finds the files that a run will read and recognises each one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UnknownFormatError, UnreadableInputError, UsageError
from stillwatch.ingest.inputs import ACCESS_LOG, PARQUET, InputFile, InputPlan, UnreadableFile
from stillwatch.ingest.readers import READERS, Context
from stillwatch.ingest.readers.base import ODD_SHAPES, Row
from stillwatch.ingest.sniffing import Sniffed, head_records, sniff
from stillwatch.records.tables import EXCHANGES

FORMATS = ("auto", *READERS, PARQUET, ACCESS_LOG)
"""What `format` may be."""

_WILD = frozenset("*?[")
_PEEKED = 200
_DEPTH = 128
_SIDE_TABLES = {
    "accounts": "an account table; it is given by --accounts",
    "truth": "ground truth; only benchmarks read it",
}
_RESULT = "belongs to the result of a scan"
_SIDE_SUFFIXES = frozenset({".parquet", ".csv", ".jsonl"})
_LOG_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".log", ".gz", ".zst"})
"""What logs are called; a file of such a name that holds nothing readable is a lost log where one beside it could be read."""


def plan_inputs(paths: Sequence[Path], *, format: str = "auto") -> InputPlan:  # noqa: A002 - the option's name
    """What a run over `paths` will read: files, folders (with what is in them, hidden files left out) and glob patterns.

    Raises:
        UsageError: a path leads to no file, or `format` is not a known one.
        UnknownFormatError: a file that was named itself is recognised by no reader.
        UnreadableInputError: a file that was named itself cannot be opened.
    """
    if format not in FORMATS:
        raise UsageError(f"--format: {format!r} is not a known format; use one of {', '.join(FORMATS)}")
    found: dict[Path, _Found] = {}
    for given in paths:
        for entry in _expand(Path(given)):
            found.setdefault(entry.path, entry)
    if not found:
        where = ", ".join(str(path) for path in paths[:5])
        raise UsageError(
            f"{where or 'no path'}: no log file there (hidden ones do not count); give at least one log file, folder or pattern"
        )
    names = _unique({path: entry.name for path, entry in found.items()})
    seen = [_recognise(replace(entry, name=names[path]), format) for path, entry in found.items()]
    files = [file for file in seen if isinstance(file, InputFile)]
    left = [file for file in seen if isinstance(file, _Left)]
    if not files:
        reasons = "; ".join(f"{file.name}: {file.reason}" for file in left[:5])
        raise UsageError(f"none of the {len(left)} files found can be read ({reasons})")
    # by name, so that the order in which paths are given changes nothing that is concluded
    files.sort(key=lambda file: (file.name, file.path))
    left.sort(key=lambda file: (file.name, file.path))
    beside = {(file.path.parent, file.path.suffix) for file in files}
    lost = [file for file in left if file.meant or (file.lost and (file.path.parent, file.path.suffix) in beside)]
    return InputPlan(
        files=tuple(file for file in files if file.format != ACCESS_LOG),
        access_logs=tuple(file for file in files if file.format == ACCESS_LOG),
        ignored=tuple((file.name, file.reason) for file in left if file not in lost),
        unreadable=tuple(UnreadableFile(name=file.name, path=file.path, reason=file.reason) for file in lost),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A file, its shown name, its folder below the given one, and whether the user named this very file."""

    path: Path
    name: str
    folder: str = ""
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """A file that is not read; `meant`: whatever it holds was a log; `lost`: it was one if its neighbours are."""

    name: str
    path: Path
    reason: str
    meant: bool = False
    lost: bool = False


def _expand(given: Path) -> Iterator[_Found]:
    top = Path(given.name) if given.is_absolute() else given
    if given.is_dir():
        for path in sorted(given.rglob("*")):
            inside = path.relative_to(given)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                yield _Found(path=path, name=(top / inside).as_posix(), folder=inside.parent.name)
    elif given.exists():
        yield _Found(path=given, name=top.as_posix(), named=True)
    elif _WILD & set(str(given)):
        yield from _expand_pattern(given)
    else:
        raise UsageError(f"{given}: no such file or folder")


def _is_result(path: Path) -> bool:
    """Whether a file lies in the result folder of an earlier scan, which is no log however much its exchanges look like one."""
    folders = (path.parent, path.parent.parent)
    return any((folder / "run.json").is_file() and (folder / "findings.jsonl").is_file() for folder in folders)


def _expand_pattern(given: Path) -> Iterator[_Found]:
    fixed = next(place for place, part in enumerate(given.parts) if _WILD & set(part))
    base = Path(*given.parts[:fixed])
    matches = sorted(base.glob("/".join(given.parts[fixed:])))
    if not matches:
        raise UsageError(f"{given}: no file matches the pattern")
    for match in matches:
        if match.is_file():
            inside = match.relative_to(base)
            yield _Found(path=match, name=(inside if given.is_absolute() else match).as_posix(), folder=inside.parent.name)
        elif match.is_dir():
            yield from _expand(match)


def _unique(names: dict[Path, str]) -> dict[Path, str]:
    """Shown names that are not used twice: where two files would share one, folders are put in front."""
    counts = Counter(names.values())
    return {path: name if counts[name] == 1 else f"{path.parent.name}/{name}" for path, name in names.items()}


def _recognise(found: _Found, wanted: str) -> InputFile | _Left:
    """The file, or why it is left aside."""
    path, name, named = found.path, found.name, found.named
    if not named and path.stem in _SIDE_TABLES and path.suffix in _SIDE_SUFFIXES:
        return _Left(name=name, path=path, reason=_SIDE_TABLES[path.stem])
    if not named and _is_result(path):
        return _Left(name=name, path=path, reason=_RESULT)
    try:
        sniffed = sniff(path)
        size = path.stat().st_size
    except OSError as error:
        if named:
            raise UnreadableInputError(f"{name}: cannot be opened ({error.strerror}); check that it exists and may be read") from None
        return _Left(name=name, path=path, reason=f"cannot be opened ({error.strerror})", meant=True)
    sniffed = _forced(sniffed, wanted)
    if not sniffed.format:
        if named:
            known = ", ".join((*READERS, PARQUET, ACCESS_LOG))
            raise UnknownFormatError(
                f"{name}: expected one of {known}; got {sniffed.seen}. Name the format with --format if it is one of them"
            )
        tabular = sniffed.layout == PARQUET or path.suffix == ".parquet"
        meant, lost = tabular and (sniffed.lost or not size), sniffed.lost and path.suffix in _LOG_SUFFIXES
        return _Left(name=name, path=path, reason=f"not recognised: {sniffed.seen}", meant=meant, lost=lost)
    return InputFile(
        name=name, path=path, folder=found.folder, format=sniffed.format, compression=sniffed.compression, layout=sniffed.layout, bytes=size
    )


def _forced(sniffed: Sniffed, wanted: str) -> Sniffed:
    """The format that the user asked for, where the file's container allows it."""
    fits = (sniffed.layout == PARQUET) == (wanted == PARQUET) and bool(sniffed.format or sniffed.seen.startswith("JSON"))
    return replace(sniffed, format=wanted) if wanted != "auto" and fits else sniffed


def available_columns(plan: InputPlan) -> dict[str, tuple[str, ...]]:
    """Per format of the plan, the columns of the exchanges table that its files fill, in the table's order.

    For Parquet these are the columns of the files; for JSON the ones that have a value in the first 200 records of any file.
    """
    found: dict[str, set[str]] = {}
    for file in plan.files:
        columns = _parquet_columns(file) if file.layout == PARQUET else _json_columns(file)
        found.setdefault(file.format, set()).update(columns | {"exchange_id", "source", "text_state"})
    return {name: tuple(column for column in EXCHANGES.names if column in columns) for name, columns in found.items()}


def _parquet_columns(file: InputFile) -> set[str]:
    return set(pq.read_schema(file.path).names)


def _json_columns(file: InputFile) -> set[str]:
    filled = {"raw_sha256"}
    for row in _first_rows(file):
        filled.update(name for name, value in row.items() if value is not None)
    return filled & set(READERS[file.format].columns)


def _first_rows(file: InputFile) -> Iterator[Row]:
    """The exchanges in the first 200 records of a JSON file."""
    reader = READERS[file.format]
    context = Context(file=file.name, folder=file.folder, default_account=file.name, max_depth=_DEPTH)
    for record in head_records(file.path, file.compression, file.layout, _PEEKED):
        try:
            rows = reader.read(record, context)
        except ODD_SHAPES:
            continue
        yield from (row for row in rows if row)


def first_accounts(plan: InputPlan) -> frozenset[str]:
    """The accounts in the first 200 records of every file of the plan."""
    found: set[str] = set()
    for file in plan.files:
        ids = _parquet_accounts(file) if file.layout == PARQUET else (row.get("account_id") for row in _first_rows(file))
        found.update(str(account) for account in ids if account is not None)
    return frozenset(found)


def _parquet_accounts(file: InputFile) -> list[object]:
    try:
        with pq.ParquetFile(file.path) as table:
            first = next(table.iter_batches(batch_size=_PEEKED, columns=["account_id"]), None)
            return [] if first is None else first.column(0).to_pylist()
    except (OSError, ValueError, pa.ArrowException):
        return []  # the scan itself quarantines what it cannot read
