"""Reads the two files of an OpenAI-style batch: a request and a response line meet by their custom_id."""

from __future__ import annotations

from pathlib import PurePosixPath

from stillwatch.ingest.messages import ANSWER_COLUMNS, CONVERSATION_COLUMNS, PARAMETER_COLUMNS, Row, answer, label, mapping, pick, request
from stillwatch.ingest.parsing import Record
from stillwatch.ingest.readers.base import REQUEST_ID, Context, Reader

_COLUMNS = tuple(
    dict.fromkeys(
        (
            *("exchange_id", "source", "started_at", "account_id", "endpoint", "status", "error_code", "text_state", "raw_sha256"),
            *PARAMETER_COLUMNS,
            *ANSWER_COLUMNS,
            *CONVERSATION_COLUMNS,
        )
    )
)
_ENDINGS = ("_output", "-output", "_results", "-results", "_responses", "-responses", "_input", "-input", "_requests", "-requests")


def is_request(record: Record) -> bool:
    """Whether a line of a batch is a request."""
    return isinstance(record.get("body"), dict) and "response" not in record


def _sniff(record: Record) -> bool:
    return "custom_id" in record and (is_request(record) or "response" in record or "error" in record)


def request_row(record: Record) -> Row:
    """What a request line says of its exchange."""
    return request(mapping(record.get("body"))) | {"endpoint": label(record.get("url"))}


def response_row(record: Record, context: Context) -> Row:
    """What a response line says of its exchange. It has no time but the one in the answer, and no account at all."""
    response = mapping(record.get("response"))
    body = mapping(response.get("body"))
    error = mapping(record.get("error")) or mapping(body.get("error"))
    return answer(body) | {
        "exchange_id": pick(record.get("id"), response.get("request_id")),
        "started_at": pick(body.get("created"), body.get("created_at")),
        "account_id": context.default_account or context.folder or account_of(context.file),
        "status": response.get("status_code"),
        "error_code": label(pick(error.get("code"), error.get("type"))),
        REQUEST_ID: response.get("request_id"),
    }


def account_of(file: str) -> str:
    """The account that a batch file's name stands for: the name less the endings that tell requests from responses."""
    name = PurePosixPath(file).name.split(".")[0]
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending) and name != ending), name)


def _read(record: Record, context: Context) -> list[Row | None]:
    return [request_row(record)] if is_request(record) else [response_row(record, context)]


BATCH = Reader(name="openai-batch", columns=_COLUMNS, sniff=_sniff, read=_read)
