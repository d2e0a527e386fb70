"""From a case through a real evidence log to the file, and from the file to a verdict, as the commands do it."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from stillwatch.app.approving import Said, answer
from stillwatch.app.case_texts import request_leaving
from stillwatch.app.evidence_log import Who, append_lines, erase, opening, start_log
from stillwatch.app.governance import Keeper, load_policy
from stillwatch.app.log_checking import Trust, check_log
from stillwatch.app.log_keys import load_signers
from stillwatch.app.sealing import SealRequest, seal_case, withholding_of
from stillwatch.cli.sealing import Handing, attach
from stillwatch.errors import OutputError, StillwatchError, UsageError
from stillwatch.govern.refusals import ApprovalError, DeniedError
from stillwatch.ledger.reading import LogReader
from stillwatch.marks.keys import master_text
from stillwatch.records.evidence import Ground
from stillwatch.records.governance import Answer
from stillwatch.sealing.container import unpack
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.refusals import SealError
from stillwatch.sealing.verification.verifying import VERIFIED, verify_case

from .conftest import ROOT

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


class House:
    """A folder with a log, its key and a master secret."""

    def __init__(self, folder: Path, making: ModuleType, *, ml_dsa: bool = False) -> None:
        self.folder, self.log, self.key = folder, folder / "evidence", folder / "log.key"
        self.vkey = start_log(self.log, "example.com/evidence", self.key, ml_dsa=ml_dsa, purpose="", now=NOW)["vkey"]
        self.master = folder / "master.key"
        descriptor = os.open(self.master, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, master_text(making.MASTER).encode())
        os.close(descriptor)
        self.view({"by": "ann", "why": "before", "what": "x"})

    def view(self, content: dict[str, str]) -> None:
        """Another record in the log."""
        append_lines(self.log, "view", iter([json.dumps(content)]), self.key, concerns=(), now=NOW)

    def request(self, name: str, recipient: str | None = None, **changes: Any) -> SealRequest:
        """How to seal into a file of that name."""
        given: dict[str, Any] = {
            "log": self.log,
            "log_key": self.key,
            "out": self.folder / name,
            "by": "ann",
            "why": "docket 3:26",
            "recipient": recipient,
            "key": self.master,
            "withholding": Withholding(),
            "printed": False,
        }
        return SealRequest(**given | changes)

    def governed(self) -> Path:
        """A governance file that names ann and bob."""
        path = self.folder / "governance.toml"
        path.write_text('format = "stillwatch-governance-1"\n[people]\nann = ["analyst"]\nbob = ["approver"]\neve = ["viewer"]\n', "utf-8")
        return path

    def asked(self, content: Any, *columns: str, to: str = "acme-labs", now: datetime = NOW) -> tuple[Keeper, int]:
        """A request of ann that columns of text may leave."""
        keeper = Keeper.open(load_policy(self.governed()), self.log, self.key, lambda: now)
        made = request_leaving(keeper, content, columns, Said(by="ann", why="docket 3:26"), to=to, case="case-7")
        return keeper, made["request"]

    def approved(self, content: Any, *columns: str, to: str = "acme-labs", now: datetime = NOW) -> int:
        """The same, approved by bob."""
        keeper, index = self.asked(content, *columns, to=to, now=now)
        answer(keeper, index, Said(by="bob", why="seen the text"), Answer.APPROVED)
        return index

    def reader(self) -> LogReader:
        """The log as it is now."""
        return LogReader(self.log, [signer.verifier for signer in load_signers(self.key)])


@pytest.fixture
def house(tmp_path: Path, making: ModuleType) -> House:
    """A house with a log."""
    return House(tmp_path, making)


def test_the_file_verifies_and_the_log_says_what_was_handed_over(house: House, making: ModuleType, alone: ModuleType) -> None:
    made = seal_case(making.content(), house.request("case.zip", "acme-labs"), now=NOW)
    data = made.path.read_bytes()
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    keys = [signer.verifier for signer in load_signers(house.key)]
    assert verify_case(data, keys).verdict == VERIFIED
    assert alone.verify(data, [alone.read_key(house.vkey)])["verdict"] == VERIFIED
    reader = house.reader()
    assert [entry.kind for _, entry in reader.entries()] == ["log_start", "view", *["case_exhibit"] * 4, "export"]
    held = opening(reader, made.recorded_in)
    assert held is not None
    assert held[1]["files"] == [{"name": "case.zip", "rows": None, "sha256": made.sha256}]
    assert (held[1]["to"], held[1]["form"]) == ("acme-labs", "case")
    assert reader.entry(made.recorded_in).concerns == (2, 3, 4, 5)
    assert check_log(house.log, Trust(keys=tuple(keys)), contents=True).verified.contents == reader.size


def test_a_second_recipient_gets_the_same_records_although_the_log_has_grown(house: House, making: ModuleType) -> None:
    one = seal_case(making.content(), house.request("one.zip", "acme-labs"), now=NOW)
    for number in range(3):
        house.view({"by": "ann", "why": "between", "what": f"{number}"})
    two = seal_case(making.content(), house.request("two.zip", "the court"), now=NOW + timedelta(days=1))
    kinds = [entry.kind for _, entry in house.reader().entries()]
    assert kinds.count("case_exhibit") == 4
    proofs = [unpack(found.path.read_bytes())["proofs/E1.tlog-proof"].split(b"\n")[1:3] for found in (one, two)]
    assert proofs[0] == proofs[1]


def test_a_case_that_grew_gets_a_record_for_what_is_new(house: House, making: ModuleType) -> None:
    case = making.content()
    seal_case(
        making.replace(case, exhibits=case.exhibits[:2], claims=_without(case, "E3", making), numbers=case.numbers[:12], custody=()),
        house.request("1.zip"),
        now=NOW,
    )
    made = seal_case(case, house.request("2.zip"), now=NOW)
    kinds = [entry.kind for _, entry in house.reader().entries()]
    assert kinds.count("case_exhibit") == 4
    assert verify_case(made.path.read_bytes(), []).failure is None


def _without(case: Any, uid: str, making: ModuleType) -> Any:
    return (making.replace(case.claims[0], exhibits=tuple(name for name in case.claims[0].exhibits if name != uid)),)


def test_an_exhibit_whose_content_was_erased_is_recorded_anew_and_old_files_still_verify(house: House, making: ModuleType) -> None:
    first = seal_case(making.content(), house.request("1.zip"), now=NOW)
    erase(house.log, [2, 3, 4], Who(by="ann", why="retention"), Ground.RETENTION, house.key, now=NOW)
    second = seal_case(making.content(), house.request("2.zip"), now=NOW)
    assert [entry.kind for _, entry in house.reader().entries()].count("case_exhibit") == 7
    for made in (first, second):
        assert verify_case(made.path.read_bytes(), [load_signers(house.key)[0].verifier]).verdict == VERIFIED


def test_a_log_that_signs_with_ml_dsa_seals_with_both(tmp_path: Path, making: ModuleType, alone: ModuleType) -> None:
    house = House(tmp_path, making, ml_dsa=True)
    made = seal_case(making.content(), house.request("case.zip", "acme-labs"), now=NOW)
    data = made.path.read_bytes()
    keys = [signer.verifier for signer in load_signers(house.key)]
    for trusted in (keys, keys[:1]):
        assert verify_case(data, trusted).verdict == VERIFIED
        assert alone.verify(data, [alone.read_key(key.text()) for key in trusted])["verdict"] == VERIFIED
    assert len(json.loads(unpack(data)["case.json"])["signatures"]) == 2


def test_nothing_is_recorded_and_nothing_written_where_the_case_cannot_be_sealed(house: House, making: ModuleType) -> None:
    size = house.reader().size
    for case, request, error in (
        (making.content(limits=()), house.request("a.zip"), SealError),
        (making.content(custody=_tomorrow(making)), house.request("f.zip"), SealError),
        (making.content(), house.request("b.zip", by=" "), UsageError),
        (making.content(), house.request("c.zip", "x" * 300), UsageError),
        (making.content(), house.request("log.key"), OutputError),
        (making.content(), house.request("d.zip", withholding=withholding_of(["E9"], [])), SealError),
    ):
        with pytest.raises(error):
            seal_case(case, request, now=NOW)
        assert house.reader().size == size
    assert sorted(path.name for path in house.folder.iterdir()) == ["evidence", "log.key", "master.key"]


def test_a_file_that_names_an_account_leaves_only_as_its_sha256(house: House, making: ModuleType) -> None:
    exhibits = making.exhibits()
    data = b'{"accounts": ["acct_0001"]}'
    file = making.file_exhibit("E2", "Export", shows="x", origin="x", name="a.json", media_type="application/json", data=data)
    case = making.content(exhibits=(exhibits[0], file, *exhibits[2:]))
    size = house.reader().size
    with pytest.raises(SealError, match=r"E2\.file") as refused:
        seal_case(case, house.request("a.zip", "acme-labs"), now=NOW)
    assert "acct_0001" not in str(refused.value)
    assert house.reader().size == size
    held = house.request("b.zip", "acme-labs", withholding=withholding_of(["E2.file"], []))
    assert data not in seal_case(case, held, now=NOW).path.read_bytes()
    assert data in seal_case(case, house.request("c.zip"), now=NOW).path.read_bytes()


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="this system bounds no file")
def test_a_disk_that_fills_up_leaves_no_file_that_is_cut_short(tmp_path: Path) -> None:
    """The bound on a file's size fails the write in its middle, as a full disk does."""
    code = "import resource, signal, sys\nfrom pathlib import Path\nfrom stillwatch.app.private_files import create_private\n"
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
    code += "create_private(Path(sys.argv[1]), bytes(200_000))\n"
    path = tmp_path / "case.zip"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert not path.exists()


