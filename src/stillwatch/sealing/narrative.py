"""The case in plain words, as a page that runs nothing and reaches nowhere. It says what the statement says, and no more."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from stillwatch.report.text import visible
from stillwatch.sealing.numbers import WITHHELD, Table

if TYPE_CHECKING:
    from jinja2 import Environment

ROWS_SHOWN = 12
"""Rows of an exhibit that the narrative shows; all are in the file."""

_LONGEST_CELL = 400
Tables = Mapping[str, Table]


def narrative_page(predicate: Mapping[str, Any], tables: Tables) -> bytes:
    """The page as UTF-8.

    Args:
        predicate: of the statement; its texts are made visible already.
        tables: what the recipient sees of each exhibit, by uid.
    """
    page = _environment().get_template("narrative.html")
    css = files("stillwatch.sealing").joinpath("templates/narrative.css").read_text("utf-8")
    return page.render(
        **predicate, css=css, shown=shown_rows(tables), rule_words=rule_words, recomputable=recomputable(predicate, tables)
    ).encode()


def shown_rows(tables: Tables) -> dict[str, list[list[str | None]]]:
    """The first rows of each exhibit as text; None for a cell that is withheld."""
    return {
        uid: [[None if cell is WITHHELD else _cell(cell) for cell in row] for row in table.rows[:ROWS_SHOWN]]
        for uid, table in tables.items()
    }


def recomputable(predicate: Mapping[str, Any], tables: Tables) -> int:
    """How many numbers the recipient can compute again."""
    from stillwatch.sealing.numbers import recomputed

    earlier = {number["uid"]: number["value"] for number in predicate["numbers"]}
    return sum(recomputed(number, tables.get(number["exhibit"] or ""), earlier) is not None for number in predicate["numbers"])


def rule_words(number: Mapping[str, Any]) -> str:
    """The rule of a number in words."""
    where = " and ".join(f"{one['column']} is {_cell(one['equals'])}" for one in number["where"])
    rows = f"the rows of {number['exhibit']}" + (f" where {where}" if where else "")
    column, times = number["column"], f" times {number['by']}" if number["by"] else ""
    places = len(number["value"].partition(".")[2])
    told = {
        "count": f"Computed again: how many are {rows}.",
        "distinct": f"Computed again: different values of {column} in {rows}.",
        "sum": f"Computed again: sum of {column}{times} over {rows}.",
        "min": f"Computed again: smallest {column} of {rows}.",
        "max": f"Computed again: largest {column} of {rows}.",
        "share": f"Computed again: {rows}, divided by all rows of {number['exhibit']}; {places} places.",
        "ratio": f"Computed again: {' divided by '.join(number['of'])}; {places} places.",
        "q_value": (
            f"Computed again: Benjamini and Hochberg's q-value of {''.join(number['of'])} among {rows}, each of which stands for as many "
            f"tests as {number['by']} says; twice, since groups and accounts are two families at half the level each."
        ),
        "holm": f"Computed again: the smallest {column} of {rows}, with Holm's correction for how many they are.",
        "log_mean": f"Computed again: mean over {rows} of what {column} is the log10 of, as log10.",
        "stated": "Stated, and not computed from this file.",
    }
    return told[number["rule"]]


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("stillwatch.sealing", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return visible(value, limit=_LONGEST_CELL, multiline=True) if isinstance(value, str) else str(value).lower()
