"""A provider keeps to its own rules: text stays masked, two people agree, what is old goes and what is held stays, all on record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.app.opening import exhibit_texts
from stillwatch.app.pair_files import append_pair, read_pairs
from stillwatch.app.vaulting import load_vault
from stillwatch.cli import main
from stillwatch.records.pairs import TwinPair
from stillwatch.report import read_findings

pytestmark = pytest.mark.slow

PEOPLE = """
format = "stillwatch-governance-1"
[people]
ann = ["analyst"]
bob = ["approver"]
counsel = ["approver"]
eve = ["viewer"]
root = ["admin"]
"""
LOG = ("--log", "ev")
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a result whose exhibits are sealed, a log that knows of it, and pairs."""
    base = tmp_path_factory.mktemp("govern")
    small = ["--days", "4", "--honest-accounts", "240", "--tactic", "fixed_prompt", "--accounts", "20", "--seed", "7", "--format", "jsonl"]
    small += ["--shared-infrastructure", "1"]
    assert main(["simulate", "--out", str(base / "world"), *small]) == 0
    assert main(["govern", "vault-key", "--out", str(base / "vault.key")]) == 0
    assert main(["log", "init", str(base / "ev"), "--origin", "example.com/ev", "--key", str(base / "log.key")]) == 0
    logs = [str(path) for path in (base / "world").rglob("*.jsonl*") if "account" not in path.name]
    recorded = ["--log", str(base / "ev"), "--log-key", str(base / "log.key"), "--vault-key", str(base / "vault.key")]
    assert main(["scan", *logs, "--out", str(base / "results" / "one"), "--json", *recorded]) == 0
    (base / "governance.toml").write_text(PEOPLE)
    return base


