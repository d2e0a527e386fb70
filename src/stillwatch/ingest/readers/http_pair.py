"""Reads generic pairs of an HTTP request and its response, as gateways such as Portkey and Kong log them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from stillwatch.ingest.messages import (
    ANSWER_COLUMNS,
    CONVERSATION_COLUMNS,
    PARAMETER_COLUMNS,
    Row,
    answer,
    label,
    mapping,
    pick,
    request,
)
from stillwatch.ingest.parsing import Record, parse_text
from stillwatch.ingest.readers.base import REQUEST_ID, Context, Reader
from stillwatch.ingest.secrets import hash_key
from stillwatch.ingest.values import RefusedRowError, as_time

_COLUMNS = tuple(
    dict.fromkeys(
        (
            *("exchange_id", "source", "started_at", "ended_at", "account_id", "org_id", "key_id", "end_user_id", "session_id", "trace_id"),
            *("client_ip", "user_agent", "endpoint", "status", "text_state", "raw_sha256"),
            *PARAMETER_COLUMNS,
            *ANSWER_COLUMNS,
            *CONVERSATION_COLUMNS,
        )
    )
)
_ACCOUNT_NAMES = ("account_id", "accountId", "customer_id", "user_id", "userId", "_user", "user", "organization", "organisation")
_START_NAMES = ("started_at", "startTime", "created_at", "createdAt", "timestamp", "time")
_KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key", "x-portkey-api-key", "ocp-apim-subscription-key")
_KEY_PARAMETER = re.compile(r"[?&](?:key|api[_-]?key|subscription-key)=([^&#\s]+)", re.IGNORECASE)
_SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate"})
_MAX_CHUNKS = 100_000


def _sniff(record: Record) -> bool:
    asked = record.get("request")
    return isinstance(asked, dict) and isinstance(record.get("response"), dict) and ("body" in asked or "url" in asked)


def _read(record: Record, context: Context) -> list[Row | None]:
    asked, answered, meta = mapping(record.get("request")), mapping(record.get("response")), mapping(record.get("metadata"))
    sent = _headers(asked)
    row = request(mapping(parse_text(asked.get("body"), context.max_depth)))
    row |= answer(_response_body(answered.get("body"), context))
    row |= _identity(record, meta, sent, _address(asked))
    started = pick(*(record.get(name) for name in _START_NAMES), *(meta.get(name) for name in _START_NAMES), asked.get("time"))
    row |= {
        "exchange_id": pick(record.get("id"), meta.get("id"), mapping(_headers(answered)).get("x-request-id")),
        "started_at": started,
        "ended_at": pick(record.get("ended_at"), record.get("endTime"), _end(started, answered)),
        "trace_id": label(pick(record.get("trace_id"), meta.get("traceId"), meta.get("trace_id"))),
        "session_id": label(pick(meta.get("session_id"), meta.get("sessionId"))),
        "client_ip": label(pick(record.get("client_ip"), sent.get("x-forwarded-for", "").split(",")[0].strip(), sent.get("x-real-ip"))),
        "user_agent": sent.get("user-agent"),
        "endpoint": _address(asked),
        "status": pick(answered.get("status"), answered.get("status_code")),
        REQUEST_ID: sent.get("x-request-id"),
    }
    return [row]


def _headers(side: dict[str, Any]) -> dict[str, str]:
    """Headers by their names in lower case; of a repeated one the first."""
    given = {name.lower(): _first_of(value) for name, value in mapping(side.get("headers")).items()}
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _first_of(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _address(asked: dict[str, Any]) -> str | None:
    return label(pick(asked.get("url"), asked.get("uri"), asked.get("path")))


def _key(sent: dict[str, str], address: str | None) -> str | None:
    """The key of a request: of a header, else of its address."""
    words = sent.get("authorization", "").split()
    credentials = words[-1] if words and words[-1].lower() not in _SCHEMES else None
    parameter = _KEY_PARAMETER.search(address or "")
    headers = (sent.get(name, "").strip() or None for name in _KEY_HEADERS)
    return pick(*headers, credentials, unquote(parameter.group(1)) if parameter else None)


def _identity(record: Record, meta: dict[str, Any], sent: dict[str, str], address: str | None) -> Row:
    """Who asked: what the gateway says, else the account header, else the key."""
    key = _key(sent, address)
    consumer = mapping(record.get("consumer"))
    hashed = hash_key(key) if key else None
    stated = pick(record.get("account_id"), consumer.get("custom_id"), consumer.get("id"), *(meta.get(name) for name in _ACCOUNT_NAMES))
    return {
        "account_id": pick(stated, sent.get("x-account-id"), sent.get("openai-organization"), hashed),
        "org_id": label(pick(meta.get("organization"), sent.get("openai-organization"))),
        "key_id": hashed,
    }


def _end(started: object, answered: dict[str, Any]) -> int | None:
    """Start plus the response time, which is in milliseconds."""
    taken = answered.get("response_time")
    if not isinstance(taken, (int, float)) or isinstance(taken, bool) or not 0 <= taken < 1e9:
        return None
    try:
        return as_time(started) + int(taken * 1_000)
    except RefusedRowError:
        return None


def _response_body(body: object, context: Context) -> Any:
    """The body, or the chunks of a streamed one (server-sent events)."""
    if isinstance(body, str) and "data:" in body[:200]:
        lines = (line.removeprefix("data:").strip() for line in body.splitlines()[:_MAX_CHUNKS] if line.startswith("data:"))
        return [parse_text(line, context.max_depth) for line in lines]
    return parse_text(body, context.max_depth)


HTTP_PAIR = Reader(name="http-pair", columns=_COLUMNS, sniff=_sniff, read=_read)
