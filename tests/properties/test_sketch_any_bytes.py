"""The compiled tokeniser and kernel under any bytes and any batch split: no read past the end, the same rows however they are dealt."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import EXCHANGES, SKETCHED
from stillwatch.sketch.codebook import Codebook, fit_codebook
from stillwatch.sketch.shapes import reasoning_share
from stillwatch.sketch.sketcher import Sketcher
from stillwatch.sketch.tokens import MAX_BYTES, MAX_TOKENS, hash_words, text_buffers, tokenise
from stillwatch.stats.seeds import generator

SCHEMA = arrow_schema(EXCHANGES)
TEXTS = (
    st.none() | st.text(max_size=300) | st.sampled_from(["1. one = 1\n2. two = 2\n", "你好世界" * 30, "<think>a b c</think> d", "a" * 99])
)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, st.none() | st.text("0123456789abcdef", min_size=32, max_size=32)), max_size=24)


@cache
def _sketcher() -> Sketcher:
    """One for the file, fitted when the first property asks for it and not when tests are collected."""
    return Sketcher(_codebook())


def _codebook() -> Codebook:
    texts = [f"river {chr(97 + place % 23) * 5} stone {chr(97 + place % 7) * 6} lamp {chr(97 + place % 11) * 4}" for place in range(300)]
    return fit_codebook(texts, [f"account-{place % 9}" for place in range(300)], generator(3, "codebook"), cells=4)


def _batch(rows: list[Any]) -> pa.RecordBatch:
    values = [
        {
            "exchange_id": f"e{place}",
            "source": "native",
            "started_at": datetime(2026, 1, 1, tzinfo=UTC),
            "account_id": "a",
            "text_state": "full",
            "prompt_text": prompt,
            "system_text": system,
            "response_text": response,
            "reasoning_text": thinking,
            "session_id": session,
        }
        for place, (prompt, system, response, thinking, session) in enumerate(rows)
    ]
    return pa.RecordBatch.from_pylist(values, schema=SCHEMA)


@settings(deadline=None)
@given(st.binary(max_size=600), st.binary(min_size=1, max_size=40))
def test_words_depend_on_no_byte_outside_the_text(inside: bytes, beyond: bytes) -> None:
    found: list[list[int]] = []
    for tail in (beyond, bytes(len(beyond)), b"\xff" * len(beyond)):
        data = np.frombuffer(tail + inside + tail, dtype=np.uint8)
        out = np.zeros(MAX_TOKENS, np.uint64)
        count = tokenise(data, len(tail), len(tail) + len(inside), out)
        found.append(out[:count].tolist())
    assert found[0] == found[1] == found[2]
    assert len(found[0]) <= len(inside)


@settings(deadline=None)
@given(st.binary(max_size=600), st.integers(3, 40))
def test_words_never_pass_the_room_they_are_given(data: bytes, room: int) -> None:
    out = np.zeros(room + 8, np.uint64)
    count = tokenise(np.frombuffer(data or b" ", dtype=np.uint8), 0, len(data), out[:room])
    assert count <= room
    assert not out[room:].any()


@settings(deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=20))
def test_reasoning_share_is_a_share_and_depends_on_no_byte_outside_the_text(inside: bytes, beyond: bytes) -> None:
    shares = [
        reasoning_share(np.frombuffer(b"=" + inside + tail + b" ", dtype=np.uint8), 1, 1 + len(inside))
        for tail in (beyond, bytes(len(beyond)))
    ]
    assert shares[0] == shares[1]
    assert 0 <= shares[0] <= 1


@settings(deadline=None)
@given(st.text())
def test_hash_words_takes_any_text(text: str) -> None:
    clean = text.encode("utf-8", "ignore").decode()
    words = hash_words(clean)
    assert words.dtype == np.uint64
    assert len(words) <= min(MAX_TOKENS, len(clean.encode()))


def test_no_more_than_the_bounds_is_read() -> None:
    assert MAX_TOKENS - 2 <= len(hash_words("a " * 100_000)) <= MAX_TOKENS
    long = "x" * MAX_BYTES
    assert hash_words(long).tolist() == hash_words(long + "y" * 50).tolist()
    assert len(hash_words("字" * 30_000)) <= MAX_TOKENS


@given(st.lists(st.none() | st.text(max_size=30), max_size=20), st.integers(0, 20), st.integers(0, 20), st.booleans())
def test_text_buffers_give_back_every_value_of_slices_of_both_offset_widths(
    values: list[str | None], start: int, length: int, large: bool
) -> None:
    column = pa.array(values, pa.large_string() if large else pa.string()).slice(min(start, len(values)), length)
    offsets, data, valid = text_buffers(column)
    assert len(offsets) == len(column) + 1
    assert valid.tolist() == [value is not None for value in column.to_pylist()]
    for row, value in enumerate(column.to_pylist()):
        if value is not None:
            assert data[offsets[row] : offsets[row + 1]].tobytes().decode() == value


@pytest.mark.slow
@settings(deadline=None)
@given(ROWS, st.lists(st.integers(0, 24), max_size=4))
def test_rows_do_not_depend_on_how_they_are_dealt_into_batches(rows: list[Any], cuts: list[int]) -> None:
    batch = _batch(rows)
    bounds = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    pieces = [_sketcher()(batch.slice(start, stop - start)) for start, stop in pairwise(bounds)] or [_sketcher()(batch)]
    assert pa.Table.from_batches(pieces).combine_chunks().equals(pa.Table.from_batches([_sketcher()(batch)]))


@settings(deadline=None)
@given(ROWS)
def test_every_batch_comes_out_as_the_sketched_table_declares(rows: list[Any]) -> None:
    sketched = _sketcher()(_batch(rows))
    sketched.validate(full=True)
    declared = arrow_schema(SKETCHED)
    assert sketched.schema.names == declared.names
    assert sketched.schema.types == declared.types
    assert sketched.num_rows == len(rows)


@pytest.mark.slow
@settings(deadline=None)
@given(ROWS)
def test_missing_text_gives_nulls_and_not_zeros(rows: list[Any]) -> None:
    sketched = _sketcher()(_batch(rows)).to_pylist()
    for (prompt, system, response, thinking, _), row in zip(rows, sketched, strict=True):
        for name in ("prompt_chars", "prompt_key", "prompt_bucket", "wording", "elicits", "task"):
            assert (row[name] is None) == (prompt is None)
        assert (row["system_key"] is None) == (system is None)
        assert (row["response_chars"] is None) == (response is None)
        answered = response is not None or thinking is not None
        assert (row["reasoning_share"] is None) == (not answered)
        assert (row["subject"] is None) == (row["embedding"] is None) == (prompt is None and not answered)


def test_threads_do_not_disturb_one_another() -> None:
    rows = [(f"question {place} about rivers", None, f"1. step {place} = {place}\n" * (place % 9), None, None) for place in range(4_000)]
    whole = _batch(rows)
    pieces = [whole.slice(start, 250) for start in range(0, 4_000, 250)]
    alone = [_sketcher()(piece) for piece in pieces]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(_sketcher(), pieces))
    assert all(one.equals(other) for one, other in zip(alone, together, strict=True))


def test_session_rules_of_a_large_batch_do_not_depend_on_its_size() -> None:
    rows = [("the same question", None, None, None, f"{place * 2654435761 % 2**64:032x}") for place in range(3_000)]
    whole = _batch(rows)
    halves = pa.Table.from_batches([_sketcher()(whole.slice(0, 700)), _sketcher()(whole.slice(700))])
    assert halves["session_rule"].to_pylist() == _sketcher()(whole).column("session_rule").to_pylist()
