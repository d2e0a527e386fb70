"""Writes exchanges in the formats that a scan reads, and the two side tables."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import naming
from stillwatch.records.tables import ACCOUNTS, EXCHANGES, TRUTH
from stillwatch.simulate.infrastructure import Account
from stillwatch.simulate.traffic import Exchange
from stillwatch.simulate.world import LogFormat

_ROWS_PER_FILE = 50_000
_MULTIPLIER = 0x9E3779B97F4A7C15
_SECOND_US = 1_000_000
_PARAMETERS = (
    "temperature",
    "top_p",
    "n",
    "max_tokens",
    "seed",
    "logprobs",
    "top_logprobs",
    "logit_bias_size",
    "response_format",
    "stream",
)


def write_day(exchanges: Sequence[Exchange], day: int, folder: Path, form: LogFormat) -> int:
    """Write one day's exchanges, in order of time, as files of at most 50,000 rows; returns how many rows."""
    for part, first in enumerate(range(0, len(exchanges), _ROWS_PER_FILE)):
        rows = exchanges[first : first + _ROWS_PER_FILE]
        ids = [_exchange_id(day, first + position) for position in range(len(rows))]
        name = f"day-{day:03d}-{part:02d}"
        if form is LogFormat.PARQUET:
            path = folder / f"{name}.parquet"
            with naming(path):
                pq.write_table(exchange_table(rows, ids), path, compression="zstd", compression_level=1)
        elif form is LogFormat.JSONL:
            _write_lines(folder / f"{name}.jsonl", (_native(row, name) for row, name in zip(rows, ids, strict=True)))
        else:
            ending = "jsonl.gz" if form is LogFormat.LITELLM_GZIP else "jsonl"
            _write_lines(folder / f"{name}.{ending}", (_payload(row, name) for row, name in zip(rows, ids, strict=True)))
    return len(exchanges)


def _exchange_id(day: int, position: int) -> str:
    """Unique and without order: an odd multiplier permutes the 64-bit numbers."""
    return f"ex_{((day << 32 | position) + 1) * _MULTIPLIER & (2**64 - 1):016x}"


# --- Parquet --------------------------------------------------------------------------------------------------------------------------


