"""Reads what a LiteLLM proxy logs: the standard logging payload of its callbacks, and the rows of its spend log table."""

from __future__ import annotations

import re
from typing import Any

from stillwatch.ingest.messages import (
    ANSWER_COLUMNS,
    CONVERSATION_COLUMNS,
    PARAMETER_COLUMNS,
    Row,
    answer,
    conversation,
    label,
    mapping,
    parameters,
    pick,
    usage,
)
from stillwatch.ingest.parsing import Record, parse_text
from stillwatch.ingest.readers.base import REQUEST_ID, Context, Reader
from stillwatch.ingest.secrets import hash_key
from stillwatch.records.tables import TEXT_COLUMNS

_SHARED_COLUMNS = (
    *("exchange_id", "source", "started_at", "ended_at", "account_id", "org_id", "project_id", "key_id", "end_user_id"),
    *("session_id", "trace_id", "client_ip", "user_agent", "endpoint", "status", "error_code", "text_state", "raw_sha256"),
)
_COLUMNS = tuple(dict.fromkeys((*_SHARED_COLUMNS, *PARAMETER_COLUMNS, *ANSWER_COLUMNS, *CONVERSATION_COLUMNS)))

_REDACTED = re.compile(r"redacted[ -]by[ -]litellm", re.IGNORECASE)
_REDACTED_CHARS = 64
_TRUNCATED = re.compile(r"\((?:litellm_)?truncated [0-9]+ chars")
_STORED_CHARS = 2048  # LiteLLM's default bound on strings in its database


def _sniff_payload(record: Record) -> bool:
    return "call_type" in record and "startTime" in record and "request_id" not in record


def _sniff_spend(record: Record) -> bool:
    return "call_type" in record and "startTime" in record and "request_id" in record


def _read_payload(record: Record, context: Context) -> list[Row | None]:
    meta = mapping(record.get("metadata"))
    row = _common(record, meta, context)
    row |= {
        "exchange_id": record.get("id"),
        "session_id": label(record.get("session_id")),
        "account_id": pick(meta.get("user_api_key_user_id"), meta.get("user_api_key_team_id"), _key(meta.get("user_api_key_hash"))),
        "org_id": pick(meta.get("user_api_key_org_id"), meta.get("user_api_key_team_id")),
        "project_id": meta.get("user_api_key_project_id"),
        "key_id": meta.get("user_api_key_hash"),
        "end_user_id": label(pick(record.get("end_user"), meta.get("user_api_key_end_user_id"))),
        "client_ip": pick(record.get("requester_ip_address"), meta.get("requester_ip_address")),
        "user_agent": label(pick(record.get("user_agent"), meta.get("user_agent"))),
        "endpoint": pick(meta.get("user_api_key_request_route"), record.get("call_type")),
        "stream": pick(record.get("stream"), row.get("stream")),
        REQUEST_ID: record.get("litellm_call_id"),
    }
    return [row]


def _read_spend(record: Record, context: Context) -> list[Row | None]:
    meta = mapping(parse_text(record.get("metadata"), context.max_depth))
    row = _common(record, meta, context)
    row |= {
        "exchange_id": record.get("request_id"),
        "session_id": label(record.get("session_id")),
        "account_id": pick(record.get("user"), record.get("team_id"), _key(record.get("api_key"))),
        "org_id": pick(record.get("organization_id"), record.get("team_id")),
        "key_id": record.get("api_key"),
        "end_user_id": label(record.get("end_user")),
        "client_ip": record.get("requester_ip_address"),
        "user_agent": label(meta.get("user_agent")),
        "endpoint": record.get("call_type"),
        REQUEST_ID: record.get("litellm_call_id"),
    }
    return [row]


def _key(value: object) -> str | None:
    return hash_key(value) if isinstance(value, str) and value else None


def _common(record: Record, meta: dict[str, Any], context: Context) -> Row:
    """What the two have in common: parameters, texts, usage, times, outcome."""
    failed = mapping(record.get("error_information")) or mapping(meta.get("error_information"))
    given = mapping(parse_text(record.get("proxy_server_request"), context.max_depth))
    messages = pick(parse_text(record.get("messages"), context.max_depth), given.get("messages"))
    if isinstance(messages, dict):
        messages = messages.get("messages", [])
    row = parameters(mapping(given.get("body")) or given) | parameters(mapping(record.get("model_parameters")))
    row |= conversation(messages) | answer(parse_text(record.get("response"), context.max_depth))
    row |= usage(meta.get("usage_object"))
    row |= {
        "input_tokens": pick(record.get("prompt_tokens"), row.get("input_tokens")),
        "output_tokens": pick(record.get("completion_tokens"), row.get("output_tokens")),
        "started_at": record.get("startTime"),
        "ended_at": record.get("endTime"),
        "trace_id": record.get("trace_id"),
        "model_requested": pick(record.get("model_group"), row.get("model_requested"), record.get("model")),
        "model_served": pick(record.get("model"), row.get("model_served")),
        "status": _status(record, failed),
        "error_code": label(pick(failed.get("error_code"), failed.get("error_class"))),
    }
    return _with_state(row)


def _status(record: Record, failed: dict[str, Any]) -> int | None:
    if record.get("status") == "success":
        return 200
    code = label(failed.get("error_code"))
    return int(code) if code is not None and re.fullmatch(r"[1-5][0-9]{2}", code) else None


def _with_state(row: Row) -> Row:
    """Set text_state, and drop texts that are only the word that they were removed."""
    texts = {name: text for name in TEXT_COLUMNS if isinstance(text := row.get(name), str)}
    redacted = {name for name, text in texts.items() if len(text) <= _REDACTED_CHARS and _REDACTED.search(text)}
    for name in redacted:
        del row[name]
    kept = [text for name, text in texts.items() if name not in redacted]
    if redacted:
        row["text_state"] = "redacted"
    elif any(len(text) == _STORED_CHARS or _TRUNCATED.search(text) for text in kept):
        row["text_state"] = "truncated"
    return row


LITELLM = Reader(name="litellm", columns=_COLUMNS, sniff=_sniff_payload, read=_read_payload)
LITELLM_SPEND_LOGS = Reader(name="litellm-spend-logs", columns=_COLUMNS, sniff=_sniff_spend, read=_read_spend)
