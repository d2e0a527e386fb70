"""What a scan would read, and what would therefore stay silent; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stillwatch.app.describing import sketched_columns
from stillwatch.app.state import without_results
from stillwatch.detect.catalogue import silent_signals
from stillwatch.ingest import InputPlan, available_columns, first_accounts, plan_inputs, read_accounts
from stillwatch.records.findings import Silent
from stillwatch.records.tables import EXCHANGES


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What would be read.

    Attributes:
        plan: files, formats and what is left aside.
        filled: columns that some file fills, in the first records looked at.
        missing: columns of the exchanges table that no file fills.
        silent: signals that would have nothing to speak of, and why.
        accounts_seen: accounts in the first records looked at.
        accounts_known: those of them that stand in the accounts table; None: no table was given.
    """

    plan: InputPlan
    filled: tuple[str, ...]
    missing: tuple[str, ...]
    silent: tuple[Silent, ...]
    accounts_seen: int
    accounts_known: int | None


def dry_run(paths: tuple[Path, ...], *, format: str, accounts: Path | None, out: Path) -> DryRun:  # noqa: A002 - the option's name
    """Look at the inputs without reading them to the end; what lies in `out` is left aside, as a scan leaves it."""
    plan = without_results(plan_inputs(paths, format=format), out)
    names = {name for columns in available_columns(plan).values() for name in columns}
    seen = first_accounts(plan)
    side: set[str] = set()
    known: int | None = None
    if accounts is not None:
        table, _refused = read_accounts(accounts)
        known = len(seen.intersection(table["account_id"].to_pylist()))
        side = {name for name in table.column_names if table[name].null_count < len(table)}
    return DryRun(
        plan=plan,
        filled=tuple(name for name in EXCHANGES.names if name in names),
        missing=tuple(name for name in EXCHANGES.names if name not in names),
        silent=silent_signals(sketched_columns(names) | side),
        accounts_seen=len(seen),
        accounts_known=known,
    )
