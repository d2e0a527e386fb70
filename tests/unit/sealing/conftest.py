"""What tests of sealed cases share: sample cases, and the verifier that stands alone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


def module_of(path: Path, name: str) -> ModuleType:
    """A module by its file, under a name of its own."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def making() -> ModuleType:
    """Sample cases with fixed keys and times."""
    return module_of(ROOT / "tests" / "golden" / "making.py", "golden_making")


@pytest.fixture(scope="session")
def alone() -> ModuleType:
    """The verifier in one file."""
    return module_of(ROOT / "verify_case.py", "verify_case_alone")
