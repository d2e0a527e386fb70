"""The statement of a sealed file, read from bytes that were signed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.sealing.exhibits import MOST_CELLS, MOST_ROWS
from stillwatch.sealing.numbers import MOST_WORK, misfit, work
from stillwatch.sealing.refusals import RefusedCaseError
from stillwatch.sealing.schema import problems, schema
from stillwatch.sealing.whole_json import read_whole

Statement = Mapping[str, Any]


def read_statement(payload: bytes) -> Statement:
    """The statement. Raises RefusedCaseError for what is not canonical JSON, not of the schema, or names what it does not hold."""
    value = read_whole(payload, "the statement")
    if isinstance(value, dict) and value.get("predicateType") != schema()["properties"]["predicateType"]["const"]:
        expected = schema()["properties"]["predicateType"]["const"]
        raise RefusedCaseError("predicate-type", "the statement", expected=expected, got=ascii(value.get("predicateType"))[:80])
    for place, expected, got in problems(value, schema()):
        raise RefusedCaseError("statement-form", place, expected=expected, got=got)
    check_references(value["predicate"])
    return value


def check_references(predicate: Mapping[str, Any]) -> None:
    """Nothing where everything is numbered in order and names only what is there; else RefusedCaseError."""
    for letter, name in (("C", "claims"), ("N", "numbers"), ("E", "exhibits")):
        wanted = [f"{letter}{place}" for place in range(1, len(predicate[name]) + 1)]
        found = [item["uid"] for item in predicate[name]]
        if found != wanted:
            raise RefusedCaseError("statement-order", name, expected=" ".join(wanted)[:80], got=" ".join(found)[:80])
    numbers = {number["uid"] for number in predicate["numbers"]}
    exhibits = {exhibit["uid"]: exhibit for exhibit in predicate["exhibits"]}
    for claim in predicate["claims"]:
        _all_in(claim["numbers"], numbers, claim["uid"])
        _all_in(claim["exhibits"], exhibits, claim["uid"])
    for number in predicate["numbers"]:
        _all_in([number["exhibit"]] if number["exhibit"] else [], exhibits, number["uid"])
        if odd := misfit(number):
            raise RefusedCaseError("statement-form", number["uid"], expected=odd[0], got=odd[1])
    _check_size(predicate)
    for exhibit in predicate["exhibits"]:
        names = [column["name"] for column in exhibit["columns"]]
        if len(set(names)) != len(names):
            raise RefusedCaseError("statement-form", exhibit["uid"], expected="each column once", got=", ".join(names)[:80])
        _check_shown(exhibit, in_house=predicate["sealed"]["recipient"] is None)


def _check_size(predicate: Mapping[str, Any]) -> None:
    """Rows, cells and the work of all numbers are bounded, whatever the file claims."""
    rows = {exhibit["uid"]: exhibit["rows"] for exhibit in predicate["exhibits"]}
    cells = sum(exhibit["rows"] * len(exhibit["columns"]) for exhibit in predicate["exhibits"])
    reads = sum(work(number, rows.get(number["exhibit"], 0)) for number in predicate["numbers"])
    bounds = (("rows", MOST_ROWS, sum(rows.values())), ("cells", MOST_CELLS, cells), ("rows of all numbers", MOST_WORK, reads))
    for name, most, got in bounds:
        if got > most:
            raise RefusedCaseError("too-large", "the statement", expected=f"at most {most} {name}", got=str(got))


def _check_shown(exhibit: Mapping[str, Any], *, in_house: bool) -> None:
    for column in exhibit["columns"]:
        aliased = column["identifies"] is not None and not in_house
        if column["shown"] not in (("alias", "hash") if aliased else ("value", "hash")):
            raise RefusedCaseError(
                "identifier",
                f"{exhibit['uid']}.{column['name']}",
                expected="alias or hash" if aliased else "value or hash",
                got=column["shown"],
            )


def _all_in(uids: Sequence[str], known: Any, place: str) -> None:
    if unknown := [uid for uid in uids if uid not in known]:
        raise RefusedCaseError("reference", place, expected="what is in the statement", got=unknown[0])
