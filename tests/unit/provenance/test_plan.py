"""Plans and files of arrays that are refused, before anything is tested."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stillwatch.app.measure_files import read_measures
from stillwatch.app.plan_files import read_plan
from stillwatch.errors import UnreadableInputError
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.plan import PlanError

from .conftest import Case

TWINS = '[[tests]]\nname = "twins"\nkind = "twins"\nkeys = ["acct-17", "acct-99"]\nsample = 400\nmeasured = "twins.jsonl"\n'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("sample = 400", "sampel = 400"), "unknown field 'sampel'"),
        (('kind = "twins"', 'kind = "twin"'), "one of twins, canaries"),
        (("sample = 400", 'sample = "400"'), "int was expected, got str"),
        (("sample = 400", "sample = true"), "int was expected, got bool"),
        (('keys = ["acct-17", "acct-99"]', 'keys = ["acct-1"]'), "not among"),
        (('keys = ["acct-17", "acct-99"]', "keys = []"), "no test names a key"),
        (("level = 1e-6", "level = 2"), "level is 2"),
        (("level = 1e-6", "level ="), "not TOML"),
        (("level = 1e-6", "level = nan"), "nan or infinite"),
        (("sample = 400", 'sample = 400\nprompts = "p.jsonl"'), "go together"),
    ],
)
def test_a_plan_that_says_something_else_than_it_seems_is_refused(case: Case, change: tuple[str, str], words: str) -> None:
    case.write(TWINS)
    case.plan.write_text(case.plan.read_text("utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(PlanError, match=words):
        read_plan(case.plan)


def test_hostile_files_of_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(MeasureError, match="pickled objects never"):
        read_measures(tmp_path / "pickled.npz")
    (tmp_path / "torn.jsonl").write_text('{"a": 1}\n{"a": ', encoding="utf-8")
    with pytest.raises(MeasureError, match="line 2: not JSON"):
        read_measures(tmp_path / "torn.jsonl")
    (tmp_path / "mixed.jsonl").write_text('{"a": 1}\n{"a": "x"}\n', encoding="utf-8")
    with pytest.raises(MeasureError, match="several kinds"):
        read_measures(tmp_path / "mixed.jsonl")
    (tmp_path / "no.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(MeasureError, match="cannot be read as arrays"):
        read_measures(tmp_path / "no.npz")
    with pytest.raises(UnreadableInputError, match=r"\.parquet"):
        read_measures(tmp_path / "arrays.pkl")


def test_the_three_kinds_of_files_give_the_same_columns(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"pair": ["a", "b"], "suspect_first": [1.5, -2.0], "identical": [True, False]}
    parquet.write_table(pa.table(columns), tmp_path / "m.parquet")
    np.savez(tmp_path / "m.npz", **{name: np.array(values) for name, values in columns.items()})
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for suffix in ("parquet", "npz", "jsonl"):
        read = read_measures(tmp_path / f"m.{suffix}")
        assert {name: values.tolist() for name, values in read.items()} == columns


def test_a_product_of_e_values_needs_a_secret_of_its_own_for_each_test(case: Case) -> None:
    case.write(TWINS + TWINS.replace('name = "twins"', 'name = "again"'), more='combination = "e_product"')
    with pytest.raises(PlanError, match="secret of its own"):
        read_plan(case.plan)
