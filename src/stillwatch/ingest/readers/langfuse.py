"""Reads Langfuse observations, from its API (camelCase) or its blob exports (snake_case)."""

from __future__ import annotations

import re
from typing import Any

from stillwatch.ingest.messages import (
    CONVERSATION_COLUMNS,
    PARAMETER_COLUMNS,
    USAGE_COLUMNS,
    Row,
    answer,
    conversation,
    label,
    mapping,
    parameters,
    pick,
    request,
)
from stillwatch.ingest.parsing import Record, parse_text
from stillwatch.ingest.readers.base import Context, Reader

_COLUMNS = tuple(
    dict.fromkeys(
        (
            *("exchange_id", "source", "started_at", "ended_at", "account_id", "project_id", "session_id", "trace_id", "endpoint"),
            *("model_served", "finish_reason", "error_code", "response_text", "reasoning_text", "text_state", "raw_sha256"),
            *PARAMETER_COLUMNS,
            *USAGE_COLUMNS,
            *CONVERSATION_COLUMNS,
        )
    )
)
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_EXCHANGE_TYPES = frozenset({"GENERATION", "EMBEDDING"})
_USAGE_NAMES = {
    "input_tokens": ("input", "input_tokens", "prompt_tokens", "promptTokens"),
    "output_tokens": ("output", "output_tokens", "completion_tokens", "completionTokens"),
    "cached_input_tokens": ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read"),
    "reasoning_tokens": ("output_reasoning_tokens", "reasoning_tokens", "output_reasoning"),
}


def _sniff(record: Record) -> bool:
    return "type" in record and (("traceId" in record and "startTime" in record) or ("trace_id" in record and "start_time" in record))


def _read(record: Record, context: Context) -> list[Row | None]:
    given = {_HUMP.sub(r"_\1", name).lower(): value for name, value in record.items()}
    if given.get("type") not in _EXCHANGE_TYPES:
        return [None]

    def read(name: str) -> Any:
        return parse_text(given.get(name), context.max_depth)

    meta = mapping(read("metadata"))
    asked = read("input")
    row = parameters(mapping(read("model_parameters"))) | (request(asked) if isinstance(asked, dict) else conversation(asked))
    row |= _answered(read("output")) | _usage(mapping(read("usage_details")) or mapping(read("usage")), given)
    row |= {
        "exchange_id": given.get("id"),
        "started_at": given.get("start_time"),
        "ended_at": given.get("end_time"),
        "account_id": pick(given.get("user_id"), meta.get("user_id"), meta.get("userId")),
        "project_id": given.get("project_id"),
        "session_id": label(pick(given.get("session_id"), meta.get("session_id"))),
        "trace_id": given.get("trace_id"),
        "endpoint": label(given.get("name")),
        "model_requested": label(pick(given.get("provided_model_name"), given.get("model"), row.get("model_requested"))),
        "error_code": "ERROR" if given.get("level") == "ERROR" else None,
    }
    return [row]


def _answered(output: object) -> Row:
    if isinstance(output, dict) and "role" in output:
        return answer({"choices": [{"message": output}]})
    if isinstance(output, list):
        return answer({"choices": [{"message": entry} for entry in output]})
    return answer(output)


def _usage(counts: dict[str, Any], given: Record) -> Row:
    row: Row = {column: pick(*(counts.get(name) for name in names)) for column, names in _USAGE_NAMES.items()}
    row["input_tokens"] = pick(row["input_tokens"], given.get("input_usage"))
    row["output_tokens"] = pick(row["output_tokens"], given.get("output_usage"))
    return {column: value for column, value in row.items() if value is not None}


LANGFUSE = Reader(name="langfuse", columns=_COLUMNS, sniff=_sniff, read=_read)
