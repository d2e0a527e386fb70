"""Whether a case can be sealed: it is whole, its numbers follow from its rows, its custody ends with the evidence that it holds. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.refusals import CanonicalError
from stillwatch.records.cases import CaseContent, CaseExhibit, CaseNumber, ColumnType, ExhibitKind
from stillwatch.sealing.commitments import check_key, evidence_digest
from stillwatch.sealing.custody import chained
from stillwatch.sealing.exhibits import FILE_COLUMNS, LARGEST_DATA, MOST_CELLS, MOST_COLUMNS, MOST_ROWS, NOTE_COLUMNS
from stillwatch.sealing.numbers import DECIMAL, MOST_WORK, NUMBER, NotComputableError, Table, misfit, recomputed, work
from stillwatch.sealing.refusals import SealError

_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_KINDS: Mapping[ColumnType, type[Any]] = {ColumnType.INTEGER: int, ColumnType.BOOLEAN: bool}
_COLUMNS = {ExhibitKind.FILE: FILE_COLUMNS, ExhibitKind.NOTE: NOTE_COLUMNS}


def check_content(content: CaseContent) -> None:
    """Nothing for a case that can be sealed; else SealError, naming the place, both sides and what to do."""
    check_key(content.salt_key)
    _check_parts(content)
    for exhibit in content.exhibits:
        _check_exhibit(exhibit)
    if sum(len(exhibit.rows) for exhibit in content.exhibits) > MOST_ROWS:
        raise SealError(f"the exhibits have more than {MOST_ROWS:,} rows together; add what is larger as a file, and rows that sum it up")
    if sum(len(exhibit.rows) * len(exhibit.columns) for exhibit in content.exhibits) > MOST_CELLS:
        raise SealError(f"the exhibits have more than {MOST_CELLS:,} cells together; leave columns out that no number rests on")
    _check_numbers(content)
    _check_custody(content)


def _check_parts(content: CaseContent) -> None:
    for letter, items in (("C", content.claims), ("N", content.numbers), ("E", content.exhibits)):
        for place, item in enumerate(items, 1):
            if item.uid != f"{letter}{place}":
                raise SealError(f"{item.uid!a} stands where {letter}{place} was expected; number them in order, without gaps")
    for name, given in (("claims", content.claims), ("ordinary explanations", content.ordinary), ("limits", content.limits)):
        if not given:
            raise SealError(f"the case has no {name}, and no case is sealed without; say them, with what speaks for the accused")


def _check_exhibit(exhibit: CaseExhibit) -> None:
    names = [column.name for column in exhibit.columns]
    if not 1 <= len(names) <= MOST_COLUMNS or len(set(names)) != len(names) or not all(_COLUMN.fullmatch(name) for name in names):
        raise SealError(
            f"{exhibit.uid} has the columns {', '.join(names)[:200]!a}; 1 to {MOST_COLUMNS} different names of lower-case letters, digits "
            "and underscores were expected"
        )
    wanted = _COLUMNS.get(exhibit.kind)
    if wanted is not None and (names != [column.name for column in wanted] or len(exhibit.rows) != 1):
        raise SealError(
            f"{exhibit.uid} is a {exhibit.kind} and has other rows than one; make it with sealing.exhibits.{exhibit.kind}_exhibit"
        )
    for place, row in enumerate(exhibit.rows, 1):
        if len(row) != len(names):
            raise SealError(f"row {place} of {exhibit.uid} has {len(row)} values for {len(names)} columns; give one for each")
        for column, value in zip(exhibit.columns, row, strict=True):
            if value is not None and not _fits(value, column.type):
                raise SealError(
                    f"row {place} of {exhibit.uid} holds {type(value).__name__} under {column.name}, which is {column.type}; write numbers "
                    "with a fraction as decimal text, such as 0.71"
                )
        try:
            canonical_json(list(row))
        except CanonicalError as error:
            raise SealError(f"row {place} of {exhibit.uid}: {error}") from None
    _check_data(exhibit)


def _fits(value: Any, kind: ColumnType) -> bool:
    if type(value) is not _KINDS.get(kind, str):
        return False
    return kind is not ColumnType.DECIMAL or DECIMAL.fullmatch(value) is not None


def _check_data(exhibit: CaseExhibit) -> None:
    if exhibit.data is None:
        return
    if exhibit.kind is not ExhibitKind.FILE or len(exhibit.data) > LARGEST_DATA:
        raise SealError(f"{exhibit.uid} brings {len(exhibit.data):,} bytes; a file of at most {LARGEST_DATA:,} was expected")
    if exhibit.rows[0][2:] != (len(exhibit.data), hashlib.sha256(exhibit.data).hexdigest()):
        raise SealError(f"{exhibit.uid}: the file is not the one that its row describes; make it with sealing.exhibits.file_exhibit")


def _check_numbers(content: CaseContent) -> None:
    tables = {
        exhibit.uid: Table(columns={column.name: place for place, column in enumerate(exhibit.columns)}, rows=exhibit.rows)
        for exhibit in content.exhibits
    }
    reads = sum(work(number_json(one), len(tables[one.exhibit].rows)) for one in content.numbers if one.exhibit in tables)
    if reads > MOST_WORK:
        raise SealError(f"the numbers read rows {reads:,} times, at most {MOST_WORK:,} are allowed; sum up rows in an exhibit of their own")
    earlier: dict[str, str] = {}
    for number in content.numbers:
        if NUMBER.fullmatch(number.value) is None:
            raise SealError(f"{number.uid} is {number.value[:40]!a}; decimal text was expected, such as 412000 or 0.93, or a time")
        if number.exhibit is not None and number.exhibit not in tables:
            raise SealError(f"{number.uid} rests on {number.exhibit!a}, which the case does not have; name one of its exhibits")
        if odd := misfit(number_json(number)):
            raise SealError(
                f"{number.uid} is a {number.rule} that names {odd[1]}, and {odd[0]} was expected; name what gives it, and no more"
            )
        _check_number(number, tables.get(number.exhibit or ""), earlier)
        earlier[number.uid] = number.value


def _check_number(number: CaseNumber, table: Table | None, earlier: Mapping[str, str]) -> None:
    try:
        found = recomputed(number_json(number), table, earlier)
    except NotComputableError as error:
        raise SealError(f"{number.uid} cannot be computed: {error}; mend its rule or its exhibit") from None
    if found is not None and found != number.value:
        raise SealError(f"{number.uid} is claimed to be {number.value}, and its rows give {found}; claim what they give")


def number_json(number: CaseNumber) -> dict[str, Any]:
    """The number as a statement holds it, its texts as they are."""
    return {
        "by": number.by,
        "column": number.column,
        "exhibit": number.exhibit,
        "how": number.how,
        "label": number.label,
        "of": list(number.of),
        "rule": number.rule.value,
        "uid": number.uid,
        "unit": number.unit,
        "value": number.value,
        "where": [{"column": condition.column, "equals": condition.equals} for condition in number.where],
    }


def _check_custody(content: CaseContent) -> None:
    linked = chained(content.custody)
    found = evidence_digest(content.salt_key, content.exhibits)
    if linked and linked[-1]["after"] != found:
        raise SealError(
            f"custody ends with the evidence {linked[-1]['after']}, and the case now holds {found}: it was changed and nobody said so; "
            "record who changed it, when and why"
        )