def test_text_of_customers_leaves_only_as_two_people_agreed_and_once(house: House, making: ModuleType) -> None:
    case, shown = making.content(), withholding_of([], ["E1.prompt"])
    wanted: dict[str, Any] = {"withholding": shown, "governance": house.governed()}
    index = house.approved(case, "E1.prompt")
    size = house.reader().size

    def refused(error: type[Exception], said: str, request: SealRequest, content: Any = case) -> None:
        with pytest.raises(error, match=said):
            seal_case(content, request, now=NOW)
        assert house.reader().size == size
        assert not request.out.exists()

    refused(UsageError, "takes two people", house.request("a.zip", "acme-labs", **wanted))
    refused(ApprovalError, "is no request", house.request("b.zip", "acme-labs", **wanted, approved=1))
    refused(ApprovalError, "is not what record", house.request("c.zip", "the court", **wanted, approved=index))
    refused(DeniedError, "eve", house.request("d.zip", "acme-labs", **wanted, approved=index, by="eve"))
    refused(UsageError, "nothing would leave that takes two people", house.request("e.zip", "acme-labs", approved=index))
    rows = [list(row) for row in case.exhibits[0].rows]
    place = [column.name for column in case.exhibits[0].columns].index("prompt")
    rows[3][place] = "another text"
    other = (making.replace(case.exhibits[0], rows=tuple(map(tuple, rows))), *case.exhibits[1:])
    refused(
        ApprovalError, "is not what record", house.request("f.zip", "acme-labs", **wanted, approved=index), making.content(exhibits=other)
    )
    made = seal_case(case, house.request("g.zip", "acme-labs", **wanted, approved=index), now=NOW)
    text = opening(house.reader(), made.recorded_in + 1)
    assert text is not None
    assert (text[1]["form"], house.reader().entry(made.recorded_in + 1).concerns) == ("text", (index,))
    size = house.reader().size
    refused(ApprovalError, "is used", house.request("h.zip", "acme-labs", **wanted, approved=index))
    keeper, waiting = house.asked(case, "E1.prompt")
    size = house.reader().size
    refused(ApprovalError, "is waiting", house.request("i.zip", "acme-labs", **wanted, approved=waiting))
    with pytest.raises(DeniedError, match="may not approve"):
        answer(keeper, waiting, Said(by=" ANN ", why="seen the text"), Answer.APPROVED)
    with pytest.raises(UsageError, match="holds no text"):
        house.asked(case, "E1.price")


