"""Validates native Parquet without copying it: only narrow columns are read, and refused rows are remembered by number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import UnreadableInputError
from stillwatch.ingest.checking import CHECKED, NEVER_NEGATIVE, check
from stillwatch.ingest.convert import Refusals, without_nan
from stillwatch.ingest.digests import Digests
from stillwatch.ingest.inputs import InputFile
from stillwatch.ingest.shards import Shard, converted, grouped
from stillwatch.ingest.slices import slices
from stillwatch.ingest.tally import Session, Tally
from stillwatch.records.tables import EXCHANGES

_ROWS = 131_072
_ALWAYS_FILLED = ("exchange_id", "source", "text_state")
_SHOWN_CHARS = 100


def validate(file: InputFile, digests: Digests, session: Session, tally: Tally) -> list[Shard]:
    """Check every row of one file; gives the shards that read what was accepted, and counts and quarantines the rest."""
    try:
        opened = pq.ParquetFile(file.path)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableInputError(f"{file.name}: cannot be read ({type(error).__name__}); check that it is still there") from None
    with opened as table:
        names = table.schema_arrow.names
        twice = next((name for name in EXCHANGES.names if names.count(name) > 1), None)
        if twice is not None:
            raise UnreadableInputError(f"{file.name}: expected one column {twice}, got {names.count(twice)}; name each column once")
        return _validated(table, file, digests, session, tally)


def _validated(table: pq.ParquetFile, file: InputFile, digests: Digests, session: Session, tally: Tally) -> list[Shard]:
    session.filled.update(_filled(table, file.path))
    sizes = [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)]
    starts = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    # rows that all have an id need no made one, which begins with the digest
    checked = "" if all(_has_every_id(table, group) for group in range(len(sizes))) else _prefix(digests.of(file))
    refused: list[np.ndarray] = []
    for group in range(table.num_row_groups):
        refused.append(_check_group(table, file.path, group, int(starts[group]), checked, session, tally))
        session.report(bytes_read=file.bytes // max(table.num_row_groups, 1))
    whole = frozenset(group for group in range(len(sizes)) if len(refused[group]) == sizes[group])
    session.hashes[file.name] = digest = digests.of(file)
    shards: list[Shard] = []
    for groups in grouped(sizes, session.settings.shard_rows, whole):
        first, last = int(starts[groups.start]), int(starts[groups.stop])
        left_out = np.concatenate([refused[group] for group in groups]) - first
        shard = Shard(
            path=file.path,
            name=file.name,
            row_groups=tuple(groups),
            first_row=first,
            rows=last - first - len(left_out),
            refused=left_out.astype("<i8").tobytes(),
            id_prefix=_prefix(digest),
            max_id_chars=session.settings.max_id_chars,
        )
        shards.append(shard)
    return shards


def _prefix(digest: str) -> str:
    """What the ids of a file's rows without one begin with."""
    return f"row:{digest[:16]}"


def _has_every_id(table: pq.ParquetFile, group: int) -> bool:
    if "exchange_id" not in table.schema_arrow.names:
        return False
    statistics = _statistics(table, group, "exchange_id")
    return statistics is not None and statistics.has_null_count and statistics.null_count == 0


def _check_group(table: pq.ParquetFile, path: Path, group: int, start: int, prefix: str, session: Session, tally: Tally) -> np.ndarray:
    """Numbers (in the file) of the refused rows of one row group."""
    names = _narrow(table, group)
    size = table.metadata.row_group(group).num_rows
    refused: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
    done = 0
    try:
        for batch in slices(table, path, [group], names, _ROWS, use_threads=True):
            refusals = Refusals.none(batch.num_rows)
            columns = converted(batch, start + done, prefix, refusals)
            check(columns, refusals, session.settings, session.seen)
            _write(columns, refusals, start + done, session, tally)
            refused.append(np.flatnonzero(refusals.mask) + start + done)
            done += batch.num_rows
            session.report(rows=batch.num_rows)
    except (pa.ArrowException, OSError) as error:
        detail = f"expected {size} rows in row group {group}, got an unreadable one ({type(error).__name__})"
        session.refuse(tally, line=start + 1, offset=None, reason="unreadable_row_group", detail=detail, head=b"")
        return np.arange(start, start + size)
    left_out = np.concatenate(refused)
    tally.rows_out += size - len(left_out)
    return left_out


def _narrow(table: pq.ParquetFile, group: int) -> list[str]:
    """The columns whose values must be looked at: the checked ones, and any whose type has to be converted value by value."""
    wanted = arrow_schema(EXCHANGES)
    names: list[str] = []
    for field in table.schema_arrow:
        if field.name not in wanted.names:
            continue
        fits = field.type == wanted.field(field.name).type or (_text_like(field.type) and pa.types.is_string(wanted.field(field.name).type))
        proved = fits and field.name in NEVER_NEGATIVE and _never_negative(table, group, field.name)
        if (field.name in CHECKED and not proved) or not fits:
            names.append(field.name)
    return names


def _text_like(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner)


def _statistics(table: pq.ParquetFile, group: int, name: str) -> pq.Statistics | None:
    chunk = table.metadata.row_group(group).column(table.schema_arrow.get_field_index(name))
    return chunk.statistics if chunk.path_in_schema == name else None


def _never_negative(table: pq.ParquetFile, group: int, name: str) -> bool:
    statistics = _statistics(table, group, name)
    return statistics is not None and statistics.has_min_max and statistics.min >= 0


def _filled(table: pq.ParquetFile, path: Path) -> Iterator[str]:
    """The columns with at least one value, told from the statistics, or from the values where there are none."""
    yield from _ALWAYS_FILLED
    for name in EXCHANGES.names:
        if name in table.schema_arrow.names and any(_has_value(table, path, group, name) for group in range(table.num_row_groups)):
            yield name


def _has_value(table: pq.ParquetFile, path: Path, group: int, name: str) -> bool:
    rows = table.metadata.row_group(group).num_rows
    statistics = _statistics(table, group, name)
    # statistics do not count not-a-number among the nulls
    counted = statistics is not None and statistics.has_null_count and not pa.types.is_floating(table.schema_arrow.field(name).type)
    if statistics is not None and counted:
        return statistics.null_count < rows
    try:
        return any(without_nan(batch.column(0)).null_count < batch.num_rows for batch in slices(table, path, [group], [name], _ROWS))
    except (pa.ArrowException, OSError):
        return False


def _write(columns: dict[str, pa.Array], refusals: Refusals, first: int, session: Session, tally: Tally) -> None:
    for row in sorted(refusals.why):
        reason, detail = refusals.why[row]
        shown = {name: _shown(columns[name][row]) for name in ("exchange_id", "account_id", "started_at") if name in columns}
        head = orjson.dumps(shown)
        session.refuse(tally, line=first + row + 1, offset=None, reason=reason, detail=detail, head=head)


def _shown(value: pa.Scalar) -> str | None:
    try:
        given = value.as_py()
    except (ValueError, OverflowError):  # a time that Python cannot hold, a string that is not UTF-8
        return None
    return None if given is None else str(given)[:_SHOWN_CHARS]
