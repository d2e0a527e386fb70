"""From a scan to a case, from the case to a sealed file, and from the file to a verdict by both verifiers, all of it by commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stillwatch.cli import main
from stillwatch.sealing.container import unpack

if TYPE_CHECKING:
    from conftest import Scanned

ROOT = Path(__file__).parents[2]


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints for machines."""
    assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_finding_is_handed_over_so_that_others_can_check_it(
    scanned: Scanned, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STILLWATCH_ACTOR", "ann")
    vkey = _said(capsys, "log", "init", "evidence", "--origin", "example.com/evidence", "--key", "log.key")["vkey"]
    finding = scanned.report.findings[0]
    for arguments in (
        ["mark", "keys", "--out", "master.key"],
        ["case", "init"],
        ["case", "new", str(scanned.folder), "--entity", finding.entity_id, "--title", "Twenty accounts"],
        ["case", "add", "1", "--note", "The customer was asked twice and has not answered."],
    ):
        assert main(arguments) == 0, capsys.readouterr().err
    capsys.readouterr()
    seal = ["case", "seal", "1", "--log", "evidence", "--log-key", "log.key", "--why", "docket 3:26"]
    for whom, out in ((["--recipient", "acme-labs", "--key", "master.key"], "partner.zip"), (["--keep-identifiers"], "house.zip")):
        made = _said(capsys, *seal, *whom, "--out", out)
        assert made["vkey"] == vkey
        assert "recomputed" in made["numbers"].values()
    names = [member.account_id for member in finding.members] + [finding.entity_id, finding.uid]
    members = unpack(Path("partner.zip").read_bytes())
    assert not [name for name in names for data in members.values() if name.encode() in data]
    assert names[0].encode() in b"".join(unpack(Path("house.zip").read_bytes()).values())
    assert members["narrative.pdf"].startswith(b"%PDF")
    for out in ("partner.zip", "house.zip"):
        found = _said(capsys, "verify", out, "--key", vkey)
        alone = [sys.executable, str(ROOT / "verify_case.py"), out, "--key", vkey, "--json"]
        done = subprocess.run(alone, capture_output=True, text=True, timeout=60, check=False)
        assert (found["verdict"], json.loads(done.stdout)["verdict"]) == ("verified", "verified")
        assert found["numbers"] == json.loads(done.stdout)["numbers"]
    kinds = [row["kind"] for row in _said(capsys, "log", "show", "evidence", "--start", "0", "--limit", "100")]
    assert kinds.count("export") == 2
    assert kinds.count("case_exhibit") == len([name for name in members if name.startswith("proofs/")])
    assert main(["log", "verify", "evidence", "--vkey", vkey]) == 0
    capsys.readouterr()
    for further in ([], ["--recipient", "acme-labs", "--keep-identifiers"]):
        assert main([*seal, *further, "--out", "neither.zip"]) == 2
    assert "--recipient" in capsys.readouterr().err
    assert not Path("neither.zip").exists()
