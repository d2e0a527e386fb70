"""Table descriptions from `records` as Arrow schemas."""

from __future__ import annotations

import pyarrow as pa

from stillwatch.records import tables
from stillwatch.records.tables import Table

_TYPES: dict[str, pa.DataType] = {
    tables.STRING: pa.string(),
    tables.BOOL: pa.bool_(),
    tables.INT8: pa.int8(),
    tables.INT16: pa.int16(),
    tables.INT32: pa.int32(),
    tables.INT64: pa.int64(),
    tables.FLOAT: pa.float32(),
    tables.DOUBLE: pa.float64(),
    tables.BINARY: pa.binary(),
    tables.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    tables.INT64_LIST: pa.list_(pa.int64()),
    tables.STRING_LIST: pa.list_(pa.string()),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of `table`, nullability included."""
    return pa.schema([pa.field(column.name, _TYPES[column.type], nullable=column.nullable) for column in table.columns])
