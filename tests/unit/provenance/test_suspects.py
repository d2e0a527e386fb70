"""Suspects that lie, stall, cut off and give no numbers, behind a server on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stillwatch.app.measure_files import plain_prompt
from stillwatch.app.measuring import measure, open_suspect
from stillwatch.app.plan_files import read_plan
from stillwatch.app.progress import Quiet
from stillwatch.app.proving import ProofRequest, prove
from stillwatch.errors import UsageError
from stillwatch.marks.canaries import choose
from stillwatch.marks.twins import assign
from stillwatch.provenance.suspects import MOST_IN_A_ROW, AnswerError, SuspectError
from stillwatch.provenance.suspects.endpoint import EndpointSuspect
from stillwatch.provenance.suspects.transport import Transport

from .conftest import NOW, Case, slots

pytestmark = pytest.mark.slow

Answer = Callable[[str, dict[str, Any]], Any]


@dataclass
class Server:
    """What the fake endpoint answers, and what it was asked."""

    url: str = ""
    answer: Answer = lambda path, question: {}
    asked: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)

    def suspect(self, timeout_s: float = 5.0) -> EndpointSuspect:
        """A suspect there, who is not waited for between tries."""
        return EndpointSuspect(transport=Transport(url=self.url, key="k", timeout_s=timeout_s, tries=3, sleep=lambda _: None), model="m")


def chat(text: object, **more: Any) -> dict[str, Any]:
    """A chat answer."""
    return {"model": "m", "choices": [{"message": {"content": text}, "finish_reason": "stop"} | more]}


def echo(text: str, log: object = -1.0) -> dict[str, Any]:
    """An echoed prompt, a token for each letter."""
    offsets = list(range(len(text)))
    logs = {"tokens": [*text, "!"], "token_logprobs": [None, *[log] * len(text)], "text_offset": [*offsets, len(text)]}
    return {"model": "m", "choices": [{"text": text + "!", "logprobs": logs, "finish_reason": "length"}]}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on a free port of this machine."""
    shared = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            shared.asked.append((self.path, question, self.headers.get("Authorization")))
            given = shared.answer(self.path, question)
            if callable(given):
                given(self)
                return
            status, body = given if isinstance(given, tuple) else (200, given)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    shared.url = f"http://127.0.0.1:{running.server_port}/v1"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield shared
    running.shutdown()
    running.server_close()
    thread.join()


def test_answers_and_likelihoods_are_read_and_the_key_goes_with_them(server: Server) -> None:
    server.answer = lambda path, question: chat("yes") if path.endswith("chat/completions") else echo(question["prompt"], -0.5)
    suspect = server.suspect()
    assert suspect.answer("really?", most_tokens=5) == "yes"
    assert suspect.log_likelihood("ab", "cde") == -1.5
    assert {header for _, _, header in server.asked} == {"Bearer k"}
    assert "k" not in repr(suspect.transport).replace("key", "").split("url")[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (chat("x") | {"model": "another"}, "of model 'another'"),
        (chat(None), "no text"),
        (chat("   "), "no text"),
        (chat("x", finish_reason=None), "cut off"),
        (chat("x\ud800"), "lone surrogate"),
        ({"model": "m", "choices": []}, "exactly one choice"),
        ({"model": "m", "choices": "x"}, "exactly one choice"),
        (b"<html>", "not JSON"),
        (b"[1]", "no object"),
        (b"[" * 100_000, "not JSON"),
    ],
    ids=[
        "another model",
        "null",
        "blank",
        "no reason to end",
        "half a character",
        "no choice",
        "choices of text",
        "a page",
        "a list",
        "deep",
    ],
)
def test_an_answer_that_cannot_be_used_says_why(server: Server, given: Any, words: str) -> None:
    server.answer = lambda *_: given
    with pytest.raises(AnswerError, match=words):
        server.suspect().answer("?", most_tokens=5)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (echo("another text"), "not the one that was sent"),
        (echo("abcde", float("nan")), "not finite"),
        (echo("abcde", 0.1), "above 0"),
        (echo("abcde", None), "missing"),
        (echo("abcde", True), "missing"),
        (echo("abcde", -(10**400)), "not finite"),
        ({"model": "m", "choices": [{"text": "abcde", "logprobs": None}]}, "gives no log-probabilities"),
        ({"model": "m", "choices": [{"text": "abcde", "logprobs": {"tokens": []}}]}, "lack token_logprobs"),
        (
            {"model": "m", "choices": [{"text": "abcde", "logprobs": {"tokens": ["abcde"], "token_logprobs": [], "text_offset": [0]}}]},
            "1 tokens, 0 log-probabilities",
        ),
        (
            {"model": "m", "choices": [{"text": "abcde", "logprobs": {"tokens": ["xx"], "token_logprobs": [-1], "text_offset": [2]}}]},
            "do not add up",
        ),
        (
            {
                "model": "m",
                "choices": [{"text": "abcde", "logprobs": {"tokens": ["ab", "cde"], "token_logprobs": [-9, -1], "text_offset": [3, 2]}}],
            },
            "offsets are not those",
        ),
    ],
    ids=[
        "other text",
        "nan",
        "positive",
        "null",
        "a flag",
        "beyond doubles",
        "none",
        "no numbers",
        "too few",
        "other tokens",
        "other offsets",
    ],
)
def test_log_probabilities_that_contradict_themselves_are_refused(server: Server, given: Any, words: str) -> None:
    server.answer = lambda *_: given
    with pytest.raises(AnswerError, match=words):
        server.suspect().log_likelihood("ab", "cde")


