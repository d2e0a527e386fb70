"""Keys in addresses, headers and refused records are hashed or left out, and never written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.quarantine import head_of
from stillwatch.ingest.secrets import hash_key

KEY = "AQ.Ab8RN6KxT3mQvW0pZsYdLhGfUjEoCiNa1b2c3d4e5"
ADDRESSES = {
    f"https://g.example/v1beta/models/m:generateContent?key={KEY}": "https://g.example/v1beta/models/m:generateContent",
    f"/v1/chat?code={KEY}": "/v1/chat",
    f"/v1/chat#auth={KEY}": "/v1/chat",
    f"/v1/chat%3Fkey%3D{KEY}": "/v1/chat",
    f"https://user:{KEY}@h.example/x": "https://h.example/x",
    f"https://{KEY}@h.example/x": "https://h.example/x",
    f"https://user:p@{KEY}@h.example/x": "https://h.example/x",
    f"user:{KEY}@h.example/x": "h.example/x",
    "projects/p/models/m@001": "projects/p/models/m@001",
    "m@001": "m@001",
    "/v1/chat/completions": "/v1/chat/completions",
}


def pair(number: int = 0, **asked: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": "How is a still cleaned?"}]}
    return {
        "id": f"h{number}",
        "created_at": "2026-11-23T19:00:00Z",
        "request": {"url": "/v1/chat", "headers": {}, "body": body} | asked,
        "response": {"status": 200, "body": {"choices": [{"message": {"role": "assistant", "content": "ok"}}]}},
    }


@pytest.mark.parametrize(("given", "kept"), ADDRESSES.items())
def test_an_endpoint_keeps_only_host_and_path(run, lines, exchange, tmp_path: Path, given: str, kept: str) -> None:
    (row,) = run(lines(exchange(endpoint=given))).rows
    assert row["endpoint"] == kept
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist([exchange(endpoint=given)]), path)
    (row,) = run(path).rows
    assert row["endpoint"] == kept


def test_an_endpoint_of_nothing_but_a_query_is_null(run, lines, exchange) -> None:
    assert [row["endpoint"] for row in run(lines(exchange(0, endpoint=f"?key={KEY}"), exchange(1, endpoint="/v1"))).rows] == [None, "/v1"]


def test_a_span_keeps_the_path_alone(run, lines) -> None:
    given = {"user.id": "acct_42", "gen_ai.request.model": "m", "url.path": f"/v1/chat?key={KEY}"}
    attributes = [{"key": name, "value": {"stringValue": value}} for name, value in given.items()]
    span = {"traceId": "5b8e", "spanId": "eee1", "startTimeUnixNano": "1795460400000000000", "attributes": attributes}
    (row,) = run(lines({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})).rows
    assert row["endpoint"] == "/v1/chat"


@pytest.mark.parametrize(
    "asked",
    [
        {"url": f"https://g.example/v1?key={KEY}"},
        {"url": f"/v1?a=1&api_key={KEY.replace('.', '%2E')}"},
        {"headers": {"Authorization": f"Bearer {KEY} "}},
        {"headers": {"Authorization": f"Bearer  {KEY}"}},
        {"headers": {"x-goog-api-key": KEY}},
        {"headers": {"Ocp-Apim-Subscription-Key": KEY}},
        {"headers": {"x-api-key": [KEY]}},
    ],
)
def test_a_request_that_carries_a_key_is_read_under_its_hash(run, lines, asked: dict[str, Any]) -> None:
    (row,) = run(lines(pair(**asked))).rows
    assert row["key_id"] == row["account_id"] == hash_key(KEY)
    assert KEY not in repr(row)


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer "}, {"Authorization": "Bearer"}, {"Authorization": " "}, {"x-api-key": []}])
def test_a_header_without_a_key_makes_no_account(run, lines, headers: dict[str, Any]) -> None:
    assert run(lines(pair(headers=headers))).reasons == ["missing_account_id"]


@pytest.mark.parametrize("agent", [f"app/1.0 key={KEY[3:]}", f"app/1.0 --api-key {KEY}", f"app (token={KEY})", f"app?key={KEY}"])
def test_a_user_agent_is_masked(run, lines, exchange, agent: str) -> None:
    (row,) = run(lines(exchange(user_agent=agent))).rows
    assert row["user_agent"].startswith("app")
    assert KEY[3:] not in row["user_agent"]


PLAIN = "plain words 7"
HELD: tuple[Any, ...] = (PLAIN, {"value": PLAIN}, [PLAIN], {"a": [{"b": [1, PLAIN]}], "c": "}"}, 7_777_777, True, None)


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("name", ["key_id", "api_key", "X-Api-Key", "Cookie", "set-cookie", "X-Auth", "x-auth-token", "user_api_key_hash"])
def test_what_a_field_of_keys_holds_stays_out_of_quarantine(name: str, held: Any) -> None:
    head = head_of(orjson.dumps({"a": 1, name: held, "z": "seen"}))
    assert PLAIN not in head
    assert "7777777" not in head
    assert head == orjson.dumps({"a": 1, name: "[key]", "z": "seen"}).decode()


@pytest.mark.parametrize(
    "data",
    [
        b'{"key_id": plainwords}',
        b'{"key_id": {"value": "plainwords',
        b'{"key_id": "plainwords',
        b'{"meta": "{\\"user_api_key\\": \\"plainwords\\"}"}',
        b'{"key": "api_key", "value": {"stringValue": "plainwords"}}',
        b'{"headers": {"Cookie": ["a=plainwords", "b=plainwords"]}}',
        b'{"\\u0061": 1, "authorization": {"}": "plainwords"}}',
    ],
)
def test_broken_and_nested_fields_of_keys_stay_out_of_quarantine(data: bytes) -> None:
    assert "plainwords" not in head_of(data)
