"""Both engines over one small generated log with nulls everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.engines.base import Engine
from stillwatch.engines.duckdb import DuckEngine
from stillwatch.engines.schema import arrow_schema
from stillwatch.engines.spark import SparkEngine
from stillwatch.records.tables import ACCOUNTS, SKETCHED
from stillwatch.stats.seeds import generator

START = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
ROWS = 600
ACCOUNT_NAMES = [f"acct-{number}" for number in range(8)]
IPS = ["10.0.0.1", "10.0.0.200", "10.9.8.7", "2001:db8:7:1::5", "2001:db8::1", "::1", "::ffff:10.0.0.3", "not an address"]
SETTINGS = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
}


def _thinned(rng: np.random.Generator, values: list[Any], share: float = 0.2) -> list[Any]:
    """The values with some of them gone."""
    return [None if gone else value for value, gone in zip(values, rng.random(len(values)) < share, strict=True)]


def _picked(rng: np.random.Generator, values: list[Any], share: float = 0.2) -> list[Any]:
    return _thinned(rng, [values[index] for index in rng.integers(0, len(values), ROWS)], share)


def _wording(rng: np.random.Generator) -> list[list[int] | None]:
    lists = [sorted({int(word) for word in rng.integers(-(2**62), -(2**62) + 60, size=int(rng.integers(0, 5)))}) for _ in range(ROWS)]
    return _thinned(rng, lists)


def _moments(rng: np.random.Generator) -> list[datetime]:
    """Instants over four days, some of them shared, one of them before 1970 to catch wrong rounding."""
    offsets = rng.integers(0, 4 * 86_400_000_000, ROWS)
    offsets[::17] = offsets[0]
    return [START + timedelta(microseconds=int(offset)) for offset in offsets]


def _content(rng: np.random.Generator) -> dict[str, list[Any]]:
    return {
        "prompt_chars": _picked(rng, [0, 10, 2000]),
        "response_chars": _picked(rng, [0, 33, 9000]),
        "prompt_key": _picked(rng, [int(key) for key in rng.integers(-(2**63), 2**63 - 1, 300)]),
        "prompt_bucket": _picked(rng, [int(key) for key in rng.integers(-(2**63), 2**63 - 1, 40)]),
        "system_key": _picked(rng, [-5, 6, 7, 8], 0.5),
        "wording": _wording(rng),
        "subject": _picked(rng, list(range(12))),
        "elicits": _picked(rng, list(range(16))),
        "task": _picked(rng, list(range(5))),
        "reasoning_share": _picked(rng, [0.0, 0.1, 0.333, 1.0]),
        "session_rule": _picked(rng, ["none", "first_words"]),
        "turns": _picked(rng, [1, 2, 3, 9]),
    }


def _settings(rng: np.random.Generator) -> dict[str, list[Any]]:
    return {
        "stream": _picked(rng, [True, False]),
        "logprobs": _picked(rng, [True, False]),
        "temperature": _picked(rng, [0.0, 0.1, 0.7, 1.0, 1.9995]),
        "top_p": _picked(rng, [1.0, 0.95]),
        "n": _picked(rng, [1, 4]),
        "max_tokens": _picked(rng, [16, 4096]),
        "seed": _picked(rng, [1, 2], 0.7),
        "top_logprobs": _picked(rng, [0, 5], 0.7),
        "logit_bias_size": _picked(rng, [0, 9], 0.7),
        "tools_count": _picked(rng, [0, 3]),
        "response_format": _picked(rng, ["json_object", "text"], 0.7),
    }


def _origin(rng: np.random.Generator) -> dict[str, list[Any]]:
    return {
        "org_id": _picked(rng, ["org-a", "org-b"]),
        "key_id": _picked(rng, ["key-a", "key-b", "key-c"]),
        "session_id": _picked(rng, [f"session-{number}" for number in range(90)]),
        "client_ip": _picked(rng, IPS),
        "user_agent": _picked(rng, ["python/3", "curl", "x" * 500]),
        "tls_fingerprint": _picked(rng, ["t13d", "t12d"]),
        "asn": _picked(rng, [64512, 64513]),
        "model_requested": _picked(rng, ["small", "large"]),
    }


def _outcome(rng: np.random.Generator) -> dict[str, list[Any]]:
    return {
        "input_tokens": _picked(rng, [0, 12, 3000]),
        "output_tokens": _picked(rng, [0, 7, 9000]),
        "reasoning_tokens": _picked(rng, [0, 5]),
        "status": _picked(rng, [200, 200, 400, 500]),
        "finish_reason": _picked(rng, ["stop", "content_filter"]),
        "sampling_rate": _picked(rng, [1.0, 0.3, 0.0], 0.5),
    }


@pytest.fixture(scope="session")
def log() -> pa.Table:
    """600 exchanges of 8 accounts, SKETCHED, nulls in every nullable column, some columns all null."""
    rng = generator(7, "contract suite")
    moments = _moments(rng)
    late = START + timedelta(days=2)
    columns: dict[str, list[Any]] = {
        **{column.name: [None] * ROWS for column in SKETCHED.columns},
        **_content(rng),
        **_settings(rng),
        **_origin(rng),
        **_outcome(rng),
        "exchange_id": [f"x{number}" for number in range(ROWS)],
        "source": ["test"] * ROWS,
        "text_state": ["full"] * ROWS,
        "started_at": moments,
        "account_id": [ACCOUNT_NAMES[int(index)] for index in np.minimum(rng.geometric(0.3, ROWS) - 1, 7)],
        "model_served": _thinned(rng, ["new" if moment > late else "old" for moment in moments], 0.3),
    }
    return pa.table(columns, schema=arrow_schema(SKETCHED))


@pytest.fixture(scope="session")
def accounts() -> pa.Table:
    """The side table of the log: one account missing, one unknown to the log, nulls elsewhere."""
    names = [*ACCOUNT_NAMES[1:], "acct-unseen"]
    columns: dict[str, list[Any]] = {
        **{column.name: [None] * len(names) for column in ACCOUNTS.columns},
        "account_id": names,
        "created_at": [None, *[START - timedelta(days=9, minutes=25 * (number // 2)) for number in range(len(names) - 1)]],
        "email_domain": ["Example.org", "example.org", None, "b.test", "c.test", "b.test", None, "example.org"],
        "payment_fingerprint": [None, "p1", "p1", "p2", None, "p2", "p3", "p1"],
        "monthly_quota_tokens": [1000, None, 0, 500_000, 7, None, 10, 10],
    }
    return pa.table(columns, schema=arrow_schema(ACCOUNTS))


@pytest.fixture(scope="session")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with DuckEngine(tmp_path_factory.mktemp("duckdb"), threads=2, memory_limit="500MB") as engine:
        yield engine


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    pytest.importorskip("pyspark", reason="the spark extra is not installed")
    with SparkEngine(tmp_path_factory.mktemp("spark"), master="local[2]", settings=SETTINGS) as engine:
        yield engine


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return request.getfixturevalue({"duckdb": "duck", "spark": "spark"}[request.param])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name a database might take for a pattern."""
    path = tmp_path / "odd [name]*"
    path.mkdir()
    return path
