"""Checks whole columns of converted rows: what must be there, what cannot be, and what was there before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.convert import Refusals
from stillwatch.ingest.seen import SeenIds
from stillwatch.ingest.settings import IngestSettings

TEXT_STATES = ("full", "truncated", "redacted", "absent")
NEVER_NEGATIVE = (
    *("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens"),
    *("n", "max_tokens", "top_logprobs", "logit_bias_size", "tools_count", "turns", "asn"),
)
CHECKED = (
    *("exchange_id", "started_at", "ended_at", "account_id", "status", "text_state", "sampling_rate"),
    *NEVER_NEGATIVE,
)
"""The columns that `check` looks at; one that a batch lacks counts as all null."""

_VISIBLE = r"[^\s\x00-\x1f\x7f]"
_MAX_STATUS = 999


def check(columns: Mapping[str, pa.Array], refusals: Refusals, settings: IngestSettings, seen: SeenIds) -> None:
    """Refuse the rows that cannot be exchanges, then the ones whose id was met before.

    Ids are added to `seen` only for rows that are kept, so a broken row never takes an id away from a sound one.
    """
    for name in ("account_id", "started_at", "exchange_id"):
        _check_present(columns.get(name), name, refusals)
    for name in ("started_at", "ended_at"):
        _check_time(columns.get(name), name, refusals, settings)
    _check_order(columns, refusals)
    for name in NEVER_NEGATIVE:
        _check_range(columns.get(name), name, refusals, low=0, high=None)
    _check_range(columns.get("status"), "status", refusals, low=0, high=_MAX_STATUS)
    _check_rate(columns.get("sampling_rate"), refusals)
    _check_state(columns.get("text_state"), refusals)
    _check_new(columns["exchange_id"], refusals, seen)


def _true(mask: pa.Array | pa.BooleanScalar) -> np.ndarray:
    return pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False)


def _check_present(array: pa.Array | None, name: str, refusals: Refusals) -> None:
    if array is None:
        bad = np.ones(len(refusals.mask), dtype=np.bool_)
    elif pa.types.is_string(array.type):
        bad = ~_true(pc.match_substring_regex(array, _VISIBLE))
    else:
        bad = pc.is_null(array).to_numpy(zero_copy_only=False)
    refusals.add_where(bad, f"missing_{name}", lambda _: f"{name}: expected a value, got none")


def _micros(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since 1970, and where they are null (0 stands there)."""
    null = pc.is_null(array).to_numpy(zero_copy_only=False)
    return pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False), null


def _check_time(array: pa.Array | None, name: str, refusals: Refusals, settings: IngestSettings) -> None:
    if array is None or array.null_count == len(array):
        return
    micros, null = _micros(array)
    low, high = (int(edge.timestamp() * 1e6) for edge in (settings.earliest, settings.latest))
    bounds = f"{settings.earliest:%Y-%m-%d} to {settings.latest:%Y-%m-%d}"
    bad = ~null & ((micros < low) | (micros >= high))
    refusals.add_where(bad, "time_out_of_range", lambda row: f"{name}: expected {bounds}, got {_shown(int(micros[row]))}")


def _shown(micros: int) -> str:
    try:
        return datetime.fromtimestamp(micros / 1e6, tz=UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{micros} us since 1970"


def _check_order(columns: Mapping[str, pa.Array], refusals: Refusals) -> None:
    started, ended = columns.get("started_at"), columns.get("ended_at")
    if started is None or ended is None or ended.null_count == len(ended):
        return
    bad = _true(pc.less(ended, started))
    refusals.add_where(bad, "ended_before_started", lambda _: "ended_at: expected a time after started_at, got an earlier one")


def _check_range(array: pa.Array | None, name: str, refusals: Refusals, *, low: int, high: int | None) -> None:
    if array is None or array.null_count == len(array):
        return
    extremes = pc.min_max(array)
    if extremes["min"].as_py() >= low and (high is None or extremes["max"].as_py() <= high):
        return
    bad = _true(pc.less(array, low))
    refusals.add_where(bad, "negative_number", lambda row: f"{name}: expected at least {low}, got {array[row].as_py()}")
    if high is not None:
        bad = _true(pc.greater(array, high))
        refusals.add_where(bad, "out_of_range", lambda row: f"{name}: expected at most {high}, got {array[row].as_py()}")


def _check_rate(array: pa.Array | None, refusals: Refusals) -> None:
    if array is None or array.null_count == len(array):
        return
    rate = pc.fill_null(array, 1.0).to_numpy(zero_copy_only=False)
    bad = ~((rate > 0) & (rate <= 1))
    refusals.add_where(bad, "out_of_range", lambda row: f"sampling_rate: expected above 0 and at most 1, got {rate[row]}")


def _check_state(array: pa.Array | None, refusals: Refusals) -> None:
    if array is None:
        return
    known = pc.is_in(array, value_set=pa.array(TEXT_STATES))
    bad = ~known.to_numpy(zero_copy_only=False) & pc.is_valid(array).to_numpy(zero_copy_only=False)
    refusals.add_where(bad, "unknown_text_state", lambda _: f"text_state: expected one of {', '.join(TEXT_STATES)}, got another word")


def _check_new(ids: pa.Array, refusals: Refusals, seen: SeenIds) -> None:
    repeated = seen.add(ids, ~refusals.mask)
    refusals.add_where(repeated, "duplicate_id", lambda _: "exchange_id: expected one that is new in this run, got one met before")
