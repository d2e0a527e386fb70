"""Reads Amazon Bedrock's model invocation log: Converse bodies, and InvokeModel bodies of the common model families."""

from __future__ import annotations

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
    usage,
)
from stillwatch.ingest.parsing import Record, parse_text
from stillwatch.ingest.readers.base import REQUEST_ID, Context, Reader

_COLUMNS = tuple(
    dict.fromkeys(
        (
            *("exchange_id", "source", "started_at", "account_id", "org_id", "session_id", "trace_id", "endpoint"),
            *("status", "error_code", "text_state", "raw_sha256"),
            *PARAMETER_COLUMNS,
            *ANSWER_COLUMNS,
            *CONVERSATION_COLUMNS,
        )
    )
)
_TENANT_NAMES = ("account_id", "accountId", "tenant_id", "tenantId", "customer_id", "customerId", "user_id", "userId")


def _sniff(record: Record) -> bool:
    return record.get("schemaType") == "ModelInvocationLog"


def _read(record: Record, context: Context) -> list[Row | None]:
    given, made = mapping(record.get("input")), mapping(record.get("output"))
    tags = mapping(record.get("requestMetadata"))
    body = mapping(parse_text(given.get("inputBodyJson"), context.max_depth))
    result = parse_text(made.get("outputBodyJson"), context.max_depth)
    row = request(body) | answer(result) | usage(given) | usage(made)
    row |= {
        "exchange_id": record.get("requestId"),
        "started_at": record.get("timestamp"),
        "account_id": pick(
            *(tags.get(name) for name in context.tenant_names(_TENANT_NAMES)),
            mapping(record.get("identity")).get("arn"),
            record.get("accountId"),
        ),
        "org_id": record.get("accountId"),
        "session_id": label(pick(tags.get("sessionId"), tags.get("session_id"))),
        "trace_id": label(pick(tags.get("traceId"), tags.get("trace_id"))),
        "endpoint": record.get("operation"),
        "model_requested": record.get("modelId"),
        "stream": str(record.get("operation")).endswith("Stream"),
        "status": pick(record.get("status"), None if record.get("errorCode") else 200),
        "error_code": label(record.get("errorCode")),
        "text_state": _text_state(given, made),
        REQUEST_ID: record.get("requestId"),
    }
    return [row]


def _text_state(given: dict[str, Any], made: dict[str, Any]) -> str:
    """Bodies too large for the log are kept in a bucket, which is not read."""
    inline = [side.get(name) is not None for side, name in ((given, "inputBodyJson"), (made, "outputBodyJson"))]
    elsewhere = bool(given.get("inputBodyS3Path") or made.get("outputBodyS3Path"))
    if not any(inline):
        return "absent"
    return "truncated" if elsewhere and not all(inline) else "full"


BEDROCK = Reader(name="bedrock", columns=_COLUMNS, sniff=_sniff, read=_read)
