"""Rules of the house that no other tool keeps."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

MOST_LINES_OF_A_FUNCTION = 40
MOST_LINES_OF_A_FILE = 400
ALLOWED_BUILTIN_RAISES: frozenset[tuple[str, str]] = frozenset(
    {
        ("stillwatch/records/tables.py", "KeyError"),  # a lookup, as a dictionary's; callers are ours
        ("stillwatch/report/codec.py", "TypeError"),  # told to from_plain, which gives a SchemaError
        ("stillwatch/sketch/phrases.py", "ValueError"),  # a mistake in the shipped word list, not in what a user gives
    }
)
"""(file, builtin exception) that is raised on purpose, each with its reason."""


@dataclass(kw_only=True)
class Facts:
    """What the rules ask of all files together.

    Attributes:
        asserts: places of assert statements.
        lengths: lines of each function.
        documented: whether each public name, and each file, has a docstring.
        raised: (file, name) of what is raised by name.
        errors: names of the bases of each class that is called an error.
    """

    asserts: list[str] = field(default_factory=list[str])
    lengths: dict[str, int] = field(default_factory=dict[str, int])
    documented: dict[str, bool] = field(default_factory=dict[str, bool])
    raised: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    errors: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


@pytest.fixture(scope="module")
def facts(sources: dict[str, str]) -> Facts:
    """The package's files, each parsed and walked once, and its tree let go."""
    found = Facts()
    for name, source in sources.items():
        tree = ast.parse(source)
        found.documented[name] = ast.get_docstring(tree) is not None
        found.documented.update((where, bool(ast.get_docstring(node))) for where, node in _public(tree, name))
        for node in ast.walk(tree):
            _note(found, name, node)
    return found


def _note(found: Facts, name: str, node: ast.AST) -> None:
    match node:
        case ast.Assert():
            found.asserts.append(f"{name}:{node.lineno}")
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            found.lengths[f"{name}:{node.name}:{node.lineno}"] = (node.end_lineno or 0) - node.lineno + 1
        case ast.ClassDef() if node.name.endswith("Error"):
            found.errors[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
        case ast.Raise(exc=ast.Name(id=raised) | ast.Call(func=ast.Name(id=raised))):
            found.raised.add((name, raised))
        case _:
            pass


def _public(node: ast.Module | ast.ClassDef, name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Public classes, functions and methods with their names, classes searched in turn."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield f"{name}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from _public(child, f"{name}.{child.name}")


def test_the_source_has_no_assert(facts: Facts) -> None:
    assert not facts.asserts


def test_no_function_is_longer_than_its_bound(facts: Facts) -> None:
    assert len(facts.lengths) > 1000
    assert not {where: lines for where, lines in facts.lengths.items() if lines > MOST_LINES_OF_A_FUNCTION}


def test_no_file_is_longer_than_its_bound(sources: dict[str, str]) -> None:
    lengths = {name: len(source.splitlines()) for name, source in sources.items()}
    assert not {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE}


def test_everything_public_has_a_docstring(facts: Facts) -> None:
    assert len(facts.documented) > 300
    assert not [where for where, documented in facts.documented.items() if not documented]


def test_errors_that_are_raised_are_our_own(facts: Facts) -> None:
    known = {
        name for name in dir(builtins) if isinstance(getattr(builtins, name), type) and issubclass(getattr(builtins, name), BaseException)
    }
    assert len(facts.raised) > 100
    assert {(name, raised) for name, raised in facts.raised if raised in known} <= ALLOWED_BUILTIN_RAISES


def test_every_error_class_of_the_source_has_the_one_root(facts: Facts) -> None:
    assert len(facts.errors) >= 9

    def rooted(name: str) -> bool:
        return name == "StillwatchError" or any(rooted(base) for base in facts.errors.get(name, []))

    assert not [name for name in facts.errors if not rooted(name)]
