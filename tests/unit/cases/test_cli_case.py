"""`stillwatch case` as people use it: hostile text is shown and never obeyed, private text is masked, acts reach the log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.casework import desk
from stillwatch.app.recording import Recorder
from stillwatch.app.suppressing import read_suppressions
from stillwatch.cases.reading import timeline
from stillwatch.cases.working import comment
from stillwatch.cli import main
from stillwatch.govern.vault import VaultKey, key_text
from stillwatch.records.findings import Report

Run = Callable[..., Any]

pytestmark = pytest.mark.slow  # each runs whole commands

NASTY_TITLE = "[bold red]markup[/] \x1b[31mred\x1b]8;;https://evil.example\x07 safe\u202egpj.exe"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.db"
    assert main(["case", "init", "--cases", str(path)]) == 0
    return path


@pytest.fixture
def command(cases: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the store: command("list") gives its output, as_json=True its JSON, status=2 its error."""
    capsys.readouterr()

    def ran(*arguments: str, by: str | None = "ann", status: int = 0, as_json: bool = False, log: Sequence[str] = ()) -> Any:
        reads = arguments[0] in ("list", "show", "timeline", "related", "measure")
        given = ["case", *arguments, "--cases", str(cases), *log, *(() if reads or by is None else ("--as", by))]
        found = main([*given, *(["--json"] if as_json else [])])
        said = capsys.readouterr()
        assert found == status, said.err
        assert "Traceback" not in said.err
        return json.loads(said.out) if as_json else (said.err if status else said.out)

    return ran


@pytest.fixture
def log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    folder, key = tmp_path / "evidence", tmp_path / "log.key"
    assert main(["log", "init", str(folder), "--origin", "example.com/cases", "--key", str(key)]) == 0
    capsys.readouterr()
    return ["--log", str(folder), "--log-key", str(key)]


def new(command: Run, result: Path, entity: str = "group-0000", title: str = "A group", **more: Any) -> str:
    made = command("new", str(result), "--entity", entity, "--title", title, as_json=True, **more)
    return str(made["case"])


def test_a_case_goes_from_a_finding_to_a_disposition(command: Run, result: Path, tmp_path: Path) -> None:
    assert new(command, result, title="Many accounts") == "case-1"
    (tmp_path / "contract.txt").write_text("signed in May", "utf-8")
    command("add", "case-1", "--rows", "members", "--from", str(result), "--entity", "group-0000")
    command("add", "1", "--file", str(tmp_path / "contract.txt"), "--private", "--label", "Contract")
    command("add", "1", "--note", "Called them")
    command("claim", "1", str(result), "--entity", "group-0003")
    command("assign", "1", "bob")
    command("assign", "1", "carl", "--task", "2")
    command("due", "1", "--due", "2026-12-31")
    command("task", "1", "Ask counsel", "--due-days", "3")
    command("done", "1", "1", "--why", "read")
    shown = command("show", "1", as_json=True)
    assert (shown["summary"]["assignee"], shown["summary"]["claims"], shown["summary"]["members"]) == ("bob", 2, 71)
    assert [exhibit["kind"] for exhibit in shown["exhibits"]] == ["finding", "rows", "file", "note", "finding"]
    assert [(task["title"], task["assignee"]) for task in shown["tasks"] if task["done_at"]] == [
        ("Read the finding and its ordinary explanations", None)
    ]
    command("close", "1", "--disposition", "benign-true", "--reason", "agreed-use", "--why", "contract of May", "--suppress-days", "30")
    assert "case-1" in command("list", "--status", "closed")
    assert "case-1" not in command("list")
    command("suppressions", "--out", str(tmp_path / "held.json"))
    held = read_suppressions(tmp_path / "held.json").suppressions
    assert [(one.entity_id, one.disposition, one.reason, len(one.members)) for one in held] == [
        ("group-0000", "benign_true", "agreed_use", 64),
        ("group-0003", "benign_true", "agreed_use", 7),
    ]
    command("labels", "--out", str(tmp_path / "labels.jsonl"))
    assert len((tmp_path / "labels.jsonl").read_text("utf-8").splitlines()) == 2
    assert "needs at least 10 samples, got 2" in command("measure", str(result), status=1)
    exported = command("timeline", "1", as_json=True)[-2:]
    assert [(line["act"], line["by"], line["detail"]["what"]) for line in exported] == [
        ("decision_exported", "ann", "suppressions"),
        ("decision_exported", "ann", "labels"),
    ]
    digest = hashlib.sha256((tmp_path / "labels.jsonl").read_bytes()).hexdigest()
    assert exported[1]["detail"]["sha256"] == digest
    command("reopen", "1", "--why", "new facts")
    acts = [line["act"] for line in command("timeline", "1", as_json=True)]
    assert acts[0] == "created"
    assert acts[-4:] == ["closed", "decision_exported", "decision_exported", "reopened"]


