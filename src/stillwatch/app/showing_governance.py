"""What `stillwatch govern` and `stillwatch audit` show in tables. Foreign text is made safe to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.app.auditing import Audited
from stillwatch.govern.auditing import DID
from stillwatch.govern.controls import Control
from stillwatch.report.text import visible


def request_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Requests and where each stands."""
    table = _table("request", "state", "what", "people", "why")
    for row in rows:
        what = f"{row['act'].replace('_', ' ')}, {row['accounts']:,} accounts"
        what += f", to {row['to']}" if row["to"] else f", until {row['until']}" if row["until"] else ""
        people = row["by"] + (f", {row['answered_by']}" if row["answered_by"] else "")
        table.add_row(*map(_cell, (row["request"], row["state"], what, people, row["why"])))
    return table


def suspension_table(found: Mapping[str, Any]) -> Table:
    """Accounts that are suspended."""
    table = _table("account", "until", "request")
    for row in found["accounts"]:
        table.add_row(_cell(row["account_id"]), _cell(row["until"] or "it is lifted"), _cell(row["request"]))
    table.caption = f"{len(found['accounts']):,} accounts, as of record {found['records']:,} of {visible(found['log'], limit=200)}"
    table.caption_justify = "left"
    return table


def retention_table(found: Mapping[str, Any]) -> Table:
    """What is kept, what goes, and why."""
    table = _table("fate", "class", "what", "why")
    for item in found["items"]:
        table.add_row(*map(_cell, (item["fate"], item["class"].replace("_", " "), item["what"], item["why"])))
    done = "Deleted, and recorded." if found["deleted"] else "A dry run: nothing was deleted. --delete does it."
    cases = "" if found["case_store"] else " No case store was looked through: name it with --cases."
    table.caption = f"{found['due']:,} due, {found['held']:,} held. {done}{cases}"
    table.caption_justify = "left"
    return table


def audit_parts(found: Audited) -> RenderableType:
    """That the log was verified and on what that rests, then the acts."""
    verified = found.verified
    key = (
        "by the key that was given"
        if verified["key_from_outside"]
        else "by the key that the folder itself names: give --vkey from elsewhere"
    )
    said = f"Verified first: {visible(str(verified['origin']), limit=200)}, {verified['size']:,} records are sound, {key}."
    table = _table("record", "at (UTC)", "who", "did", "what", "why")
    for row in found.rows:
        cells = (row.index, f"{row.at:%Y-%m-%d %H:%M:%S}", row.by, DID[row.kind], row.what, row.why)
        table.add_row(*map(_cell, cells))
    parts: list[RenderableType] = [Text(said), table, Text(f"{len(found.rows):,} acts. An act that was never recorded is not among them.")]
    if found.erased:
        parts.append(Text(f"{found.erased:,} acts of these kinds cannot be told: their contents were erased, which is on record."))
    return Group(*parts)


def control_table(found: Sequence[Control]) -> RenderableType:
    """Requirements by source, with what remains to be done."""
    parts: list[RenderableType] = [Text("What serves published requirements. It is no claim of compliance.")]
    for source in dict.fromkeys(control.source for control in found):
        own = [control for control in found if control.source == source]
        table = _table("id", "asks for", "command", "remains yours")
        for control in own:
            table.add_row(*map(_cell, (control.id, control.about, "\n".join(control.commands), control.duty)))
        parts += [Text(f"\n{source}. Identifiers: {own[0].checked}."), table]
    return Group(*parts)


def _table(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _cell(value: object) -> Text:
    return Text(visible(str(value), limit=300, multiline=True))
