"""What the pages and the source name is declared: targets of make, libraries of the package."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

COMES_WITH = {"duckdb": "ibis-framework", "markupsafe": "jinja2"}
"""Modules that a declared distribution brings along and that are part of its interface."""


def test_the_makefile_has_every_target_that_the_pages_name(root: Path, pages: dict[str, str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for page in pages.values() for target in re.findall(r"(?:^|`)make ([a-z-]+)", page, re.MULTILINE)}
    assert {"demo", "test", "check"} <= named
    assert named <= targets


def test_every_library_that_the_source_imports_is_declared_by_the_package(root: Path, sources: dict[str, str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[\[<>=~ ]", need)[0].lower() for need in project["dependencies"]}
    needs = [
        need for extra in ("spark", "models", "anchors", "share", "cases", "postgres") for need in project["optional-dependencies"][extra]
    ]
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
