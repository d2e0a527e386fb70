"""Finds the files of a corpus and recognises each by its content: JSON, Parquet, Arrow (a dataset saved on disk), or text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import UnknownFormatError, UnreadableInputError, UsageError
from stillwatch.ingest.compression import ByteSource, TornArchiveError, compression_of
from stillwatch.ingest.splitting import ARRAY, LINES, VALUES

JSON, PARQUET, ARROW, TEXT = "json", "parquet", "arrow", "text"

_WILD = frozenset("*?[")
_HEAD = 1 << 16
_CONTINUES = b"\xff\xff\xff\xff"
_DESCRIBES = frozenset({"dataset_info.json", "dataset_dict.json", "state.json"})
_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFile:
    """A file of a corpus.

    Attributes:
        name: as the user gave it, without the folders above that.
        path: where it is.
        source: the folder that it lies in, below the one that the user gave, or its own name where the user named the file.
        format: json, parquet, arrow or text.
        compression: none, gzip or zstd.
        layout: of JSON: lines, array or values.
        bytes: size of the file.
    """

    name: str
    path: Path
    source: str
    format: str
    compression: str
    layout: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusPlan:
    """What will be read, by name, and (path, reason) of what was found and will not be."""

    files: tuple[CorpusFile, ...]
    ignored: tuple[tuple[str, str], ...] = ()


def plan_corpus(paths: Sequence[Path], *, apart_from: Path | None = None) -> CorpusPlan:
    """What a screening of `paths` reads: files, folders (hidden files left out) and glob patterns.

    Args:
        paths: as the user gave them.
        apart_from: a folder whose files are never read: the one that results go to.

    Raises UsageError where a path leads to no file, UnknownFormatError for a file that was named itself and is none of the formats,
    UnreadableInputError for one that cannot be opened.
    """
    files: dict[Path, CorpusFile] = {}
    ignored: list[tuple[str, str]] = []
    top = None if apart_from is None else apart_from.resolve()
    for given in paths:
        for path, name, source in _expand(given):
            if path in files:
                continue
            named = path == given
            reason = "lies in the result folder" if top is not None and top in path.resolve().parents else _left_aside(path, named=named)
            found = reason or _recognise(path, _printable(name), _printable(source))
            if isinstance(found, CorpusFile):
                files[path] = found
            elif named:
                raise UnknownFormatError(f"{name}: {found}; name JSON Lines, Parquet, Arrow or text, plain or packed with gzip or zstd")
            else:
                ignored.append((_printable(name), found))
    if not files:
        said = "; ".join(f"{name}: {reason}" for name, reason in ignored[:3])
        raise UsageError(f"no document can be read from {', '.join(str(path) for path in paths[:3])} ({said or 'no file there'})")
    return CorpusPlan(files=tuple(sorted(files.values(), key=lambda file: (file.name, file.path))), ignored=tuple(sorted(ignored)))


def _printable(name: str) -> str:
    """The name with a sign in place of bytes that are no text."""
    return name.encode("utf-8", "replace").decode()


def _expand(given: Path) -> Iterator[tuple[Path, str, str]]:
    """(path, name, source) of each file that a path stands for."""
    if given.is_dir():
        for path in sorted(given.rglob("*")):
            inside = path.relative_to(given)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                top = Path(given.resolve().name)
                yield path, (top / inside).as_posix(), (top / inside.parent).as_posix()
    elif given.exists():
        yield given, given.name, given.name
    elif _WILD & set(str(given)):
        fixed = next(place for place, part in enumerate(given.parts) if _WILD & set(part))
        base = Path(*given.parts[:fixed])
        matches = [path for path in sorted(base.glob("/".join(given.parts[fixed:]))) if path.is_file()]
        if not matches:
            raise UsageError(f"{given}: no file matches the pattern")
        for path in matches:
            inside = path.relative_to(base)
            yield path, inside.as_posix(), inside.parent.as_posix() if len(inside.parts) > 1 else inside.name
    else:
        raise UsageError(f"{given}: no such file or folder")


def _left_aside(path: Path, *, named: bool) -> str:
    """Why a file that was found is no part of a corpus; empty where it is."""
    if named:
        return ""
    if path.name in _DESCRIBES:
        return "describes a dataset"
    state = path.parent / "state.json"
    if path.suffix != ".arrow" or not state.is_file():
        return "lies beside a dataset" if state.is_file() and any(path.parent.glob("*.arrow")) else ""
    try:
        listed = [str(file["filename"]) for file in json.loads(state.read_text("utf-8"))["_data_files"]]
    except (OSError, ValueError, LookupError, TypeError):
        listed = [path.name]
    return "" if path.name in listed else "is no data file of the dataset"


def _recognise(path: Path, name: str, source: str) -> CorpusFile | str:
    """The file, or what it is instead."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            magic = stream.read(8)
    except OSError as error:
        raise UnreadableInputError(f"{name}: cannot be opened ({error.strerror}); check that it exists and may be read") from None
    if not magic:
        return "an empty file"
    compression, layout = compression_of(magic[:4]), LINES
    if magic.startswith(b"PAR1"):
        format_ = PARQUET
    elif magic.startswith((b"ARROW1", _CONTINUES)):
        format_ = ARROW
    else:
        format_, layout = _text_format(_head(path, compression), path)
        if not format_:
            return "binary data of an unknown kind"
    return CorpusFile(name=name, path=path, source=source, format=format_, compression=compression, layout=layout, bytes=size)


def _head(path: Path, compression: str) -> bytes:
    """The first unpacked bytes."""
    head = b""
    try:
        for block in ByteSource(path, compression).blocks():
            head += block[:_HEAD]
            if len(head) >= _HEAD:
                break
    except TornArchiveError:
        pass  # the reading itself says so
    return head[:_HEAD]


def _text_format(head: bytes, path: Path) -> tuple[str, str]:
    """(format, layout) of unpacked bytes; an empty format where they are no text."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    called_json = any(suffix in _JSON_SUFFIXES for suffix in path.suffixes)
    if start[:1] == b"[" and (called_json or start[1:].lstrip()[:1] == b"{"):
        return JSON, ARRAY
    if start[:1] == b"{" and _is_object(start.split(b"\n", 1)[0]):
        return JSON, LINES
    if called_json:
        # a first line that is no object is a broken row, a row longer than the head, or the beginning of a value over several lines
        spread = start[:1] == b"{" and b"\n" in start and not _later_line_is_object(start)
        return JSON, VALUES if spread else LINES
    return ("", LINES) if b"\0" in head else (TEXT, LINES)


def _later_line_is_object(start: bytes) -> bool:
    return any(_is_object(line) for line in start.split(b"\n")[1:50])


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
