"""`stillwatch log`: what an analyst, an auditor and an opposing expert do with it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.log_keys import load_signers
from stillwatch.cli import main
from stillwatch.errors import SchemaError
from stillwatch.records.evidence import ACTS, FindingMade, Ground, ScanRun, content_of, record_of, schema_of

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`stillwatch log …` in an empty folder; what it printed as JSON, or its exit status and message where it fails."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, fails: int = 0, plain: bool = False) -> Any:
        status = main(["log", *arguments, *([] if plain else ["--json"])])
        said = capsys.readouterr()
        assert status == fails, said.err
        return said.err if fails else said.out if plain else json.loads(said.out)

    return call


@pytest.fixture
def made(run: Run) -> str:
    """A log with three views in it; its verifier key."""
    vkey = run("init", "ev", "--origin", "example.com/evidence", "--key", "log.key", "--purpose", "trial")["vkey"]
    lines = [json.dumps({"by": "ann", "why": f"case {number}", "what": "prompts"}) for number in range(3)]
    Path("views.jsonl").write_text("\n".join(lines) + "\n")
    assert run("append", "ev", "views.jsonl", "--kind", "view", "--log-key", "log.key") == {"first": 1, "records": 3, "size": 4}
    return vkey


WHO = ("--by", "ann", "--why", "asked to", "--log-key", "log.key")


def test_the_key_is_private_and_never_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    said = run("init", "ev", "--origin", "example.com/evidence", "--key", "log.key", "--ml-dsa", plain=True)
    text = Path("log.key").read_text()
    assert stat.S_IMODE(Path("log.key").stat().st_mode) == 0o600
    assert len(load_signers(Path("log.key"))) == 2
    for line in text.splitlines():
        assert line.split("+", 4)[4] not in said
    Path("log.key").chmod(0o644)
    assert "chmod 600" in run("hold", "ev", *WHO, fails=1)


def test_a_log_is_listed_and_looking_at_a_content_is_recorded_first(run: Run, made: str) -> None:
    assert [row["kind"] for row in run("show", "ev")] == ["log_start", "view", "view", "view"]
    shown = run("show", "ev", "2", *WHO)
    assert shown["content"]["why"] == "case 1"
    (last,) = run("show", "ev", "--start", "-1")
    assert (last["index"], last["kind"], last["concerns"]) == (shown["viewed_in"], "view", [2])
    assert "--by is empty" in run("show", "ev", "2", "--log-key", "log.key", fails=2)
    assert len(run("show", "ev")) == 5


def test_a_proof_convinces_who_has_only_the_verifier_key(run: Run, made: str) -> None:
    run("prove", "ev", "2", "--out", "2.tlog-proof")
    Path("vkey").write_text(made + "\n")
    found = run("check", "2.tlog-proof", "--vkey", "vkey")
    assert (found["index"], found["kind"], found["origin"], found["size"]) == (2, "view", "example.com/evidence", 4)
    run("open", "ev", "2", "--out", "2.json", "--to", "court", *WHO)
    assert run("check", "2.tlog-proof", "--vkey", made, "--opening", "2.json")["content"]["why"] == "case 1"
    assert run("show", "ev", "--start", "-1")[0]["kind"] == "export"
    opened = json.loads(Path("2.json").read_text())
    Path("2.json").write_text(json.dumps(opened | {"content": opened["content"] | {"why": "case 9"}}))
    assert "not what the record committed to" in run("check", "2.tlog-proof", "--vkey", made, "--opening", "2.json", fails=1)
    run("init", "other", "--origin", "example.com/evidence", "--key", "other.key")
    other = Path("other/public/keys").read_text().strip()
    assert "trusted are" in run("check", "2.tlog-proof", "--vkey", other, fails=1)


def test_an_earlier_checkpoint_is_held_against_the_log(run: Run, made: str) -> None:
    Path("kept").write_text(run("checkpoint", "ev", plain=True))
    run("hold", "ev", *WHO)
    assert run("verify", "ev", "--vkey", made, "--earlier", "kept")["earlier_checkpoints_held"] == 1
    run("prove", "ev", "--since", "4", "--out", "since")
    assert run("check", "since", "--vkey", made, "--earlier", "kept") == {
        "holds": True,
        "origin": "example.com/evidence",
        "old": 4,
        "size": 5,
    }
    assert "give the one checkpoint" in run("check", "since", "--vkey", made, fails=1)
    assert "either the INDEX" in run("prove", "ev", "--out", "x", fails=2)


def test_verification_says_what_it_does_not_show(run: Run, made: str) -> None:
    alone = run("verify", "ev", plain=True)
    assert "Sound: example.com/evidence, 4 records" in alone
    assert "what the folder itself says" in alone
    assert "did not write the whole history anew" in alone
    assert "what the folder itself says" not in run("verify", "ev", "--vkey", made, plain=True)


@pytest.mark.slow
def test_what_is_held_is_not_erased_and_what_is_erased_stays_on_record(run: Run, made: str) -> None:
    held = run("hold", "ev", "1", *WHO)["recorded_in"][0]
    everything = run("hold", "ev", *WHO)["recorded_in"][0]
    for index in ("1", "2"):
        assert "is held by record" in run("erase", "ev", index, "--ground", "retention", *WHO, fails=1)
    run("release", "ev", str(everything), *WHO)
    assert "is held by record" in run("erase", "ev", "1", "--ground", "retention", *WHO, fails=1)
    assert run("erase", "ev", "2", "--ground", "data_subject", *WHO)["erased"] == 1
    assert "no hold that stands" in run("release", "ev", str(everything), *WHO, fails=1)
    run("release", "ev", str(held), *WHO)
    run("erase", "ev", "1", "--ground", "court_order", *WHO)
    assert "gone already" in run("erase", "ev", "1", "--ground", "mistake", *WHO, fails=1)
    assert "was erased" in run("show", "ev", "1", *WHO, fails=1)
    found = run("verify", "ev", "--vkey", made)
    assert (found["erased"], found["unfinished_erasures"]) == (2, [])
    # the proof of an erased record still holds
    run("prove", "ev", "1", "--out", "1.tlog-proof")
    assert run("check", "1.tlog-proof", "--vkey", made)["holds"]
    assert "whose content stays" in run("erase", "ev", str(held), "--ground", "mistake", *WHO, fails=1)
    assert "--ground is" in run("erase", "ev", "1", "--ground", "whim", *WHO, fails=2)
    assert "not in a log" in run("erase", "ev", "99", "--ground", "mistake", *WHO, fails=1)


def test_contents_are_erased_when_their_time_is_over(run: Run, made: str) -> None:
    assert "no record was named" in run("erase", "ev", "--before", "2001-01-01", "--ground", "retention", *WHO, fails=2)
    assert run("erase", "ev", "--before", "2999-01-01", "--kind", "view", "--ground", "retention", *WHO)["erased"] == 3
    assert run("verify", "ev")["erased"] == 3


def test_where_a_governance_file_is_configured_it_is_asked_who_may(run: Run, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    people = '[people]\nann = ["analyst"]\nbob = ["approver"]\nroot = ["admin"]\n'
    Path("governance.toml").write_text(f'format = "stillwatch-governance-1"\n{people}')
    who = ("--why", "asked to", "--log-key", "log.key", "--by")
    acts: dict[tuple[str, ...], tuple[str, str]] = {
        ("show", "ev", "1"): ("stranger", "ann"),
        ("open", "ev", "1", "--to", "counsel", "--out", "opening.json"): ("root", "ann"),
        ("hold", "ev", "2"): ("ann", " BOB "),
        ("release", "ev", "HOLD"): ("ann", "root"),
        ("erase", "ev", "3", "--ground", "mistake"): ("bob", "root"),
        ("rotate-key", "ev", "--new-key", "new.key"): ("bob", "root"),
    }
    held = ""
    monkeypatch.setenv("STILLWATCH_GOVERNANCE", "governance.toml")
    for act, (refused, allowed) in acts.items():
        arguments = [held if word == "HOLD" else word for word in act]
        before = run("show", "ev", "--start", "0")
        said = run(*arguments, *who, refused, fails=1)
        assert "may not" in said or "is not among the people" in said
        assert run("show", "ev", "--start", "0") == before
        assert not Path("new.key").exists()
        done = run(*arguments, *who, allowed)
        held = str(done["recorded_in"][0]) if act[0] == "hold" else held
    monkeypatch.delenv("STILLWATCH_GOVERNANCE")
    # the one spelling of a person is what the log keeps, and without a file anybody's name is taken
    assert run("show", "ev", held, "--by", "anybody at all", "--why", "x", "--log-key", "new.key")["content"]["by"] == "bob"


def test_a_new_key_is_followed_from_the_old_one(run: Run, made: str) -> None:
    new = run("rotate-key", "ev", "--new-key", "new.key", "--ml-dsa", *WHO)["vkey"]
    assert "not the one in use" in run("hold", "ev", *WHO, fails=1)
    run("hold", "ev", "--by", "ann", "--why", "x", "--log-key", "new.key")
    for vkey in (made, new):
        assert run("verify", "ev", "--vkey", vkey)["size"] == 6


@pytest.mark.parametrize(
    ("kind", "line", "reason", "status"),
    [
        ("view", '{"by":"a","why":"b"}', "missing are what", 1),
        ("view", '{"by":"a","why":"b","what":"c","x":1}', "unknown are x", 1),
        ("view", '{"by":"a","why":"b","what":3}', "what is int, str was expected", 1),
        ("view", '{"by":"a","by":"b","why":"b","what":"c"}', "stands twice", 1),
        ("view", "[]", "a JSON object was expected", 1),
        ("view", "{", "line 1 is no JSON object", 1),
        ("view", "", "nothing was given", 2),
        ("whim", "{}", "it takes one of", 2),
        ("erasure", "{}", "use `stillwatch log erase`", 2),
    ],
)
def test_what_is_no_record_is_refused_and_nothing_is_appended(run: Run, made: str, kind: str, line: str, reason: str, status: int) -> None:
    Path("wrong.jsonl").write_text(line + "\n")
    assert reason in run("append", "ev", "wrong.jsonl", "--kind", kind, "--log-key", "log.key", fails=status)
    assert len(run("show", "ev")) == 4


def test_the_key_may_come_from_the_environment(run: Run, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no key of the log" in run("append", "ev", "views.jsonl", "--kind", "view", fails=2)
    monkeypatch.setenv("STILLWATCH_LOG_KEY", Path("log.key").read_text())
    assert run("append", "ev", "views.jsonl", "--kind", "view")["size"] == 7


def test_recovering_a_whole_log_changes_nothing(run: Run, made: str) -> None:
    assert run("recover", "ev") == {"size": 4, "published": 0, "erased": 0}


def test_every_kind_has_a_schema_and_records_read_back(run: Run) -> None:
    schemas = run("schema", plain=True)
    assert set(json.loads(schemas)) == set(ACTS)
    with pytest.raises(SchemaError):
        schema_of("whim")
    erasure = ACTS["erasure"](by="a", ground=Ground.RETENTION, why="b")
    assert content_of(erasure) == {"by": "a", "ground": "retention", "why": "b"}
    assert record_of(ACTS["erasure"], content_of(erasure), "x") == erasure
    with pytest.raises(SchemaError, match="it takes one of"):
        record_of(ACTS["erasure"], {"by": "a", "ground": "whim", "why": "b"}, "x")


def test_schemas_say_what_the_reader_takes() -> None:
    run_schema = schema_of("scan_run")
    assert run_schema["additionalProperties"] is False
    assert run_schema["properties"]["inputs"]["items"]["required"] == ["name", "sha256"]
    assert schema_of("finding")["properties"]["p_value"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert set(run_schema["required"]) == set(ScanRun.__dataclass_fields__)
    finding = dict.fromkeys(FindingMade.__dataclass_fields__, "x") | {"strength": 1, "p_value": None, "q_value": 0.5}
    finding |= {"members": ["a"], "exchange_ids": [], "ordinary": []}
    read = record_of(FindingMade, finding, "x")
    assert asdict(read)["strength"] == 1.0
