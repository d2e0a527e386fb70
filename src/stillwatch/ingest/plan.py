"""Finds the files that a run will read and recognises each one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.errors import UnknownFormatError, UnreadableInputError, UsageError
from stillwatch.ingest.inputs import ACCESS_LOG, PARQUET, InputFile, InputPlan
from stillwatch.ingest.readers import READERS, Context
from stillwatch.ingest.readers.base import ODD_SHAPES
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
_SIDE_SUFFIXES = frozenset({".parquet", ".csv", ".jsonl"})


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
        raise UsageError(f"{where or 'no path'}: no log file there (hidden ones do not count); give at least one log file, folder or pattern")
    names = _unique({path: entry.name for path, entry in found.items()})
    files: list[InputFile] = []
    ignored: list[tuple[str, str]] = []
    for path, entry in found.items():
        file, reason = _recognise(replace(entry, name=names[path]), format)
        if file is None:
            ignored.append((names[path], reason))
        else:
            files.append(file)
    if not files:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in ignored[:5])
        raise UsageError(f"none of the {len(ignored)} files found can be read ({reasons})")
    # by name, so that the order in which paths are given changes nothing that is concluded
    files.sort(key=lambda file: (file.name, file.path))
    logs = tuple(file for file in files if file.format == ACCESS_LOG)
    return InputPlan(files=tuple(file for file in files if file.format != ACCESS_LOG), access_logs=logs, ignored=tuple(ignored))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A file, its shown name, its folder below the given one, and whether the user named this very file."""

    path: Path
    name: str
    folder: str = ""
    named: bool = False


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


def _recognise(found: _Found, wanted: str) -> tuple[InputFile | None, str]:
    """The file, or why it is left aside."""
    path, name, named = found.path, found.name, found.named
    if not named and path.stem in _SIDE_TABLES and path.suffix in _SIDE_SUFFIXES:
        return None, _SIDE_TABLES[path.stem]
    if not named and _is_result(path):
        return None, "belongs to the result of a scan"
    try:
        sniffed = sniff(path)
        size = path.stat().st_size
    except OSError as error:
        if named:
            raise UnreadableInputError(f"{name}: cannot be opened ({error.strerror}); check that it exists and may be read") from None
        return None, f"cannot be opened ({error.strerror})"
    sniffed = _forced(sniffed, wanted)
    if not sniffed.format:
        if named:
            known = ", ".join((*READERS, PARQUET, ACCESS_LOG))
            raise UnknownFormatError(
                f"{name}: expected one of {known}; got {sniffed.seen}. Name the format with --format if it is one of them"
            )
        return None, f"not recognised: {sniffed.seen}"
    file = InputFile(
        name=name, path=path, folder=found.folder, format=sniffed.format, compression=sniffed.compression, layout=sniffed.layout, bytes=size
    )
    return file, ""


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
    reader = READERS[file.format]
    context = Context(file=file.name, folder=file.folder, default_account=file.name, max_depth=_DEPTH)
    filled = {"raw_sha256"}
    for record in head_records(file.path, file.compression, file.layout, _PEEKED):
        try:
            rows = reader.read(record, context)
        except ODD_SHAPES:
            continue
        for row in rows:
            filled.update(name for name, value in (row or {}).items() if value is not None)
    return filled & set(reader.columns)
