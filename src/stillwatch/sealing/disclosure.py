"""Cells of a sealed case that are opened later: value and salt, each of which gives the hash that the recipient has. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from stillwatch.ledger.canonical import canonical_json, read_canonical
from stillwatch.ledger.refusals import CanonicalError
from stillwatch.records.cases import CaseContent, Value
from stillwatch.sealing.commitments import cell_hash
from stillwatch.sealing.container import exhibit_member
from stillwatch.sealing.refusals import RefusedCaseError, SealError

FORMAT = "stillwatch-disclosure-1"
LARGEST = 64 * 1024 * 1024
_NAME = re.compile(r"(E[1-9][0-9]{0,5}\.[^:]{1,200})(?::([1-9][0-9]{0,6}))?", re.ASCII)
_FIELDS = {"column", "exhibit", "row", "salt", "value"}
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)

Cells = Mapping[str, Sequence[int]]
"""Columns, such as `E1.prompt`, each with rows from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """A cell that was opened and gives the hash in the file: its place (row from 0), its value, and the pseudonym that stood for it."""

    exhibit: str
    column: str
    row: int
    value: Value
    alias: str | None = None


def cells_of(content: CaseContent, names: Iterable[str]) -> Cells:
    """The cells that are named: `E1.prompt` for a column, `E1.prompt:3` for its third row.

    Raises SealError for a name of another form, and for cells that the case does not have.
    """
    rows = {f"{one.uid}.{column.name}": len(one.rows) for one in content.exhibits for column in one.columns}
    found: dict[str, set[int]] = {}
    for name in names:
        parts = _NAME.fullmatch(name)
        if parts is None or parts[1] not in rows or (parts[2] is not None and int(parts[2]) > rows[parts[1]]):
            raise SealError(f"{name[:60]!a} is no cell of the case; name a column (E1.prompt) or a row of it (E1.prompt:3) that it has")
        found.setdefault(parts[1], set()).update(range(rows[parts[1]]) if parts[2] is None else (int(parts[2]) - 1,))
    return {name: sorted(places) for name, places in found.items()}


def disclosure(case_id: str, cells: Sequence[Mapping[str, Any]]) -> bytes:
    """The file that is handed over; each cell with `exhibit`, `row`, `column`, `salt` (hexadecimal) and `value`."""
    return canonical_json({"case": case_id, "cells": list(cells), "format": FORMAT}) + b"\n"


def check_disclosure(data: bytes, predicate: Mapping[str, Any], members: Mapping[str, bytes]) -> list[Disclosed]:
    """Every cell of a disclosure, seen to give the hash that stands in a sealed case, which was verified before.

    Args:
        data: the disclosure's file.
        predicate: of the case's statement.
        members: of its archive.

    Raises RefusedCaseError for another form, another case, a cell that the case has not, and one that gives another hash.
    """
    whole = _read(data)
    if whole["case"] != predicate["case"]["id"]:
        raise _refused("disclosure-case", "case", str(predicate["case"]["id"]), ascii(whole["case"])[:80])
    exhibits = {exhibit["uid"]: exhibit for exhibit in predicate["exhibits"]}
    rows: dict[str, list[bytes]] = {}
    return [_checked(cell, exhibits, members, rows, f"cell {number}") for number, cell in enumerate(whole["cells"], 1)]


def _read(data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise _refused("disclosure-form", "the file", f"at most {LARGEST} bytes", "more")
    try:
        whole = read_canonical(data.removesuffix(b"\n"))
    except CanonicalError:
        raise _refused("disclosure-form", "the file", "canonical JSON", "something else") from None
    if not isinstance(whole, dict) or set(cast("dict[str, Any]", whole)) != {"case", "cells", "format"}:
        raise _refused("disclosure-form", "the file", "an object with case, cells and format", "another value")
    found = cast("dict[str, Any]", whole)
    if found["format"] != FORMAT or not isinstance(found["cells"], list) or not found["cells"]:
        raise _refused("disclosure-form", "the file", f"cells in the format {FORMAT}", ascii(found["format"])[:60])
    return found


def _checked(
    cell: Any, exhibits: Mapping[str, Mapping[str, Any]], members: Mapping[str, bytes], rows: dict[str, list[bytes]], place: str
) -> Disclosed:
    if not isinstance(cell, dict) or set(cast("dict[str, Any]", cell)) != _FIELDS:
        raise _refused("disclosure-form", place, ", ".join(sorted(_FIELDS)), "other fields")
    given = cast("dict[str, Any]", cell)
    uid, name, row, salt = given["exhibit"], given["column"], given["row"], given["salt"]
    exhibit = exhibits.get(uid) if isinstance(uid, str) else None
    columns = [column["name"] for column in exhibit["columns"]] if exhibit else []
    if exhibit is None or name not in columns or type(row) is not int or not 0 <= row < exhibit["rows"] or exhibit["withheld"]:
        raise _refused(
            "disclosure-cell", place, "a cell of an exhibit that is there", f"{ascii(uid)[:20]}, {ascii(name)[:60]}, row {row!a:.20}"
        )
    if not isinstance(salt, str) or _HASH.fullmatch(salt) is None:
        raise _refused("disclosure-form", place, "a salt of 64 hexadecimal digits", ascii(salt)[:80])
    if uid not in rows:
        rows[uid] = members[exhibit_member("exhibits", uid)].split(b"\n")
    stands: dict[str, Any] = read_canonical(rows[uid][row])[columns.index(name)]
    wanted = stands["hash"] if "hash" in stands else _hash(bytes.fromhex(stands["salt"]), uid, row, name, stands["value"])
    found = _hash(bytes.fromhex(salt), uid, row, name, given["value"])
    if found != wanted:
        raise _refused("disclosure-hash", f"{place}: {uid}.{name}, row {row}", wanted, found)
    return Disclosed(exhibit=uid, column=name, row=row, value=given["value"], alias=stands.get("alias"))


def _hash(salt: bytes, uid: str, row: int, name: str, value: Value) -> str:
    return cell_hash(salt, uid, row, name, value).hex()


def _refused(defect: str, place: str, expected: str, got: str) -> RefusedCaseError:
    return RefusedCaseError(defect, f"the disclosure, {place}", expected=expected, got=got)
