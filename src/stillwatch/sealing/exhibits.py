"""Exhibits: how they are made, what they commit to, and the lines that a recipient reads. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.ledger.canonical import canonical_json
from stillwatch.records.cases import CaseExhibit, Column, ColumnType, ExhibitKind, Identifies, Value
from stillwatch.sealing.commitments import cell_hash, exhibit_root, row_hash, salt_of

LARGEST_DATA = 16 * 1024 * 1024
MOST_ROWS = 50_000
MOST_COLUMNS = 40
MOST_CELLS = 500_000
LONGEST_LINE = 1024 * 1024
"""Bytes of a row as it is written."""

FILE_COLUMNS = (
    Column(name="name"),
    Column(name="media_type"),
    Column(name="bytes", type=ColumnType.INTEGER),
    Column(name="sha256"),
)
NOTE_COLUMNS = (Column(name="by"), Column(name="at", type=ColumnType.TIME), Column(name="words"))
Alias = Callable[[Identifies, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """An exhibit's commitments.

    Attributes:
        salts, cells: of every cell, row by row.
        root: of the exhibit, 64 hexadecimal digits.
    """

    salts: tuple[tuple[bytes, ...], ...]
    cells: tuple[tuple[bytes, ...], ...]
    root: str


def rows_exhibit(
    uid: str, title: str, *, shows: str, origin: str, columns: Sequence[Column], rows: Sequence[Sequence[Value]]
) -> CaseExhibit:
    """An exhibit of rows."""
    return CaseExhibit(
        uid=uid,
        kind=ExhibitKind.ROWS,
        title=title,
        shows=shows,
        origin=origin,
        columns=tuple(columns),
        rows=tuple(tuple(row) for row in rows),
    )


def file_exhibit(
    uid: str, title: str, *, shows: str, origin: str, name: str, media_type: str, data: bytes, keep: bool = True
) -> CaseExhibit:
    """A file; where it is not kept, or is larger than LARGEST_DATA, its sha256 and size are the evidence."""
    row = (name, media_type, len(data), hashlib.sha256(data).hexdigest())
    return CaseExhibit(
        uid=uid,
        kind=ExhibitKind.FILE,
        title=title,
        shows=shows,
        origin=origin,
        columns=FILE_COLUMNS,
        rows=(row,),
        data=data if keep and len(data) <= LARGEST_DATA else None,
    )


def note_exhibit(uid: str, title: str, *, shows: str, origin: str, by: str, at: str, words: str) -> CaseExhibit:
    """A note of somebody, with the time in ISO 8601, UTC."""
    return CaseExhibit(
        uid=uid, kind=ExhibitKind.NOTE, title=title, shows=shows, origin=origin, columns=NOTE_COLUMNS, rows=((by, at, words),)
    )


def committed(exhibit: CaseExhibit, key: bytes) -> Committed:
    """The exhibit's commitments under the case's salt key."""
    names = [column.name for column in exhibit.columns]
    salts = tuple(
        tuple(salt_of(key, exhibit.uid, place, name, value) for name, value in zip(names, row, strict=True))
        for place, row in enumerate(exhibit.rows)
    )
    cells = tuple(
        tuple(cell_hash(salt, exhibit.uid, place, name, value) for salt, name, value in zip(salts[place], names, row, strict=True))
        for place, row in enumerate(exhibit.rows)
    )
    return Committed(salts=salts, cells=cells, root=exhibit_root(row_hash(row) for row in cells))


def column_json(column: Column) -> dict[str, Any]:
    """A column as statement and log hold it."""
    return {
        "identifies": None if column.identifies is None else column.identifies.value,
        "name": column.name,
        "text": column.text,
        "type": column.type.value,
    }


def lines(exhibit: CaseExhibit, made: Committed, withheld: Collection[str], alias: Alias | None) -> bytes:
    """The rows as a recipient reads them, a line of canonical JSON each.

    Args:
        exhibit: what is written.
        made: its commitments.
        withheld: names of columns that do not leave.
        alias: the recipient's pseudonyms for cells that name somebody; None: within the house, where they stand as they are.
    """
    written: list[bytes] = []
    for values, salts, hashes in zip(exhibit.rows, made.salts, made.cells, strict=True):
        row = [
            _cell(column, value, salt, found, column.name in withheld, alias)
            for column, value, salt, found in zip(exhibit.columns, values, salts, hashes, strict=True)
        ]
        written.append(canonical_json(row) + b"\n")
    return b"".join(written)


def _cell(column: Column, value: Value, salt: bytes, found: bytes, withheld: bool, alias: Alias | None) -> dict[str, Any]:  # noqa: FBT001
    if withheld:
        return {"hash": found.hex()}
    if column.identifies is not None and alias is not None:
        return {"alias": None if value is None else alias(column.identifies, str(value)), "hash": found.hex()}
    return {"salt": salt.hex(), "value": value}
