"""Golden case files: sound ones verify, every broken one is refused at its step for its defect, by both verifiers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stillwatch.app.case_verifying import verification_json
from stillwatch.app.log_keys import read_vkeys
from stillwatch.errors import StillwatchError
from stillwatch.ledger.notes import parse_key
from stillwatch.sealing.verification.verifying import STEPS, UNKNOWN_SIGNER, VERIFIED, verify_case

from .conftest import ROOT, module_of

FOLDER = ROOT / "tests" / "golden" / "cases"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
KEY = parse_key(EXPECTED["key"])
NOT_THE_SAME_TWICE = {"ml-dsa", "second-signature-taken-away", "printed"}
"""ML-DSA-44 signatures draw random bytes, and a PDF is as its library writes it."""


def both(alone: ModuleType, data: bytes, *, key: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both verifiers say."""
    ours = verification_json(verify_case(data, [KEY] if key else []))
    return ours, alone.verify(data, [alone.read_key(EXPECTED["key"])] if key else [])


def told(result: dict[str, Any]) -> dict[str, Any]:
    """What of a result does not depend on wording."""
    failed = result["failed"]
    return {
        "verdict": result["verdict"],
        "signer": result["signer"],
        "steps": [(step["step"], step["name"], step["passed"]) for step in result["steps"]],
        "failed": failed and (failed["step"], failed["name"], failed["defect"]),
        "numbers": result["numbers"],
    }


def test_there_are_golden_files_of_every_step() -> None:
    names = {path.stem for path in FOLDER.glob("*.zip")}
    assert names == set(EXPECTED["files"])
    broken = [wanted for wanted in EXPECTED["files"].values() if wanted["verdict"] != "verified"]
    assert len(broken) >= 60
    assert {wanted["step"] for wanted in broken} == set(range(1, len(STEPS) + 1))


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_both_verifiers_give_each_file_its_verdict_step_and_defect(name: str, alone: ModuleType) -> None:
    data, wanted = (FOLDER / f"{name}.zip").read_bytes(), EXPECTED["files"][name]
    for result in both(alone, data):
        failed = result["failed"] or {"step": None, "defect": None}
        assert {"verdict": result["verdict"], "step": failed["step"], "defect": failed["defect"]} == wanted
        if result["failed"]:
            assert all(failed[side] for side in ("place", "expected", "got"))
    ours, theirs = both(alone, data)
    assert told(ours) == told(theirs)


@pytest.mark.parametrize("name", [name for name, wanted in EXPECTED["files"].items() if wanted["verdict"] == "verified"])
def test_without_a_key_a_sound_file_is_of_an_unknown_signer(name: str, alone: ModuleType) -> None:
    for result in both(alone, (FOLDER / f"{name}.zip").read_bytes(), key=False):
        assert result["verdict"] == UNKNOWN_SIGNER
        assert any("no key" in note for note in result["notes"]) or result["signer"]


def test_a_file_resealed_with_another_key_is_sound_in_itself_and_told_only_by_the_key(alone: ModuleType) -> None:
    data = (FOLDER / "swapped-key.zip").read_bytes()
    for result in both(alone, data, key=False):
        assert result["verdict"] == UNKNOWN_SIGNER
    for result in both(alone, data):
        assert result["failed"]["defect"] == "key"


@pytest.mark.slow
def test_the_script_gives_the_files_that_are_there() -> None:
    build = module_of(ROOT / "tests" / "golden" / "build_cases.py", "golden_build_cases")
    for name, data, wanted in build.files():
        assert EXPECTED["files"][name] == wanted
        if name not in NOT_THE_SAME_TWICE:
            assert (FOLDER / f"{name}.zip").read_bytes() == data, name


def test_without_the_library_nothing_is_verified_and_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch, alone: ModuleType) -> None:
    trusted = [alone.read_key(EXPECTED["key"])]
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    result = alone.verify((FOLDER / "ml-dsa.zip").read_bytes(), trusted)
    assert result["verdict"] == VERIFIED
    assert "ML-DSA-44" in result["notes"][0]
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(SystemExit, match="pip install cryptography"):
        alone.verify((FOLDER / "full.zip").read_bytes(), trusted)


def test_whoever_brings_the_second_key_is_given_no_file_without_its_signature(alone: ModuleType, making: ModuleType) -> None:
    both_keys = [signer.verifier for signer in making.signers(ml_dsa=True)]
    for name, verdict in (("ml-dsa", VERIFIED), ("redacted", "refused")):
        data = (FOLDER / f"{name}.zip").read_bytes()
        ours = verification_json(verify_case(data, both_keys))
        theirs = alone.verify(data, [alone.read_key(key.text()) for key in both_keys])
        assert told(ours) == told(theirs)
        assert ours["verdict"] == verdict
        assert (ours["failed"] or {"defect": "key"})["defect"] == "key"


def test_a_file_of_keys_that_holds_none_is_no_verdict(tmp_path: Path, alone: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys").write_text(" \n\n", "utf-8")
    with pytest.raises(StillwatchError, match="holds no verifier key"):
        read_vkeys([str(tmp_path / "keys")])
    with pytest.raises(SystemExit) as ended:
        alone.trusted_keys(str(tmp_path / "keys"))
    assert ended.value.code == 2
    assert "an empty file" in capsys.readouterr().err


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "key", "status"),
    [("redacted", EXPECTED["key"], 0), ("redacted", None, 0), ("altered-number", EXPECTED["key"], 1), ("no-such-file", None, 2)],
)
def test_both_programs_end_with_the_same_status_and_verdict(name: str, key: str | None, status: int) -> None:
    given = [str(FOLDER / f"{name}.zip"), *(["--key", key] if key else [])]
    ours, theirs = _run("-m", "stillwatch", "verify", *given), _run(str(ROOT / "verify_case.py"), *given)
    assert (ours.returncode, theirs.returncode) == (status, status), ours.stderr + theirs.stderr
    assert "Traceback" not in ours.stderr + theirs.stderr
    if status < 2:
        assert ours.stdout.splitlines()[-1] == theirs.stdout.splitlines()[-1]
        named = [
            [line.split()[:3] for line in text.splitlines()[:12] if line[:2].strip().isdigit()] for text in (ours.stdout, theirs.stdout)
        ]
        assert named[0] == named[1]


def test_the_lone_verifier_imports_nothing_of_the_package_and_stays_one_short_file() -> None:
    source = (ROOT / "verify_case.py").read_text("utf-8")
    assert "import stillwatch" not in source
    assert "from stillwatch" not in source
    imported = set(re.findall(r"^ *(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
    assert "subprocess" not in imported
    assert len([line for line in source.splitlines() if line.strip()]) <= 583  # it may only get shorter; see ADR 0017


@pytest.mark.slow
def test_its_result_for_machines_has_the_same_parts(tmp_path: Path) -> None:
    given = [str(FOLDER / "altered-row.zip"), "--key", EXPECTED["key"], "--json"]
    (tmp_path / "key").write_text(EXPECTED["key"] + "\n", "utf-8")
    ours = json.loads(_run("-m", "stillwatch", "verify", *given[:2], str(tmp_path / "key"), "--json").stdout)
    theirs = json.loads(_run(str(ROOT / "verify_case.py"), *given).stdout)
    assert told(ours) == told(theirs)
    assert set(ours) == set(theirs)
