"""What the pages promise of the command line: help is light, and exit statuses are the documented ones."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "ibis",
    "duckdb",
    "pyarrow",
    "numpy",
    "scipy",
    "numba",
    "matplotlib",
    "igraph",
    "jinja2",
    "pyspark",
    "torch",
    "transformers",
    "cryptography",
    "rfc8785",
    "sqlite3",
    "sqlalchemy",
    "alembic",
    "psycopg",
)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "stillwatch", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import json, sys\n"
        "from stillwatch.cli import main\n"
        "status = main(['--help'])\n"
        "sys.stderr.write(json.dumps([status, [name for name in sys.argv[1:] if name in sys.modules]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *HEAVY], capture_output=True, text=True, timeout=60, check=True)
    assert "scan" in done.stdout
    assert json.loads(done.stderr) == [0, []]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("version",), 0),
        (("--help",), 0),
        ((), 2),
        (("scan",), 2),
        (("scan", "--no-such-option"), 2),
        (("no-such-command",), 2),
        (("simulate", "--out", "unused", "--days", "0"), 2),
        (("scan", "no-such-file"), 2),
        (("scan", ".", "--fail-on", "bogus"), 2),
        (("explain", "no-such-folder", "x"), 2),
        (("explain", ".", "x"), 1),
        (("verify", "no-such-file"), 2),
        (("verify", "README.md"), 1),
        (("verify", "README.md", "--key", "no-such-key"), 2),
    ],
)
def test_exit_statuses_are_the_documented_ones_and_failures_are_one_sentence(arguments: tuple[str, ...], status: int) -> None:
    done = _run(*arguments)
    assert done.returncode == status, done.stderr[-300:]
    assert "Traceback" not in done.stderr
