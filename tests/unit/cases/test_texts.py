"""The text of a finding goes into a case by break glass alone, lies there encrypted, and leaves it only as two people agreed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.opening import write_exhibits
from stillwatch.app.vaulting import load_vault
from stillwatch.cli import main
from stillwatch.govern.access import masked_findings
from stillwatch.govern.vault import VaultKey, key_text
from stillwatch.records.findings import Report
from stillwatch.report import write_findings
from stillwatch.sealing.container import unpack

pytestmark = pytest.mark.slow  # each runs whole commands

PEOPLE = 'format = "stillwatch-governance-1"\n[people]\nann = ["analyst"]\nbob = ["approver"]\neve = ["viewer"]\n'
LOG = ("--log", "ev")
Run = Callable[..., Any]


@pytest.fixture
def house(result: Path, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`stillwatch …` in a folder with a result whose text is sealed, a log, a master secret and a case about one finding."""
    shutil.copytree(result, tmp_path / "house" / "result")
    monkeypatch.chdir(tmp_path / "house")
    Path("governance.toml").write_text(PEOPLE)
    assert main(["log", "init", "ev", "--origin", "example.com/ev", "--key", "log.key"]) == 0
    assert main(["mark", "keys", "--out", "master.key"]) == 0
    monkeypatch.setenv("STILLWATCH_GOVERNANCE", "governance.toml")
    monkeypatch.setenv("STILLWATCH_LOG_KEY", Path("log.key").read_text())
    monkeypatch.setenv("STILLWATCH_VAULT_KEY", key_text(VaultKey(bytes(range(32)))))
    write_exhibits(Path("result"), report.findings, load_vault(None))
    write_findings(Path("result") / "findings.jsonl", replace(report, findings=masked_findings(report.findings)))

    def call(*arguments: str, fails: int = 0, plain: bool = False) -> Any:
        status = main([*arguments, *([] if plain else ["--json"])])
        said = capsys.readouterr()
        assert status == fails, said.err
        return said.err if fails else said.out if plain else json.loads(said.out)

    assert main(["case", "init"]) == 0
    capsys.readouterr()
    call("case", "new", "result", "--entity", "group-0000", "--title", "A group", "--no-tasks", "--as", "ann")
    return call


def _text(report: Report) -> str:
    """A text of the finding, as only exhibits.jsonl holds it."""
    return report.findings[0].exhibits[0].response


OPEN = ("case", "open-text", "1", "result", "--entity", "group-0000", "--why", "is it a class?", *LOG)


def test_text_comes_into_a_case_on_record_and_lies_there_encrypted(house: Run, report: Report) -> None:
    made = house(*OPEN, "--as", " ANN ")
    (view,) = house("audit", "ev", "--act", "view")["acts"]
    assert (view["by"], view["why"], view["index"]) == ("ann", "is it a class?", made["viewed_in"])
    assert view["what"].endswith("for case case-1")
    assert made["rows"] == len(report.findings[0].exhibits)
    assert _text(report).encode() not in Path("cases.db").read_bytes()
    for listing in ("show", "timeline"):
        assert _text(report) not in json.dumps(house("case", listing, "1"))
    last = house("case", "timeline", "1")[-1]
    assert (last["act"], last["by"], last["words"]) == ("text_opened", "ann", "is it a class?")
    assert (last["detail"]["view"], last["detail"]["exhibit"]) == (made["viewed_in"], made["exhibit"])
    assert last["log_index"] is not None
    held = house("case", "read", "1", str(made["exhibit"]), "--why", "to judge", "--as", "ann", plain=True)
    assert json.dumps(_text(report))[1:-1] in held
    assert "holds the text of finding" in house(*OPEN, "--as", "ann", fails=2)


