"""Reads the account table, which no request log carries, from Parquet, CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
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
            names = _named_once(pq.read_schema(path).names, path)
            table = pq.read_table(path, columns=names)
            return _from_table(table, list(range(1, table.num_rows + 1)), {}, refused)
        first = next((raw.data for raw in split_lines(ByteSource(path, compression_of(head)).blocks(), _MAX_LINE)), b"")
        if first.lstrip().startswith(b"{"):
            return _from_lines(path, compression_of(head), refused)
        return _from_csv(path, compression_of(head), first, refused)
    except (OSError, csv.Error, pa.ArrowException, TornArchiveError) as error:
        raise UnreadableInputError(
            f"{path.name}: the account table cannot be read ({type(error).__name__}); expected Parquet, CSV with a header, or JSON Lines"
        ) from None


def _named_once(names: Sequence[str], path: Path) -> list[str]:
    """The columns of the account table among `names`; SchemaError where account_id is missing, or one of them stands there twice."""
    if "account_id" not in names:
        found = ", ".join(name[:40] for name in names[:8])
        raise SchemaError(f"{path.name}: expected a column account_id, got {found}; name the columns as the accounts table does")
    twice = next((name for name in _SCHEMA.names if names.count(name) > 1), None)
    if twice is not None:
        raise SchemaError(f"{path.name}: expected one column {twice}, got {names.count(twice)}; name each column once")
    return [name for name in names if name in _SCHEMA.names]


def _from_csv(path: Path, compression: str, header: bytes, refused: list[RefusedAccount]) -> tuple[pa.Table, list[RefusedAccount]]:
    """Every column as text: what the text means is decided as it is for JSON. A row with too many or too few values is left out."""
    names = _named_once(next(csv.reader([header.decode("utf-8", "replace")]), []), path)
    _refuse_open_quote(path, compression)
    ragged: list[int] = []

    def leave_out(row: pv.InvalidRow) -> str:
        number = row.number - 1  # the header is row 1
        ragged.append(number)
        detail = f"expected {row.expected_columns} values, got {row.actual_columns}"
        refused.append(RefusedAccount(row=number, reason="unexpected_shape", detail=detail))
        return "skip"

    options = pv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.binary()), include_columns=names, strings_can_be_null=True, null_values=[""]
    )
    parsing = pv.ParseOptions(newlines_in_values=True, invalid_row_handler=leave_out)
    with pa.input_stream(path, compression=None if compression == PLAIN else compression) as stream:
        table = pv.read_csv(stream, convert_options=options, parse_options=parsing, read_options=pv.ReadOptions(use_threads=False))
    left_out = set(ragged)
    numbers = [row for row in range(1, table.num_rows + len(left_out) + 1) if row not in left_out]
    texts = {name: _decoded(_one_array(table, name)) for name in names}
    broken = {name: rows for name, (_, rows) in texts.items()}
    return _from_table(pa.table({name: array for name, (array, _) in texts.items()}), numbers, broken, refused)


def _refuse_open_quote(path: Path, compression: str) -> None:
    """UnreadableInputError where a quoted value begins that never ends: it would take every row after it for its own."""
    data = b"".join(ByteSource(path, compression).blocks())
    if data.count(b'"') % 2 == 0:
        return
    rows = csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline=""), strict=True)
    begun = 1
    try:
        for _ in rows:
            begun = rows.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error) or "field larger" in str(error):
            message = f"{path.name}: line {begun}: a quotation mark opens a value and nothing closes it; close it, or take it out"
            raise UnreadableInputError(message) from None


def _decoded(array: pa.Array) -> tuple[pa.Array, list[int]]:
    """The bytes as text, and the places of the values that are not UTF-8, which are null."""
    try:
        return array.cast(pa.string()), []
    except pa.ArrowInvalid:
        values: list[str | None] = []
        broken: list[int] = []
        for place, value in enumerate(array.to_pylist()):
            try:
                values.append(None if value is None else value.decode("utf-8"))
            except UnicodeDecodeError:
                values.append(None)
                broken.append(place)
        return pa.array(values, pa.string()), broken


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


def _from_table(
    table: pa.Table, numbers: list[int], broken: Mapping[str, Sequence[int]], refused: list[RefusedAccount]
) -> tuple[pa.Table, list[RefusedAccount]]:
    """Arrow columns as accounts; `broken` has the places, per column, of values that are not UTF-8."""
    rows, values = Refusals.none(table.num_rows), Refusals.none(table.num_rows)
    for name, places in broken.items():
        for place in places:
            (rows if name == "account_id" else values).add(place, "invalid_utf8", f"{name}: expected UTF-8, got other bytes")
    columns = {
        column.name: from_array(_one_array(table, column.name), column, rows if column.name == "account_id" else values)
        if column.name in table.schema.names
        else pa.nulls(table.num_rows, _SCHEMA.field(column.name).type)
        for column in ACCOUNTS.columns
    }
    return _checked(columns, numbers, rows, values, refused)


def _one_array(table: pa.Table, name: str) -> pa.Array:
    combined = table.column(name).combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _checked(
    columns: dict[str, pa.Array], numbers: list[int], refusals: Refusals, values: Refusals, refused: list[RefusedAccount]
) -> tuple[pa.Table, list[RefusedAccount]]:
    columns |= clean_labels({column.name: columns[column.name] for column in ACCOUNTS.columns if column.type == STRING}, _MAX_CHARS)
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
