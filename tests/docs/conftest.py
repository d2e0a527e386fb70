"""What the documentation tests read: the repository's files and pages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> tuple[Path, ...]:
    """Files that belong to the repository; without git (in an unpacked archive) all files that are not hidden."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        ).stdout.decode()
        files = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        files = [path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in files if path.is_file()))


@pytest.fixture(scope="session")
def pages(tracked: tuple[Path, ...]) -> dict[str, str]:
    """Markdown pages by their path from the root."""
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in tracked if path.suffix == ".md"}


@pytest.fixture(scope="session")
def sources() -> dict[str, str]:
    """Python files of the package by their path from src/."""
    found = {path.relative_to(ROOT / "src").as_posix(): path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")}
    assert len(found) > 100
    return found