def test_nothing_is_opened_for_whom_the_policy_refuses_or_for_another_case(house: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = house("case", "timeline", "1")
    assert "eve (viewer) may not open text" in house(*OPEN, "--as", "eve", fails=1)
    other = ("case", "open-text", "1", "result", "--entity", "group-0003", "--why", "a look", *LOG, "--as", "ann")
    assert "case-1 claims nothing of finding" in house(*other, fails=2)
    assert "has version" in house(*OPEN, "--as", "ann", "--version", "99", fails=1)
    monkeypatch.setenv("STILLWATCH_VAULT_KEY", key_text(VaultKey(bytes(range(1, 33)))))
    assert "give the file of that key" in house(*OPEN, "--as", "ann", fails=1)
    monkeypatch.delenv("STILLWATCH_VAULT_KEY")
    Path("vault.key").write_text(key_text(VaultKey(bytes(range(32)))))
    Path("vault.key").chmod(0o600)
    assert "encrypted only" in house(*OPEN, "--as", "ann", "--vault-key", "vault.key", fails=2)
    assert house("audit", "ev", "--act", "view")["acts"] == []
    assert house("case", "timeline", "1") == before


def test_a_sealed_case_withholds_the_text_until_two_people_let_it_leave(house: Run, report: Report) -> None:
    house(*OPEN, "--as", "ann")
    seal = ("case", "seal", "1", *LOG, "--recipient", "the court", "--key", "master.key", "--why", "docket 3", "--no-pdf", "--as", "ann")
    house(*seal, "--out", "closed.zip")
    members = unpack(Path("closed.zip").read_bytes())
    statement = b"".join(members.values()).decode()
    assert _text(report) not in statement
    predicate = json.loads(_payload(members["case.json"]))["predicate"]
    exhibit = next(found["uid"] for found in predicate["exhibits"] if found["shows"].startswith("Examples of exchanges with their text"))
    column = f"{exhibit}.response"
    assert "takes two people" in house(*seal, "--show", column, "--out", "x.zip", fails=2)
    ask = ("case", "request-text", "1", "--show", column, "--recipient", "the court", "--why", "docket 3", *LOG)
    assert "eve (viewer) may not request text export" in house(*ask, "--as", "eve", fails=1)
    asked = str(house(*ask, "--as", "ann")["request"])
    assert "is waiting" in house(*seal, "--show", column, "--approved", asked, "--out", "x.zip", fails=1)
    house("govern", "approve", asked, *LOG, "--as", "bob", "--why", "the court asked")
    house(*seal, "--show", column, "--approved", asked, "--out", "open.zip")
    opened = unpack(Path("open.zip").read_bytes())[f"exhibits/{exhibit}.jsonl"].decode()
    assert json.dumps(_text(report), ensure_ascii=False)[1:-1] in opened
    assert '"prompt"' not in opened
    assert "is used" in house(*seal, "--show", column, "--approved", asked, "--out", "x.zip", fails=1)
    assert not Path("x.zip").exists()
    vkey = next(iter((Path("ev") / "public" / "keys").read_text().splitlines()))
    assert {house("verify", name, "--key", vkey)["verdict"] for name in ("closed.zip", "open.zip")} == {"verified"}


def test_withheld_cells_are_opened_for_the_recipient_and_the_case_says_so(house: Run) -> None:
    seal = ("case", "seal", "1", *LOG, "--recipient", "the court", "--key", "master.key", "--why", "docket 3", "--no-pdf", "--as", "ann")
    opens = ("case", "disclose", "1", *LOG, "--cell", "E1.exchanges", "--to", "the court", "--why", "order")
    names = (*opens, "--cell", "E1.account_id:2")
    assert "stands in no record" in house(*opens, "--out", "opened.json", "--as", "ann", fails=1)
    house(*seal, "--withhold", "E1.exchanges", "--out", "case.zip")
    assert "eve (viewer) may not export findings" in house(*opens, "--out", "opened.json", "--as", "eve", fails=1)
    assert "E1.account_id:2 would leave, which takes two people" in house(*names, "--out", "opened.json", "--as", "ann", fails=2)
    asked = house(
        "case", "request-text", "1", "--show", "E1.account_id:2", "--recipient", "the court", "--why", "order", *LOG, "--as", "ann"
    )
    names = (*names, "--approved", str(asked["request"]), "--as", "ann")
    assert "is waiting" in house(*names, "--out", "opened.json", fails=1)
    house("govern", "approve", str(asked["request"]), *LOG, "--as", "bob", "--why", "the court asked")
    made = house(*names, "--out", "opened.json")
    found = house("verify", "case.zip", "--disclosure", "opened.json")
    accounts = [cell for cell in found["disclosed"] if cell["column"] == "account_id"]
    assert [cell["row"] for cell in accounts] == [1]
    assert len(found["disclosed"]) == made["cells"] == 65
    last = house("case", "timeline", "1")[-1]
    assert (last["act"], last["detail"]["to"], last["detail"]["export"]) == ("disclosed", "the court", made["log_index"])
    # custody of a later file says that cells were opened
    house(*seal, "--out", "later.zip")
    predicate = json.loads(_payload(unpack(Path("later.zip").read_bytes())["case.json"]))["predicate"]
    assert "cells disclosed to a recipient" in [event["action"] for event in predicate["custody"]]


def _payload(envelope: bytes) -> bytes:
    import base64

    return base64.b64decode(json.loads(envelope)["payload"])
