"""Cases let go of their contents: when their time is over, and for one account; what is held stays and every chain still verifies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.approving import Said
from stillwatch.app.case_keeping import erased_cases, held_in_cases
from stillwatch.app.erasing import ErasureRequest, erase_account
from stillwatch.app.evidence_log import Scope, Who, hold, release, start_log
from stillwatch.app.governance import Keeper, load_policy
from stillwatch.app.log_checking import Trust, check_log
from stillwatch.app.retaining import RetentionRequest, retain
from stillwatch.cases.claims import NewExhibit
from stillwatch.cases.closing import Closing, close
from stillwatch.cases.content import content_of
from stillwatch.cases.dispositions import Disposition
from stillwatch.cases.joining import merge
from stillwatch.cases.making import added
from stillwatch.cases.reading import case_view, timeline
from stillwatch.cases.refusals import CaseStoreError
from stillwatch.cases.store import Acting, CaseStore
from stillwatch.cases.tables import ContentRow
from stillwatch.cli import main
from stillwatch.records.inputs import Ground
from stillwatch.sealing.commitments import evidence_digest

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PEOPLE = 'format = "stillwatch-governance-1"\n[people]\nann = ["analyst"]\nroot = ["admin"]\n[retention]\ncase_text = 30\n'
Act = Callable[..., Acting]
New = Callable[..., int]


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    """An empty log, people, and a clock that stands 40 days after noon."""
    start_log(tmp_path / "ev", "example.com/ev", tmp_path / "log.key", ml_dsa=False, purpose="", now=NOON)
    (tmp_path / "governance.toml").write_text(PEOPLE)
    policy = load_policy(tmp_path / "governance.toml")
    return Keeper.open(policy, tmp_path / "ev", tmp_path / "log.key", lambda: NOON + timedelta(days=40))


def retained(keeper: Keeper, store: CaseStore, *, delete: bool) -> dict[str, Any]:
    request = RetentionRequest(roots=(), pairs=(), vault=None, delete=delete, cases=store)
    return retain(keeper, request, Said(by="root", why="monthly"))


def closed(store: CaseStore, number: int, acting: Acting, words: str = "agreed use") -> None:
    closing = Closing(disposition=Disposition.BENIGN_TRUE, reason="agreed_use", words=words, suppress_days=90.0, overlap=0.8)
    close(store, number, acting, closing)


def note(text: str) -> NewExhibit:
    return NewExhibit(kind="note", label="note", media_type="text/plain; charset=utf-8", content=text.encode(), private=False)


def there(store: CaseStore) -> int:
    with store.reading() as session:
        from sqlalchemy import func, select

        wanted = select(func.count()).select_from(ContentRow).where(ContentRow.sealed.is_not(None))
        return session.scalar(wanted) or 0


def test_what_is_due_goes_with_its_salts_and_the_chain_verifies(store: CaseStore, new: New, act: Act, keeper: Keeper) -> None:
    old, young, open_one = new(), new("group-0001"), new("group-0003")
    added(store, old, act(), note("called them, and they said so"))
    closed(store, old, act(minutes=1))
    closed(store, young, act(minutes=60 * 24 * 20))
    before = there(store)
    dry = retained(keeper, store, delete=False)
    fates = {item["what"]: item["fate"] for item in dry["items"] if item["class"] == "case_text"}
    assert fates == {"case-1": "due", "case-2": "kept", "case-3": "kept"}
    assert there(store) == before
    gone = retained(keeper, store, delete=True)
    assert before - there(store) == gone["case_contents"] == 5  # finding, note, words of the end for case and timeline, salts
    last = timeline(store, old)[-1]
    assert (last.act, last.by, last.detail) == (
        "contents_erased",
        "root",
        {"ground": "retention", "contents": 5, "disposal": gone["recorded_in"]},
    )
    assert last.log_index is not None
    assert [line.words for line in timeline(store, old) if line.act == "closed"] == ["[erased]"]
    assert case_view(store, old).words == "[erased]"
    with pytest.raises(CaseStoreError, match="salts"):
        content_of(store, old, evidence_digest)
    for number in (young, open_one):
        assert content_of(store, number, evidence_digest).exhibits
    assert check_log(keeper.folder, Trust(keys=keeper.keys), contents=True).verified.contents == 1 + 1 + 1
    again = retained(keeper, store, delete=True)
    assert (again["due"], again["case_contents"], len(timeline(store, old))) == (0, 0, last.number)


def test_what_a_hold_keeps_stays_until_it_is_released(store: CaseStore, new: New, act: Act, keeper: Keeper, tmp_path: Path) -> None:
    number = new()
    account = case_view(store, number).claims[0].accounts[0]
    closed(store, number, act(minutes=1))
    before = there(store)
    for scope in (Scope(accounts=(account,)), Scope(classes=("case_text",)), Scope()):
        held = hold(keeper.folder, [], Who(by="counsel", why="docket"), tmp_path / "log.key", until=None, now=NOON, scope=scope)
        found = retained(keeper, store, delete=True)
        assert [item["fate"] for item in found["items"] if item["class"] == "case_text"] == ["held"]
        assert there(store) == before
        release(keeper.folder, held["recorded_in"][0], Who(by="counsel", why="settled"), tmp_path / "log.key", now=NOON)
    hold(keeper.folder, [], Who(by="counsel", why="docket"), tmp_path / "log.key", until=None, now=NOON, scope=Scope(accounts=("nobody",)))
    assert retained(keeper, store, delete=True)["case_contents"] == before


def test_a_content_that_another_case_shows_goes_only_with_that_case(store: CaseStore, new: New, act: Act, keeper: Keeper) -> None:
    one, other = new(), new("group-0001")
    (_, first), (_, second) = (added(store, number, act(), note("the same words")) for number in (one, other))
    closed(store, one, act(minutes=1))
    retained(keeper, store, delete=True)
    assert {view.id: view.note for view in case_view(store, other).exhibits if view.kind == "note"} == {second: "the same words"}
    assert {view.id: view.note for view in case_view(store, one).exhibits if view.kind == "note"} == {first: "the same words"}
    again = retained(keeper, store, delete=True)
    assert (again["due"], again["case_contents"]) == (0, 0)
    closed(store, other, act(minutes=2))
    assert retained(keeper, store, delete=True)["case_contents"] > 0
    assert there(store) == 0


def test_what_was_merged_goes_with_the_case_that_took_it_in(store: CaseStore, new: New, act: Act, keeper: Keeper) -> None:
    into, merged = new(), new("group-0001")
    merge(store, merged, into, act(), "one operation")
    assert retained(keeper, store, delete=True)["case_contents"] == 0
    closed(store, into, act(minutes=1))
    assert retained(keeper, store, delete=True)["case_contents"] > 0
    assert there(store) == 0
    assert timeline(store, into)[-1].act == "contents_erased"


@pytest.mark.slow
def test_an_account_goes_from_closed_cases_and_an_open_one_is_named(store: CaseStore, new: New, act: Act, keeper: Keeper) -> None:
    one, other, apart = new(), new(), new("group-0001")
    account = case_view(store, one).claims[0].accounts[0]
    added(store, one, act(), note(f"we asked {account} twice"))
    added(store, one, act(), note("we asked somebody else"))
    closed(store, one, act(minutes=1), words=f"{account} is ours")
    closed(store, apart, act(minutes=1))
    request = ErasureRequest(account=account, roots=(), pairs=(), vault=None, ground=Ground.DATA_SUBJECT, cases=store)
    done = erase_account(keeper, request, Said(by="root", why="request 41"))
    # the note, the words of the end twice, the membership; the finding is shown in the open case as well
    assert done["files"] == [{"name": "case-1", "class": "case_text", "rows": 4}]
    assert [line for line in done["left"] if line.startswith("case-2: it is open")]
    assert [line for line in done["left"] if "a content that an open case shows" in line]
    view = case_view(store, one)
    assert account not in json.dumps([repr(view), repr(timeline(store, one))])
    assert [exhibit.note for exhibit in view.exhibits if exhibit.kind == "note"] == ["[erased]", "we asked somebody else"]
    assert account in case_view(store, other).claims[0].accounts
    assert timeline(store, apart)[-1].act == "closed"
    closed(store, other, act(minutes=2))
    done = erase_account(keeper, request, Said(by="root", why="request 41"))
    assert [item["name"] for item in done["files"]] == ["case-1", "case-2"]  # the finding goes with the first
    assert len(done["left"]) == 1
    for number in (one, other):
        assert account not in repr(case_view(store, number)) + repr(timeline(store, number))
        assert timeline(store, number)[-1].act == "account_erased"
    check_log(keeper.folder, Trust(keys=keeper.keys), contents=True)
    assert erased_cases(keeper, store, account, by="root", ground=Ground.MISTAKE, disposal=None) == ([], [])


def test_an_account_sees_its_own_rows_of_cases_and_nothing_of_others(store: CaseStore, new: New, act: Act) -> None:
    number = new()
    accounts = case_view(store, number).claims[0].accounts
    table = {"table": "exhibits", "columns": [{"name": "account_id"}, {"name": "prompt"}], "rows": [[accounts[0], "p"], [accounts[1], "q"]]}
    added(store, number, act(), replace(note("x"), kind="rows", content=json.dumps(table).encode(), private=True))
    added(store, number, act(), note(f"{accounts[0]} is suspicious"))
    (held,) = held_in_cases(store, accounts[0])
    assert (held["where"], held["class"]) == ("case-1", "case_text")
    member, text = held["rows"]
    assert (member["state"], member["decided"], text["prompt"]) == ("open", None, "p")
    assert accounts[1] not in repr(held)
    assert "ann" not in repr(held).split("'")
    assert "suspicious" not in repr(held)
    assert list(held_in_cases(store, "nobody")) == []


@contextmanager
def _house(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STILLWATCH_GOVERNANCE", "governance.toml")
    yield


@pytest.mark.slow
def test_the_commands_reach_the_store_that_is_named(
    result: Path, keeper: Keeper, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(sqlite_template, tmp_path / "cases.db")
    (tmp_path / "cases.db").chmod(0o600)
    (tmp_path / "results").mkdir()
    common = ["--log", "ev", "--log-key", "log.key", "--as", "root", "--why", "request 41"]
    with _house(tmp_path, monkeypatch):
        made = ["case", "new", str(result), "--entity", "group-0000", "--title", "x", "--as", "ann", "--cases", "cases.db"]
        assert main(made) == 0
        capsys.readouterr()

        def said(*arguments: str) -> str:
            status = main(["govern", *arguments, *common])
            out = capsys.readouterr()
            assert status == 0, out.err
            return out.out

        assert "No case store was looked through" in " ".join(said("retain", "results").split())
        assert "case-1" in said("retain", "results", "--cases", "cases.db")
        assert "held: 1" in said("access", _member(result), "results", "--cases", "cases.db", "--to", "the customer", "--out", "access")
        assert json.loads(Path("access/access.json").read_text())["held"][0]["where"] == "case-1"
        assert "case-1: it is open" in said("erase", _member(result), "results", "--cases", "cases.db")


def _member(result: Path) -> str:
    import pyarrow.parquet as pq

    return pq.read_table(result / "members.parquet", filters=[("entity_id", "==", "group-0000")])["account_id"].to_pylist()[0]
