"""What a table engine must do. A third engine is one more file beside `duckdb.py` and `spark.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import pyarrow as pa

from stillwatch.errors import EngineError

if TYPE_CHECKING:
    import ibis.expr.types as ir

Kernel = Callable[[pa.RecordBatch], pa.RecordBatch]
"""A pure function over Arrow batches; the same one runs streamed on DuckDB and inside `mapInArrow` on Spark.

It may return fewer or more rows than it was given, must not depend on where one batch ends and the next begins, and is
called from several threads (or processes) at once.
"""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Engine(Protocol):
    """Reads Parquet and Arrow, runs Ibis expressions, writes Parquet. Never passes through pandas.

    Rows come in no particular order unless the expression orders them. A name given to `table`, `cache` or `apply` is
    lower-case letters, digits and underscores; a name used again replaces the earlier table, so expressions built on
    the earlier one must be done with. Sessions run in UTC. Expressions may call `unix_micros(timestamp)`, whole microseconds
    since 1970, by that name: an engine whose database lacks it defines it.
    """

    name: str

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """Parquet files or folders of them, as one table expression; EngineError when there is no file."""
        ...

    def table(self, data: pa.Table, name: str) -> ir.Table:
        """An Arrow table as a table expression; replaces an earlier one of the same name."""
        ...

    def cache(self, expression: ir.Table, name: str) -> ir.Table:
        """The expression's rows, computed once and kept on disk under `name` until the engine is closed."""
        ...

    def arrow(self, expression: ir.Table) -> pa.Table:
        """The expression's rows in memory; for results that grow with accounts, never with exchanges."""
        ...

    def caches(self, named: Iterable[tuple[ir.Table, str]]) -> list[ir.Table]:
        """`cache` of one after the other; an engine may take the next from `named` while it computes the one before."""
        ...

    def arrows(self, expressions: Iterable[ir.Table]) -> list[pa.Table]:
        """`arrow` of one after the other; an engine may take the next expression while it computes the one before."""
        ...

    def batches(self, expression: ir.Table, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The expression's rows as a stream of at most `rows` at a time."""
        ...

    def write(self, expression: ir.Table, path: Path) -> int:
        """Write the rows as one Parquet file, atomically; returns their number."""
        ...

    def apply(self, expression: ir.Table, kernel: Kernel, schema: pa.Schema, name: str) -> ir.Table:
        """Run a batch kernel over the rows, once, and give the result, of `schema`, as a table expression."""
        ...

    def close(self) -> None:
        """Give back what the engine holds and delete what it kept on disk; calling it again does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def table_name(name: str) -> str:
    """`name` itself when it is fit to name a table; EngineError otherwise."""
    if not _NAME.fullmatch(name):
        raise EngineError(f"table name {name[:80]!r} is not lower-case letters, digits and underscores; give the table another name")
    return name


def parquet_files(paths: Sequence[Path]) -> list[Path]:
    """The Parquet files that `paths` name, sorted; EngineError when there is none.

    Folders are searched to the bottom, hidden files and folders (an engine's own among them) left out.
    """
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        shown = [file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)]
        files += [file for file in shown if file.is_file()]
    if not files:
        raise EngineError(f"no Parquet file in the {len(paths)} paths given; give a .parquet file or a folder that holds some")
    return files


def checked(batch: pa.RecordBatch, schema: pa.Schema, name: str) -> pa.RecordBatch:
    """`batch` under exactly `schema`; EngineError when a kernel returned other columns or types than it declared."""
    found = [(field.name, field.type) for field in batch.schema]
    declared = [(field.name, field.type) for field in schema]
    if found != declared:
        odd = sorted({field[0] for field in set(found) ^ set(declared)})[:5] or ["their order"]
        raise EngineError(
            f"the kernel of {name} returned other columns than it declared ({', '.join(odd)}); make its schema and its result agree"
        )
    return pa.RecordBatch.from_arrays(batch.columns, schema=schema)