@pytest.fixture
def run(scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`stillwatch …` in a copy of the folder."""
    shutil.copytree(scanned, tmp_path / "house")
    monkeypatch.chdir(tmp_path / "house")
    monkeypatch.setenv("STILLWATCH_GOVERNANCE", "governance.toml")
    monkeypatch.setenv("STILLWATCH_LOG_KEY", Path("log.key").read_text())
    monkeypatch.setenv("STILLWATCH_VAULT_KEY", Path("vault.key").read_text())
    monkeypatch.delenv("STILLWATCH_ACTOR", raising=False)
    capsys.readouterr()

    def call(*arguments: str, fails: int = 0, plain: bool = False) -> Any:
        status = main([*arguments, *([] if plain else ["--json"])])
        said = capsys.readouterr()
        assert status == fails, said.err
        return said.err if fails else said.out if plain else json.loads(said.out)

    return call


RESULT = Path("results/one")


def _finding() -> Any:
    return next(finding for finding in read_findings(RESULT / "findings.jsonl") if finding.exhibits)


def _texts(uid: str) -> list[str]:
    return [exhibit.prompt for exhibit in exhibit_texts(RESULT, uid, load_vault(None)) if len(exhibit.prompt) > 30]


def _account(finding: Any) -> str:
    return finding.exhibits[0].account_id


def _on_disk(word: str) -> list[str]:
    """Files of the result folder in which a word stands; tables are taken apart."""
    found: list[str] = []
    for path in sorted(path for path in RESULT.rglob("*") if path.is_file()):
        text = pq.read_table(path).to_pydict() if path.suffix == ".parquet" else path.read_bytes().decode("utf-8", "replace")
        if f"{word}'" in str(text) or f'{word}"' in str(text) or f"{word}<" in str(text):
            found.append(path.name)
    return found


def test_text_is_masked_until_a_case_opens_it_on_record(run: Run) -> None:
    finding = _finding()
    (prompt, *_) = _texts(finding.uid)
    assert prompt[:40].encode() not in b"".join(path.read_bytes() for path in RESULT.rglob("*") if path.is_file())
    masked = run("explain", str(RESULT), finding.uid, plain=True)
    assert "characters, masked]" in masked
    opens = ("explain", str(RESULT), finding.uid, "--open")
    assert "on record only" in run(*opens, "--case", "case-7", "--why", "to judge it", "--as", "ann", fails=2)
    assert "--case is empty" in run(*opens, *LOG, "--why", "to judge it", "--as", "ann", fails=2)
    assert "eve (viewer) may not open text" in run(*opens, *LOG, "--case", "case-7", "--why", "to judge it", "--as", "eve", fails=1)
    assert run("audit", "ev", "--act", "view")["acts"] == []
    opened = json.dumps(run(*opens, *LOG, "--case", "case-7", "--why", "to judge it", "--as", "Ann"), ensure_ascii=False)
    assert json.dumps(prompt, ensure_ascii=False)[1:40] in opened
    (act,) = run("audit", "ev", "--by", "ANN", "--account", _account(finding))["acts"]
    assert (act["by"], act["did"], act["why"]) == ("ann", "saw", "to judge it")
    assert act["what"].endswith("for case case-7")


def test_a_text_leaves_once_and_only_as_two_people_agreed(run: Run) -> None:
    finding = _finding()
    target = (str(RESULT), finding.uid)
    asked = run("govern", "text", "request", *target, *LOG, "--to", "the court", "--why", "docket 3", "--as", "ann")
    leave = ("govern", "text", "export", str(asked["request"]), *target, *LOG, "--as", "ann", "--out")
    assert "is waiting" in run(*leave, "text.json", fails=1)
    assert not Path("text.json").exists()
    run("govern", "approve", str(asked["request"]), *LOG, "--as", "bob", "--why", "the court asked")
    other = next((found for found in read_findings(RESULT / "findings.jsonl") if found.exhibits and found.uid != finding.uid), None)
    if other is not None:
        wrong = ("govern", "text", "export", str(asked["request"]), str(RESULT), other.uid, *LOG, "--as", "ann", "--out", "other.json")
        assert "is not what record" in run(*wrong, fails=1)
    done = run(*leave, "text.json")
    assert _texts(finding.uid)[0][:30] in json.loads(Path("text.json").read_text())["exhibits"][0]["prompt"] or len(_texts(finding.uid)) > 1
    assert Path("text.json").stat().st_mode & 0o077 == 0
    assert "is used" in run(*leave, "again.json", fails=1)
    (act,) = run("audit", "ev", "--act", "export")["acts"]
    assert (act["what"], act["concerns"]) == ("text to the court, 1 files", [asked["request"]])
    assert done["to"] == "the court"


def _pairs(accounts: list[str], at: datetime) -> None:
    fixed: dict[str, Any] = {"model": "m", "period": "1", "share": 1.0, "key_commitment": "sha256:00", "tie": False, "at": at.isoformat()}
    for number, account in enumerate(accounts):
        pair = TwinPair(request_id=f"r{number}", account_id=account, prompt=f"ask {number}", first="one", second="two", **fixed)
        append_pair(Path("pairs.jsonl"), pair, load_vault(None))


def test_what_is_old_goes_on_record_and_what_is_held_stays(run: Run) -> None:
    _pairs(["other", _account(_finding())], datetime.now(UTC) - timedelta(days=20))
    head = read_pairs(Path("pairs.jsonl"), load_vault(None)).head
    keep = ("govern", "retain", "results", "--pairs", "pairs.jsonl", *LOG, "--why", "monthly", "--as")
    young = run(*keep, "root")
    assert {item["fate"] for item in young["items"]} == {"kept"}
    Path("governance.toml").write_text(PEOPLE + "[retention]\nexhibits = 1\nquarantine = 1\nwithheld_twins = 10\nscan_results = 1\n")
    run_json = json.loads((RESULT / "run.json").read_text())
    (RESULT / "run.json").write_text(json.dumps(run_json | {"created_at": "2026-01-01T00:00:00Z"}))
    hold = run("log", "hold", "ev", "--account", _account(_finding()), "--by", "counsel", "--why", "docket 3", "--log-key", "log.key")
    held = run(*keep, "root", "--delete")
    assert {(item["class"], item["fate"]) for item in held["items"]} >= {("scan_results", "held"), ("exhibits", "held")}
    found = read_pairs(Path("pairs.jsonl"), load_vault(None))
    assert (found.erased, [pair.account_id for pair in found.pairs], found.head) == (1, [_account(_finding())], head)
    run("log", "release", "ev", str(hold["recorded_in"][0]), "--by", "counsel", "--why", "settled", "--log-key", "log.key")
    dry = run(*keep, "root")
    assert (dry["deleted"], (RESULT / "run.json").exists()) == (False, True)
    assert "may not retain" in run(*keep, "ann", fails=1)
    assert "nothing was deleted" in run(*keep, "root", plain=True)
    gone = run(*keep, "root", "--delete")
    assert gone["due"] >= 3
    assert not (RESULT / "run.json").exists()
    assert not (RESULT / "exhibits.jsonl").exists()
    assert not list(RESULT.rglob("*.parquet"))
    assert read_pairs(Path("pairs.jsonl"), load_vault(None)).erased == 2
    assert run("log", "verify", "ev")["sound"] is True
    assert [act["by"] for act in run("audit", "ev", "--act", "disposal")["acts"]] == ["root", "root"]


def test_an_account_is_erased_everywhere_and_proofs_hold(run: Run) -> None:
    finding = _finding()
    account = _account(finding)
    _pairs(["other", account], datetime.now(UTC))
    made = next(row["index"] for row in run("log", "show", "ev", "--kind", "finding", "--start", "0"))
    run("log", "prove", "ev", str(made), "--out", "finding.tlog-proof")
    before = len(pq.read_table(RESULT / "exchanges"))
    mine = sum(row["account_id"] == account for row in pq.read_table(RESULT / "exchanges", columns=["account_id"]).to_pylist())
    assert mine > 0
    erase = ("govern", "erase", account, "results", "--pairs", "pairs.jsonl", *LOG, "--as", "root", "--why")
    assert "--why names the account" in run(*erase, f"asked by {account}", fails=2)
    hold = run("log", "hold", "ev", "--account", account, "--by", "counsel", "--why", "docket 3", "--log-key", "log.key")
    assert "is held by record" in run(*erase, "request 41", fails=1)
    assert len(pq.read_table(RESULT / "exchanges")) == before
    run("log", "release", "ev", str(hold["recorded_in"][0]), "--by", "counsel", "--why", "settled", "--log-key", "log.key")
    assert _on_disk(account)
    done = run(*erase, "request 41")
    assert {item["class"] for item in done["files"]} >= {"scan_results", "exhibits", "withheld_twins"}
    assert done["log_contents"] >= 1
    assert _on_disk(account) == []
    assert len(pq.read_table(RESULT / "exchanges")) == before - mine
    assert all(account not in {member.account_id for member in left.members} for left in read_findings(RESULT / "findings.jsonl"))
    assert [pair.account_id for pair in read_pairs(Path("pairs.jsonl"), load_vault(None)).pairs] == ["other"]
    verified = run("log", "verify", "ev")
    assert (verified["sound"], verified["erased"] >= 1) == (True, True)
    vkey = (Path("ev") / "public" / "keys").read_text().splitlines()[0]
    assert run("log", "check", "finding.tlog-proof", "--vkey", vkey)["holds"] is True
    stored = b"".join(path.read_bytes() for path in Path("ev").rglob("*") if path.is_file())
    assert account.encode() not in stored
    assert run("explain", str(RESULT), finding.uid, plain=True)
    assert run(*erase, "request 41 again")["log_contents"] == 0


def test_an_account_gets_what_is_held_about_it_and_nothing_of_others(run: Run) -> None:
    finding = _finding()
    account = _account(finding)
    others = [member.account_id for member in finding.members if member.account_id != account]
    _pairs([account, *others[:1]], datetime.now(UTC))
    given = ("--to", "the customer", "--why", "request 41", "--out", "access")
    done = run("govern", "access", account, "results", "--pairs", "pairs.jsonl", *LOG, "--as", "bob", *given)
    text = Path("access/access.json").read_text()
    whole = json.loads(text)
    assert {part["class"] for part in whole["held"]} >= {"scan_results", "exhibits", "withheld_twins", "log_contents"}
    assert others
    assert not [other for other in others if f'"{other}"' in text]
    assert len(whole["withheld"]) == done["withheld"] == 4
    (pairs,) = [part["rows"] for part in whole["held"] if part["class"] == "withheld_twins"]
    assert [set(row) for row in pairs] == [{"request_id", "at", "model", "prompt"}]
    page = Path("access/access.html").read_text()
    assert "<script" not in page
    assert account in page
    assert "is there already" in run("govern", "access", account, "results", *LOG, "--as", "bob", *given, fails=1)
    (act,) = run("audit", "ev", "--act", "export")["acts"]
    assert act["what"] == "subject-access to the customer, 2 files"


def test_an_audit_tells_nothing_of_a_log_that_does_not_verify(run: Run) -> None:
    found = run("audit", "ev")
    assert found["verified"]["sound"] is True
    assert "Verified first" in run("audit", "ev", plain=True)
    tile = next(path for path in (Path("ev") / "public" / "tile").rglob("*") if path.is_file())
    tile.write_bytes(tile.read_bytes()[:-1] + b"x")
    assert "it was changed after it was logged" in run("audit", "ev", fails=1)
