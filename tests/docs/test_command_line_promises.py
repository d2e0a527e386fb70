"""What the pages promise of the command line: help is light, and exit statuses are the documented ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

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
)
COMES_WITH = {"duckdb": "ibis-framework", "markupsafe": "jinja2"}
"""Modules that a declared distribution brings along and that are part of its interface."""


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
    ],
)
def test_exit_statuses_are_the_documented_ones_and_failures_are_one_sentence(arguments: tuple[str, ...], status: int) -> None:
    done = _run(*arguments)
    assert done.returncode == status, done.stderr[-300:]
    assert "Traceback" not in done.stderr


def test_the_makefile_has_every_target_that_the_pages_name(root: Path, pages: dict[str, str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for page in pages.values() for target in re.findall(r"(?:^|`)make ([a-z-]+)", page, re.MULTILINE)}
    assert {"demo", "test", "check"} <= named
    assert named <= targets


def test_every_library_that_the_source_imports_is_declared_by_the_package(root: Path, sources: dict[str, str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[\[<>=~ ]", need)[0].lower() for need in project["dependencies"]}
    needs = [need for extra in ("spark", "models", "anchors", "share") for need in project["optional-dependencies"][extra]]
    extras = {re.split(r"[\[<>=~ ]", need)[0].lower().replace("-", "_") for need in needs}
    imported = {
        name
        for source in sources.values()
        for name in re.findall(r"^\s*(?:import|from) ([a-z_0-9]+)", source, re.MULTILINE)
        if name not in sys.stdlib_module_names and name not in {"stillwatch", *extras}
    }
    owners = packages_distributions()
    undeclared = {
        name
        for name in imported
        if not (declared | extras) & {COMES_WITH.get(name, ""), *(owner.lower() for owner in owners.get(name, []))}
    }
    assert len(imported) > 5
    assert not undeclared
