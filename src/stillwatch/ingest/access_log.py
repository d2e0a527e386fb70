"""Reads access logs of HTTP gateways, which fill the client's address and user agent of rows that lack them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stillwatch.ingest.messages import label, pick
from stillwatch.ingest.parsing import Record

_ID_NAMES = ("x-request-id", "x_request_id", "request_id", "requestId", "trace_id", "traceId", "correlation_id", "correlationId")
_ADDRESS_NAMES = (
    *("x-forwarded-for", "x_forwarded_for", "client_ip", "clientIp", "remote_addr", "downstream_remote_address"),
    *("callerIpAddress", "sourceIPAddress", "remote_ip"),
)
_AGENT_NAMES = ("user-agent", "user_agent", "userAgent", "http_user_agent")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_MARKS = ("model", "messages", "response", "call_type", "account_id", "resourceSpans", "resourceLogs", "input", "custom_id")
_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}")


def is_access_log(record: Record) -> bool:
    """Whether a record names a request and where it came from, and holds no exchange itself."""
    named = any(record.get(name) for name in (*_ID_NAMES, "traceparent"))
    placed = any(record.get(name) for name in (*_ADDRESS_NAMES, *_AGENT_NAMES))
    return named and placed and not any(name in record for name in _MARKS)


def entries(record: Record) -> Iterator[tuple[str, str | None, str | None]]:
    """(id, client address, user agent) for each id of the request; nothing when it says neither."""
    address = _address(record)
    agent = label(pick(*(record.get(name) for name in _AGENT_NAMES)))
    if address is None and agent is None:
        return
    for name in _ID_NAMES:
        key = label(record.get(name))
        if key:
            yield key, address, agent
    parent = _TRACE_PARENT.fullmatch(label(record.get("traceparent")) or "")
    if parent:
        yield parent.group(1), address, agent


def _address(record: Record) -> str | None:
    """The client's address: the first of a forwarding chain, without its port."""
    given = label(pick(*(record.get(name) for name in _ADDRESS_NAMES)))
    if given is None:
        return None
    client = given.split(",")[0].strip()
    with_port = _PORT.fullmatch(client)
    return (with_port.group(1) if with_port else client).strip("[]") or None