@pytest.mark.parametrize("table", ["members", "links", "features", "quarantine"])
def test_rows_of_every_table_are_kept_as_they_are_with_where_they_come_from(command: Run, result: Path, tmp_path: Path, table: str) -> None:
    from stillwatch.app.state import file_sha256

    new(command, result)
    chosen = [] if table == "quarantine" else ["--entity", "group-0000"]
    made = command("add", "1", "--rows", table, "--from", str(result), *chosen, as_json=True)
    command("read", "1", str(made["exhibit"]), "--why", "test", "--out", str(tmp_path / "rows.json"))
    assert (tmp_path / "rows.json").stat().st_mode & 0o777 == 0o600
    held = json.loads((tmp_path / "rows.json").read_text("utf-8"))
    exhibit = command("show", "1", as_json=True)["exhibits"][-1]
    assert exhibit["rows"] == len(held["rows"]) == {"members": 64, "features": 64, "quarantine": 1}.get(table, len(held["rows"])) > 0
    name = "quarantine.jsonl" if table == "quarantine" else f"{table}.parquet"
    assert exhibit["facts"]["sha256"] == file_sha256(result / name)
    names = [column["name"] for column in held["columns"]]
    if table == "members":
        assert held["rows"][0][names.index("first_at")].endswith("Z")
        assert {row[names.index("entity_id")] for row in held["rows"]} == {"group-0000"}


def test_hostile_text_is_shown_and_never_obeyed(
    command: Run, nasty: Report, result_of: Callable[[Report], Path], nasty_texts: tuple[str, ...]
) -> None:
    findings = tuple(finding for finding in nasty.findings if "\ud800" not in finding.uid)  # no table holds half a character
    folder = result_of(replace(nasty, findings=findings))
    for place, finding in enumerate(findings):
        if "\x00" not in finding.uid:  # no command line holds it
            new(command, folder, finding.uid, title=f"{place} {NASTY_TITLE}"[:200])
    first = next(line for line in command("list").splitlines() if line.strip().startswith("case-1"))
    assert first
    for arguments in (("list",), ("show", "1"), ("timeline", "1"), ("show", "3"), ("related", "1")):
        text = command(*arguments)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "://" not in text
    assert "[bold red]" in "".join(command("show", "1").split("\n"))


def test_private_contents_are_masked_in_listings_and_read_with_a_reason(command: Run, result: Path, tmp_path: Path) -> None:
    secret = "the customer's own words \x1b[31m"
    (tmp_path / "note.txt").write_text(secret, "utf-8")
    new(command, result)
    made = command("add", "1", "--file", str(tmp_path / "note.txt"), "--private", as_json=True)["exhibit"]
    command("add", "1", "--note", "mine alone", "--private")
    for text in (
        command("show", "1"),
        command("timeline", "1"),
        json.dumps(command("show", "1", as_json=True)),
        json.dumps(command("timeline", "1", as_json=True)),
    ):
        assert "own words" not in text
        assert "mine alone" not in text
        assert "Think step by step" not in text
    assert "[private]" in command("show", "1")
    shown = command("read", "1", str(made), "--why", "the customer asked")
    assert "the customer's own words [U+001B][31m" in shown
    last = command("timeline", "1", as_json=True)[-1]
    assert (last["act"], last["words"], last["by"]) == ("exhibit_read", "the customer asked", "ann")


