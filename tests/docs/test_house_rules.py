"""Rules of the house that no other tool keeps."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def trees(sources: dict[str, str]) -> dict[str, ast.Module]:
    """Syntax trees of the package's files."""
    return {name: ast.parse(source) for name, source in sources.items()}


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_source_has_no_assert(trees: dict[str, ast.Module]) -> None:
    assert not [(name, node.lineno) for name, tree in trees.items() for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def test_no_function_is_longer_than_its_bound(trees: dict[str, ast.Module]) -> None:
    lengths = {
        f"{name}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for name, tree in trees.items()
        for function in _functions(tree)
    }
    assert not {where: lines for where, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION}


def test_no_file_is_longer_than_its_bound(sources: dict[str, str]) -> None:
    lengths = {name: len(source.splitlines()) for name, source in sources.items()}
    assert not {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE}


def _public(node: ast.Module | ast.ClassDef, name: str) -> Iterator[tuple[str, ast.AST]]:
    """Public classes, functions and methods with their names, classes searched in turn."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield f"{name}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from _public(child, f"{name}.{child.name}")


def test_everything_public_has_a_docstring(trees: dict[str, ast.Module]) -> None:
    found = [(where, node) for name, tree in trees.items() for where, node in _public(tree, name)]
    assert len(found) > 300
    assert not [where for where, node in found if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not [name for name, tree in trees.items() if not ast.get_docstring(tree)]


def _raised(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            target = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(target, ast.Name):
                yield target.id


def test_errors_that_are_raised_are_our_own(trees: dict[str, ast.Module]) -> None:
    known = {
        name for name in dir(builtins) if isinstance(getattr(builtins, name), type) and issubclass(getattr(builtins, name), BaseException)
    }
    found = {(name, raised) for name, tree in trees.items() for raised in _raised(tree) if raised in known}
    assert found <= ALLOWED_BUILTIN_RAISES


def test_every_error_class_of_the_source_has_the_one_root(trees: dict[str, ast.Module]) -> None:
    bases = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    }
    assert len(bases) >= 9

    def rooted(name: str) -> bool:
        return name == "StillwatchError" or any(rooted(base) for base in bases.get(name, []))

    assert not [name for name in bases if not rooted(name)]