def _stalls(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.0)


def _drips(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(30):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def _drips_its_headers(handler: BaseHTTPRequestHandler) -> None:
    try:
        for sign in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60:
            handler.wfile.write(bytes([sign]))
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def _says_to_go_on(handler: BaseHTTPRequestHandler) -> None:
    try:
        for _ in range(60):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def _cuts_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')


def _hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def _redirects(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(307)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    ("way", "tries"),
    [
        (_stalls, 3),
        (_drips, 3),
        (_drips_its_headers, 3),
        (_says_to_go_on, 3),
        (_cuts_off, 3),
        (_hangs_up, 3),
        (_redirects, 1),
        ((401, {}), 1),
        ((503, {}), 3),
    ],
)
def test_a_host_that_gives_nothing_is_tried_again_and_then_named(server: Server, way: Any, tries: int) -> None:
    server.answer = lambda *_: way
    with pytest.raises(SuspectError, match=f"no answer after {tries} of 3 tries"):
        server.suspect(timeout_s=0.3).answer("?", most_tokens=5)
    assert len(server.asked) == tries
    assert all(path == "/v1/chat/completions" for path, _, _ in server.asked)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ((401, {}), "HTTP status 401, it wants another bearer token: set STILLWATCH_SUSPECT_KEY"),
        (_redirects, "HTTP status 307, it points elsewhere, which is not followed"),
        ((404, {}), "HTTP status 404, it has no such address: the url goes up to and with /v1"),
    ],
)
def test_a_host_that_will_never_answer_us_so_says_what_to_do(server: Server, way: Any, words: str) -> None:
    server.answer = lambda *_: way
    with pytest.raises(SuspectError, match=words):
        server.suspect().answer("?", most_tokens=5)


def test_what_a_host_says_does_not_act_on_a_terminal(server: Server) -> None:
    server.answer = lambda *_: lambda handler: handler.wfile.write(b"HTTP/1.1 \x1b[31mEVIL\x1b]0;title\x07\r\n\r\n")
    with pytest.raises(SuspectError) as refused:
        server.suspect().answer("?", most_tokens=5)
    assert "EVIL" in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_host_that_recovers_is_heard(server: Server) -> None:
    server.answer = lambda *_: (503, {}) if len(server.asked) < 3 else chat("yes")
    assert server.suspect().answer("?", most_tokens=5) == "yes"


def test_a_flood_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.provenance.suspects.transport.LARGEST_ANSWER", 1000)
    server.answer = lambda *_: b" " * 5000
    with pytest.raises(AnswerError, match="longer than 1,000 bytes"):
        server.suspect().answer("?", most_tokens=5)


def test_an_address_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="https://"):
        Transport(url="file:///etc/passwd")


def test_messages_become_a_prompt() -> None:
    assert plain_prompt('[{"role": "system", "content": "A"}, {"role": "user", "content": "B"}]') == "A\n\nB\n\n"
    assert plain_prompt("[1]") == "[1]"
    assert plain_prompt("hello") == "hello"


def _pairs(case: Case, count: int) -> str:
    rows = [
        {"previous": "0", "pair": {"request_id": f"r{n}", "prompt": f"Q{n}", "first": f"red {n}", "second": f"blue {n}"}}
        for n in range(count)
    ]
    return case.lines("pairs.jsonl", rows)


