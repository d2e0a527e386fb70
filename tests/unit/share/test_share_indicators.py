"""An indicator is what several members carry and hardly anybody else; the engine gives at most so many of a kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.engines.duckdb import DuckEngine
from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import SKETCHED
from stillwatch.share import indicators
from stillwatch.share.indicators import carried
from stillwatch.share.thresholds import THRESHOLDS, amounts

pytestmark = pytest.mark.slow

START = datetime(2026, 9, 7, tzinfo=UTC)
SCHEMA = arrow_schema(SKETCHED)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckEngine]:
    with DuckEngine(tmp_path_factory.mktemp("engine"), threads=1, memory_limit="500MB") as opened:
        yield opened


def _rows(account: str, amount: int, **columns: Any) -> list[dict[str, Any]]:
    given = {"account_id": account, "started_at": START, "source": "native", "text_state": "full"}
    return [given | {name: value(place) if callable(value) else value for name, value in columns.items()} for place in range(amount)]


def _carried(engine: DuckEngine, rows: list[dict[str, Any]], members: dict[str, str]) -> set[tuple[str, str, str, int, int]]:
    exchanges = engine.table(
        pa.Table.from_pylist([{"exchange_id": str(place), **row} for place, row in enumerate(rows)], schema=SCHEMA), "exchanges"
    )
    table = engine.table(pa.table({"entity_id": list(members.values()), "account_id": list(members)}), "members")
    accounts = len({row["account_id"] for row in rows})
    found = [row for part in engine.arrows(carried(exchanges, table, accounts)) for row in part.to_pylist()]
    return {(row["entity_id"], row["kind"], row["value"], row["accounts"], row["exchanges"]) for row in found}


def _world() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Four members with one wording, one network and one print, a lone one, and 120 others with a popular print."""
    rows: list[dict[str, Any]] = []
    for number in range(4):
        common = {"wording": [42, 1000 + number], "prompt_chars": 90, "tls_fingerprint": "odd", "client_ip": f"203.0.113.{number}"}
        rows += _rows(f"m{number}", 5, prompt_key=lambda place, number=number: 10 * number + place, system_key=5, **common)
    rows += _rows(
        "lone", 4, wording=[77], prompt_key=lambda place: 900 + place, prompt_chars=20, user_agent="odd/2", client_ip="198.51.100.1"
    )
    for number in range(120):
        rows += _rows(f"o{number}", 1, wording=[1], prompt_key=500, prompt_chars=90, tls_fingerprint="popular", client_ip="192.0.2.9")
    rows += (
        _rows("m0", 1, tls_fingerprint="popular") + _rows("m1", 1, tls_fingerprint="popular") + _rows("m2", 1, tls_fingerprint="popular")
    )
    rows += _rows("o1", 1, wording=[42], prompt_key=501, prompt_chars=90)
    return rows, {f"m{number}": "group" for number in range(4)} | {"lone": "lone"}


def test_what_members_share_and_others_hardly_do_is_given_and_nothing_else(engine: DuckEngine) -> None:
    rows, members = _world()
    found = _carried(engine, rows, members)
    assert {row for row in found if row[1] != "prompt"} == {
        ("group", "wording", "42", 4, 20),  # one other of 121 carries it as well, which is less than 1 %
        ("group", "system", "5", 4, 20),
        ("group", "tls", "odd", 4, 20),
        ("group", "egress", "203.0.113.0/24", 4, 20),
        ("lone", "wording", "77", 1, 4),
        ("lone", "user_agent", "odd/2", 1, 4),
    }
    prompts = {row[2] for row in found if row[:2] == ("group", "prompt")}
    assert prompts == {str(10 * number + place) for number in range(4) for place in range(5)}
    assert not [row for row in found if row[:2] == ("lone", "prompt")]  # too short


def test_of_many_prompts_the_lowest_are_given(engine: DuckEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    kinds = tuple(dataclasses.replace(kind, most=3) if kind.name == "prompt" else kind for kind in indicators.KINDS)
    monkeypatch.setattr(indicators, "KINDS", kinds)
    rows, members = _world()
    assert {row[2] for row in _carried(engine, rows, members) if row[1] == "prompt"} == {"0", "1", "10"}


def test_amounts_leave_the_accounts_of_findings_out(engine: DuckEngine) -> None:
    rows = [row | {"n": 2, "output_tokens": 10, "status": 429, "top_logprobs": None} for row in _rows("o", 3) + _rows("m", 9)]
    exchanges = engine.table(
        pa.Table.from_pylist([{"exchange_id": str(place), **row} for place, row in enumerate(rows)], schema=SCHEMA), "amounts"
    )
    found = engine.table(pa.table({"account_id": ["m"]}), "found")
    days = engine.arrow(amounts(exchanges, found, THRESHOLDS)).to_pylist()
    assert len(days) == 1
    assert {name: value for name, value in days[0].items() if name not in ("account_id", "day")} == {
        "requests": 3, "output_tokens": 30, "several_samples": 3, "log_probabilities": 0, "logit_bias": 0, "refused": 3,
    }  # fmt: skip
