"""Logs too small to say anything: a scan survives them, writes a whole folder, and says what it could have seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.cli import main
from stillwatch.report import read_findings

pytestmark = pytest.mark.slow

START = datetime(2026, 9, 7, 8, tzinfo=UTC)
PROMPTS = (
    "How do I boil an egg so that it stays soft inside?",
    "Name three rivers of the north.",
    "Thanks!",
    "Why is the sky blue at noon?",
)
RESPONSE = "Put it into boiling water for six minutes and cool it down at once, so that it does not go on cooking inside its shell."


def _rows(count: int, accounts: int = 3, *, minutes: int = 90, **given: Any) -> list[dict[str, Any]]:
    """`count` exchanges dealt over `accounts`; a value given as None is left out of the row."""
    rows: list[dict[str, Any]] = []
    for place in range(count):
        row: dict[str, Any] = {
            "exchange_id": f"e{place}",
            "started_at": (START + timedelta(minutes=minutes * place)).isoformat(),
            "account_id": f"account-{place % accounts}",
            "model_served": "m-large",
            "input_tokens": 20 + place,
            "output_tokens": 200,
            "status": 200,
            "turns": 1,
            "client_ip": f"192.0.2.{place % 5}",
            "user_agent": "client/1.0",
            "session_id": f"{place:032x}",
            "prompt_text": PROMPTS[place % len(PROMPTS)],
            "response_text": RESPONSE,
        }
        rows.append({name: value for name, value in (row | given).items() if value is not None})
    return rows


_NO_TEXT = {"prompt_text": None, "response_text": None, "text_state": "absent"}
_BARE = dict.fromkeys(
    (
        "model_served",
        "input_tokens",
        "output_tokens",
        "status",
        "turns",
        "client_ip",
        "user_agent",
        "session_id",
        "prompt_text",
        "response_text",
    )
)
LOGS = {
    "one row": _rows(1, 1),
    "one account": _rows(60, 1),
    "three accounts, twenty rows": _rows(20),
    "one hour": _rows(60, 6, minutes=1),
    "one instant": _rows(40, 4, minutes=0),
    "no text": _rows(60, 6, **_NO_TEXT),
    "no response": _rows(60, 6, response_text=None),
    "empty texts": _rows(60, 6, prompt_text="", response_text=""),
    "nothing but who and when": _rows(60, 6, **_BARE),
    "many quiet accounts": _rows(90, 90),
}


@pytest.mark.parametrize("name", sorted(LOGS))
def test_a_tiny_log_gives_a_whole_folder(name: str, scan_into: Any, write_rows: Any, tmp_path: Path) -> None:
    rows = LOGS[name]
    out = tmp_path / "result"
    report = scan_into(out, write_rows(tmp_path / "log.jsonl", rows))
    assert report.findings == ()
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert run["rows_in"] == run["rows_out"] == len(rows)
    assert run["accounts"] == run["entities"] == len({row["account_id"] for row in rows})
    assert len(run["power"]["words"]) > 40
    assert read_findings(out / "findings.jsonl") == ()
    page = (out / "report.html").read_text("utf-8")
    assert run["power"]["words"][:30] in page.replace("&#39;", "'").replace("&#34;", '"')
    entities = pq.read_table(out / "entities.parquet").to_pylist()
    assert {row["harvest"] for row in entities} <= {"no", "unclear"}
    assert all(row["p_value"] is None and row["severity"] == "none" for row in entities)
    for empty in ("members", "links"):
        assert pq.read_metadata(out / f"{empty}.parquet").num_rows == 0
    silent = {entry["signal"] for entry in run["silent"]}
    assert silent if "text" in name or "nothing" in name else True


def test_a_tiny_log_with_an_account_table_is_scanned_and_shown(write_rows: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_rows(tmp_path / "log.jsonl", _rows(20))
    accounts = tmp_path / "accounts.csv"
    accounts.write_text("account_id,created_at,plan,status\naccount-0,2026-09-01T00:00:00Z,free,active\nnobody,,,suspended\n", "utf-8")
    assert main(["scan", str(log), "--accounts", str(accounts), "--out", str(tmp_path / "out"), "--fail-on", "info"]) == 0
    shown = capsys.readouterr()
    assert "report.html" in shown.out
    assert "Traceback" not in shown.err
    assert main(["explain", str(tmp_path / "out"), "account-0"]) == 2
    assert "the scan found nothing" in capsys.readouterr().err


def test_a_log_of_broken_rows_fails_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    good = json.dumps(_rows(1)[0])
    log.write_text(good.replace("2026-09-07T08", "1903-09-07T08") + "\n", "utf-8")
    assert main(["scan", str(log), "--out", str(tmp_path / "out"), "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "none of the 1 rows could be read" in said.err
    assert not (tmp_path / "out" / "run.json").exists()


def test_broken_rows_among_good_ones_are_counted(write_rows: Any, scan_into: Any, tmp_path: Path) -> None:
    log = write_rows(tmp_path / "log.jsonl", _rows(30))
    with log.open("a", encoding="utf-8") as file:
        file.write('{"account_id": "a", "started_at": "not a time"}\n{broken\n')
    report = scan_into(tmp_path / "out", log)
    assert (report.run.rows_in, report.run.rows_out, report.run.quarantined) == (32, 30, 2)
    lines = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text("utf-8").splitlines()]
    assert sorted(line["line"] for line in lines) == [31, 32]
    assert sum(report.run.quarantine_reasons.values()) == 2
