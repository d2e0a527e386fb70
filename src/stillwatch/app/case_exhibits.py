"""Exhibits from what lies on disk: rows of a result folder, files, notes."""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from stillwatch.app.explaining import read_run
from stillwatch.app.state import RUN, file_sha256
from stillwatch.cases.claims import NewExhibit
from stillwatch.cases.making import LARGEST_EXHIBIT
from stillwatch.errors import OutputError, UnreadableInputError, UsageError, naming
from stillwatch.report.codec import to_plain
from stillwatch.report.text import visible

TABLES = ("members", "links", "features", "quarantine")
ROWS, NOTE = "application/vnd.stillwatch.rows+json", "text/plain; charset=utf-8"
MOST_ROWS = 50_000
_PRIVATE = frozenset({"links", "quarantine"})
"""Tables whose cells may be texts that a caller chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rows of which table.

    Attributes:
        folder: result folder of a scan.
        table: `members`, `links`, `features` or `quarantine`.
        entities: ids of entities; empty: all of them.
        accounts: ids of accounts; empty: all of them.
    """

    folder: Path
    table: str
    entities: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


def exhibit_of(
    *,
    rows: str | None,
    chosen: tuple[Path | None, tuple[str, ...], tuple[str, ...]],
    file: Path | None,
    note: str | None,
    private: bool,
    label: str | None,
) -> NewExhibit:
    """The one exhibit that is asked for: rows of a table (with its folder, entities and accounts), a file or a note."""
    folder, entities, accounts = chosen
    if [rows is not None, file is not None, note is not None].count(True) != 1:
        raise UsageError("give one of --rows, --file and --note")
    if rows is not None and folder is not None:
        return rows_exhibit(Selection(folder=folder, table=rows, entities=entities, accounts=accounts), label=label)
    if rows is not None:
        raise UsageError("--rows names a table; name its result folder with --from")
    if file is not None:
        return file_exhibit(file, label=label, private=private)
    return note_exhibit(note or "", label=label, private=private)


def rows_exhibit(selection: Selection, *, label: str | None) -> NewExhibit:
    """Rows of a table, with columns, their types, and where they come from.

    Raises UsageError for an unknown table, no rows or too many, UnreadableInputError for a folder that is no result of a scan.
    """
    if selection.table not in TABLES:
        raise UsageError(f"--rows is {selection.table[:40]!r}; it takes one of {', '.join(TABLES)}")
    read_run(selection.folder)
    columns, rows = _quarantined(selection) if selection.table == "quarantine" else _table_rows(selection)
    name = "quarantine.jsonl" if selection.table == "quarantine" else f"{selection.table}.parquet"
    if not 0 < len(rows) <= MOST_ROWS:
        raise UsageError(
            f"{selection.folder / name} has {len(rows):,} such rows, an exhibit takes 1 to {MOST_ROWS:,}; choose with --entity or --account"
        )
    held = {"table": selection.table, "columns": columns, "rows": rows}
    facts = {
        "file": name,
        "sha256": file_sha256(selection.folder / name),
        "run_sha256": file_sha256(selection.folder / RUN),
        "entities": list(selection.entities),
        "accounts": list(selection.accounts),
    }
    return NewExhibit(
        kind="rows",
        label=label or f"{len(rows):,} rows of {name}",
        media_type=ROWS,
        content=json.dumps(held, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode(),
        private=selection.table in _PRIVATE,
        rows=len(rows),
        facts=facts,
    )


def file_exhibit(path: Path, *, label: str | None, private: bool) -> NewExhibit:
    """A file's bytes. Raises UnreadableInputError for what is no readable file, UsageError for an empty or too large one."""
    try:
        if not path.is_file():
            raise UnreadableInputError(f"{path} is no file; name one")
        with path.open("rb") as file:
            content = file.read(LARGEST_EXHIBIT + 1)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name a file that is there and that you may read") from None
    if len(content) > LARGEST_EXHIBIT:
        raise UsageError(
            f"{path} has more than {LARGEST_EXHIBIT:,} bytes, which is the most that is kept; add a note with its sha256 "
            f"({file_sha256(path)}) and keep the file"
        )
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    facts = {"file": path.name, "sha256": sha256(content).hexdigest()}
    return NewExhibit(kind="file", label=label or path.name, media_type=kind, content=content, private=private, facts=facts)


def note_exhibit(text: str, *, label: str | None, private: bool) -> NewExhibit:
    """A note."""
    return NewExhibit(
        kind="note", label=label or "note", media_type=NOTE, content=text.strip().encode("utf-8", "surrogatepass"), private=private
    )


def shown_text(label: str, content: bytes) -> str:
    """A content as text for the terminal, with what acts in it made visible. Raises UsageError for what is no text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{visible(label, limit=80)} is no text ({len(content):,} bytes); write it to a file with --out") from None
    return visible(text, limit=LARGEST_EXHIBIT, multiline=True)


def write_content(path: Path, content: bytes) -> None:
    """Write a content to a new file with mode 0600. Raises OutputError where something is there."""
    try:
        with naming(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError:
        raise OutputError(f"{path} is there already and is never overwritten; name another file") from None


def _table_rows(selection: Selection) -> tuple[list[dict[str, str]], list[list[Any]]]:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    path = selection.folder / f"{selection.table}.parquet"
    keep: Any = None
    if selection.table == "features":
        accounts = (*selection.accounts, *_members(selection))
        keep = ds.field("entity_id").isin(list(accounts)) if accounts else None
    else:
        for column, wanted in (("entity_id", selection.entities), ("account_id", selection.accounts)):
            if wanted:
                chosen = ds.field(column).isin(list(wanted))
                keep = chosen if keep is None else keep & chosen
    table = pq.read_table(path, filters=keep)
    columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    return columns, [[to_plain(row[column["name"]]) for column in columns] for row in table.to_pylist()]


def _members(selection: Selection) -> list[str]:
    """Accounts of the chosen entities."""
    import pyarrow.parquet as pq

    if not selection.entities:
        return []
    table = pq.read_table(selection.folder / "members.parquet", filters=[("entity_id", "in", list(selection.entities))])
    return table["account_id"].to_pylist() or list(selection.entities)


def _quarantined(selection: Selection) -> tuple[list[dict[str, str]], list[list[Any]]]:
    if selection.entities or selection.accounts:
        raise UsageError("a row in quarantine belongs to no account; leave out --entity and --account")
    names: Sequence[tuple[str, str]] = (
        *(("file", "string"), ("line", "int64"), ("byte_offset", "int64")),
        *(("reason", "string"), ("detail", "string"), ("head", "string")),
    )
    path, rows = selection.folder / "quarantine.jsonl", list[list[Any]]()
    try:
        with path.open("rb") as file:
            for line in file:
                if len(rows) <= MOST_ROWS:
                    held = json.loads(line)
                    rows.append([held.get(name) for name, _ in names])
    except (OSError, ValueError, AttributeError) as error:
        raise UnreadableInputError(f"{path} cannot be read ({type(error).__name__}); run the scan again") from None
    return [{"name": name, "type": kind} for name, kind in names], rows