def _planned(case: Case, server: Server, count: int, *, logprobs: bool) -> None:
    test = (
        f'[[tests]]\nname = "twins"\nkind = "twins"\nkeys = ["acct-17"]\nsample = {count}\nmeasured = "t.jsonl"\nprompts = "pairs.jsonl"\n'
    )
    suspect = f'name = "model X"\nkind = "endpoint"\nurl = "{server.url}"\nmodel = "m"\nlogprobs = {str(logprobs).lower()}'
    case.write(test + f'prompts_sha256 = "{_pairs(case, count)}"\n', suspect=suspect)
    case.seal()


def _served(case: Case, prompt: str) -> str:
    number = int(prompt.split("Q")[1].split("red", maxsplit=1)[0].split("blue", maxsplit=1)[0].strip())
    second = assign(case.keys["acct-17"], f"r{number}", 1.0).second_is_served
    return f"{'blue' if second else 'red'} {number}"


@pytest.mark.parametrize("logprobs", [True, False], ids=["likelihoods", "text only"])
def test_a_student_behind_an_endpoint_is_shown_by_its_twins(case: Case, server: Server, logprobs: bool) -> None:
    _planned(case, server, 40, logprobs=logprobs)

    def learnt(path: str, question: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("chat/completions"):
            return chat(_served(case, question["messages"][0]["content"]))
        served = question["prompt"].endswith(_served(case, question["prompt"]))
        return echo(question["prompt"], -0.5 if served else -2.0)

    server.answer = learnt
    verdict = prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    assert verdict.points_to == ("acct-17",)
    assert len(server.asked) == (80 if logprobs else 40)


def test_a_measurement_that_was_stopped_goes_on_where_it_was(case: Case, server: Server) -> None:
    _planned(case, server, 30, logprobs=False)
    server.answer = lambda *_: (401, {}) if len(server.asked) > 12 else chat("red")
    plan = read_plan(case.plan)
    with pytest.raises(SuspectError, match="what was measured so far is kept"):
        measure(plan, case.plan, server.suspect(), Quiet())
    target = case.folder / "t.jsonl"
    target.write_text(target.read_text("utf-8") + '{"pair": "r1', encoding="utf-8")
    server.asked.clear()
    server.answer = lambda *_: chat("red")
    measure(plan, case.plan, server.suspect(), Quiet())
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [row["pair"] for row in rows] == [f"r{n}" for n in range(30)]
    assert len(server.asked) == 18


def test_a_suspect_that_plays_is_left_after_a_few_and_single_slips_are_counted(case: Case, server: Server) -> None:
    _planned(case, server, 60, logprobs=False)
    server.answer = lambda *_: chat("x") | {"model": "decoy"}
    suspect = open_suspect(read_plan(case.plan), case.plan, key="")
    assert isinstance(suspect, EndpointSuspect)
    with pytest.raises(SuspectError, match=f"{MOST_IN_A_ROW} unusable answers in a row, the last because the answer is of model 'decoy'"):
        measure(read_plan(case.plan), case.plan, suspect, Quiet())
    server.answer = lambda _, question: chat(_served(case, question["messages"][0]["content"]))
    usable, slips = server.answer, iter(range(100))
    # its third answer is the one slip
    server.answer = lambda path, asked: chat("x") | {"model": "decoy"} if next(slips) == 2 else usable(path, asked)
    verdict = prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    dropped = dict(verdict.results[0].result.dropped)
    assert dropped["not measured"] == 1
    assert dropped["unusable answer, its unit asked again"] == MOST_IN_A_ROW
    assert verdict.results[0].result.sample == 60 - 1
    assert "t.jsonl.unusable" in dict(verdict.inputs)


def test_canary_questions_are_asked_and_read(case: Case, server: Server) -> None:
    rows = [{"slot": s.id, "question": s.question, "variants": len(s.variants), "variants_sha256": s.digest} for s in slots()]
    digest = case.lines("q.jsonl", rows)
    test = (
        f'[[tests]]\nname = "c"\nkind = "canaries"\nkeys = ["acct-17"]\nsample = {len(rows)}\nmeasured = "c.jsonl"\nprompts = "q.jsonl"\n'
    )
    suspect = f'name = "model X"\nkind = "endpoint"\nurl = "{server.url}"\nmodel = "m"'
    case.write(test + f'prompts_sha256 = "{digest}"\n', suspect=suspect)
    case.seal()
    by_question = {slot.question: slot for slot in slots()}
    server.answer = lambda _, asked: chat(f"I would say {choose(case.keys['acct-17'], by_question[asked['messages'][0]['content']])}.")
    verdict = prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    assert verdict.results[0].result.value >= 0.9 * len(rows)
    assert verdict.points_to == ("acct-17",)
