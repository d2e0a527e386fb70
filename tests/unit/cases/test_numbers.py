"""Numbers of a claim: by a rule where the case's rows give what was found, and stated with why where they do not."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.app.case_numbers import further_numbers
from stillwatch.cases.evidence import Shown, exhibits_of
from stillwatch.cases.numbers import numbers_of
from stillwatch.cases.tables import ClaimRow
from stillwatch.provenance.combine import e_mean, e_values, holm
from stillwatch.records.cases import CaseExhibit, CaseNumber, Column, ColumnType, Identifies, Rule
from stillwatch.records.findings import EntityKind
from stillwatch.records.verdicts import JudgedResult, Outcome, ProvenanceResult, Reach, Unjudged, Verdict, Words
from stillwatch.report.codec import to_plain
from stillwatch.sealing.exhibits import rows_exhibit
from stillwatch.stats.multiplicity import benjamini_hochberg, split_families

P_VALUES = [0.0002, 0.0004, 0.03, 0.03, 0.4, 0.9]
Q_VALUE = float(split_families({"groups": benjamini_hochberg(P_VALUES), "accounts": []})["groups"][1])


def _rows(uid: str, names: dict[str, ColumnType], *rows: tuple[Any, ...]) -> CaseExhibit:
    columns = [Column(name=name, type=kind) for name, kind in names.items()]
    return rows_exhibit(uid, "x", shows="x", origin="x", columns=columns, rows=rows)


DECIMAL, INTEGER, TEXT, TIME = ColumnType.DECIMAL, ColumnType.INTEGER, ColumnType.TEXT, ColumnType.TIME
MEMBERS = _rows(
    "E1",
    {"account_id": TEXT, "membership": DECIMAL, "exchanges": INTEGER, "first_at": TIME, "last_at": TIME},
    ("a", "1", 30, "2026-06-01T00:00:00.000000Z", "2026-06-04T00:00:00.000000Z"),
    ("b", "0.5", 12, "2026-06-02T00:00:00.500000Z", "2026-06-03T00:00:00.000000Z"),
)
TAKEN = _rows(
    "E2",
    {"model": TEXT, "side": TEXT, "tokens": INTEGER, "price": DECIMAL},
    ("m", "input", 1_000, "0.000003"),
    ("m", "output", 70_000, "0.000015"),
    ("new", "output", 5, None),
)
TESTS = _rows(
    "E3", {"p_value": DECIMAL, "tests": INTEGER}, ("0.0002", 1), ("0.0004", 1), ("0.03", 2), ("0.4", 1), ("0.9", 1)
)  # as P_VALUES
FOUND: dict[str, Any] = {
    "exchanges": 42,
    "first_at": "2026-06-01T00:00:00+00:00",
    "last_at": "2026-06-04T00:00:00+00:00",
    "output_tokens": 70_005,
    "list_price": 1.05,
    "currency": "USD",
    "strength": 12.5,
    "p_value": 0.0004,
    "q_value": Q_VALUE,
    "pooling_p_value": 1e-12,
}


def _numbers(exhibits: list[CaseExhibit], kind: str = "group", **changes: Any) -> dict[str, CaseNumber]:
    claim = cast("ClaimRow", SimpleNamespace(kind=kind, numbers=(FOUND if kind == "group" else {}) | changes))
    return {number.label: number for number in numbers_of(claim, exhibits, "stillwatch scan again", 5)}


def test_what_the_rows_give_is_computed_and_the_rest_is_stated_with_why() -> None:
    found = _numbers([MEMBERS, TAKEN, TESTS])
    assert [number.uid for number in found.values()] == [f"N{place}" for place in range(5, 15)]
    ruled = {label: (number.rule, number.value) for label, number in found.items() if number.rule is not Rule.STATED}
    assert ruled == {
        "accounts": (Rule.COUNT, "2"),
        "exchanges of those accounts": (Rule.SUM, "42"),
        "first exchange seen": (Rule.MIN, "2026-06-01T00:00:00.000000Z"),
        "last exchange seen": (Rule.MAX, "2026-06-04T00:00:00.000000Z"),
        "tokens that were answered": (Rule.SUM, "70005"),
        "price of it by the list": (Rule.SUM, "1.05"),
        "q-value among all entities of the scan": (Rule.Q_VALUE, "0.0024"),
    }
    assert float("0.0024") == pytest.approx(Q_VALUE)
    stated = [number for number in found.values() if number.rule is Rule.STATED]
    assert [number.value for number in stated] == ["12.5", "0.0004", "-12"]
    assert all("which the case does not hold" in number.how and number.how.endswith("stillwatch scan again") for number in stated)


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("exchanges of those accounts", {"exchanges": 43}),
        ("first exchange seen", {"first_at": "2026-05-31T00:00:00+00:00"}),
        ("tokens that were answered", {"output_tokens": 70_006}),
        ("price of it by the list", {"list_price": 1.09}),
        ("q-value among all entities of the scan", {"q_value": Q_VALUE * 2}),
        ("q-value among all entities of the scan", {"p_value": 0.0005}),
    ],
)
def test_what_the_rows_do_not_give_is_not_said_to_follow_from_them(label: str, changes: dict[str, Any]) -> None:
    assert _numbers([MEMBERS, TAKEN, TESTS], **changes)[label].rule is Rule.STATED


def test_a_case_of_an_earlier_version_states_what_it_holds_no_rows_for() -> None:
    found = _numbers([MEMBERS])
    assert found["price of it by the list"].how.startswith("The case holds no tokens by model and price.")
    assert found["q-value among all entities of the scan"].rule is Rule.STATED


def _results(*rows: tuple[str, float]) -> CaseExhibit:
    e_logs = e_values([log10_p for _, log10_p in rows])
    cells = [(name, f"{log10_p}", f"{e:.12f}") for (name, log10_p), e in zip(rows, e_logs, strict=True)]
    return _rows("E1", {"test": TEXT, "log10_p": DECIMAL, "log10_e": DECIMAL}, *cells)


def test_a_verdict_s_correction_and_e_value_are_computed_from_its_results() -> None:
    logs = [-7.25, -0.5, -30.0]
    rows = _results(*zip(("twins", "twins", "canaries"), logs, strict=True))
    results = [{"log10_adjusted": float(value)} for value in holm(logs)]
    combined = e_mean(e_values(logs))
    found = list(_numbers([rows], "verdict", results=results, combination="holm", log10_e=combined).values())
    assert [number.rule for number in found] == [Rule.HOLM, Rule.LOG_MEAN]
    assert [float(number.value) for number in found] == pytest.approx([-30 + math.log10(3), combined], abs=1e-6)


def _judged(name: str, key: str, log10_p: float, adjusted: float, e: float) -> JudgedResult:
    words = Words(null="n", assumption="a", source="s", shows="dependence", does_not_show="who did it")
    reach = Reach(effect="e", log10_level=-2.0, power=0.9, smallest=None, curve=(), exact=True)
    told = {"test": name, "statistic": "difference", "value": 0.25, "method": "exact", "sample": 40, "dropped": ()}
    result = ProvenanceResult(log10_p=log10_p, words=words, reach=reach, **told)
    return JudgedResult(name=name, key=key, result=result, log10_adjusted=adjusted, log10_e=e, reaches=adjusted < -2)


def test_a_whole_verdict_becomes_rows_whose_correction_counts_what_could_not_be_judged() -> None:
    logs = [-7.25, -0.5]
    adjusted, e_logs = holm([*logs, 0.0]).tolist(), e_values([*logs, 0.0]).tolist()
    at = datetime(2026, 6, 1, tzinfo=UTC)
    verdict = Verdict(
        title="t",
        suspect="rival",
        plan_sha256="0" * 64,
        seal_sha256="1" * 64,
        sealed_at=at,
        made_at=at,
        level=0.01,
        combination="holm",
        outcome=Outcome.SHOWN,
        log10_e=e_mean(e_logs),
        points_to=("acct_0001",),
        headline="h",
        sentences=(),
        results=tuple(_judged("twins", f"acct_000{place}", logs[place], adjusted[place], e_logs[place]) for place in range(2)),
        unjudged=(Unjudged(name="canaries", key="acct_0000", lacked="answers", needed=10, got=3),),
        corroborations=(),
        inputs=(),
        version="0",
    )
    row = SimpleNamespace(kind="verdict", private=False, label="verdict", facts={}, id=1, added_by="ann", added_at=at)
    data = json.dumps(to_plain(verdict)).encode()
    shown = Shown(row=cast("Any", row), content=cast("Any", SimpleNamespace(media_type="application/json")), data=data)
    rows, file = exhibits_of(shown)
    assert file.data == data
    assert rows.columns[1].identifies is Identifies.ACCOUNT
    assert [row[5] for row in rows.rows] == ["-7.25", "-0.5", "0"]
    plain = [{"log10_adjusted": value} for value in adjusted[:2]]
    found = list(_numbers([rows, file], "verdict", results=plain, combination="holm", log10_e=verdict.log10_e).values())
    assert [number.rule for number in found] == [Rule.HOLM, Rule.LOG_MEAN]
    assert [float(number.value) for number in found] == pytest.approx([-7.25 + math.log10(3), verdict.log10_e], abs=1e-6)


def test_a_product_over_tests_of_one_key_is_a_sum_and_a_product_of_means_is_stated() -> None:
    for names, rule in ((("twins", "canaries"), Rule.SUM), (("twins", "twins", "canaries"), Rule.STATED)):
        rows = _results(*zip(names, (-7.25, -3.0, -2.0), strict=False))
        total = sum(float(cast("str", row[2])) for row in rows.rows)
        found = _numbers([rows], "verdict", results=[], combination="e_product", log10_e=total)
        assert [number.rule for number in found.values()] == [rule]


def test_what_was_taken_and_all_p_values_are_read_from_the_result_folder(tmp_path: Path) -> None:
    (tmp_path / "exchanges").mkdir()
    columns = {
        "account_id": ["a", "a", "z", "b"],
        "model_served": ["m-1", None, "m-1", None],
        "model_requested": ["m", "m", "m", None],
        "input_tokens": [1, 2, 100, None],
        "output_tokens": [10, 20, 100, 40],
    }
    pq.write_table(pa.table(columns), tmp_path / "exchanges" / "part-0.parquet")
    entities = {"kind": ["group", "group", "group", "account"], "p_value": [0.5, 0.5, 0.1, 0.01], "q_value": [1.0, 1.0, None, 0.02]}
    pq.write_table(pa.table(entities), tmp_path / "entities.parquet")
    members = [SimpleNamespace(account_id=name) for name in ("a", "b")]
    run = SimpleNamespace(prices={"models": {"m": {"input": 3.0, "output": 15.0}, "m-1": {"input": 1.0, "output": 5.0}}})
    found = further_numbers(tmp_path, cast("Any", run), cast("Any", SimpleNamespace(kind=EntityKind.GROUP, members=members)))
    assert [(row["model"], row["side"], row["tokens"], row["price"]) for row in found["taken"]] == [
        *(("m", "input", 2, 3.0), ("m", "output", 20, 15.0), ("m-1", "input", 1, 1.0), ("m-1", "output", 10, 5.0)),
        ("unknown", "output", 40, None),
    ]
    assert found["tests"] == [{"p_value": "0.5", "tests": 2}]
    assert further_numbers(tmp_path / "none", cast("Any", run), cast("Any", SimpleNamespace(kind=EntityKind.GROUP, members=members))) == {}
