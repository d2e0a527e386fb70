"""Twins never hurt the customer, and the coin alone decides which answer is served."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from stillwatch.marks.keys import KeyMaterialError, MarkKey, commitment
from stillwatch.marks.openai_twins import answer_text, serve_chat, unsuitable
from stillwatch.marks.twins import Asked, ForeignPairError, Served, TwinKey, assign, check_pairs, serve, serve_async, unblind
from stillwatch.records.pairs import TwinPair
from stillwatch.stats.samples import UnusableValuesError

KEY = MarkKey(bytes(range(5, 37)))
ALL = TwinKey(key=KEY, period="2026-11", share=1.0)
NONE = TwinKey(key=KEY, period="2026-11", share=0.0)


def _asked(request_id: str) -> Asked:
    return Asked(request_id=request_id, prompt="why", at="2026-11-25T00:00:00Z", account_id="acme", model="m")


def _answers(*texts: str | Exception) -> Callable[[], str]:
    left = iter(texts)

    def sample() -> str:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return sample


def _with_coin(second_is_served: bool) -> str:
    return next(name for name in map(str, itertools.count()) if assign(KEY, name, 1.0).second_is_served is second_is_served)


@pytest.mark.parametrize("second_is_served", [False, True])
def test_the_coin_decides_which_answer_is_served(second_is_served: bool) -> None:
    name = _with_coin(second_is_served)
    served = serve(_answers("one", "two"), text=str, twin_key=ALL, asked=_asked(name))
    assert served.response == ("two" if second_is_served else "one")
    assert served.pair is not None
    assert (served.pair.first, served.pair.second, served.pair.tie) == ("one", "two", False)
    assert served.pair.key_commitment == commitment(KEY)
    opened = unblind(KEY, [served.pair])
    assert opened.served == (served.response,)
    assert opened.withheld == ("one" if second_is_served else "two",)


def test_a_request_outside_the_share_is_sampled_once() -> None:
    served = serve(_answers("one"), text=str, twin_key=NONE, asked=_asked("a"))
    assert (served.response, served.pair) == ("one", None)
    assert served.reason


@pytest.mark.parametrize("second_is_served", [False, True])
@pytest.mark.parametrize("second", [RuntimeError("boom"), TimeoutError(), ""])
def test_a_second_sample_that_fails_never_reaches_the_customer(second: str | Exception, second_is_served: bool) -> None:
    served = serve(_answers("one", second), text=str, twin_key=ALL, asked=_asked(_with_coin(second_is_served)))
    assert (served.response, served.pair) == ("one", None)
    assert "boom" not in served.reason


def test_a_text_that_cannot_be_read_costs_the_pair_alone() -> None:
    def text(_: str) -> str:
        raise LookupError("secret answer")

    served = serve(_answers("one", "two"), text=text, twin_key=ALL, asked=_asked(_with_coin(True)))
    assert (served.response, served.pair) == ("one", None)
    assert "secret" not in served.reason


def test_a_first_sample_that_fails_fails_as_without_twins() -> None:
    with pytest.raises(RuntimeError, match="boom"):
        serve(_answers(RuntimeError("boom"), "two"), text=str, twin_key=ALL, asked=_asked("a"))


def test_nothing_withheld_is_shown_by_a_representation() -> None:
    served = serve(_answers("alpha text", "beta text"), text=str, twin_key=ALL, asked=_asked("a"))
    assert "text" not in repr(served)
    assert "alpha" not in repr(served.pair)
    assert "second_is_served" not in repr(assign(KEY, "a", 1.0))


def _delayed(*answers: tuple[float, str | BaseException]) -> tuple[Callable[[], Any], list[str]]:
    left, finished = iter(answers), list[str]()

    async def sample() -> str:
        seconds, answer = next(left)
        await asyncio.sleep(seconds)
        if isinstance(answer, BaseException):
            raise answer
        finished.append(answer)
        return answer

    return sample, finished


def _run(sample: Callable[[], Any], request_id: str, patience_s: float = 5.0) -> Served[str]:
    return asyncio.run(serve_async(sample, text=str, twin_key=ALL, asked=_asked(request_id), patience_s=patience_s))


@pytest.mark.parametrize("second_is_served", [False, True])
def test_both_answers_are_sampled_at_once_and_the_coin_decides(second_is_served: bool) -> None:
    sample, _ = _delayed((0.02, "one"), (0.03, "two"))
    served = _run(sample, _with_coin(second_is_served))
    assert served.pair is not None
    opened = unblind(KEY, [served.pair])
    assert opened.served == (served.response,)
    assert {served.response, *opened.withheld} == {"one", "two"}


@pytest.mark.parametrize("slow_or_failing", [(30.0, "late"), (0.0, RuntimeError("boom")), (0.0, asyncio.CancelledError())])
def test_a_second_answer_that_is_late_or_fails_costs_the_pair_alone(slow_or_failing: tuple[float, Any]) -> None:
    # the task of the second answer starts after the first sample's first step, which takes the first entry
    sample, finished = _delayed((0.01, "one"), slow_or_failing)
    served = _run(sample, _with_coin(True), patience_s=0.05)
    assert (served.response, served.pair) == ("one", None)
    assert finished == ["one"]


def test_a_first_answer_that_fails_cancels_the_second() -> None:
    sample, finished = _delayed((0.0, RuntimeError("boom")), (30.0, "late"))
    with pytest.raises(RuntimeError, match="boom"):
        _run(sample, "a")
    assert finished == []


def _pair(request_id: str, **changes: Any) -> TwinPair:
    served = serve(_answers("one", "two"), text=str, twin_key=ALL, asked=_asked(request_id))
    assert served.pair is not None
    return dataclasses.replace(served.pair, **changes)


def test_ties_and_repeated_requests_are_left_out_whatever_the_coin() -> None:
    tied = [_pair(_with_coin(coin), second="one", tie=True) for coin in (False, True)]
    repeated = [_pair("again"), _pair("again", first="three")]
    opened = unblind(KEY, [*tied, *repeated, _pair("other")])
    assert (opened.ties, opened.repeats) == (2, 1)
    assert [pair.request_id for pair in opened.pairs] == ["again", "other"]
    assert "one" in {*opened.served, *opened.withheld}
    assert "three" not in {*opened.served, *opened.withheld}


@pytest.mark.parametrize("change", [{"key_commitment": "sha256:00"}, {"share": 0.0}, {"tie": True}])
def test_a_pair_that_is_not_the_keys_own_is_refused(change: dict[str, Any]) -> None:
    for read in (unblind, check_pairs):
        with pytest.raises(ForeignPairError, match="pair 2"):
            read(KEY, [_pair("a"), _pair("b", **change)])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UnusableValuesError, match="share"):
        assign(KEY, "a", share)
    with pytest.raises(UnusableValuesError, match="share"):
        TwinKey(key=KEY, period="1", share=share)
    with pytest.raises(KeyMaterialError):
        assign(KEY, "", 0.5)


def _chat(content: str | None, **message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": "stop"}]}


class _Endpoint:
    def __init__(self, *responses: Any) -> None:
        self.responses = list(responses)
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, body: dict[str, Any]) -> Any:
        self.bodies.append(body)
        response = self.responses[len(self.bodies) - 1]
        body["messages"].append("spoilt")
        if isinstance(response, Exception):
            raise response
        return response


def _ask(endpoint: _Endpoint, body: dict[str, Any], request_id: str = "r") -> Served[Any]:
    return asyncio.run(serve_chat(endpoint, body, request_id=request_id, account_id="acme", at="2026-11-25T00:00:00Z", twin_key=ALL))


BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "why"}]}


@pytest.mark.parametrize("second_is_served", [False, True])
def test_an_openai_endpoint_is_asked_twice_with_the_same_body(second_is_served: bool) -> None:
    endpoint = _Endpoint(_chat("one"), _chat("two"))
    served = _ask(endpoint, BODY, _with_coin(second_is_served))
    assert len(endpoint.bodies) == 2
    assert endpoint.bodies[0] == endpoint.bodies[1]
    assert BODY["messages"] == [{"role": "user", "content": "why"}]
    assert served.pair is not None
    assert served.pair.prompt == '[{"content":"why","role":"user"}]'
    assert unblind(KEY, [served.pair]).served == (answer_text(served.response),)


@pytest.mark.parametrize("field", [{"stream": True}, {"n": 2}, {"seed": 0}, {"temperature": 0}])
def test_requests_that_cannot_be_paired_are_asked_once(field: dict[str, Any]) -> None:
    endpoint = _Endpoint(_chat("one"))
    served = _ask(endpoint, BODY | field)
    assert served.pair is None
    assert served.reason == unsuitable(BODY | field) != ""
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("second", [RuntimeError("boom"), _chat(None, tool_calls=[{}]), {"error": "overloaded"}, {"choices": 3}, [], None])
def test_a_second_response_of_another_form_is_never_served(second: Any) -> None:
    served = _ask(_Endpoint(_chat("one"), second), BODY, _with_coin(True))
    assert served.pair is None
    assert answer_text(served.response) == "one"
