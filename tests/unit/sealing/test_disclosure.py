"""Withheld cells are opened later by value and salt, which give the hash in the file; nothing else is taken for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stillwatch.app.approving import Said, answer
from stillwatch.app.case_texts import request_leaving
from stillwatch.app.disclosing import DisclosureRequest, disclose
from stillwatch.app.evidence_log import opening, start_log
from stillwatch.app.governance import Keeper, load_policy
from stillwatch.app.private_files import create_private
from stillwatch.app.sealing import SealRequest, seal_case
from stillwatch.cli import main
from stillwatch.errors import OutputError, UsageError
from stillwatch.govern.refusals import ApprovalError
from stillwatch.ledger.canonical import canonical_json
from stillwatch.marks.keys import master_text
from stillwatch.records.governance import Answer
from stillwatch.sealing.container import unpack
from stillwatch.sealing.disclosure import cells_of, check_disclosure
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.refusals import RefusedCaseError, SealError
from stillwatch.sealing.verification.verifying import verify_case

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
PEOPLE = 'format = "stillwatch-governance-1"\n[people]\nann = ["analyst"]\nbob = ["approver"]\n'


@pytest.fixture
def wanted(tmp_path: Path, making: ModuleType) -> Callable[..., DisclosureRequest]:
    """A log in which the case was sealed for acme-labs, and a request for cells: wanted("E1.prompt:3", to=…)."""
    start_log(tmp_path / "ev", "example.com/ev", tmp_path / "log.key", ml_dsa=False, purpose="", now=NOW)
    create_private(tmp_path / "master.key", master_text(making.MASTER))
    (tmp_path / "governance.toml").write_text(PEOPLE)
    given: dict[str, Any] = {"log": tmp_path / "ev", "log_key": tmp_path / "log.key", "by": "ann", "why": "docket 3"}
    withholding = Withholding(columns=frozenset({"E1.price"}), exhibits=frozenset({"E3"}))
    whom: dict[str, Any] = {"recipient": "acme-labs", "key": tmp_path / "master.key", "printed": False}
    seal_case(making.content(), SealRequest(**given, **whom, out=tmp_path / "case.zip", withholding=withholding), now=NOW)

    def request(*cells: str, to: str = "acme-labs", out: str = "opened.json", approved: int | None = None) -> DisclosureRequest:
        governance = tmp_path / "governance.toml"
        return DisclosureRequest(**given, cells=cells, to=to, out=tmp_path / out, approved=approved, governance=governance)

    return request


def agreed(folder: Path, making: ModuleType, *columns: str) -> int:
    """The record of a request for acme-labs that bob approved."""
    keeper = Keeper.open(load_policy(folder / "governance.toml"), folder / "ev", folder / "log.key", lambda: NOW)
    asked = request_leaving(keeper, making.content(), columns, Said(by="ann", why="docket 3"), to="acme-labs", case="case-7")
    answer(keeper, asked["request"], Said(by="bob", why="seen it"), Answer.APPROVED)
    return asked["request"]


def checked(folder: Path, data: bytes) -> list[Any]:
    file = (folder / "case.zip").read_bytes()
    return check_disclosure(data, verify_case(file, []).statement["predicate"], unpack(file))


def test_what_was_withheld_or_stood_as_a_pseudonym_is_opened_and_checked(
    wanted: Callable[..., DisclosureRequest], making: ModuleType, tmp_path: Path
) -> None:
    cells = ("E1.price", "E1.account_id:2", "E1.output_tokens:1")
    made = disclose(making.content(), wanted(*cells, approved=agreed(tmp_path, making, "E1.account_id:2")), now=NOW)
    assert made.path.stat().st_mode & 0o777 == 0o600
    found = checked(tmp_path, made.path.read_bytes())
    rows = making.content().exhibits[0].rows
    names = [column.name for column in making.content().exhibits[0].columns]
    assert len(found) == made.cells == len(rows) + 2
    assert all(cell.value == rows[cell.row][names.index(cell.column)] for cell in found)
    (account,) = [cell for cell in found if cell.column == "account_id"]
    assert (account.row, account.alias is not None, account.alias != account.value) == (1, True, True)
    from stillwatch.app.log_keys import load_signers
    from stillwatch.ledger.reading import LogReader

    reader = LogReader(tmp_path / "ev", [signer.verifier for signer in load_signers(tmp_path / "log.key")])
    record = opening(reader, made.recorded_in)
    assert record is not None
    assert (record[1]["form"], record[1]["to"], record[1]["files"][0]["sha256"]) == ("disclosure", "acme-labs", made.sha256)
    assert len(reader.entry(made.recorded_in).concerns) == 1


@pytest.mark.parametrize(
    ("change", "defect"),
    [
        (lambda whole: whole["cells"][0].update(value="0.99"), "disclosure-hash"),
        (lambda whole: whole["cells"][0].update(row=3), "disclosure-hash"),
        (lambda whole: whole["cells"][0].update(salt="00" * 32), "disclosure-hash"),
        (lambda whole: whole["cells"][0].update(salt="00"), "disclosure-form"),
        (lambda whole: whole["cells"][0].update(salt=7), "disclosure-form"),
        (lambda whole: whole["cells"][0].update(column="prompt"), "disclosure-hash"),
        (lambda whole: whole["cells"][0].update(column="secret"), "disclosure-cell"),
        (lambda whole: whole["cells"][0].update(row=10**9), "disclosure-cell"),
        (lambda whole: whole["cells"][0].update(row=-1), "disclosure-cell"),
        (lambda whole: whole["cells"][0].update(row=True), "disclosure-cell"),
        (lambda whole: whole["cells"][0].update(exhibit=["E1"]), "disclosure-cell"),
        (lambda whole: whole["cells"][0].update(exhibit="E3"), "disclosure-cell"),
        (lambda whole: whole["cells"][0].update(more=1), "disclosure-form"),
        (lambda whole: whole["cells"].insert(0, 5), "disclosure-form"),
        (lambda whole: whole.update(case="another"), "disclosure-case"),
        (lambda whole: whole.update(format="other"), "disclosure-form"),
        (lambda whole: whole.update(cells=[]), "disclosure-form"),
    ],
)
def test_what_was_changed_is_refused_by_name(
    wanted: Callable[..., DisclosureRequest], making: ModuleType, tmp_path: Path, change: Callable[[Any], object], defect: str
) -> None:
    made = disclose(making.content(), wanted("E1.price:1"), now=NOW)
    whole = json.loads(made.path.read_bytes())
    change(whole)
    with pytest.raises(RefusedCaseError) as refused:
        checked(tmp_path, canonical_json(whole) + b"\n")
    assert refused.value.defect == defect


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"case": 1}', b'{"cells":[],"cells":[]}'])
def test_what_is_no_disclosure_is_refused(
    wanted: Callable[..., DisclosureRequest], making: ModuleType, tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(RefusedCaseError, match="disclosure-form"):
        checked(tmp_path, data)


@pytest.mark.parametrize("column", ["E1.account_id", "E1.account_id:2", "E1.exchange_id:1"])
def test_who_a_pseudonym_is_takes_two_people(
    wanted: Callable[..., DisclosureRequest], making: ModuleType, tmp_path: Path, column: str
) -> None:
    with pytest.raises(UsageError, match="takes two people"):
        disclose(making.content(), wanted("E1.price:1", column), now=NOW)
    assert not (tmp_path / "opened.json").exists()


def test_text_of_customers_is_opened_only_as_two_people_agreed_and_once(
    wanted: Callable[..., DisclosureRequest], making: ModuleType, tmp_path: Path
) -> None:
    case = making.content()
    with pytest.raises(UsageError, match="takes two people"):
        disclose(case, wanted("E1.prompt:3"), now=NOW)
    keeper = Keeper.open(load_policy(tmp_path / "governance.toml"), tmp_path / "ev", tmp_path / "log.key", lambda: NOW)
    asked = request_leaving(keeper, case, ["E1.prompt:3"], Said(by="ann", why="docket 3"), to="acme-labs", case="case-7")
    index = asked["request"]
    assert (asked["columns"], asked["accounts"]) == (["E1.prompt:3"], 1)
    answer(keeper, index, Said(by="bob", why="seen it"), Answer.APPROVED)
    for cells, to in ((("E1.prompt:4",), "acme-labs"), (("E1.prompt",), "acme-labs"), (("E1.prompt:3",), "the court")):
        with pytest.raises(ApprovalError, match="is not what record"):
            disclose(case, wanted(*cells, to=to, approved=index), now=NOW)
    assert not (tmp_path / "opened.json").exists()
    made = disclose(case, wanted("E1.prompt:3", approved=index), now=NOW)
    assert [cell.value for cell in checked(tmp_path, made.path.read_bytes())] == [
        case.exhibits[0].rows[2][[column.name for column in case.exhibits[0].columns].index("prompt")]
    ]
    with pytest.raises(ApprovalError, match="is used"):
        disclose(case, wanted("E1.prompt:3", approved=index, out="again.json"), now=NOW)


def test_cells_that_are_not_there_and_exhibits_that_were_never_sealed_are_refused(
    wanted: Callable[..., DisclosureRequest], making: ModuleType, tmp_path: Path
) -> None:
    for name in ("E9.price", "E1", "E1.price:0", "E1.price:13", "E1.price:x", "price:1", "E1.nothing:1"):
        with pytest.raises(SealError, match="no cell of the case"):
            cells_of(making.content(), [name])
    other = making.content(case_id="case-2026-0008")
    with pytest.raises(SealError, match="stands in no record"):
        disclose(other, wanted("E1.price:1"), now=NOW)
    (tmp_path / "opened.json").write_text("there")
    with pytest.raises(OutputError):
        disclose(making.content(), wanted("E1.price:1"), now=NOW)


@pytest.mark.slow
def test_the_command_verifies_a_case_with_its_disclosure(
    wanted: Callable[..., DisclosureRequest], making: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = disclose(
        making.content(), wanted("E1.price:1", "E1.account_id:1", approved=agreed(tmp_path, making, "E1.account_id:1")), now=NOW
    )
    given = ["verify", str(tmp_path / "case.zip"), "--disclosure", str(made.path)]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "opened E1.price, row 1" in said
    assert "which stands as" in said
    assert main([*given, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["disclosed"]) == 2
    made.path.write_bytes(made.path.read_bytes().replace(b'"row":0', b'"row":1'))
    assert main(given) == 1
    assert "disclosure-hash" in capsys.readouterr().err