def test_contents_are_encrypted_where_there_is_a_key_and_open_with_it_alone(
    command: Run, result: Path, cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLWATCH_VAULT_KEY", key_text(VaultKey(bytes(range(32)))))
    new(command, result, title="Sealed in the store")
    made = command("add", "1", "--note", "the customer's very words", "--private", as_json=True)["exhibit"]
    assert b"very words" not in cases.read_bytes()
    assert "very words" in command("read", "1", str(made), "--why", "to see")
    monkeypatch.setenv("STILLWATCH_VAULT_KEY", key_text(VaultKey(bytes(range(1, 33)))))
    assert "give the file of that key" in command("read", "1", str(made), "--why", "to see", status=1)
    monkeypatch.delenv("STILLWATCH_VAULT_KEY")
    assert "give the key that they need" in command("read", "1", str(made), "--why", "to see", status=1)


def test_text_is_opened_only_by_whom_the_governance_file_lets(
    command: Run, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(command, result, title="Governed")
    made = command("add", "1", "--note", "private words", "--private", as_json=True)["exhibit"]
    policy = 'format = "stillwatch-governance-1"\n[people]\n"ann" = ["viewer"]\n"bob" = ["analyst"]\n'
    (tmp_path / "governance.toml").write_text(policy)
    monkeypatch.setenv("STILLWATCH_GOVERNANCE", str(tmp_path / "governance.toml"))
    acts = len(command("timeline", "1", as_json=True))
    assert "ann (viewer) may not open text" in command("read", "1", str(made), "--why", "to see", status=1)
    assert len(command("timeline", "1", as_json=True)) == acts
    assert "private words" in command("read", "1", str(made), "--why", "to see", by="bob")


def test_every_act_is_a_record_of_the_log_with_its_hash(command: Run, result: Path, log: list[str]) -> None:
    new(command, result, log=log)
    command("comment", "1", "said in the house", log=log)
    command("comment", "1", "not in the log")
    command("close", "1", "--disposition", "true", "--reason", "admitted", "--why", "they said so", log=log)
    acts = command("timeline", "1", as_json=True)
    assert [line["log_index"] is None for line in acts].count(True) == 1
    assert acts[-2]["log_index"] is None
    from stillwatch.ledger.reading import LogReader

    assert main(["log", "verify", log[1], "--json"]) == 0
    from stillwatch.app.evidence_log import listed

    kinds = [row["kind"] for row in listed(Path(log[1]), (), kinds=["case_act"], start=0, limit=100)]
    assert len(kinds) == len(acts) - 1
    assert LogReader is not None


def test_what_cases_decided_is_handed_out_by_somebody_and_on_record(command: Run, result: Path, log: list[str], tmp_path: Path) -> None:
    new(command, result)
    command("close", "1", "--disposition", "false", "--reason", "chance", "--why", "nothing ties them")
    for what, name in (("suppressions", "held.json"), ("labels", "labels.parquet")):
        out = ("--out", str(tmp_path / name))
        assert "name yourself with --as" in command(what, *out, by=None, status=2)
        assert "is no folder" in command(what, "--out", str(tmp_path / "nowhere" / name), log=log, status=2)
        assert not (tmp_path / name).exists()
        command(what, *out, log=log)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
    assert main(["log", "verify", log[1], "--json"]) == 0
    from stillwatch.app.evidence_log import listed

    kinds = [row["kind"] for row in listed(Path(log[1]), (), kinds=[], start=1, limit=100)]
    assert kinds == ["export", "case_act", "export", "case_act"]


def test_an_act_that_an_interrupt_kept_from_the_log_is_taken_in_by_the_next_command(
    command: Run, result: Path, log: list[str], cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(command, result, log=log)
    recorder = Recorder.open(Path(log[1]), Path(log[3]), lambda: datetime(2026, 11, 2, tzinfo=UTC))
    with desk(str(cases), clock=lambda: datetime(2026, 11, 2, tzinfo=UTC), recorder=recorder) as opened:
        # as if the process ended between the store and the log
        comment(opened.store, 1, opened.acting("bob"), "kept")
        assert timeline(opened.store, 1)[-1].log_index is None
        assert opened.settle() == 1
        assert opened.settle() == 0
        acts = timeline(opened.store, 1)
    assert [line.log_index for line in acts] == list(range(1, len(acts) + 1))


def test_a_log_that_does_not_take_the_key_keeps_the_act_from_being_done(command: Run, result: Path, log: list[str], tmp_path: Path) -> None:
    new(command, result)
    assert main(["log", "init", str(tmp_path / "other"), "--origin", "example.com/other", "--key", str(tmp_path / "other.key")]) == 0
    said = command("comment", "1", "x", log=[*log[:3], str(tmp_path / "other.key")], status=1)
    assert "is not the one in use" in said
    assert command("timeline", "1", as_json=True)[-1]["act"] != "commented"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["comment", "1", "x"], 2, "name yourself with --as"),
        (["list", "--status", "asleep"], 2, "no state of a case"),
        (["show", "99"], 2, "there is no case-99"),
        (["show", "x"], 2, "names no case"),
        (["close", "1", "--disposition", "guilty", "--reason", "x", "--why", "x"], 2, "a disposition is one of"),
        (["close", "1", "--disposition", "true", "--reason", "chance", "--why", "x"], 2, "no reason for true"),
        (["add", "1", "--as", "ann"], 2, "give one of"),
        (["add", "1", "--rows", "members", "--as", "ann"], 2, "--from"),
        (["add", "1", "--rows", "secrets", "--from", "RESULT", "--as", "ann"], 2, "--rows is 'secrets'"),
        (["add", "1", "--rows", "members", "--from", "RESULT", "--account", "nobody", "--as", "ann"], 2, "0 such rows"),
        (["add", "1", "--file", "nowhere.pdf", "--as", "ann"], 1, "nowhere.pdf is no file"),
        (["new", "RESULT", "--title", "x"], 2, "say with --entity"),
        (["new", "--entity", "a", "--title", "x"], 2, "name its result folder"),
        (["new", "--title", "x"], 2, "begins with a claim"),
        (["new", "RESULT", "--entity", "nobody", "--title", "x"], 2, "is about 'nobody'"),
        (["new", "--verdict", "nowhere", "--title", "x"], 1, "cannot be read"),
        (["due", "1", "--as", "ann"], 2, "--due DAY or --never"),
        (["merge", "1", "--into", "1", "--why", "x", "--as", "ann"], 2, "name two cases"),
        (["read", "1", "99", "--why", "x", "--as", "ann"], 2, "has no exhibit 99"),
        (["comment", "1", "x", "--as", "ann", "--log-key", "k"], 2, "--log-key says nothing"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_kept(
    command: Run, result: Path, arguments: list[str], status: int, said: str
) -> None:
    new(command, result)
    before = command("timeline", "1", as_json=True)
    given = [str(result) if argument == "RESULT" else argument for argument in arguments]
    told = command(*given, by=None, status=status)
    assert said in told
    assert len(told.strip().splitlines()) == 1
    assert command("timeline", "1", as_json=True) == before
    assert len(command("list", "--all", as_json=True)) == 1


def test_a_case_is_made_of_a_verdict_with_its_numbers(command: Run, tmp_path: Path) -> None:
    from stillwatch.app.proving import FORMAT, VERDICT
    from stillwatch.records.verdicts import Outcome, Verdict
    from stillwatch.report.codec import to_plain

    at = datetime(2026, 10, 1, tzinfo=UTC)
    verdict = Verdict(
        title="plan",
        suspect="rival-7b",
        plan_sha256="ab" * 32,
        seal_sha256="cd" * 32,
        sealed_at=at,
        made_at=at,
        level=0.001,
        combination="holm",
        outcome=Outcome.SHOWN,
        log10_e=7.25,
        points_to=("key-1",),
        headline="Shown: rival-7b was trained on marked outputs",
        sentences=("One.", "Two."),
        results=(),
        unjudged=(),
        corroborations=(),
        inputs=(("twins.npz", "ef" * 32),),
        version="0.1.0",
    )
    (tmp_path / "proof").mkdir()
    (tmp_path / "proof" / VERDICT).write_text(json.dumps({"format": FORMAT, **to_plain(verdict)}), "utf-8")
    made = command("new", "--verdict", str(tmp_path / "proof"), "--title", "Rival", "--no-tasks", as_json=True)
    assert made == {"case": "case-1", "claims": 1, "tasks": 0}
    claim = command("show", "1", as_json=True)["claims"][0]
    assert (claim["kind"], claim["entity_id"], claim["statement"]) == ("verdict", "rival-7b", "One. Two.")
    assert (claim["numbers"]["outcome"], claim["numbers"]["log10_e"], claim["numbers"]["level"]) == ("shown", 7.25, 0.001)
    assert claim["source"]["facts"]["inputs"] == {"twins.npz": "ef" * 32}
    (tmp_path / "proof" / "verdict.json").write_text('{"format": "other"}', "utf-8")
    assert "is no verdict of this version" in command("new", "--verdict", str(tmp_path / "proof"), "--title", "x", status=1)
