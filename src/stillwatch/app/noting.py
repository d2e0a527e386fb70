"""What a run says of its input beside the counts: files that it left aside, and how far the accounts table reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import UnreadableInputError
from stillwatch.ingest import read_accounts

NAMED_FILES = 5
"""Files left aside that are named; run.json names all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beforehand:
    """What a run knows before it reads: files that it leaves aside, and notes on the accounts table."""

    left_aside: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def read_side_table(path: Path | None) -> tuple[pa.Table | None, tuple[str, ...]]:
    """The accounts table, and notes on what could not be read of it."""
    if path is None:
        return None, ()
    table, refused = read_accounts(path)
    if refused and len(table) == 0:
        message = f"{path}: none of its {len(refused)} rows is an account ({refused[0].detail}); check the column names"
        raise UnreadableInputError(message)
    notes: list[str] = []
    for whole, what in (
        (True, "rows of the accounts table were left out"),
        (False, "rows of the accounts table have a value that is unknown"),
    ):
        mine = [row for row in refused if row.whole is whole]
        if mine:
            notes.append(f"{len(mine):,} {what}; the first is row {mine[0].row}: {mine[0].detail}.")
    return table, tuple(notes)


def left_aside_words(files: Sequence[tuple[str, str]]) -> str:
    """The first few files that were found and not read, with their reasons, and how many more there are."""
    named = "; ".join(f"{path}: {reason}" for path, reason in files[:NAMED_FILES])
    more = f"; and {len(files) - NAMED_FILES:,} more" if len(files) > NAMED_FILES else ""
    return f"Files that were found and not read ({len(files):,}): {named}{more}."


def accounts_known(ids: pa.ChunkedArray, accounts: pa.Table | None) -> int | None:
    """How many of the log's accounts stand in the accounts table; None: there is no table."""
    if accounts is None:
        return None
    return int(pc.sum(pc.is_in(ids, value_set=accounts["account_id"].combine_chunks())).as_py() or 0)


def accounts_words(known: int, accounts: int, *, of: str = "accounts of the log") -> str:
    """How much of the log the accounts table speaks of; a warning where that is nothing."""
    said = f"{known:,} of {accounts:,} {of} stand in the accounts table."
    if known or not accounts:
        return said
    return f"Warning: {said} It adds nothing; compare how both write an account's id, and whether the table has any rows."
