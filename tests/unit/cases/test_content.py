"""What a case hands over to be sealed: numbered without gaps, recomputable, private text marked, custody whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import update

from stillwatch.app.case_exhibits import Selection, file_exhibit, note_exhibit, rows_exhibit
from stillwatch.cases.closing import Closing, close
from stillwatch.cases.content import content_of
from stillwatch.cases.dispositions import Disposition
from stillwatch.cases.evidence import decimal_text
from stillwatch.cases.joining import merge
from stillwatch.cases.making import added
from stillwatch.cases.refusals import CaseStoreError
from stillwatch.cases.store import Acting, CaseStore
from stillwatch.cases.tables import ExhibitRow
from stillwatch.cases.working import comment, erase_exhibit, look_at
from stillwatch.records.cases import CaseContent, CaseExhibit, ColumnType, ExhibitKind, Identifies, Rule
from stillwatch.records.findings import Report

Act = Callable[..., Acting]
New = Callable[..., int]
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?", re.ASCII)


def digest(key: bytes, exhibits: Sequence[CaseExhibit]) -> str:
    """A keyed hash that tells every change of any exhibit."""
    return hashlib.sha256(key + repr(list(exhibits)).encode("utf-8", "surrogatepass")).hexdigest()


@pytest.fixture
def content(store: CaseStore, new: New, act: Act, result: Path, tmp_path: Path) -> CaseContent:
    """A case of two findings, one of them merged in, with rows, a file and notes; read, closed."""
    (tmp_path / "contract.txt").write_bytes(b"signed")
    number, other = new("group-0000", title="A group"), new("group-0003", by="bob", minutes=1)
    added(store, number, act(minutes=2), rows_exhibit(Selection(folder=result, table="features", entities=("group-0000",)), label=None))
    added(store, number, act(minutes=1), file_exhibit(tmp_path / "contract.txt", label="Contract", private=False))
    added(store, other, act("bob", minutes=3), note_exhibit("they called", label=None, private=True))
    _, last = added(store, other, act("bob", minutes=4), note_exhibit("plain", label=None, private=False))
    comment(store, number, act(minutes=5), "for the house alone")
    merge(store, other, number, act(minutes=6), "one operation")
    look_at(store, number, act("eve", minutes=7), last, "a reason for the house alone")
    closing = Closing(disposition=Disposition.TRUE, reason="admitted", words="they said so", suppress_days=0)
    close(store, number, act("carl", minutes=8), closing)
    return content_of(store, number, digest)


def test_uids_run_without_gaps_and_every_reference_is_there(content: CaseContent) -> None:
    for letter, items in (("C", content.claims), ("N", content.numbers), ("E", content.exhibits)):
        assert [item.uid for item in items] == [f"{letter}{place}" for place in range(1, len(items) + 1)]
    assert [claim.about for claim in content.claims] == ["group-0000", "group-0003"]
    numbers, exhibits = {one.uid for one in content.numbers}, {one.uid for one in content.exhibits}
    for claim in content.claims:
        assert claim.numbers
        assert set(claim.numbers) <= numbers
        assert claim.exhibits
        assert set(claim.exhibits) <= exhibits
    assert {uid for claim in content.claims for uid in claim.numbers} == numbers


def test_numbers_are_decimal_text_and_follow_from_their_rows(content: CaseContent, report: Report) -> None:
    tables = {exhibit.uid: exhibit for exhibit in content.exhibits}
    times = [number for number in content.numbers if number.unit == "UTC"]
    assert all(DECIMAL.fullmatch(number.value) for number in content.numbers if number not in times)
    counts = [number for number in content.numbers if number.rule is Rule.COUNT]
    assert [(number.value, len(tables[number.exhibit or ""].rows)) for number in counts] == [("64", 64), ("7", 7)]
    for number in content.numbers:
        if number.rule is Rule.SUM and not number.by and not number.where:
            table = tables[number.exhibit or ""]
            place = [column.name for column in table.columns].index(number.column or "")
            assert number.value == str(sum(int(row[place] or 0) for row in table.rows))
    # 412,000 exchanges over 64 accounts do not divide: 6,437 each make 411,968, so the claim is stated and not said to be a sum
    exchanges = [(number.value, number.rule) for number in content.numbers if number.unit == "exchanges"]
    assert exchanges == [("412000", Rule.STATED), ("3100", Rule.STATED)]
    stated = {number.label: number.value for number in content.numbers if number.uid in content.claims[0].numbers}
    finding = report.findings[0]
    assert stated["q-value among all entities of the scan"] == "0.0004"
    assert stated["p-value of the harvest statistic"] == "0.000002"
    assert finding.q_value == 0.0004


def test_cells_fit_their_columns_and_private_text_is_marked(content: CaseContent) -> None:
    kinds = {ColumnType.INTEGER: int, ColumnType.BOOLEAN: bool}
    for exhibit in content.exhibits:
        names = [column.name for column in exhibit.columns]
        assert len(set(names)) == len(names)
        for row in exhibit.rows:
            assert len(row) == len(names)
            for column, value in zip(exhibit.columns, row, strict=True):
                assert value is None or type(value) is kinds.get(column.type, str)
                assert column.type is not ColumnType.DECIMAL or value is None or DECIMAL.fullmatch(str(value))
    texts = {(exhibit.shows, column.name) for exhibit in content.exhibits for column in exhibit.columns if column.text}
    assert {name for _, name in texts} == {"prompt", "response", "words"}
    everything = {
        str(value): column
        for exhibit in content.exhibits
        for row in exhibit.rows
        for value, column in zip(row, exhibit.columns, strict=True)
    }
    assert [column.text for value, column in everything.items() if "Think step by step" in value or "they called" in value] == [True, True]
    assert [column.identifies for value, column in everything.items() if value.startswith("acct_")] == [Identifies.ACCOUNT] * 71


def test_a_file_goes_with_its_bytes_and_a_finding_by_its_hash(content: CaseContent) -> None:
    files = [exhibit for exhibit in content.exhibits if exhibit.kind is ExhibitKind.FILE]
    assert [(exhibit.title, exhibit.data) for exhibit in files if exhibit.data is not None] == [("Contract", b"signed")]
    assert len(files) == 3
    for exhibit in files:
        assert exhibit.data is None or exhibit.rows[0][2:] == (len(exhibit.data), hashlib.sha256(exhibit.data).hexdigest())


def test_custody_is_a_chain_that_ends_with_what_is_handed_over(content: CaseContent) -> None:
    custody = content.custody
    assert [(event.who, event.action) for event in custody] == [
        ("ann", "collected with a claim"),
        ("bob", "collected with a claim"),
        ("ann", "exhibit added"),
        ("ann", "exhibit added"),
        ("bob", "exhibit added"),
        ("bob", "exhibit added"),
        ("ann", "taken in from another case"),
        ("eve", "looked at"),
        ("carl", "case closed"),
    ]
    assert custody[0].before is None
    assert [event.before for event in custody[1:]] == [event.after for event in custody[:-1]]
    assert custody[-1].after == digest(content.salt_key, content.exhibits)
    assert [event.before != event.after for event in custody] == [True] * 6 + [False] * 3
    assert [event.at for event in custody] == sorted(event.at for event in custody)


def test_what_people_said_within_the_house_stays_there(content: CaseContent) -> None:
    said = json.dumps([repr(content.custody), repr(content.claims), repr(content.ordinary), content.summary])
    assert "for the house alone" not in said
    assert [(one.outcome, one.reason, one.words, one.by) for one in content.dispositions] == [("true", "admitted", "they said so", "carl")]


def test_settings_seeds_versions_inputs_and_limits_are_there(content: CaseContent, report: Report) -> None:
    assert ("source 1 seed", str(report.run.seed)) in [(one.name, one.value) for one in content.seeds]
    assert ("source 1 settings fdr", "0.05") in [(one.name, one.value) for one in content.settings]
    assert ("source 1 versions duckdb", "1.4.0") in [(one.name, one.value) for one in content.versions]
    assert set(report.run.inputs.items()) <= {(one.name, one.sha256) for one in content.inputs}
    assert len(content.limits) > 2
    assert {one.text for one in content.ordinary} == set(report.findings[0].ordinary)
    assert len(content.members) == 71
    assert (Identifies.FINDING, "finding-0") in content.identifiers
    assert len(content.salt_key) == 32


def test_the_same_case_gives_the_same_content_and_an_erased_exhibit_is_left_out(store: CaseStore, new: New, act: Act) -> None:
    number = new("group-0000")
    _, exhibit = added(store, number, act(minutes=1), note_exhibit("gone soon", label=None, private=False))
    before = content_of(store, number, digest)
    assert content_of(store, number, digest) == before
    erase_exhibit(store, number, act(minutes=2), exhibit, ground="data_subject", why="asked for")
    after = content_of(store, number, digest)
    assert after.exhibits == before.exhibits[:-1]
    assert "gone soon" not in repr(after)
    assert [event.action for event in after.custody] == ["collected with a claim", "exhibit added", "content erased"]
    assert after.custody[-1].after == digest(after.salt_key, after.exhibits)
    assert after.salt_key == before.salt_key


def test_an_exhibit_that_was_exchanged_for_another_is_refused(store: CaseStore, new: New, act: Act) -> None:
    number = new("group-0000")
    _, one = added(store, number, act(), note_exhibit("one", label=None, private=False))
    _, other = added(store, number, act(), note_exhibit("other", label=None, private=False))
    with store.writing() as session:
        content_id = session.get_one(ExhibitRow, other).content_id
        session.execute(update(ExhibitRow).where(ExhibitRow.id == one).values(content_id=content_id))
    with pytest.raises(CaseStoreError, match=f"exhibit {one} is not the one that the timeline names"):
        content_of(store, number, digest)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.71, "0.71"),
        (1.0, "1"),
        (0.0, "0"),
        (-0.0000001, "0"),
        (1e-5, "0.00001"),
        (412_000.5, "412000.5"),
        (1e16, None),
        (float("nan"), None),
    ],
)
def test_decimal_text_has_no_exponent(value: float, text: str | None) -> None:
    assert decimal_text(value) == text
