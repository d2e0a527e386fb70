"""Reads OpenTelemetry exports (OTLP as JSON): GenAI spans, and GenAI inference events among log records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stillwatch.ingest.messages import Row, conversation, first, label, mapping, message_fields, pick, sequence, text_of
from stillwatch.ingest.parsing import Record, parse_text
from stillwatch.ingest.readers.base import REQUEST_ID, Context, Reader
from stillwatch.records.tables import EXCHANGES

Attributes = dict[str, Any]

# Column, then the attributes that may hold it: today's name first, then the ones that older instrumentations still write.
_NAMES: dict[str, tuple[str, ...]] = {
    "account_id": ("user.id", "enduser.id", "account.id", "gen_ai.user.id", "tenant.id"),
    "org_id": ("organization.id", "tenant.id"),
    "project_id": ("project.id",),
    "key_id": ("api_key.hash", "api_key.id", "gen_ai.api_key.id"),
    "end_user_id": ("gen_ai.request.user", "llm.user", "enduser.pseudo.id"),
    "session_id": ("session.id", "gen_ai.conversation.id"),
    "client_ip": ("client.address", "http.client_ip", "net.peer.ip"),
    "user_agent": ("user_agent.original", "http.user_agent"),
    "endpoint": ("url.path", "http.route", "gen_ai.operation.name", "llm.request.type"),
    "model_requested": ("gen_ai.request.model", "llm.request.model"),
    "model_served": ("gen_ai.response.model", "llm.response.model"),
    "stream": ("gen_ai.request.stream", "gen_ai.request.is_stream", "llm.is_streaming"),
    "temperature": ("gen_ai.request.temperature", "llm.temperature"),
    "top_p": ("gen_ai.request.top_p", "llm.top_p"),
    "n": ("gen_ai.request.choice.count", "gen_ai.request.n"),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    "seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "response_format": ("gen_ai.output.type", "gen_ai.openai.request.response_format"),
    "reasoning_effort": ("gen_ai.request.reasoning_effort", "gen_ai.request.reasoning.level"),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "cached_input_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    "status": ("http.response.status_code", "http.status_code"),
    "error_code": ("error.type",),
}
_OF_RESOURCES = frozenset({"account_id", "org_id", "project_id"})
_NO_EXCHANGE = frozenset({"execute_tool", "invoke_agent", "create_agent", "invoke_workflow"})
_INFERENCE_EVENT = "gen_ai.client.inference.operation.details"
_SERVER_KINDS = frozenset({2, "2", "SPAN_KIND_SERVER"})
_INDEXED = re.compile(r"gen_ai\.(prompt|completion)\.([0-9]{1,6})\.(role|content|finish_reason)")
_SPREAD = ("gen_ai.prompt.", "gen_ai.completion.")
_CONTENTS = frozenset(
    {
        *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
        *("gen_ai.prompt", "gen_ai.completion", "llm.prompts", "llm.completions"),
    }
)
_FILLED = {
    "exchange_id",
    "source",
    "started_at",
    "ended_at",
    "trace_id",
    "finish_reason",
    "tools_count",
    "turns",
    "text_state",
    "raw_sha256",
}
_TEXTS = {"system_text", "prompt_text", "response_text", "reasoning_text"}
_COLUMNS = tuple(name for name in EXCHANGES.names if name in _NAMES or name in _FILLED or name in _TEXTS)


def _sniff(record: Record) -> bool:
    return "resourceSpans" in record or "resourceLogs" in record


def _value(value: object) -> Any:
    """A typed OTLP value as a plain one; 64-bit integers come as strings."""
    for kind, held in mapping(value).items():
        if kind == "intValue" and isinstance(held, str):
            return int(held) if re.fullmatch(r"-?[0-9]{1,19}", held) else held
        if kind == "arrayValue":
            return [_value(entry) for entry in sequence(mapping(held).get("values"))]
        if kind == "kvlistValue":
            return _attributes(mapping(held).get("values"))
        return held
    return None


def _attributes(entries: object) -> Attributes:
    pairs = (mapping(entry) for entry in sequence(entries))
    return {pair["key"]: _value(pair.get("value")) for pair in pairs if isinstance(pair.get("key"), str)}


def _entries(record: Record, resources: str, scopes: str, items: str) -> Iterator[tuple[dict[str, Any], Attributes]]:
    """Each span or log record with the attributes of its resource."""
    for resource in sequence(record.get(resources)):
        shared = _attributes(mapping(mapping(resource).get("resource")).get("attributes"))
        for scope in sequence(mapping(resource).get(scopes)):
            for item in sequence(mapping(scope).get(items)):
                yield mapping(item), shared


def _read(record: Record, context: Context) -> list[Row | None]:
    rows: list[Row | None] = [
        _read_span(span, shared, context) for span, shared in _entries(record, "resourceSpans", "scopeSpans", "spans")
    ]
    rows += [_read_event(event, shared, context) for event, shared in _entries(record, "resourceLogs", "scopeLogs", "logRecords")]
    return rows


def _read_span(span: dict[str, Any], shared: Attributes, context: Context) -> Row | None:
    given = _attributes(span.get("attributes"))
    if not any(name.startswith(("gen_ai.", "llm.")) for name in given) or given.get("gen_ai.operation.name") in _NO_EXCHANGE:
        return None
    for event in sequence(span.get("events")):
        given = _attributes(mapping(event).get("attributes")) | given
    row = _row(given, shared, context)
    row["started_at"], row["ended_at"] = _nanos(span.get("startTimeUnixNano")), _nanos(span.get("endTimeUnixNano"))
    return row | _ids(span) | {REQUEST_ID: f"{span.get('traceId')}:{span.get('parentSpanId')}"}


def _read_event(event: dict[str, Any], shared: Attributes, context: Context) -> Row | None:
    given = _attributes(event.get("attributes"))
    if pick(event.get("eventName"), given.get("event.name")) != _INFERENCE_EVENT:
        return None
    body = _value(event.get("body"))
    row = _row(mapping(body) | given, shared, context)
    row["started_at"] = _nanos(pick(event.get("timeUnixNano"), event.get("observedTimeUnixNano")))
    return row | _ids(event)


def _nanos(count: object) -> object:
    return int(count) if isinstance(count, str) and count.isascii() and count.isdigit() else count


def _ids(entry: dict[str, Any]) -> Row:
    trace, span = label(entry.get("traceId")), label(entry.get("spanId"))
    return {"trace_id": trace or None, "exchange_id": f"{trace}:{span}" if trace and span else None}


def _row(given: Attributes, shared: Attributes, context: Context) -> Row:
    row: Row = {}
    for column, names in _NAMES.items():
        value = _found(given, names)
        if value is None and column in _OF_RESOURCES:
            value = _found(shared, names)
        if value is not None:
            row[column] = value
    if reasons := given.get("gen_ai.response.finish_reasons"):
        row["finish_reason"] = label(reasons[0] if isinstance(reasons, list) else reasons)
    tools = parse_text(given.get("gen_ai.tool.definitions"), context.max_depth)
    if isinstance(tools, list):
        row["tools_count"] = len(tools)
    return row | _texts(given, context)


def _found(given: Attributes, names: tuple[str, ...]) -> Any:
    for name in names:
        if name in given and given[name] not in (None, ""):
            return given[name]
    return None


def _texts(given: Attributes, context: Context) -> Row:
    """The opt-in contents, in whichever of the shapes of the years they come."""

    def read(*names: str) -> Any:
        return parse_text(pick(*(given.get(name) for name in names)), context.max_depth)

    if not _CONTENTS.intersection(given) and not any(name.startswith(_SPREAD) for name in given):
        return {}
    asked, answered = _indexed(given, "prompt"), _indexed(given, "completion")
    messages = pick(read("gen_ai.input.messages", "gen_ai.prompt", "llm.prompts"), asked or None)
    row = conversation(messages, read("gen_ai.system_instructions"))
    output = pick(read("gen_ai.output.messages", "gen_ai.completion", "llm.completions"), answered or None)
    if isinstance(output, str):
        row["response_text"] = output
    elif output:
        message = first(output) or mapping(output)
        fields = message_fields(message)
        fields["response_text"] = pick(fields["response_text"], text_of(mapping(message.get("message")).get("content")))
        row |= {name: value for name, value in fields.items() if value is not None}
    return row


def _indexed(given: Attributes, kind: str) -> list[dict[str, Any]]:
    """Messages spread over attributes such as gen_ai.prompt.0.content, in order."""
    messages: dict[int, dict[str, Any]] = {}
    for name, value in given.items():
        match = _INDEXED.fullmatch(name)
        if match and match.group(1) == kind:
            messages.setdefault(int(match.group(2)), {})[match.group(3)] = value
    return [messages[place] for place in sorted(messages)]


def server_entries(record: Record) -> Iterator[tuple[str, str | None, str | None]]:
    """(id, client address, user agent) of each HTTP server span: once for its children, once for its whole trace."""
    for span, _ in _entries(record, "resourceSpans", "scopeSpans", "spans"):
        if span.get("kind") not in _SERVER_KINDS:
            continue
        given = _attributes(span.get("attributes"))
        address = label(_found(given, _NAMES["client_ip"]))
        agent = label(_found(given, _NAMES["user_agent"]))
        trace = label(span.get("traceId"))
        if trace and (address or agent):
            yield f"{trace}:{span.get('spanId')}", address, agent
            yield trace, address, agent


OTLP = Reader(
    name="otlp",
    columns=_COLUMNS,
    sniff=_sniff,
    read=_read,
    entries=server_entries,
    entry_marks=(b"client.address", b"user_agent.original", b"http.client_ip", b"http.user_agent", b"net.peer.ip"),
)
