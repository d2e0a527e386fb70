"""Cleans the columns of accepted rows: keys hashed, secrets masked, control characters out, nothing unboundedly long."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.engines.schema import arrow_schema
from stillwatch.ingest.secrets import SUSPECT, hash_key, mask, mask_array
from stillwatch.records.tables import EXCHANGES, STRING, TEXT_COLUMNS

SCHEMA = arrow_schema(EXCHANGES)
"""What every cleaned batch looks like."""

_AS_THEY_ARE = frozenset({"source", "text_state", "raw_sha256"})
_NARROW = tuple(
    column.name
    for column in EXCHANGES.columns
    if column.type == STRING and column.name not in TEXT_COLUMNS and column.name not in _AS_THEY_ARE and column.name != "key_id"
)
_MOSTLY_DISTINCT = frozenset({"exchange_id", "trace_id"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNCLEAN = rf"{SUSPECT}|[\x00-\x1f\x7f]|^\s|\s$"
_AFTER_PATH = r"(?s)(?:[?#]|%3[Ff]|%23).*"
_USER = r"^(\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]{2,})[^/\\]*@|^()[^/\\:]*:[^/\\]*@"
_KEPT_CHARS = 64
_HASH_HEX = 32


def clean(columns: Mapping[str, pa.Array], *, rows: int, source: str, max_id_chars: int, mask_text: bool) -> pa.RecordBatch:
    """A batch of exactly the exchanges schema from converted columns of accepted rows; missing columns are null.

    Args:
        rows: length of every column.
        source: what stands in `source` where the column is missing or null.
        max_id_chars: longer ids and labels keep their start and a hash of the whole.
        mask_text: whether secrets are masked in the four text columns too.
    """
    made = {name: readable(array) for name, array in columns.items()}
    if "endpoint" in made:
        made["endpoint"] = _bare_addresses(made["endpoint"])
    made |= clean_labels({name: made[name] for name in _NARROW if name in made}, max_id_chars)
    if "key_id" in made:
        made["key_id"] = _hash_keys(_blank_to_null(made["key_id"]))
    if mask_text:
        for name in TEXT_COLUMNS:
            if name in made and made[name].null_count < rows:
                made[name] = mask_array(made[name])
    made["source"] = pc.fill_null(made["source"], source) if "source" in made else pa.array([source] * rows, pa.string())
    made["text_state"] = _text_state(made, rows)
    return pa.RecordBatch.from_arrays([made[f.name] if f.name in made else pa.nulls(rows, f.type) for f in SCHEMA], schema=SCHEMA)


def readable(array: pa.Array) -> pa.Array:
    """The same array, with bytes that are not UTF-8 replaced; JSON never holds any, Parquet may."""
    if not pa.types.is_string(array.type):
        return array
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raw = array.cast(pa.binary()).to_pylist()
        return pa.array([None if value is None else value.decode("utf-8", "replace") for value in raw], type=pa.string())
    return array


def _bare_addresses(array: pa.Array) -> pa.Array:
    """Addresses without their query, fragment, user and password, where keys stand."""
    coded = array.dictionary_encode()
    distinct = pc.replace_substring_regex(coded.dictionary, _AFTER_PATH, "")
    return pc.replace_substring_regex(distinct, _USER, r"\1").take(coded.indices)


def _text_state(made: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """What the source says; else full where there is a prompt or a response, absent where there is neither."""
    present = np.zeros(rows, dtype=np.bool_)
    for name in ("prompt_text", "response_text"):
        if name in made:
            present |= pc.is_valid(made[name]).to_numpy(zero_copy_only=False)
    derived = pc.if_else(pa.array(present), "full", "absent")
    return pc.coalesce(made["text_state"], derived) if "text_state" in made else derived


def _blank_to_null(array: pa.Array) -> pa.Array:
    if array.null_count == len(array) or pc.min(pc.binary_length(array)).as_py() > 0:
        return array
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def clean_labels(columns: Mapping[str, pa.Array], max_chars: int) -> dict[str, pa.Array]:
    """Columns of ids or labels without control characters, secrets and surrounding blanks; an empty value becomes null.

    All columns are looked at together: the expression that knows every secret takes longer to build than to run over a batch.
    """
    filled = {name: _blank_to_null(array) for name, array in columns.items() if array.null_count < len(array)}
    coded = {name: array.dictionary_encode() for name, array in filled.items() if name not in _MOSTLY_DISTINCT}
    values = {name: coded[name].dictionary if name in coded else array for name, array in filled.items()}
    if not values:
        return dict(columns)
    cleaned = _clean_values(pa.concat_arrays(values.values()), max_chars)
    made = dict(columns)
    at = 0
    for name, array in values.items():
        distinct = cleaned.slice(at, len(array))
        at += len(array)
        made[name] = _blank_to_null(distinct).take(coded[name].indices) if name in coded else distinct
    return made


def _clean_values(array: pa.Array, max_chars: int) -> pa.Array:
    unclean = pc.or_(pc.match_substring_regex(array, _UNCLEAN), pc.greater(pc.binary_length(array), max_chars))
    if not pc.any(unclean).as_py():
        return array
    cleaned = [_clean_label(value, max_chars) for value in array.filter(unclean).to_pylist()]
    return pc.replace_with_mask(array, pc.fill_null(unclean, fill_value=False), pa.array(cleaned, type=pa.string()))


def _clean_label(value: str, max_chars: int) -> str:
    shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", mask(value).strip())  # a key of several lines is known by its line ends
    if len(shown) <= max_chars:
        return shown
    return f"{shown[:_KEPT_CHARS]}~{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:_HASH_HEX]}"


def _hash_keys(array: pa.Array) -> pa.Array:
    coded = array.dictionary_encode()
    distinct = pa.array([hash_key(value) for value in coded.dictionary.to_pylist()], type=pa.string())
    return distinct.take(coded.indices)
