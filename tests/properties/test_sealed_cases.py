"""Whatever rows a case holds: both verifiers verify it and compute the same numbers, and what is withheld is not in the file."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.ledger.canonical import canonical_json
from stillwatch.records.cases import CaseNumber, Column, ColumnType, Condition, Identifies, Rule
from stillwatch.sealing.exhibits import rows_exhibit
from stillwatch.sealing.numbers import rounded
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.verification.verifying import verify_case

ROOT = Path(__file__).parents[2]


def _module(path: Path, name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


MAKING = _module(ROOT / "tests" / "golden" / "making.py", "golden_making")
ALONE = _module(ROOT / "verify_case.py", "verify_case_alone")
COLUMNS = (
    Column(name="account_id", identifies=Identifies.ACCOUNT),
    Column(name="words"),
    Column(name="tokens", type=ColumnType.INTEGER),
    Column(name="price", type=ColumnType.DECIMAL),
    Column(name="carries", type=ColumnType.BOOLEAN),
)
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
DECIMALS = st.decimals(min_value=-(10**6), max_value=10**6, allow_nan=False, places=4).map(
    lambda value: f"{value:.4f}".replace("-0.0000", "0.0000")
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["acct-aaaa", "acct-bbbb", "acct-cccc", None]),
        st.none() | WORDS,
        st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
        st.none() | DECIMALS,
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def _numbers(rows: list[tuple[Any, ...]]) -> tuple[CaseNumber, ...]:
    """What the rules give, computed here in a third way."""
    priced = [Fraction(row[3]) for row in rows if row[3] is not None]
    given: list[tuple[Rule, Fraction, str | None, tuple[Condition, ...]]] = [
        (Rule.COUNT, Fraction(len(rows)), None, ()),
        (Rule.DISTINCT, Fraction(len({row[0] for row in rows} - {None})), "account_id", ()),
        (Rule.SUM, sum((Fraction(row[2]) for row in rows if row[2] is not None), Fraction(0)), "tokens", ()),
        (Rule.SHARE, Fraction(sum(row[4] is True for row in rows), len(rows)), None, (Condition(column="carries", equals=True),)),
        (Rule.COUNT, Fraction(sum(row[0] == "acct-aaaa" for row in rows)), None, (Condition(column="account_id", equals="acct-aaaa"),)),
    ]
    given += [(Rule.MIN, min(priced), "price", ()), (Rule.MAX, max(priced), "price", ())] if priced else []
    return tuple(
        CaseNumber(
            uid=f"N{place}",
            label="x",
            value=rounded(value, "0.0000" if rule in (Rule.SHARE, Rule.MIN, Rule.MAX) else "0"),
            unit="x",
            rule=rule,
            how="x",
            exhibit="E1",
            column=column,
            where=where,
        )
        for place, (rule, value, column, where) in enumerate(given, 1)
    )


def _case(rows: list[tuple[Any, ...]]) -> Any:
    exhibit = rows_exhibit("E1", "x", shows="x", origin="x", columns=COLUMNS, rows=rows)
    sample = MAKING.content()
    claim = replace(sample.claims[0], numbers=("N1",), exhibits=("E1",))
    return MAKING.content(exhibits=(exhibit,), numbers=_numbers(rows), claims=(claim,))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, recipient=st.sampled_from([None, "acme-labs", "the court"]))
def test_any_rows_are_sealed_verified_and_computed_alike_by_both(rows: list[tuple[Any, ...]], recipient: str | None) -> None:
    data = MAKING.seal_sample(_case(rows), recipient=recipient, withholding=Withholding())[0]
    ours, theirs = verify_case(data, []), ALONE.verify(data, [])
    assert ours.failure is None, ours.failure
    assert theirs["failed"] is None
    assert ours.numbers == theirs["numbers"] == dict.fromkeys(ours.numbers, "recomputed")


@pytest.mark.slow
@settings(deadline=None)
@given(rows=ROWS, hidden=st.sets(st.sampled_from([column.name for column in COLUMNS]), min_size=1))
def test_what_is_withheld_is_not_in_the_file_and_no_other_row_could_stand_for_it(rows: list[tuple[Any, ...]], hidden: set[str]) -> None:
    marked = [(row[0], f"word-{place}-{row[1]}", *row[2:]) for place, row in enumerate(rows)]
    held = Withholding(columns=frozenset(f"E1.{name}" for name in hidden))
    data = MAKING.seal_sample(_case(marked), recipient="acme-labs", withholding=held)[0]
    ours = verify_case(data, [])
    assert ours.failure is None
    assert ours.numbers == ALONE.verify(data, [])["numbers"]
    if "words" in hidden:
        assert b"word-0-" not in data
    other = MAKING.seal_sample(_case([(*marked[0][:2], 7 if marked[0][2] != 7 else 8, *marked[0][3:]), *marked[1:]]), withholding=held)[0]
    roots = [json.loads(_payload(found))["predicate"]["exhibits"][0]["root"] for found in (data, other)]
    assert roots[0] != roots[1]


def _payload(data: bytes) -> bytes:
    import base64

    from stillwatch.sealing.container import unpack

    return base64.b64decode(json.loads(unpack(data)["case.json"])["payload"])


@given(value=st.fractions(max_denominator=10**6), places=st.integers(0, 9))
def test_rounding_is_to_the_nearest_half_to_even_at_any_size(value: Fraction, places: int) -> None:
    text = rounded(value, "0." + "0" * places if places else "0")
    assert abs(Fraction(text) - value) <= Fraction(1, 2 * 10**places)
    assert len(text.partition(".")[2]) == places
    if abs(Fraction(text) - value) == Fraction(1, 2 * 10**places):
        assert int(text.replace(".", "").replace("-", "") or 0) % 2 == 0


@settings(max_examples=60)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=("Cs",))),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh_", min_size=1, max_size=6), inner, max_size=4),
        max_leaves=12,
    )
)
def test_both_verifiers_write_the_same_canonical_json(value: Any) -> None:
    assert ALONE.canonical(value) == canonical_json(value)
    assert ALONE.read_json(canonical_json(value), "x") == value


@pytest.mark.slow
def test_some_seconds_of_fuzzing_find_nothing() -> None:
    fuzz = _module(ROOT / "tests" / "fuzz" / "fuzz.py", "case_fuzz")
    fuzzer = fuzz.Fuzzer(20261128)
    for _ in range(400):
        fuzzer.one()
    assert sum(fuzzer.counts.values()) == 400
    assert len(fuzzer.seen) >= 8
