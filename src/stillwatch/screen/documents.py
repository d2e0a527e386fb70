"""Documents as the kernels take them: text in Arrow, token ids as one vector; rows that cannot be documents are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.screen.settings import ScreenSettings

Integers: TypeAlias = npt.NDArray[np.int64]
Refuse: TypeAlias = Callable[..., None]

LONGEST_ID = 512
_LARGEST_TOKEN = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBatch:
    """Rows as a reader found them: `tokens` is a list column, or a Python list for each row that has one."""

    numbers: Sequence[int]
    ids: pa.Array
    texts: pa.Array
    tokens: pa.Array | list[list[Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Documents of a batch.

    Attributes:
        numbers: [n] 1-based row of each in its file.
        ids: [n] ids of at most LONGEST_ID characters, or null.
        texts: [n] large strings, UTF-8, or null.
        tokens: token ids of all documents, one after the other.
        offsets: [n + 1] where each document's begin.
    """

    numbers: Integers
    ids: pa.Array
    texts: pa.Array
    tokens: npt.NDArray[np.uint32]
    offsets: Integers

    def __len__(self) -> int:
        return len(self.numbers)


def checked(batch: RowBatch, settings: ScreenSettings, refuse: Refuse) -> Documents:
    """The batch without the rows that hold neither text nor token ids, or such as are none; those are refused by number."""
    numbers = np.asarray(batch.numbers, np.int64)
    texts, broken = _sound_texts(batch.texts)
    lists, bad = _token_lists(batch.tokens, len(numbers))
    offsets = lists.offsets.to_numpy()
    values = lists.values.to_numpy(zero_copy_only=False)
    sizes = np.diff(offsets)
    lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    reasons = [
        ("invalid_utf8", "expected UTF-8 text, got other bytes", broken),
        ("bad_token_ids", f"expected whole numbers from 0 to {_LARGEST_TOKEN}, got something else", bad),
        ("record_too_long", f"expected at most {settings.max_record_bytes} bytes of text", lengths > settings.max_record_bytes),
        ("no_text", "expected a text or token ids, got neither", (lengths == 0) & (sizes == 0)),
    ]
    refused = np.zeros(len(numbers), np.bool_)
    for reason, detail, where in reasons:
        for row in np.flatnonzero(where & ~refused).tolist():
            refuse(int(numbers[row]), reason, detail)
        refused |= where
    kept = ~refused
    mask = pa.array(kept)
    return Documents(
        numbers=numbers[kept],
        ids=pc.utf8_slice_codeunits(batch.ids.filter(mask), 0, LONGEST_ID),
        texts=texts.filter(mask),
        tokens=values[np.repeat(kept, sizes)].astype(np.uint32),
        offsets=np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int64),
    )


def _sound_texts(texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """The texts with null for those that are no UTF-8, and which those are."""
    broken = np.zeros(len(texts), np.bool_)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raw = texts.cast(pa.large_binary())
        held = [value.as_buffer() for value in raw]
        sound = [None if value is None or not _is_utf8(value.to_pybytes()) else value.to_pybytes().decode() for value in held]
        broken = np.array([text is None and value is not None for text, value in zip(sound, held, strict=True)])
        texts = pa.array(sound, pa.large_string())
    return texts, broken


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _token_lists(tokens: pa.Array | list[list[Any] | None], rows: int) -> tuple[pa.LargeListArray, npt.NDArray[np.bool_]]:
    """A list column without nulls, empty where there is none or it is bad, and which rows are bad."""
    if isinstance(tokens, list):
        held = [one if one is None or _all_ids(one) else None for one in tokens]
        bad = np.array([mine is not None and one is None for mine, one in zip(tokens, held, strict=True)], np.bool_)
        return pa.array([one or [] for one in held], pa.large_list(pa.int64())), bad
    sizes = pc.fill_null(pc.list_value_length(tokens), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = pc.list_flatten(tokens)
    owners = np.repeat(np.arange(rows), sizes)
    values = pc.fill_null(flat, -1).to_numpy(zero_copy_only=False) if pa.types.is_integer(flat.type) else np.full(len(flat), -1)
    wrong = (values < 0) | (values > _LARGEST_TOKEN)
    bad = np.bincount(owners[wrong], minlength=rows).astype(np.bool_)
    kept = ~bad[owners]
    offsets = np.concatenate([[0], np.cumsum(np.where(bad, 0, sizes))])
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(values[kept].astype(np.int64))), bad


def _all_ids(values: list[Any]) -> bool:
    return all(type(value) is int and 0 <= value <= _LARGEST_TOKEN for value in values)
