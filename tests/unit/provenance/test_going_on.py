"""What a proof keeps, whom it belongs to, and where it may be written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.alone import alone_in, alone_with
from stillwatch.app.measuring import measure
from stillwatch.app.plan_files import read_plan, seal_path, seal_plan
from stillwatch.app.progress import Quiet
from stillwatch.app.proving import ProofRequest, prove
from stillwatch.app.state import file_sha256
from stillwatch.errors import OutputError, UsageError
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.plan import PlanError
from stillwatch.provenance.suspects import AnswerError
from stillwatch.records.verdicts import Outcome

from .conftest import NOW, Case

pytestmark = pytest.mark.slow

PAIRS = 30


class Told:
    """A suspect who answers and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, prompt: str, *, most_tokens: int) -> str:
        """Its own words."""
        self.asked.append(prompt)
        return "red"

    def log_likelihood(self, prompt: str, answer: str) -> float:
        """None."""
        raise AnswerError(f"no likelihood of {answer} after {prompt}")


def _planned(case: Case, url: str = "http://127.0.0.1:9/v1", level: str = "1e-6") -> None:
    rows = [{"request_id": f"r{n}", "prompt": f"Q{n}", "first": f"red {n}", "second": f"blue {n}"} for n in range(PAIRS)]
    test = (
        f'[[tests]]\nname = "twins"\nkind = "twins"\nkeys = ["acct-17"]\nsample = {PAIRS}\nmeasured = "t.jsonl"\nprompts = "pairs.jsonl"\n'
        f'prompts_sha256 = "{case.lines("pairs.jsonl", rows)}"\n'
    )
    case.write(test, suspect=f'name = "model X"\nkind = "endpoint"\nurl = "{url}"\nmodel = "m"', level=level)


def test_answers_are_gone_on_with_under_their_own_seal_and_no_other(case: Case) -> None:
    _planned(case)
    case.seal()
    measure(read_plan(case.plan), case.plan, Told(), Quiet())
    again = Told()
    measure(read_plan(case.plan), case.plan, again, Quiet())
    assert again.asked == []
    kept = (case.folder / "t.jsonl").read_bytes()
    # another plan, sealed as if nothing had been measured
    seal_path(case.plan).unlink()
    (case.folder / "t.jsonl").unlink()
    _planned(case, level="1e-5")
    case.seal()
    (case.folder / "t.jsonl").write_bytes(kept)
    with pytest.raises(OutputError, match="holds answers of another seal_sha256"):
        measure(read_plan(case.plan), case.plan, again, Quiet())
    (case.folder / "t.jsonl.bound").unlink()
    with pytest.raises(OutputError, match="says what its answers were asked for"):
        measure(read_plan(case.plan), case.plan, again, Quiet())
    assert again.asked == []
    assert (case.folder / "t.jsonl").read_bytes() == kept


@pytest.mark.slow
def test_a_killed_proof_asks_no_answered_question_again(case: Case, asked_by: Any) -> None:
    url, asked, hold = asked_by
    _planned(case, url)
    case.seal()
    command = [sys.executable, "-m", "stillwatch", "prove", str(case.plan), "--out", str(case.folder / "out"), "--json"]
    hold(12)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        until = time.monotonic() + 60.0
        while len(asked) < 13 and time.monotonic() < until:
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
    answered, before = {json.loads(line)["pair"] for line in (case.folder / "t.jsonl").read_text("utf-8").splitlines()}, len(asked)
    assert len(answered) == 12
    hold(None)
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert [question["messages"][0]["content"] for question in asked[before:]] == [f"Q{n}" for n in range(12, PAIRS)]
    assert len((case.folder / "t.jsonl").read_text("utf-8").splitlines()) == PAIRS


def test_a_folder_of_other_things_is_refused_and_left_as_it_is(case: Case) -> None:
    _twins(case)
    (case.folder / "out").mkdir()
    (case.folder / "out" / "findings.jsonl").write_text("theirs", encoding="utf-8")
    with pytest.raises(OutputError, match=r"holds files that are not a proof's \(findings.jsonl\)"):
        prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    assert [path.name for path in (case.folder / "out").iterdir()] == ["findings.jsonl"]
    with pytest.raises(UsageError, match="is a file"):
        prove(ProofRequest(plan=case.plan, out=case.plan), Quiet(), now=NOW)


def test_a_verdict_may_be_made_anew_in_its_folder(case: Case) -> None:
    _twins(case)
    for _ in range(2):
        found = prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    assert found.outcome is Outcome.SHOWN
    assert sorted(path.name for path in (case.folder / "out").iterdir()) == ["verdict.html", "verdict.json"]


