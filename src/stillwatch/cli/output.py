"""How every command prints."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console


def new_console(*, stderr: bool) -> Console:
    """A console of standard output or standard error that adds no colours to numbers."""
    return Console(stderr=stderr, highlight=False)


def print_json(value: Any) -> None:
    """Print a value for machines on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str, indent=1) + "\n")
