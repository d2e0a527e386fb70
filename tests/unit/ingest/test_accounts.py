"""The account table means the same in Parquet, CSV and JSON Lines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.errors import SchemaError, UnreadableInputError, UsageError
from stillwatch.ingest import read_accounts
from stillwatch.records.tables import ACCOUNTS

ROWS = [
    {"account_id": "acct_1", "created_at": "2026-01-02T03:04:05Z", "plan": "pro", "monthly_quota_tokens": 1000, "status": "active"},
    {"account_id": "acct_2", "created_at": "2026-01-03T00:00:00Z", "plan": None, "monthly_quota_tokens": None, "status": "suspended"},
    {"account_id": "acct_1", "created_at": "2026-01-04T00:00:00Z", "plan": "free", "monthly_quota_tokens": 1, "status": "active"},
    {"account_id": None, "created_at": "2026-01-05T00:00:00Z", "plan": "free", "monthly_quota_tokens": 1, "status": "active"},
    {"account_id": "acct_5", "created_at": "2026-01-05T00:00:00Z", "plan": "free", "monthly_quota_tokens": -1, "status": "active"},
]


@pytest.fixture(params=["parquet", "csv", "jsonl"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"accounts.{request.param}"
    table = pa.Table.from_pylist(ROWS)
    if request.param == "parquet":
        pq.write_table(table, path)
    elif request.param == "csv":
        pv.write_csv(table, path)
    else:
        path.write_bytes(b"\n".join(orjson.dumps(row) for row in ROWS))
    return path


def test_every_format_gives_the_same_accounts_and_the_same_refusals(path: Path) -> None:
    table, refused = read_accounts(path)
    assert table.schema.equals(arrow_schema(ACCOUNTS))
    rows = table.select(["account_id", "created_at", "plan", "monthly_quota_tokens", "status"]).to_pylist()
    assert rows == [
        {
            "account_id": "acct_1",
            "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "plan": "pro",
            "monthly_quota_tokens": 1000,
            "status": "active",
        },
        {
            "account_id": "acct_2",
            "created_at": datetime(2026, 1, 3, tzinfo=UTC),
            "plan": None,
            "monthly_quota_tokens": None,
            "status": "suspended",
        },
        {
            "account_id": "acct_5",
            "created_at": datetime(2026, 1, 5, tzinfo=UTC),
            "plan": "free",
            "monthly_quota_tokens": None,
            "status": rows[2]["status"],
        },
    ]
    assert [(row.row, row.reason, row.whole) for row in refused] == [
        (3, "duplicate_id", True),
        (4, "missing_account_id", True),
        (5, "negative_number", False),
    ]


def test_a_broken_line_is_refused_alone(tmp_path: Path) -> None:
    path = tmp_path / "accounts.jsonl"
    path.write_bytes(orjson.dumps(ROWS[0]) + b'\n{"account_id": \n' + orjson.dumps({"account_id": "b", "created_at": "soon"}))
    table, refused = read_accounts(path)
    assert table["account_id"].to_pylist() == [ROWS[0]["account_id"], "b"]
    assert table["created_at"].to_pylist()[1] is None
    assert [(row.row, row.reason, row.whole) for row in refused] == [(2, "truncated", True), (3, "wrong_type", False)]


def test_a_value_that_does_not_fit_does_not_lose_the_licence_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("account_id,monthly_quota_tokens,declared_use\na,unlimited,licensed research\nb,1000,chat\n")
    table, refused = read_accounts(path)
    assert table["declared_use"].to_pylist() == ["licensed research", "chat"]
    assert table["monthly_quota_tokens"].to_pylist() == [None, 1000]
    assert [(row.row, row.whole) for row in refused] == [(1, False)]


def test_a_table_without_account_ids_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("name,plan\nx,pro\n")
    with pytest.raises(SchemaError, match=r"accounts\.csv: expected a column account_id, got name, plan"):
        read_accounts(path)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "accounts.parquet"
    path.write_bytes(b"PAR1 torn")
    with pytest.raises(UnreadableInputError, match=r"accounts\.parquet"):
        read_accounts(path)
    with pytest.raises(UsageError, match=r"none\.csv"):
        read_accounts(tmp_path / "none.csv")


def test_a_row_with_too_many_or_too_few_values_is_refused_alone(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text('account_id,note,plan\na,"two\nlines",free\nb,,free,extra\nc,,pro\nd\n,,free\n')
    table, refused = read_accounts(path)
    assert table.select(["account_id", "plan"]).to_pylist() == [{"account_id": "a", "plan": "free"}, {"account_id": "c", "plan": "pro"}]
    assert [(row.row, row.reason) for row in refused] == [
        (2, "unexpected_shape"),
        (4, "unexpected_shape"),
        (5, "missing_account_id"),
    ]
    assert refused[0].detail == "expected 3 values, got 4"


def test_bytes_that_are_not_utf8_cost_their_value_or_their_row(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_bytes("account_id,plan\nä,frei\nacct_é,free\nb,gratuité\n".encode("latin-1").replace("ä".encode("latin-1"), "ä".encode()))
    table, refused = read_accounts(path)
    assert table.select(["account_id", "plan"]).to_pylist() == [{"account_id": "ä", "plan": "frei"}, {"account_id": "b", "plan": None}]
    assert [(row.row, row.reason, row.whole) for row in refused] == [(2, "invalid_utf8", True), (3, "invalid_utf8", False)]


@pytest.mark.parametrize("broken", ['"b,free', 'b,"free', 'b,"fr""ee'])
def test_a_quotation_mark_that_nothing_closes_is_named_with_its_line(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text(f'account_id,plan\na,"fr\nee"\n{broken}\nc,free\n')
    with pytest.raises(UnreadableInputError, match=r"accounts\.csv: line 4: a quotation mark"):
        read_accounts(path)


def test_a_quotation_mark_inside_a_value_is_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text('account_id,plan\na,5" screens\nb,free\n')
    assert read_accounts(path)[0]["plan"].to_pylist() == ['5" screens', "free"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["account_id", "plan"])
def test_a_column_that_is_named_twice_is_an_error_that_names_it(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / f"accounts.{kind}"
    names = ["account_id", "plan", "note", "note", name]
    if kind == "csv":
        path.write_text(",".join(names) + "\na,b,c,d,e\n")
    else:
        pq.write_table(pa.table([pa.array(["a"])] * 5, names=names), path)
    with pytest.raises(SchemaError, match=f"expected one column {name}, got 2"):
        read_accounts(path)


def test_a_column_that_no_signal_reads_may_be_named_twice(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("account_id,note,note\na,b,c\n")
    assert read_accounts(path)[0]["account_id"].to_pylist() == ["a"]