def test_a_verdict_names_the_published_digest_and_is_not_lost_to_another_plan(case: Case) -> None:
    _twins(case)
    request = ProofRequest(plan=case.plan, out=case.folder / "out")
    found = prove(request, Quiet(), now=NOW)
    published = json.loads(seal_path(case.plan).read_text("utf-8"))["seal_sha256"]
    assert found.seal_sha256 == published
    assert all(published in (case.folder / "out" / name).read_text("utf-8") for name in ("verdict.json", "verdict.html"))
    told = (case.folder / "out" / "verdict.json").read_text("utf-8")
    (case.folder / "out" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        prove(request, Quiet(), now=NOW)
    (case.folder / "out" / "notes.txt").unlink()
    (case.folder / "out" / "verdict.json").write_text(told.replace(published, "0" * 64), encoding="utf-8")
    with pytest.raises(OutputError, match="another plan"):
        prove(request, Quiet(), now=NOW)


def test_units_without_a_mark_are_not_marked_and_odd_marks_are_refused(case: Case) -> None:
    rows = case.twins("acct-17", 600, 1.0)
    for row in rows[:3]:
        row |= {"missing": True, "suspect_first": None}
    case.write('[[tests]]\nname = "t"\nkind = "twins"\nkeys = ["acct-17"]\nsample = 600\nmeasured = "t.jsonl"\n')
    case.seal()
    case.lines("t.jsonl", rows)
    found = prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    assert found.results[0].result.sample == 597
    case.lines("t.jsonl", [row | {"missing": "false"} for row in rows])
    with pytest.raises(MeasureError, match="true or false"):
        prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)


@pytest.mark.skipif(os.name == "nt", reason="no such locks there")
def test_two_proofs_share_neither_folder_nor_plan(case: Case) -> None:
    _twins(case)
    request = ProofRequest(plan=case.plan, out=case.folder / "out")
    with alone_in(case.folder / "out"), pytest.raises(OutputError, match="another run writes into"):
        prove(request, Quiet(), now=NOW)
    with alone_with(seal_path(case.plan), "held"), pytest.raises(OutputError, match="another proof asks by"):
        prove(request, Quiet(), now=NOW)
    assert prove(request, Quiet(), now=NOW).outcome is Outcome.SHOWN


def test_a_tokenizer_is_pinned_as_prompts_are(case: Case) -> None:
    folder = case.folder / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    test = '[[tests]]\nname = "c"\nkind = "radioactivity_closed"\nkeys = ["acct-17"]\nsample = 200\nmeasured = "c.jsonl"\n'
    test += 'tokenizer = "tokenizer"\n'
    case.write(test)
    with pytest.raises(PlanError, match="tokenizer and tokenizer_sha256 go together"):
        case.seal()
    case.write(test + f'tokenizer_sha256 = "{file_sha256(folder / "tokenizer.json")}"\n')
    case.seal()
    (folder / "tokenizer.json").write_text('{"other": true}', encoding="utf-8")
    with pytest.raises(PlanError, match=r"names a tokenizer of sha256 .*restore the file"):
        prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    seal_path(case.plan).unlink()
    with pytest.raises(PlanError, match="names a tokenizer of sha256"):
        seal_plan(case.plan, now=NOW)


def _twins(case: Case) -> None:
    case.write('[[tests]]\nname = "twins"\nkind = "twins"\nkeys = ["acct-17"]\nsample = 300\nmeasured = "t.jsonl"\n')
    case.seal()
    case.lines("t.jsonl", case.twins("acct-17", 300, 1.0))


@pytest.fixture
def asked_by() -> Any:
    """An endpoint that answers red, and stalls from a number of questions on."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Event, Thread

    asked: list[dict[str, Any]] = []
    most: list[int | None] = [None]
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if most[0] is not None and len(asked) > most[0]:
                over.wait(30.0)
                return
            body = json.dumps({"model": "m", "choices": [{"message": {"content": "red"}, "finish_reason": "stop"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def hold(count: int | None) -> None:
        most[0] = count

    yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked, hold
    over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_note_of_what_answers_belong_to_stands_before_the_first_answer(case: Case) -> None:
    _planned(case)
    case.seal()

    class Silent(Told):
        def answer(self, prompt: str, *, most_tokens: int) -> str:
            assert (case.folder / "t.jsonl.bound").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(read_plan(case.plan), case.plan, Silent(), Quiet())
    assert json.loads((case.folder / "t.jsonl.bound").read_text("utf-8"))["test"] == "twins"
    path: Path = case.folder / "t.jsonl"
    assert path.read_bytes() == b""
