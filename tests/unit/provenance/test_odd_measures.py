"""Measured files that hold what no test takes: every one is refused in words, and none ends in a trace or a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.app.measure_files import read_measures
from stillwatch.errors import StillwatchError
from stillwatch.marks.keys import MarkKey
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.measures import corroboration, result
from stillwatch.provenance.plan import Kind, PlannedTest
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

KEY = MarkKey(bytes(range(32)))
SIZES: dict[Kind, int] = {"twins": 30, "canaries": 12, "radioactivity_open": 24, "radioactivity_closed": 3, "similarity": 20}


def _planned(kind: Kind) -> PlannedTest:
    return PlannedTest(name="t", kind=kind, sample=SIZES[kind], measured=f"{kind}.npz", keys=("k",), random_keys=99)


def _base(kind: Kind) -> dict[str, Any]:
    """Measures that the test takes."""
    draw, size = generator(1, kind), SIZES[kind]
    if kind == "twins":
        scores = {f"{of}_{which}": draw.normal(size=size) for of in ("suspect", "teacher") for which in ("first", "second")}
        return {"pair": [f"r{n}" for n in range(size)], **scores, "missing": [False] * size, "identical": [False] * size}
    if kind == "canaries":
        digests = ["0" * 64] * size
        return {"slot": [f"s{n}" for n in range(size)], "variants": [16] * size, "variants_sha256": digests, "answered": [3] * size}
    if kind == "radioactivity_open":
        laws = {name: draw.dirichlet(np.ones(8), size) for name in ("suspect", "reference_teacher")}
        return {"seeds": np.arange(size, dtype=np.uint64), "counts": [1] * size, "documents": [size], "unusable": [0], **laws}
    if kind == "radioactivity_closed":
        answers = {"document": np.repeat([0, 1, 2], 60), "tokens": draw.integers(0, 500, 180)}
        return answers | {"prompt_document": [0, 1, 2], "prompt_tokens": [1, 2, 3], "documents": [3]}
    return {"model": ["suspect", *(f"c{n}" for n in range(19))], "score": draw.normal(size=size)}


def _tested(kind: Kind, arrays: dict[str, Any]) -> Any:
    test, columns = _planned(kind), {name: np.asarray(values) for name, values in arrays.items()}
    if kind == "similarity":
        return corroboration(test, columns)
    return result(test, columns, KEY, level=1e-6, generator=generator(2, "odd"))


def _odd(values: Any) -> list[Any]:
    """What could stand in the place of a column."""
    given = np.asarray(values)
    size = len(given)
    flat = [
        np.full(size, filler)
        for filler in (
            "text",
            "",
            "\ud800",
            "é" * 2000,
            b"\xff\xfe",
            True,
            1j,
            np.datetime64("2026-11-25"),
            np.nan,
            np.inf,
            -np.inf,
            1e308,
            -1e308,
            5e-324,
            1.5,
            -1,
            0,
            2**62,
            -(2**62),
            np.uint64(2**64 - 1),
            np.int8(-3),
            np.float16(3.5),
            np.longdouble(2.0),
        )
    ]
    shapes = [given[:0], given[:-1], np.concatenate([given, given]), given[0], np.stack([given, given]), given.reshape(*given.shape, 1)]
    return [*flat, *shapes, np.zeros(size, dtype=[("a", "f8")]), np.array("text"), np.zeros(0), np.zeros((0, 3)), np.zeros((size, 2, 2))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(SIZES))
def test_whatever_stands_in_a_column_is_a_result_or_an_error_in_words(kind: Kind) -> None:
    base = _base(kind)
    _tested(kind, base)
    refused = 0
    for name, values in base.items():
        for odd in [*_odd(values), None]:
            arrays = {other: column for other, column in base.items() if other != name} | ({} if odd is None else {name: odd})
            try:
                _tested(kind, arrays)
            except StillwatchError:
                refused += 1
    assert refused > 15 * len(base)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("twins", {"suspect_first": ["x"] * 30}, r"suspect_first of twins\.npz holds text in the shape \[30\], expected was numbers"),
        ("twins", {"suspect_second": np.zeros(29)}, r"suspect_second of twins\.npz has 29 rows, 30 were expected"),
        ("twins", {"missing": [True] * 7}, r"missing of twins\.npz holds true and false in the shape \[7\]"),
        ("twins", {"suspect_first": np.full(30, 1e308)}, r"is not finite, or beyond 1e\+12, in 30 of 30 rows, first in row 1"),
        ("twins", {"pair": np.array([b"\xff"] * 30)}, "holds bytes that are not UTF-8"),
        ("twins", {"pair": [*(f"r{n}" for n in range(29)), ""]}, r"pair in row 30 of twins\.npz is ''; the request's id"),
        ("canaries", {"answered": ["Paris"] * 12}, r"answered of canaries\.npz holds text .* a whole number for each row"),
        ("canaries", {"answered": [*[3] * 11, 16]}, "answered is 16 in row 12 of canaries.npz, its slot has 16 variants"),
        ("canaries", {"variants": [-5] * 12}, r"variants is -5 in row 1 of canaries\.npz, a whole number in \[2, 4096\]"),
        ("radioactivity_open", {"documents": np.zeros(0, np.int64)}, "documents of .* expected was one whole number from 0"),
        ("radioactivity_open", {"documents": ["24"]}, "one whole number from 0"),
        ("radioactivity_open", {"suspect": np.full(24, 0.5), "reference_teacher": np.full(24, 0.5)}, "lacks positions"),
        ("radioactivity_open", {"counts": np.full(24, -1)}, r"counts is -1 in row 1"),
        ("radioactivity_open", {"seeds": np.arange(24)}, "seeds .* of int64, a vector of uint64 was expected"),
        ("radioactivity_open", {"suspect": np.full((24, 7), 0.1)}, r"suspect .* is \[24, 7\], reference_teacher \[24, 8\]"),
        ("radioactivity_closed", {"tokens": np.full(180, 1.5)}, "tokens is 1.5 in row 1"),
        ("radioactivity_closed", {"tokens": np.full(180, -1)}, "tokens is -1 in row 1"),
        ("radioactivity_closed", {"prompt_tokens": [1]}, r"prompt_document of .* has 3 rows, 1 were expected"),
        ("similarity", {"score": ["high"] * 20}, "score of similarity.npz holds text"),
    ],
)
def test_an_odd_column_is_named_with_both_sides(kind: Kind, change: dict[str, Any], words: str) -> None:
    with pytest.raises(MeasureError, match=words):
        _tested(kind, _base(kind) | change)


def test_documents_may_be_one_number_and_request_ids_any_text(tmp_path: Path) -> None:
    plain = _tested("radioactivity_open", _base("radioactivity_open"))
    assert _tested("radioactivity_open", _base("radioactivity_open") | {"documents": np.array(24)}).log10_p == plain.log10_p
    names = [f"anfrage-ü-{n}-東京" for n in range(30)]
    text = _tested("twins", _base("twins") | {"pair": names})
    assert _tested("twins", _base("twins") | {"pair": np.array([name.encode() for name in names])}).log10_p == text.log10_p
    np.savez(tmp_path / "twins.npz", **(_base("twins") | {"pair": names}))
    assert _tested("twins", read_measures(tmp_path / "twins.npz")).log10_p == text.log10_p


def test_differences_that_are_hardly_numbers_are_refused() -> None:
    small = {name: values * 1e-315 if name.endswith(("first", "second")) else values for name, values in _base("twins").items()}
    with pytest.raises(UnusableValuesError, match="too small to be told from zero"):
        _tested("twins", small)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"score": 1}, {"score": "x"}], r"score holds values of several kinds, a whole number \(row 1\) and text \(row 2\)"),
        ([{"score": 1}, {"score": [1]}], r"a list \(row 2\)"),
        ([{"score": [1]}, {"score": [2]}], "score holds a list in row 1"),
        ([{"score": {"a": 1}}], "score holds an object in row 1"),
        ([{"score": 1}, {"score": 10**30}], "score holds a whole number beyond 64 bits in row 2"),
        ([{"document": "d", "tokens": [True]}], "row 1, tokens: a list of token ids was expected"),
        ([{"document": "d", "tokens": 0}], "row 1, tokens: a list of token ids was expected"),
        ([{"document": "d", "tokens": [1.5]}], "row 1, tokens: a list of token ids was expected"),
    ],
)
def test_an_odd_line_is_named(tmp_path: Path, rows: list[dict[str, Any]], words: str) -> None:
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(MeasureError, match=words):
        read_measures(tmp_path / "m.jsonl")


def test_one_number_beyond_doubles_is_one_row(tmp_path: Path) -> None:
    rows = [{"score": 0.5}, {"score": 10**400}, {"score": None}]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    np.testing.assert_array_equal(read_measures(tmp_path / "m.jsonl")["score"], [0.5, np.nan, np.nan])


def test_hostile_archives_are_refused_in_words(tmp_path: Path) -> None:
    import zipfile

    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    packed = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    with zipfile.ZipFile(tmp_path / "vast.npz", "w") as file:
        file.writestr("score.npy", packed)
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as file:
        file.writestr("score.npy", b"\x93NUMPY\x01\x00\x05\x00{(((\n")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1torn")
    for name in ("vast.npz", "odd.npz", "torn.parquet"):
        with pytest.raises(MeasureError, match="cannot be read"):
            read_measures(tmp_path / name)