def exchange_table(rows: Sequence[Exchange], ids: Sequence[str]) -> pa.Table:
    """The rows under the EXCHANGES schema; raw_sha256 is null, for there is no raw record."""
    schema = arrow_schema(EXCHANGES)
    filled = _wire(rows) | _texts(rows) | {"exchange_id": list(ids), "source": ["native"] * len(rows), "text_state": ["full"] * len(rows)}
    for name in _PARAMETERS:
        filled[name] = [getattr(row.account.sampling, name) for row in rows]
    arrays = [
        pa.array(filled[field.name], pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array(filled[field.name], field.type)
        if field.name in filled
        else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _wire(rows: Sequence[Exchange]) -> dict[str, list[Any]]:
    return {
        "started_at": [row.started_us for row in rows],
        "ended_at": [row.ended_us for row in rows],
        "account_id": [row.account.account_id for row in rows],
        "org_id": [row.account.org_id for row in rows],
        "project_id": [row.account.project_id for row in rows],
        "key_id": [row.key for row in rows],
        "end_user_id": [row.end_user for row in rows],
        "session_id": [row.session for row in rows],
        "trace_id": [row.trace for row in rows],
        "client_ip": [row.address for row in rows],
        "user_agent": [row.agent for row in rows],
        "tls_fingerprint": [row.tls for row in rows],
        "asn": [row.account.asn for row in rows],
        "endpoint": ["/v1/chat/completions"] * len(rows),
        "model_requested": [row.model for row in rows],
        "model_served": [None if row.response is None else row.model for row in rows],
        "tools_count": [row.tools for row in rows],
        "reasoning_effort": [row.account.effort for row in rows],
        "status": [row.status for row in rows],
        "finish_reason": [row.finish for row in rows],
        "error_code": [row.error for row in rows],
    }


def _texts(rows: Sequence[Exchange]) -> dict[str, list[Any]]:
    return {
        "input_tokens": [row.input_tokens for row in rows],
        "cached_input_tokens": [row.cached_tokens for row in rows],
        "output_tokens": [row.output_tokens for row in rows],
        "reasoning_tokens": [row.reasoning_tokens for row in rows],
        "system_text": [row.system for row in rows],
        "prompt_text": [row.prompt for row in rows],
        "response_text": [row.response for row in rows],
        "turns": [row.turns for row in rows],
    }


# --- JSON Lines -----------------------------------------------------------------------------------------------------------------------


def _write_lines(path: Path, records: Iterator[dict[str, Any]]) -> None:
    text = b"".join(orjson.dumps(record) + b"\n" for record in records)
    # without a name and a time in its head the same settings give the same bytes
    with naming(path):
        path.write_bytes(gzip.compress(text, compresslevel=3, mtime=0) if path.suffix == ".gz" else text)


def messages_of(row: Exchange) -> list[dict[str, str]]:
    """The request as an OpenAI-style array."""
    opening = [{"role": "system", "content": row.system}] if row.system is not None else []
    past = [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(row.history)]
    return [*opening, *past, {"role": "user", "content": row.prompt}]


def _native(row: Exchange, exchange_id: str) -> dict[str, Any]:
    texts = {name: column[0] for name, column in _texts([row]).items() if not name.endswith("_text")}
    record = {name: column[0] for name, column in _wire([row]).items()} | texts
    record |= {name: getattr(row.account.sampling, name) for name in _PARAMETERS}
    record |= {"exchange_id": exchange_id, "started_at": _iso(row.started_us), "ended_at": _iso(row.ended_us)}
    answer = [] if row.response is None else [{"role": "assistant", "content": row.response}]
    return {name: value for name, value in record.items() if value is not None} | {"messages": [*messages_of(row), *answer]}


def _iso(instant_us: int) -> str:
    return f"{np.datetime64(instant_us, 'us')}Z"


def _payload(row: Exchange, exchange_id: str) -> dict[str, Any]:
    """LiteLLM's standard logging payload."""
    account = row.account
    record: dict[str, Any] = {
        "id": exchange_id,
        "trace_id": row.trace,
        "session_id": row.session,
        "call_type": "acompletion",
        "stream": account.sampling.stream,
        "status": "success" if row.status == 200 else "failure",
        "startTime": row.started_us / _SECOND_US,
        "endTime": row.ended_us / _SECOND_US,
        "model": row.model,
        "model_group": row.model,
        "prompt_tokens": row.input_tokens,
        "completion_tokens": row.output_tokens,
        "end_user": row.end_user,
        "requester_ip_address": row.address,
        "user_agent": row.agent,
        "messages": messages_of(row),
        "response": None
        if row.response is None
        else {"choices": [{"finish_reason": row.finish, "message": {"role": "assistant", "content": row.response}}]},
        "model_parameters": _model_parameters(row),
        "metadata": {
            "user_api_key_hash": row.key,
            "user_api_key_user_id": account.account_id,
            "user_api_key_org_id": account.org_id,
            "user_api_key_project_id": account.project_id,
            "user_api_key_request_route": "/v1/chat/completions",
        },
    }
    if row.status != 200:
        record["error_information"] = {"error_code": str(row.status), "error_class": row.error}
    return record


def _model_parameters(row: Exchange) -> dict[str, Any]:
    sampling = row.account.sampling
    given = {
        name: getattr(sampling, name) for name in ("temperature", "top_p", "n", "max_tokens", "seed", "logprobs", "top_logprobs", "stream")
    }
    if sampling.response_format is not None:
        given["response_format"] = {"type": sampling.response_format}
    if sampling.logit_bias_size is not None:
        given["logit_bias"] = {str(token): -1 for token in range(sampling.logit_bias_size)}
    if row.tools is not None:
        given["tools"] = [{"type": "function", "function": {"name": f"tool_{place}"}} for place in range(row.tools)]
    given["reasoning_effort"] = row.account.effort
    return {name: value for name, value in given.items() if value is not None}


# --- side tables ----------------------------------------------------------------------------------------------------------------------


def write_accounts(accounts: Sequence[Account], path: Path) -> None:
    """The ACCOUNTS table."""
    schema = arrow_schema(ACCOUNTS)
    columns: dict[str, list[Any]] = {
        "account_id": [account.account_id for account in accounts],
        "created_at": [account.created_us for account in accounts],
        "plan": [account.plan for account in accounts],
        "org_id": [account.org_id for account in accounts],
        "email_domain": [account.email_domain for account in accounts],
        "payment_fingerprint": [account.payment for account in accounts],
        "verification": [account.verification for account in accounts],
        "declared_use": [account.declared_use for account in accounts],
        "monthly_quota_tokens": [account.quota for account in accounts],
        "status": [account.status for account in accounts],
        "status_changed_at": [account.status_changed_us for account in accounts],
    }
    pq.write_table(_table(columns, schema), path, compression="zstd")


def write_truth(accounts: Sequence[Account], path: Path) -> None:
    """The TRUTH table."""
    columns: dict[str, list[Any]] = {
        "account_id": [account.account_id for account in accounts],
        "campaign_id": [account.campaign_id for account in accounts],
        "role": [str(account.role) for account in accounts],
        "tactic": [None if account.tactic is None else str(account.tactic) for account in accounts],
    }
    pq.write_table(_table(columns, arrow_schema(TRUTH)), path, compression="zstd")


def _table(columns: dict[str, list[Any]], schema: pa.Schema) -> pa.Table:
    arrays = [
        pa.array(columns[field.name], pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
