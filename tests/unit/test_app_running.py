"""From arguments to a request: settings from the environment, price tables, wrong values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.app.describing import sketched_columns
from stillwatch.app.dry_run import dry_run
from stillwatch.app.explaining import find_finding, read_run
from stillwatch.app.noting import accounts_words
from stillwatch.app.running import request_for
from stillwatch.errors import UnreadableInputError, UsageError
from stillwatch.settings import ScanSettings, from_environment


def _request(**given: Any) -> Any:
    defaults: dict[str, Any] = {
        "accounts": None, "format": "auto", "out": Path("out"), "engine": "duckdb", "prices": None, "seed": None, "resume": False,
    }  # fmt: skip
    return request_for((Path("log.jsonl"),), **(defaults | given))


def test_a_seed_given_replaces_the_default_one() -> None:
    assert _request().settings.seed == ScanSettings().seed
    assert _request(seed=4).settings.seed == 4


def test_an_account_tag_goes_to_ingest() -> None:
    assert _request().settings.ingest.account_tag is None
    assert _request(account_tag="workspace").settings.ingest.account_tag == "workspace"


def test_own_prices_are_read(tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text('currency = "EUR"\n[models.m]\ninput = 1\noutput = 2\n', "utf-8")
    request = _request(prices=table)
    assert request.prices.of("m-large") == (1.0, 2.0)
    recorded = request.prices_as_json()
    assert (recorded["name"], recorded["currency"], recorded["models"]) == ("prices.toml", "EUR", {"m": {"input": 1.0, "output": 2.0}})
    assert recorded["sha256"] != _request().prices_as_json()["sha256"]


@pytest.mark.parametrize(
    "content", [b"not toml [", b"[models.m]\ninput = -1\noutput = 2\n", b"[models.m]\ninput = 'x'\n", b"\xff\xfe\x00", None]
)
def test_a_broken_price_table_is_wrong_usage(tmp_path: Path, content: bytes | None) -> None:
    table = tmp_path / "prices.toml"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(UsageError, match=r"prices\.toml"):
        _request(prices=table)


@pytest.mark.parametrize("threads", ["0", "-1", "two", "", "1.5"])
def test_a_wrong_number_of_threads_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("STILLWATCH_THREADS", threads)
    with pytest.raises(UsageError, match="STILLWATCH_THREADS"):
        from_environment()


def test_the_environment_sets_threads_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_THREADS", "3")
    monkeypatch.setenv("STILLWATCH_MEMORY", "5GB")
    settings = from_environment()
    assert (settings.threads, settings.memory_limit) == (3, "5GB")


def test_settings_are_plain_values() -> None:
    import json

    plain = ScanSettings().as_json()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["ingest"]["earliest"].startswith("2015-01-01")


def test_columns_of_the_sketched_table_follow_from_the_columns_filled() -> None:
    assert sketched_columns(["account_id"]) == {"account_id"}
    assert {"prompt_key", "wording"} <= sketched_columns(["prompt_text"])
    assert "session_rule" not in sketched_columns(["prompt_text"])
    assert "session_rule" in sketched_columns(["prompt_text", "session_id"])
    assert "reasoning_share" in sketched_columns(["response_text"])
    assert "reasoning_share" not in sketched_columns(["prompt_text"])


def test_a_folder_without_run_json_is_no_finished_scan(tmp_path: Path) -> None:
    (tmp_path / "findings.jsonl").write_text("", "utf-8")
    with pytest.raises(UnreadableInputError, match=r"no run\.json.*--resume"):
        find_finding(tmp_path, "anything")
    (tmp_path / ".previous").mkdir()
    (tmp_path / ".previous" / "run.json").write_text("{}", "utf-8")
    with pytest.raises(UnreadableInputError, match=r"the earlier result in .*\.previous$"):
        find_finding(tmp_path, "anything")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"version": 3}'])
def test_a_damaged_run_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, "utf-8")
    with pytest.raises(UnreadableInputError, match=r"run\.json is damaged"):
        read_run(tmp_path)


def test_a_dry_run_names_missing_columns_and_silent_signals(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"account_id": "a", "started_at": "2026-09-07T08:00:00Z", "prompt_text": "hello"}\n', "utf-8")
    found = dry_run((log,), format="auto", accounts=None, out=tmp_path / "out")
    assert (found.accounts_seen, found.accounts_known) == (1, None)
    assert {"account_id", "started_at", "prompt_text"} <= set(found.filled)
    assert {"client_ip", "session_id", "response_text"} <= set(found.missing)
    assert not set(found.filled) & set(found.missing)
    assert found.silent
    assert all(entry.reason for entry in found.silent)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_dry_run_says_how_many_accounts_the_table_knows(tmp_path: Path) -> None:
    log, parquet = tmp_path / "log.jsonl", tmp_path / "log.parquet"
    log.write_text('{"account_id": "a", "started_at": "2026-09-07T08:00:00Z"}\n', "utf-8")
    pq.write_table(pa.table({"account_id": ["b", "c", None], "started_at": ["2026-09-07"] * 3}), parquet)
    for rows, known in (("a\nb\nz\n", 2), ("acct-a\n", 0), ("", 0)):
        table = tmp_path / "accounts.csv"
        table.write_text(f"account_id\n{rows}", "utf-8")
        found = dry_run((log, parquet), format="auto", accounts=table, out=tmp_path / "out")
        assert (found.accounts_seen, found.accounts_known) == (3, known)


def test_an_accounts_table_that_knows_nobody_is_a_warning() -> None:
    assert accounts_words(2, 3) == "2 of 3 accounts of the log stand in the accounts table."
    assert accounts_words(0, 3).startswith("Warning: 0 of 3 accounts of the log")
