from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.simulate import CampaignSettings, LogFormat, Tactic, WorldSettings, simulate

SETTINGS = WorldSettings(
    seed=4,
    start=datetime(2026, 9, 1, tzinfo=UTC),
    days=2,
    honest_accounts=40,
    campaigns=(CampaignSettings(tactic=Tactic.STORE_AND_REPLAY, campaign_id="echo", accounts=3, requests_per_account_per_day=4),),
)


def written(form: LogFormat, out: Path) -> list[dict[str, Any]]:
    logs = simulate(replace(SETTINGS, format=form), out=out).logs
    rows: list[dict[str, Any]] = []
    for path in sorted(logs.iterdir()):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows.extend(json.loads(line) for line in data.splitlines())
    return rows


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    result = simulate(SETTINGS, out=tmp_path_factory.mktemp("table"))
    return {row["exchange_id"]: row for row in pq.read_table(result.logs).to_pylist()}


@pytest.mark.slow
def test_json_lines_tell_the_same_as_the_table(table: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    rows = written(LogFormat.JSONL, tmp_path)
    assert {row["exchange_id"] for row in rows} == set(table)
    for row in rows:
        other = table[row["exchange_id"]]
        messages = row["messages"]
        answer = messages.pop()["content"] if messages[-1]["role"] == "assistant" else None
        assert answer == other["response_text"]
        assert messages[-1] == {"role": "user", "content": other["prompt_text"]}
        assert len(messages) == other["turns"]
        assert datetime.fromisoformat(row["started_at"]) == other["started_at"]
        plain = set(row) - {"messages", "started_at", "ended_at"}
        assert all(row[name] == other[name] for name in plain)


@pytest.mark.slow
def test_a_history_alternates_between_user_and_assistant(tmp_path: Path) -> None:
    for row in written(LogFormat.JSONL, tmp_path):
        roles = [message["role"] for message in row["messages"] if message["role"] != "system"]
        assert roles == [("user", "assistant")[place % 2] for place in range(len(roles))]


@pytest.mark.parametrize("form", [LogFormat.LITELLM, LogFormat.LITELLM_GZIP])
@pytest.mark.slow
def test_litellm_payloads_tell_the_same_as_the_table(table: dict[str, dict[str, Any]], tmp_path: Path, form: LogFormat) -> None:
    rows = written(form, tmp_path)
    assert {row["id"] for row in rows} == set(table)
    for row in rows:
        other = table[row["id"]]
        assert row["metadata"]["user_api_key_user_id"] == other["account_id"]
        assert row["messages"][-1]["content"] == other["prompt_text"]
        assert (row["response"] or {"choices": [{"message": {"content": None}}]})["choices"][0]["message"]["content"] == other[
            "response_text"
        ]
        assert row["prompt_tokens"] == other["input_tokens"]
        assert abs(row["startTime"] - other["started_at"].timestamp()) < 1e-3
        assert (row["status"] == "success") == (other["status"] == 200)
        assert row["model_parameters"].get("temperature") == other["temperature"]
        assert len(row["model_parameters"].get("tools", [])) == (other["tools_count"] or 0)
