"""Tables of `stillwatch mark`. No secret gets here: only commitments, counts and public wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from stillwatch.marks.canary_families import Family
from stillwatch.report.text import visible

_SHOWN = 200


def commitment_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Purpose, account, period and commitment of each key."""
    table = Table("purpose", "account", "period", "commitment", box=SIMPLE_HEAD)
    for row in found:
        table.add_row(*(_cell(row[name]) for name in ("purpose", "account", "period")), Text(row["commitment"], overflow="fold"))
    return table


def family_table(families: Sequence[Family]) -> Table:
    """What each family chooses, among how many variants, in how many topics, and a question."""
    table = Table("family", "chooses", "variants", "topics", "asks, for example", box=SIMPLE_HEAD)
    for family in families:
        fewest = min(len(slot.variants) for slot in family.slots)
        table.add_row(*map(_cell, (family.id, family.about, fewest, len(family.slots), family.slots[0].question)))
    return table


def twins_table(found: Mapping[str, Any]) -> Table:
    """The counts of a pairs file."""
    table = Table("pairs file", "", box=SIMPLE_HEAD)
    checked = "yes" if found["checked_with_key"] else "no: give --key"
    rows = {
        "file": found["file"],
        "pairs": found["pairs"],
        "that can tell something": found["usable"],
        "ties, left out unseen": found["ties"],
        "repeats of a request, left out": found["repeated_requests"],
        "lines torn by a crash": found["torn_lines"],
        "lines that are encrypted": found["encrypted_lines"],
        "lines whose pair was erased": found["erased_lines"],
        "accounts": found["accounts"],
        "periods": ", ".join(found["periods"]),
        "keys": ", ".join(found["key_commitments"]),
        "every pair is the key's own": checked,
        "head": found["head"],
    }
    return _named(table, rows)


def reading_table(found: Mapping[str, Any]) -> Table:
    """What a watermark's detector read."""
    rows = {name.replace("_", " "): value for name, value in found.items()}
    rows["p value"] = f"{found['p_value']:.3g}"
    rows["score nats"] = f"{found['score_nats']:.1f}"
    return _named(Table("reading", "", box=SIMPLE_HEAD), rows)


def _named(table: Table, rows: Mapping[str, object]) -> Table:
    for name, value in rows.items():
        table.add_row(name, Text(visible(str(value), limit=2000), overflow="fold"))
    return table


def _cell(value: object) -> Text:
    return Text("all" if value is None else visible(str(value), limit=_SHOWN))
