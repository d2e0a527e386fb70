"""Files of arrays (npz without pickles, Parquet, JSON Lines) as columns by name. They may be hostile: bounded, and never run."""

from __future__ import annotations

import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from stillwatch.app.sealed_lines import plain_line, stored_lines
from stillwatch.errors import UnreadableInputError
from stillwatch.govern.vault import Vault
from stillwatch.provenance.columns import MeasureError

LARGEST = 8 * 1024**3
"""Bytes of a file's arrays once unpacked."""
LONGEST_LINE = 64 * 1024 * 1024
MOST_ROWS = 20_000_000
"""Rows of a Parquet file: a small one may unpack to any number."""
_UNREAD = frozenset({"reason"})
"""Columns for people."""

Columns = dict[str, NDArray[Any]]

_BROKEN = (
    ValueError,
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    TypeError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    tokenize.TokenError,
)
"""What a hostile archive makes the libraries raise."""


def read_measures(path: Path) -> Columns:
    """The arrays of a file, by its suffix `.npz`, `.parquet` or `.jsonl`.

    Raises UnreadableInputError for a file that is missing or of another suffix, MeasureError for what it holds.
    """
    readers = {".npz": _read_npz, ".parquet": _read_parquet, ".jsonl": read_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UnreadableInputError(f"{path}: arrays stand in {', '.join(readers)}; give one of those")
    if not path.is_file():
        raise UnreadableInputError(f"{path} is not there; put the suspect's measures there, under the name that the plan gives")
    if path.stat().st_size > LARGEST:
        raise MeasureError(f"{path} is larger than {LARGEST:,} bytes; measure fewer units")
    return reader(path)


def _read_npz(path: Path) -> Columns:
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > LARGEST:
            raise MeasureError(f"{path} unpacks to {size:,} bytes, at most {LARGEST:,} are read; measure fewer units")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except _BROKEN as error:
        message = (
            f"{path} cannot be read as arrays ({type(error).__name__}); arrays of plain numbers and text are read, pickled objects never"
        )
        raise MeasureError(message) from None


def _read_parquet(path: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            if rows > MOST_ROWS:
                raise MeasureError(f"{path} has {rows:,} rows, at most {MOST_ROWS:,} are read; measure fewer units")
            table = file.read()
        found = table.to_pylist()
    except (pa.ArrowException, *_BROKEN) as error:
        raise MeasureError(f"{path} cannot be read as Parquet ({type(error).__name__}); write it again") from None
    return _columns(found, path)


def read_lines(path: Path) -> Columns:
    """Rows of JSON objects as columns. A torn last line, as a stopped run leaves it, is refused by its number."""
    return _columns(list(rows_of(path)), path)


def rows_of(path: Path, vault: Vault | None = None) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, line by line; they may be sealed. Raises MeasureError with a line's number, VaultError without key."""
    try:
        with path.open("rb") as file:
            bounded = iter(lambda: file.readline(LONGEST_LINE + 1), b"")
            for number, (line, previous, _) in enumerate(stored_lines(bounded), 1):
                plain = plain_line(line, previous, vault, f"{path}, line {number}")
                if plain.strip():
                    yield _row(plain, f"{path}, line {number}")
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; the plan names it") from None


def whole_rows(target: Path) -> int:
    """Whole rows that are there; a last line that was torn is cut off."""
    if not target.exists():
        return 0
    content = target.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(target, len(whole))
    return whole.count(b"\n")


def plain_prompt(prompt: str) -> str:
    """A prompt as text: messages written as JSON are joined by blank lines, anything else is taken as it is."""
    try:
        messages: Any = json.loads(prompt)
        parts = [message["content"] for message in messages] if isinstance(messages, list) else []
    except (ValueError, TypeError, KeyError, RecursionError):
        return prompt
    return "".join(f"{part}\n\n" for part in parts) if parts and all(isinstance(part, str) for part in parts) else prompt


def _row(line: bytes, place: str) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise MeasureError(f"{place}: longer than {LONGEST_LINE:,} bytes; split it")
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise MeasureError(f"{place}: not JSON; remove a torn last line, or measure again") from None
    if not isinstance(row, dict):
        raise MeasureError(f"{place}: a JSON object was expected")
    return cast("dict[str, Any]", row)


def _columns(rows: list[dict[str, Any]], path: Path) -> Columns:
    if rows and "tokens" in {name for row in rows for name in row} and "document" in rows[0]:
        return _documents(rows, path)
    names = dict.fromkeys(name for row in rows for name in row if name not in _UNREAD)
    return {name: _column([row.get(name) for row in rows], name, path) for name in names}


def _column(values: list[Any], name: str, path: Path) -> NDArray[Any]:
    """One kind of value for all rows; a row without one has false, an empty text, no answer, or not a number."""
    kinds = {_kind(value): row for row, value in reversed(list(enumerate(values, 1))) if value is not None}
    if len(kinds) > 1 and set(kinds) != {"a whole number", "a number"}:
        shown = " and ".join(f"{kind} (row {row})" for kind, row in sorted(kinds.items(), key=lambda pair: pair[1])[:2])
        raise MeasureError(f"{path}: {name} holds values of several kinds, {shown}; one kind for all rows was expected")
    kind = next(iter(kinds)) if len(kinds) == 1 else "a number"
    if kind == "true or false":
        return np.array([bool(value) for value in values])
    if kind == "text":
        return _text_column(values, name, path)
    if kind == "a whole number":
        given = [-1 if value is None and name == "answered" else value for value in values]
        whole = [value for value in given if value is not None]
        return _whole(whole, name, path) if len(whole) == len(given) else _numbers(given)
    if kind == "a number":
        return _numbers(values)
    raise MeasureError(f"{path}: {name} holds {kind} in row {kinds[kind]}; numbers, text, or true and false are read")


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    return {"str": "text", "list": "a list", "dict": "an object"}.get(type(value).__name__, f"a {type(value).__name__}")


def _text_column(values: list[Any], name: str, path: Path) -> NDArray[np.str_]:
    longest = max(len(value) for value in values if value is not None)
    if 4 * longest * len(values) > LARGEST:
        raise MeasureError(f"{path}: {name} holds a text of {longest:,} characters, too long for {len(values):,} rows; shorten it")
    return np.array(["" if value is None else value for value in values], dtype=np.str_)


def _whole(values: list[int], name: str, path: Path) -> NDArray[Any]:
    try:
        return np.array(values, dtype=np.uint64 if name == "seeds" else np.int64)
    except OverflowError:
        row = next((row for row, value in enumerate(values, 1) if not -(2**63) <= value < 2**63), 1)
        raise MeasureError(f"{path}: {name} holds a whole number beyond 64 bits in row {row}; measure again") from None


def _numbers(values: list[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else _number(value) for value in values])


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        # a whole number beyond doubles is as unusable as a missing one, and is found as such
        return np.nan


def _documents(rows: list[dict[str, Any]], path: Path) -> Columns:
    """One row per document, tokens as lists; a missing one has none."""
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in ("document", "tokens", "prompt_document", "prompt_tokens")}
    for place, row in enumerate(rows):
        for name, of in (("tokens", "document"), ("prompt_tokens", "prompt_document")):
            ids = _ids([] if row.get(name) is None else row[name], f"{path}, row {place + 1}, {name}")
            columns[name].append(ids)
            columns[of].append(np.full(ids.size, place, dtype=np.int64))
    joined: Columns = {name: np.concatenate(parts) for name, parts in columns.items()}
    return joined | {"documents": np.array([len(rows)])}


def _ids(values: Any, place: str) -> NDArray[np.int64]:
    if not isinstance(values, list) or not all(type(value) is int and 0 <= value < 2**32 for value in cast("list[Any]", values)):
        raise MeasureError(f"{place}: a list of token ids was expected")
    return np.array(values, dtype=np.int64)
