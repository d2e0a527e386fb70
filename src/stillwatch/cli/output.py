"""How every command prints."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDEST = 10_000
"""Characters of the widest line that is printed whole."""


def new_console(*, stderr: bool) -> Console:
    """A console of standard output or standard error that adds no colours to numbers."""
    return Console(stderr=stderr, highlight=False)


def print_whole(table: Table) -> None:
    """Print a table on standard output at the width that it needs: a digest in two lines cannot be copied as one."""
    console = new_console(stderr=False)
    needed = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    if needed > console.width:
        console.width = needed
    console.print(table)


def print_json(value: Any) -> None:
    """Print a value for machines on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str, indent=1) + "\n")