def _tomorrow(making: ModuleType) -> Any:
    events = making.content().custody
    return (events[0], making.replace(events[1], at=NOW + timedelta(days=1)))


def test_what_is_withheld_is_named_by_exhibit_column_and_file() -> None:
    found = withholding_of(["E3", "E1.price", "E2.file"], ["E1.prompt"])
    assert (found.exhibits, found.columns, found.files, found.shown) == ({"E3"}, {"E1.price"}, {"E2"}, {"E1.prompt"})
    with pytest.raises(UsageError, match="--withhold"):
        withholding_of(["prompt"], [])


@pytest.fixture
def noted() -> list[str]:
    """The sha256 of every file that the command's case kept a note of."""
    return []


@pytest.fixture
def command(making: ModuleType, noted: list[str]) -> typer.Typer:
    """A command group that keeps one case."""
    group = typer.Typer()

    @group.callback()
    def _group() -> None:
        """Cases."""

    @contextmanager
    def handing(number: str, given: tuple[Any, ...]) -> Generator[Handing]:
        assert number == "7"
        yield Handing(content=making.content(), by=given[1], noted=lambda made: noted.append(made.sha256))

    attach(group, handing)
    return group


@pytest.mark.slow
def test_the_commands_seal_and_verify_from_end_to_end(house: House, making: ModuleType, command: typer.Typer, noted: list[str]) -> None:
    out = house.folder / "case-7.zip"
    given = ["seal", "7", "--out", str(out), "--log", str(house.log), "--log-key", str(house.key), "--as", "ann", "--why", "docket"]
    partner = ["--recipient", "acme-labs", "--key", str(house.master), "--show", "E1.prompt", "--withhold", "E2.file", "--json"]
    approved = house.approved(making.content(), "E1.prompt", now=datetime.now(UTC))
    partner += ["--approved", str(approved), "--governance", str(house.governed())]
    done = CliRunner().invoke(command, [*given, *partner])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["vkey"] == house.vkey
    assert noted == [said["sha256"]]
    assert "narrative.pdf" in unpack(out.read_bytes())
    for program in (["-m", "stillwatch", "verify"], [str(ROOT / "verify_case.py")]):
        checked = subprocess.run(
            [sys.executable, *program, str(out), "--key", house.vkey], capture_output=True, text=True, timeout=60, check=False
        )
        assert checked.returncode == 0, checked.stdout
        assert checked.stdout.splitlines()[-1] == "verdict: verified"


def test_a_recipient_or_the_house_has_to_be_named(house: House, command: typer.Typer) -> None:
    given = ["seal", "7", "--out", str(house.folder / "x.zip"), "--log", str(house.log), "--as", "ann", "--why", "docket"]
    for further in ([], ["--recipient", "acme-labs", "--keep-identifiers"]):
        done = CliRunner().invoke(command, [*given, *further])
        assert isinstance(done.exception, StillwatchError)
        assert "--recipient" in str(done.exception)
