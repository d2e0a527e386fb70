"""The embedded engine: DuckDB in this process, out of core, under a memory limit."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engines.base import Kernel, checked, parquet_files, table_name
from stillwatch.errors import EngineError, StoppedError

if TYPE_CHECKING:
    import ibis.expr.types as ir

_Result = TypeVar("_Result")

_BATCH_ROWS = 32_768
"""Rows per batch handed to a kernel: small enough that a few batches of long prompts fit in memory."""

_INTERRUPT_SECONDS = 0.05
"""How long to wait for an interrupted query before it is told again: one that has not begun does not hear it."""


_INTERRUPTED = "Query interrupted"
"""What DuckDB raises on the main thread in place of the interrupt that it has caught while it ran a query there."""


class DuckEngine:
    """Tables in DuckDB. Large results are kept as Parquet in a private folder under `work`, which `close` deletes."""

    name = "duckdb"

    def __init__(self, work: Path, *, threads: int, memory_limit: str) -> None:
        """Open an engine of its own; `memory_limit` as DuckDB writes it (`4GB`)."""
        import ibis

        work.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix=".duckdb-", dir=work))
        self._threads = threads
        self._reads = 0
        self._open = True
        with _failures("open the database"):
            self._ibis: Any = ibis.duckdb.connect(threads=threads, memory_limit=memory_limit, temp_directory=str(self._folder))
            self._raw: Any = self._ibis.con
            for setting in (
                "preserve_insertion_order=false",
                "autoinstall_known_extensions=false",
                "enable_progress_bar=false",
            ):
                self._raw.execute(f"SET {setting}")
            # A stream runs on a connection of its own, so what expressions rely on is set for all connections.
            self._raw.execute("SET GLOBAL TimeZone = 'UTC'")
            self._raw.execute("SET GLOBAL lambda_syntax = 'ENABLE_SINGLE_ARROW'")  # Ibis 12 writes x -> ...
            self._raw.execute("CREATE MACRO unix_micros(instant) AS epoch_us(instant)")  # Spark has it built in

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """Parquet files or folders of them, as one table expression; EngineError when there is no file."""
        self._reads += 1
        return self._view(parquet_files(paths), f"read_{self._reads}")

    def table(self, data: pa.Table, name: str) -> ir.Table:
        """An Arrow table as a table expression; replaces an earlier one of the same name."""
        self._forget(table_name(name))
        with _failures(f"load {name}"):
            self._raw.register("arriving", data)
            self._raw.execute(f'CREATE TABLE "{name}" AS FROM arriving')
            self._raw.unregister("arriving")
            return self._ibis.table(name)

    def cache(self, expression: ir.Table, name: str) -> ir.Table:
        """The expression's rows, computed once and kept on disk under `name` until the engine is closed."""
        return self.caches([(expression, name)])[0]

    def caches(self, named: Iterable[tuple[ir.Table, str]]) -> list[ir.Table]:
        """`cache` of one after the other; the next query is written while the one before runs."""
        paths: dict[str, Path] = {}

        def jobs() -> Iterator[Callable[[Any], int]]:
            for expression, name in named:
                paths[name] = self._folder / f"{table_name(name)}.parquet"
                yield self._copying(expression, paths[name], "snappy", name)

        self._one_by_one(jobs())
        return [self._view([path], name) for name, path in paths.items()]

    def arrow(self, expression: ir.Table) -> pa.Table:
        """The expression's rows in memory; for results that grow with accounts, never with exchanges."""
        return self.arrows([expression])[0]

    def arrows(self, expressions: Iterable[ir.Table]) -> list[pa.Table]:
        """`arrow` of one after the other; the next query is written while the one before runs."""

        def fetching(sql: str) -> Callable[[Any], pa.Table]:
            def fetch(connection: Any) -> pa.Table:
                with _failures("run an expression"):
                    return connection.sql(sql).to_arrow_table()

            return fetch

        return self._one_by_one(fetching(self._sql(expression)) for expression in expressions)

    def batches(self, expression: ir.Table, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The expression's rows as a stream of at most `rows` at a time."""
        # A cursor of its own: a stream on the shared connection would end at the next query.
        cursor = self._raw.cursor()
        try:
            with _failures("stream an expression"):
                yield from cursor.sql(self._sql(expression)).to_arrow_reader(rows)
        finally:
            cursor.close()

    def write(self, expression: ir.Table, path: Path) -> int:
        """Write the rows as one Parquet file, atomically; returns their number."""
        return self._one_by_one([self._copying(expression, path, "zstd", path.name)])[0]

    def apply(self, expression: ir.Table, kernel: Kernel, schema: pa.Schema, name: str) -> ir.Table:
        """Run a batch kernel over the rows, once, and give the result, of `schema`, as a table expression."""
        path = self._folder / f"{table_name(name)}.parquet"
        partial = path.with_suffix(".partial")
        with pq.ParquetWriter(partial, schema, compression="snappy") as writer:
            for batch in _in_order(kernel, self.batches(expression, _BATCH_ROWS), self._threads):
                writer.write_batch(checked(batch, schema, name))
        partial.replace(path)
        return self._view([path], name)

    def close(self) -> None:
        """Give back what the engine holds and delete what it kept on disk; calling it again does nothing."""
        if self._open:
            self._open = False
            self._ibis.disconnect()
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _sql(self, expression: ir.Table) -> str:
        sql = _streamed(self._ibis.compiler.to_sqlglot(expression))
        # DuckDB sums integers into 128 bits, which Arrow can only hold as decimals; the expression says int64.
        with _failures("prepare an expression"):
            result = self._raw.sql(sql)
        wide = [name for name, kind in zip(result.columns, result.types, strict=True) if str(kind) == "HUGEINT"]
        casts = ", ".join(f'CAST("{name}" AS BIGINT) AS "{name}"' for name in wide)
        return f"FROM ({sql}) SELECT * REPLACE ({casts})" if wide else sql

    def _forget(self, name: str) -> None:
        kind = {"VIEW": "VIEW", "BASE TABLE": "TABLE"}
        with _failures(f"replace {name}"):
            found = self._raw.execute("SELECT table_type FROM information_schema.tables WHERE table_name = ?", [name]).fetchone()
            if found:
                self._raw.execute(f'DROP {kind[found[0]]} "{name}"')

    def _view(self, files: Sequence[Path], name: str) -> ir.Table:
        """A view over Parquet files: permanent, because a temporary one cannot be seen from the cursor of a stream."""
        self._forget(name)
        listed = ", ".join(_quoted(_unglobbed(str(file))) for file in files)
        with _failures(f"read {name}"):
            self._raw.execute(f'CREATE VIEW "{name}" AS FROM read_parquet([{listed}], hive_partitioning = false)')
            return self._ibis.table(name)

    def _copying(self, expression: ir.Table, path: Path, compression: str, name: str) -> Callable[[Any], int]:
        """What writes the expression's rows to `path`, atomically, on the connection that it is given, and counts them."""
        partial = path.with_name(f".{path.name}.partial")
        target = f"{_quoted(str(partial))} (FORMAT parquet, COMPRESSION {compression})"
        sql = f"COPY ({self._sql(expression)}) TO {target}"

        def copy(connection: Any) -> int:
            with _failures(f"write {name}"):
                counted = connection.execute(sql).fetchone()
            partial.replace(path)
            return int(counted[0])

        return copy

    def _one_by_one(self, jobs: Iterable[Callable[[Any], _Result]]) -> list[_Result]:
        """Run the jobs in their order, each on a connection of its own; the next is made while the one before runs.

        To make a query takes Python as long as it takes DuckDB to run it on a million exchanges.
        """
        results: list[_Result] = []
        running: Future[_Result] | None = None
        # the connection is closed after the pool, which waits: a busy one cannot be closed
        with contextlib.closing(self._raw.cursor()) as connection, ThreadPoolExecutor(1) as pool:
            try:
                for job in jobs:
                    if running is not None:
                        results.append(running.result())
                    running = pool.submit(job, connection)
                if running is not None:
                    results.append(running.result())
            except BaseException:
                _stop(running, connection)
                raise
        return results


def _stop(running: Future[Any] | None, connection: Any) -> None:
    """End the query that runs on the connection, and come back once it has ended: nobody waits for its result any more."""
    while running is not None and not running.cancel() and not running.done():
        connection.interrupt()
        wait([running], timeout=_INTERRUPT_SECONDS)


def _streamed(query: Any) -> str:
    """A query, told to read common sub-queries again where that is cheap, as SQL.

    Left alone, DuckDB keeps the rows of every sub-query that is used twice. For one that aggregates, this saves work; for a plain
    selection of the exchanges it would hold the whole log in memory.
    """
    from sqlglot import expressions

    for common in query.find_all(expressions.CTE):
        body = common.this
        if not body.find(expressions.Group, expressions.Distinct, expressions.Window, expressions.SetOperation):
            common.args["materialized"] = False
    return query.sql(dialect="duckdb", copy=False)


def _quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _unglobbed(path: str) -> str:
    """A path that DuckDB takes literally, whatever wildcards its folders are named with."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _in_order(kernel: Kernel, batches: Iterator[pa.RecordBatch], threads: int) -> Iterator[pa.RecordBatch]:
    """The kernel's results, in the order of the batches, with at most `threads` + 1 batches alive."""
    running: deque[Future[pa.RecordBatch]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            running.append(pool.submit(kernel, batch))
            if len(running) > threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


@contextmanager
def _failures(doing: str) -> Generator[None]:
    """DuckDB's errors as EngineError; only messages about names, files and memory go on, others may quote the log.

    An interrupt that DuckDB has taken for itself becomes StoppedError.
    """
    import duckdb

    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        line = str(error).splitlines()[0][:300]
        raise EngineError(f"DuckDB cannot {doing}: {line}; check the input, the disk and the memory limit") from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise EngineError(
            f"DuckDB cannot {doing}: {type(error).__name__}; run the step on fewer files to find the rows that cause it"
        ) from None
    except RuntimeError as error:
        if str(error) == _INTERRUPTED:
            raise StoppedError("interrupted") from None
        raise
