"""The rows of an exhibit as a recipient has them, held against the exhibit's root. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from stillwatch.records.cases import ColumnType
from stillwatch.sealing.commitments import cell_hash, exhibit_root, row_hash
from stillwatch.sealing.exhibits import FILE_COLUMNS, LONGEST_LINE
from stillwatch.sealing.numbers import DECIMAL, WITHHELD, Table
from stillwatch.sealing.refusals import RefusedCaseError
from stillwatch.sealing.whole_json import read_whole

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FIELDS = {"value": {"salt", "value"}, "alias": {"alias", "hash"}, "hash": {"hash"}}
_LONGEST_ALIAS = 500


def read_rows(exhibit: Mapping[str, Any], data: bytes) -> Table:
    """The exhibit's rows. Raises RefusedCaseError where they are not those that were committed to."""
    uid, columns = exhibit["uid"], exhibit["columns"]
    place = f"exhibits/{uid}.jsonl"
    found = data.split(b"\n")
    if found.pop() != b"" or len(found) != exhibit["rows"]:
        raise RefusedCaseError("rows-count", place, expected=f"{exhibit['rows']} whole lines", got=str(len(found)))
    rows: list[tuple[Any, ...]] = []
    hashes: list[bytes] = []
    for number, line in enumerate(found):
        cells = _line(line, len(columns), f"{place} line {number + 1}")
        read = [_cell(cell, column, uid, number, place) for cell, column in zip(cells, columns, strict=True)]
        hashes.append(row_hash(found_hash for _, found_hash in read))
        rows.append(tuple(value for value, _ in read))
    if (root := exhibit_root(hashes)) != exhibit["root"]:
        raise RefusedCaseError("exhibit-root", place, expected=f"rows with the root {exhibit['root']}", got=root)
    return Table(columns={column["name"]: number for number, column in enumerate(columns)}, rows=rows)


def check_file(exhibit: Mapping[str, Any], table: Table, data: bytes) -> None:
    """Nothing where the bytes are those of the file that the exhibit's row describes; else RefusedCaseError."""
    uid = exhibit["uid"]
    names = [column.name for column in FILE_COLUMNS]
    if [column["name"] for column in exhibit["columns"]] != names or len(table.rows) != 1:
        raise RefusedCaseError("file", f"files/{uid}", expected="one row of " + ", ".join(names), got="another exhibit")
    row = dict(zip(names, table.rows[0], strict=True))
    digest = hashlib.sha256(data).hexdigest()
    if row["sha256"] != digest or type(row["bytes"]) is not int or row["bytes"] != len(data):
        expected = (
            f"sha256 {row['sha256']}, {row['bytes']} bytes" if isinstance(row["sha256"], str) else "a file that is withheld to be absent"
        )
        raise RefusedCaseError("file", f"files/{uid}", expected=expected, got=f"sha256 {digest}, {len(data)} bytes")


def _line(line: bytes, width: int, place: str) -> Sequence[Any]:
    if len(line) > LONGEST_LINE:
        raise RefusedCaseError("too-large", place, expected=f"at most {LONGEST_LINE} bytes", got=str(len(line)))
    value = read_whole(line, place)
    if not isinstance(value, list) or len(cast("list[Any]", value)) != width:
        raise RefusedCaseError("row-form", place, expected=f"a list of {width} cells", got="another value")
    return cast("list[Any]", value)


def _cell(cell: Any, column: Mapping[str, Any], uid: str, row: int, place: str) -> tuple[Any, bytes]:
    """(value as it is seen, hash) of a cell."""
    where = f"{place} line {row + 1}, {column['name']}"
    fields = cast("dict[str, Any]", cell) if isinstance(cell, dict) else {}
    if set(fields) != _FIELDS[column["shown"]]:
        raise RefusedCaseError("row-form", where, expected=" and ".join(sorted(_FIELDS[column["shown"]])), got="other fields")
    if column["shown"] == "value":
        salt = _bytes(fields["salt"], where)
        if not _fits(fields["value"], column["type"]):
            raise RefusedCaseError("row-form", where, expected=f"{column['type']} or null", got=ascii(fields["value"])[:60])
        return fields["value"], cell_hash(salt, uid, row, column["name"], fields["value"])
    found = _bytes(fields["hash"], where)
    if column["shown"] == "hash":
        return WITHHELD, found
    alias = fields["alias"]
    if alias is not None and not (isinstance(alias, str) and 0 < len(alias) <= _LONGEST_ALIAS):
        raise RefusedCaseError("row-form", where, expected="a pseudonym or null", got=ascii(alias)[:60])
    return alias, found


def _fits(value: Any, kind: str) -> bool:
    if value is None:
        return True
    if kind == ColumnType.INTEGER:
        return type(value) is int
    if kind == ColumnType.BOOLEAN:
        return type(value) is bool
    return isinstance(value, str) and (kind != ColumnType.DECIMAL or DECIMAL.fullmatch(value) is not None)


def _bytes(text: Any, place: str) -> bytes:
    if not isinstance(text, str) or _HASH.fullmatch(text) is None:
        raise RefusedCaseError("row-form", place, expected="64 hexadecimal digits", got=ascii(text)[:60])
    return bytes.fromhex(text)
