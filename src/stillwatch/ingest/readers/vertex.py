"""Reads the request-response log of Vertex AI, exported from its BigQuery table as JSON Lines."""

from __future__ import annotations

import re
from typing import Any

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
from stillwatch.ingest.readers.base import Context, Reader

_COLUMNS = tuple(
    dict.fromkeys(
        (
            *("exchange_id", "source", "started_at", "account_id", "project_id", "endpoint", "sampling_rate", "text_state", "raw_sha256"),
            *PARAMETER_COLUMNS,
            *ANSWER_COLUMNS,
            *CONVERSATION_COLUMNS,
        )
    )
)
_PROJECT = re.compile(r"projects/([^/]{1,100})/")
_TENANT_NAMES = ("account_id", "account-id", "tenant_id", "tenant-id", "customer_id", "customer-id", "user_id", "user-id")


def _sniff(record: Record) -> bool:
    return "logging_time" in record and ("full_request" in record or "request_payload" in record)


def _read(record: Record, context: Context) -> list[Row | None]:
    body = mapping(_payload(record, "full_request", "request_payload", context))
    result = _payload(record, "full_response", "response_payload", context)
    meta = mapping(parse_text(record.get("metadata"), context.max_depth))
    labels = mapping(body.get("labels"))
    project = _PROJECT.search(str(record.get("endpoint")))
    tenant = pick(*(side.get(name) for side in (labels, meta) for name in context.tenant_names(_TENANT_NAMES)))
    row = request(body) | answer(result)
    row |= {
        "exchange_id": record.get("request_id"),
        "started_at": pick(meta.get("request_time"), record.get("logging_time")),
        "account_id": pick(tenant, project.group(1) if project else None),
        "project_id": project.group(1) if project else None,
        "endpoint": pick(record.get("api_method"), record.get("endpoint")),
        "model_requested": label(pick(record.get("model"), record.get("deployed_model_id"))),
        "stream": str(record.get("api_method")).lower().startswith("stream"),
        "sampling_rate": pick(record.get("sampling_rate"), meta.get("sampling_rate")),
    }
    return [row]


def _payload(record: Record, name: str, old_name: str, context: Context) -> Any:
    """A body that is JSON, or a string of it, or (in older tables) an array of such strings."""
    whole = parse_text(record.get(name), context.max_depth)
    if whole is not None:
        return whole
    pieces = record.get(old_name)
    parsed = [parse_text(piece, context.max_depth) for piece in pieces] if isinstance(pieces, list) else []
    return parsed[0] if len(parsed) == 1 else parsed


VERTEX = Reader(name="vertex", columns=_COLUMNS, sniff=_sniff, read=_read)
