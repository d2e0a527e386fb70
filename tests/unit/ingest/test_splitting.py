"""Cutting bytes into records does not depend on where the blocks happen to end."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from stillwatch.ingest.seen import SeenIds
from stillwatch.ingest.splitting import TOO_LONG, TRUNCATED, Raw, split_lines, split_values

RECORDS = [b'{"a":1}', b'{"a":"x\\"}],{[","b":[{},[]]}', b'"te,xt"', b"[1,[2]]", b"12", b"null", '{"ü":"\\\\"}'.encode()]


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("level", [0, 1])
def test_values_are_found_wherever_blocks_end(size: int, level: int) -> None:
    data = b" [ " + b" ,\n ".join(RECORDS) + b"\n]\n" if level else b" \n".join(RECORDS)
    found = list(split_values(blocks(data, size), 1000, level=level))
    assert [raw.data for raw in found] == RECORDS
    assert [raw.number for raw in found] == list(range(1, len(RECORDS) + 1))
    assert all(data[raw.offset :].startswith(raw.data) for raw in found)


def test_arrays_one_after_the_other_are_read_through() -> None:
    assert [raw.data for raw in split_values(blocks(b"[1,2]\n[3]\n[]", 4), 100, level=1)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_lines_are_found_wherever_blocks_end(size: int) -> None:
    data = b"\xef\xbb\xbf" + b"\r\n\n  \n".join(RECORDS)
    found = list(split_lines(blocks(data, size), 1000))
    assert [raw.data for raw in found] == RECORDS
    assert [raw.number for raw in found] == [1 + 3 * place for place in range(len(RECORDS))]
    assert all(data[raw.offset :].startswith(raw.data) for raw in found)


@pytest.mark.parametrize("size", [100, 5_000, 100_000])
def test_an_overlong_record_is_one_problem_and_the_next_ones_are_sound(size: int) -> None:
    long = orjson.dumps({"a": "x" * 50_000})
    for data, found in (
        (b"1\n" + long + b"\n2\n3", lambda data: list(split_lines(blocks(data, size), 10_000))),
        (b"[1," + long + b",2,3]", lambda data: list(split_values(blocks(data, size), 10_000, level=1))),
    ):
        first, problem, *rest = found(data)
        assert (first.data, [raw.data for raw in rest]) == (b"1", [b"2", b"3"])
        assert (problem.problem, problem.size, problem.offset) == (TOO_LONG, len(long), data.index(long))
        assert all(data[raw.offset :].startswith(raw.data) for raw in rest)


def test_a_value_that_never_ends_is_one_problem() -> None:
    found = list(split_values(iter([b'[{"a":1},{"a":"x']), 100, level=1))
    assert [raw.problem for raw in found] == ["", TRUNCATED]
    assert found[1] == Raw(2, 9, b'{"a":"x', TRUNCATED, 7)


def test_a_set_of_ids_knows_each_once_however_it_grows() -> None:
    import numpy as np
    import pyarrow as pa

    seen = SeenIds()
    for start in range(0, 300_000, 50_000):
        ids = pa.array([f"id-{number}" for number in range(start - 1_000, start + 50_000)])
        repeated = seen.add(ids, np.ones(len(ids), dtype=np.bool_))
        assert repeated.sum() == (1_000 if start else 0)
    assert len(seen) == 301_000


def test_a_set_of_ids_takes_slices_and_leaves_out_what_it_is_told_to() -> None:
    import numpy as np
    import pyarrow as pa

    seen = SeenIds()
    ids = pa.array(["a", None, "b", "b", "", "c"]).slice(1)
    assert seen.add(ids, np.array([False, True, True, True, True])).tolist() == [False, False, True, False, False]
    assert seen.add(pa.array(["a", "b", "c", ""]), np.ones(4, dtype=np.bool_)).tolist() == [False, True, True, True]
