"""Reads the account table, which no request log carries, from Parquet, CSV or JSON Lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import SchemaError, UnreadableInputError, UsageError
from stillwatch.ingest.cleaning import clean_labels
from stillwatch.ingest.compression import PLAIN, ByteSource, TornArchiveError, compression_of
from stillwatch.ingest.convert import Refusals, from_array, from_values
from stillwatch.ingest.parsing import Record, parse
from stillwatch.ingest.splitting import split_lines
from stillwatch.ingest.values import RefusedRowError
from stillwatch.records.tables import ACCOUNTS, STRING

_SCHEMA = arrow_schema(ACCOUNTS)
_MAX_LINE = 1 << 20
_MAX_DEPTH = 32
_MAX_CHARS = 512
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAccount:
    """A row of the account table that was left out, or one of whose values was: what cannot be read of it counts as unknown.

    Attributes:
        row: 1-based data row (line, for JSON Lines).
        reason: a short code.
        detail: what was expected and what was found.
        whole: whether the row is lost, and not only a value of it.
    """

    row: int
    reason: str
    detail: str
    whole: bool = True


def read_accounts(path: Path) -> tuple[pa.Table, list[RefusedAccount]]:
    """The account table at `path`, and what was left out of it; of two rows for one account the first is kept.

    A value that does not fit its column is null, and costs nothing else: a licence in the same row must not be lost with it.

    Raises:
        UsageError: there is no such file.
        UnreadableInputError: the file cannot be opened or parsed.
        SchemaError: it has no column account_id.
    """
    refused: list[RefusedAccount] = []
    if not path.exists() or path.is_dir():
        raise UsageError(f"{path}: no such file; --accounts takes a table of accounts")
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
        if head == _PARQUET_MAGIC:
            names = [name for name in pq.read_schema(path).names if name in _SCHEMA.names]
            return _from_table(pq.read_table(path, columns=names), path, refused)
        first = next((raw.data for raw in split_lines(ByteSource(path, compression_of(head)).blocks(), _MAX_LINE)), b"")
        if first.lstrip().startswith(b"{"):
            return _from_lines(path, compression_of(head), refused)
        return _from_table(_read_csv(path, compression_of(head), first), path, refused)
    except (OSError, pa.ArrowException, TornArchiveError) as error:
        raise UnreadableInputError(
            f"{path.name}: the account table cannot be read ({type(error).__name__}); expected Parquet, CSV with a header, or JSON Lines"
        ) from None


def _read_csv(path: Path, compression: str, header: bytes) -> pa.Table:
    """Every column as text: what the text means is decided as it is for JSON."""
    names = next(csv.reader([header.decode("utf-8", "replace")]), [])
    options = pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""])
    with pa.input_stream(path, compression=None if compression == PLAIN else compression) as stream:
        return pv.read_csv(stream, convert_options=options)


def _from_lines(path: Path, compression: str, refused: list[RefusedAccount]) -> tuple[pa.Table, list[RefusedAccount]]:
    numbers: list[int] = []
    records: list[Record] = []
    for number, record in _records(path, compression, refused):
        numbers.append(number)
        records.append(record)
    rows, values = Refusals.none(len(records)), Refusals.none(len(records))
    columns = {
        column.name: from_values([record.get(column.name) for record in records], column, rows if column.name == "account_id" else values)
        for column in ACCOUNTS.columns
    }
    return _checked(columns, numbers, rows, values, refused)


def _records(path: Path, compression: str, refused: list[RefusedAccount]) -> Iterator[tuple[int, Record]]:
    for raw in split_lines(ByteSource(path, compression).blocks(), _MAX_LINE):
        try:
            if raw.problem:
                refused.append(RefusedAccount(row=raw.number, reason=raw.problem, detail=f"expected at most {_MAX_LINE} bytes"))
            else:
                yield raw.number, parse(raw.data, _MAX_DEPTH)
        except RefusedRowError as error:
            refused.append(RefusedAccount(row=raw.number, reason=error.reason, detail=error.detail))


def _from_table(table: pa.Table, path: Path, refused: list[RefusedAccount]) -> tuple[pa.Table, list[RefusedAccount]]:
    if "account_id" not in table.schema.names:
        found = ", ".join(name[:40] for name in table.schema.names[:8])
        raise SchemaError(f"{path.name}: expected a column account_id, got {found}; name the columns as the accounts table does")
    rows, values = Refusals.none(table.num_rows), Refusals.none(table.num_rows)
    columns = {
        column.name: from_array(_one_array(table, column.name), column, rows if column.name == "account_id" else values)
        if column.name in table.schema.names
        else pa.nulls(table.num_rows, _SCHEMA.field(column.name).type)
        for column in ACCOUNTS.columns
    }
    return _checked(columns, list(range(1, table.num_rows + 1)), rows, values, refused)


def _one_array(table: pa.Table, name: str) -> pa.Array:
    combined = table.column(name).combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _checked(
    columns: dict[str, pa.Array], numbers: list[int], refusals: Refusals, values: Refusals, refused: list[RefusedAccount]
) -> tuple[pa.Table, list[RefusedAccount]]:
    for column in ACCOUNTS.columns:
        if column.type == STRING:
            columns[column.name] = clean_labels(columns[column.name], column.name, _MAX_CHARS)
    ids = columns["account_id"]
    missing = pc.is_null(ids).to_numpy(zero_copy_only=False)
    refusals.add_where(missing, "missing_account_id", lambda _: "account_id: expected a value, got none")
    negative = pc.fill_null(pc.less(columns["monthly_quota_tokens"], 0), fill_value=False)
    values.add_where(
        negative.to_numpy(zero_copy_only=False), "negative_number", lambda _: "monthly_quota_tokens: expected at least 0, got less"
    )
    columns["monthly_quota_tokens"] = pc.if_else(negative, None, columns["monthly_quota_tokens"])
    _refuse_repeats(ids, refusals)
    for found, whole in ((refusals, True), (values, False)):
        refused += [
            RefusedAccount(row=numbers[row], reason=reason, detail=detail, whole=whole) for row, (reason, detail) in found.why.items()
        ]
    table = pa.table([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)
    return table.filter(pa.array(np.logical_not(refusals.mask))), sorted(refused, key=lambda row: row.row)


def _refuse_repeats(ids: pa.Array, refusals: Refusals) -> None:
    met: set[str] = set()
    for row, account in enumerate(ids.to_pylist()):
        if refusals.mask[row]:
            continue
        if account in met:
            refusals.add(row, "duplicate_id", "account_id: expected one row per account, got a second one")
        met.add(account)
