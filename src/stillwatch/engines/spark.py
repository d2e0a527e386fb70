"""The distributed engine: Spark through PySpark, the same expressions and kernels as the embedded one."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engines.base import Kernel, checked, parquet_files, table_name
from stillwatch.errors import EngineError

if TYPE_CHECKING:
    import ibis.expr.types as ir

_WILDCARDS = "*?[]{}\\"


class SparkEngine:
    """Tables in Spark. Kept results are Parquet in a private folder under `work`, which `close` deletes.

    It joins a session that is already active, and then leaves it running; otherwise it starts one, and `close` ends it.
    """

    name = "spark"

    def __init__(
        self,
        work: Path,
        *,
        master: str = "local[*]",
        driver_memory: str = "2g",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Open an engine; `settings` are Spark properties and win over the ones set here."""
        import ibis

        work.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix=".spark-", dir=work)).resolve()
        self._open = True
        self._names: set[str] = set()
        with _failures("start"):
            # PySpark writes the message of every failed query, values of the log included, to standard error.
            logging.getLogger("SQLQueryContextLogger").disabled = True
            self._session, self._owned = _session(master, driver_memory, self._folder, settings or {})
            self._ibis: Any = ibis.pyspark.connect(self._session)

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """Parquet files or folders of them, as one table expression; EngineError when there is no file."""
        return self._view(parquet_files(paths), self._fresh("read"))

    def table(self, data: pa.Table, name: str) -> ir.Table:
        """An Arrow table as a table expression; replaces an earlier one of the same name."""
        path = self._folder / f"{self._fresh(table_name(name))}.parquet"
        # By way of a file: data sent through the driver's memory would be sent again with every task.
        pq.write_table(data, path, coerce_timestamps="us")
        return self._view([path], name)

    def cache(self, expression: ir.Table, name: str) -> ir.Table:
        """The expression's rows, computed once and kept on disk under `name` until the engine is closed."""
        folder = self._folder / self._fresh(table_name(name))
        self._save(self._frame(expression), folder, name)
        return self._view([folder], name)

    def arrow(self, expression: ir.Table) -> pa.Table:
        """The expression's rows in memory; for results that grow with accounts, never with exchanges."""
        frame = self._frame(expression)
        schema = _arrow_schema(frame)
        # By way of files: what is collected through the driver has to fit into the driver twice.
        return pa.Table.from_batches(self._stream(frame, 100_000), schema=schema)

    def caches(self, named: Iterable[tuple[ir.Table, str]]) -> list[ir.Table]:
        """`cache` of one after the other."""
        return [self.cache(expression, name) for expression, name in named]

    def arrows(self, expressions: Iterable[ir.Table]) -> list[pa.Table]:
        """`arrow` of one after the other."""
        return [self.arrow(expression) for expression in expressions]

    def batches(self, expression: ir.Table, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The expression's rows as a stream of at most `rows` at a time, by way of files on disk."""
        yield from self._stream(self._frame(expression), rows)

    def write(self, expression: ir.Table, path: Path) -> int:
        """Write the rows as one Parquet file, atomically; returns their number."""
        partial = path.with_name(f".{path.name}.partial")
        frame = self._frame(expression)
        count = 0
        with pq.ParquetWriter(partial, _arrow_schema(frame), compression="zstd") as writer:
            for batch in self._stream(frame, 100_000):
                writer.write_batch(batch)
                count += batch.num_rows
        partial.replace(path)
        return count

    def apply(self, expression: ir.Table, kernel: Kernel, schema: pa.Schema, name: str) -> ir.Table:
        """Run a batch kernel over the rows, once, and give the result, of `schema`, as a table expression."""
        from pyspark.sql.pandas.types import from_arrow_schema

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield checked(kernel(batch), schema, name)

        folder = self._folder / self._fresh(table_name(name))
        declared = from_arrow_schema(schema, prefer_timestamp_ntz=False)
        self._save(self._frame(expression).mapInArrow(run, declared), folder, name)
        return self._view([folder], name)

    def close(self) -> None:
        """Give back what the engine holds and delete what it kept on disk; calling it again does nothing."""
        if not self._open:
            return
        self._open = False
        for name in self._names:
            self._session.catalog.dropTempView(name)
        if self._owned:
            self._session.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fresh(self, name: str) -> str:
        """A name not used before: Spark remembers the files behind an old one."""
        self._names.add(name)
        return f"{name}_{len(list(self._folder.iterdir()))}_{len(self._names)}"

    def _frame(self, expression: ir.Table) -> Any:
        """The expression as a data frame of exactly its types: Spark makes decimals of divisions that Ibis takes for doubles."""
        from pyspark.sql.pandas.types import from_arrow_schema

        with _failures("prepare an expression"):
            frame = self._session.sql(str(self._ibis.compile(expression)))
            said = from_arrow_schema(expression.schema().to_pyarrow(), prefer_timestamp_ntz=False)
            kinds = {field.name: field.dataType for field in frame.schema if field.dataType.typeName() == "decimal"}
            return frame.withColumns({name: frame[name].cast(said[name].dataType) for name in kinds}) if kinds else frame

    def _stream(self, frame: Any, rows: int) -> Iterator[pa.RecordBatch]:
        """The frame's rows, by way of files that are deleted when the stream ends."""
        schema = _arrow_schema(frame)
        folder = self._folder / self._fresh("stream")
        self._save(frame, folder, "a stream")
        try:
            for file in _parts(folder):
                with pq.ParquetFile(file) as opened:
                    for batch in opened.iter_batches(rows):
                        yield from pa.Table.from_batches([batch]).cast(schema).to_batches()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _save(self, frame: Any, folder: Path, name: str) -> None:
        with _failures(f"write {name}"):
            frame.write.mode("overwrite").parquet(str(folder))

    def _view(self, paths: Sequence[Path], name: str) -> ir.Table:
        with _failures(f"read {name}"):
            frame = self._session.read.parquet(*(_literal(str(path.resolve())) for path in paths))
            frame.createOrReplaceTempView(name)
            self._names.add(name)
            return self._ibis.table(name)


def _session(master: str, driver_memory: str, folder: Path, settings: Mapping[str, str]) -> tuple[Any, bool]:
    """An active session, and whether it was started here."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise EngineError("the Spark engine needs PySpark, which is not installed; pip install 'stillwatch[spark]'") from None
    active = SparkSession.getActiveSession()
    builder: Any = SparkSession.builder
    defaults = {
        "spark.app.name": "stillwatch",
        "spark.driver.memory": driver_memory,
        "spark.local.dir": str(folder),
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "32768",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Spark's log quotes the values that a query fails on, and they are private.
        "spark.log.level": "OFF",
    }
    for key, value in {**defaults, **settings}.items():
        if active is None or key.startswith("spark.sql."):
            builder = builder.config(key, value)
    session = (builder if active is not None else builder.master(master)).getOrCreate()
    if active is None and master.startswith("local"):
        # Workers on this machine run in this environment; PySpark would take the first python3 on the path.
        session.sparkContext.pythonExec = sys.executable
    return session, active is None


def _arrow_schema(frame: Any) -> pa.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(frame.schema, timestamp_utc=True)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _literal(path: str) -> str:
    """A path that Hadoop takes literally, whatever wildcards its folders are named with."""
    return "".join(f"\\{letter}" if letter in _WILDCARDS else letter for letter in path)


@contextmanager
def _failures(doing: str) -> Generator[None]:
    """Spark's errors as EngineError. Only the error's class goes on: messages of Spark quote values of the log."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark.", "py4j.")):
            raise
        kind = getattr(error, "getCondition", lambda: None)() or type(error).__name__
        raise EngineError(f"Spark cannot {doing}: {kind}; run the step on fewer files to find the rows that cause it") from None
