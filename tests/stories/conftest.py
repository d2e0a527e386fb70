"""What the stories share: one simulated provider, one scan of it, and a way to run more of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.app.progress import Quiet
from stillwatch.app.request import ScanRequest
from stillwatch.app.scanning import scan
from stillwatch.detect.tally import shipped_prices
from stillwatch.engines.schema import arrow_schema
from stillwatch.records.findings import Report
from stillwatch.records.tables import EXCHANGES
from stillwatch.settings import ScanSettings
from stillwatch.simulate import HONEST_SHARES, CampaignSettings, Kind, LogFormat, Simulated, Tactic, WorldSettings, simulate

START = datetime(2026, 9, 7, tzinfo=UTC)
_LOUD = (Kind.PIPELINE, Kind.EVALUATOR, Kind.CI, Kind.MIGRATION)

ScanInto = Callable[..., Report]


def _world(out: Path, form: LogFormat) -> Simulated:
    """About 240 quiet customers over five days, and one campaign of twenty accounts with one instruction."""
    campaign = CampaignSettings(tactic=Tactic.FIXED_PROMPT, campaign_id="amber", accounts=20, requests_per_account_per_day=26, end_day=5)
    shares = {kind: share for kind, share in HONEST_SHARES.items() if kind not in _LOUD}
    settings = WorldSettings(seed=5, start=START, days=5, honest_accounts=240, honest_shares=shares, campaigns=(campaign,), format=form)
    return simulate(settings, out=out)


def _scan_into(out: Path, *paths: Path, accounts: Path | None = None, resume: bool = False, **others: Any) -> Report:
    request = ScanRequest(
        paths=paths,
        accounts=accounts,
        format="auto",
        out=out,
        engine="duckdb",
        resume=resume,
        prices=others.get("prices") or shipped_prices(),
        settings=others.get("settings") or ScanSettings(),
    )
    return scan(request, others.get("progress") or Quiet(), now=datetime(2026, 11, 1, tzinfo=UTC))


def _simulated_logs(folder: Path, *, seed: int, days: int, accounts: int, shares: dict[Kind, float]) -> pa.Table:
    settings = WorldSettings(seed=seed, start=START, days=days, honest_accounts=accounts, honest_shares=shares)
    return pq.read_table(simulate(settings, out=folder).logs)


@pytest.fixture(scope="session")
def simulated_logs() -> Callable[..., pa.Table]:
    """The exchanges of an honest world, as one table."""
    return _simulated_logs


@pytest.fixture(scope="session")
def with_columns() -> Callable[..., pa.Table]:
    """A table of exchanges with some columns changed."""

    def changed(table: pa.Table, columns: dict[str, Any]) -> pa.Table:
        schema = arrow_schema(EXCHANGES)
        return pa.table({field.name: columns.get(field.name, table[field.name]).cast(field.type) for field in schema}, schema=schema)

    return changed


@dataclass(frozen=True)
class Scanned:
    """A finished scan and the world it read."""

    world: Simulated
    folder: Path
    report: Report

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of one Parquet file of the result folder."""
        return pq.read_table(self.folder / name).to_pylist()

    def exchanges(self) -> pa.Table:
        """The sketched exchanges."""
        return pa.concat_tables([pq.read_table(path) for path in sorted((self.folder / "exchanges").glob("part-*.parquet"))])


@pytest.fixture(scope="session")
def scan_into() -> ScanInto:
    """Run a scan: scan_into(out, *paths, accounts=…, resume=…, settings=…, prices=…, progress=…)."""
    return _scan_into


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The simulated provider, as Parquet."""
    return _world(tmp_path_factory.mktemp("world") / "provider", LogFormat.PARQUET)


@pytest.fixture(scope="session")
def lines_world(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The same provider, as JSON Lines."""
    return _world(tmp_path_factory.mktemp("lines") / "provider", LogFormat.JSONL)


@pytest.fixture(scope="session")
def scanned(world: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """One scan of the provider, shared by every test that only looks."""
    folder = tmp_path_factory.mktemp("scanned") / "result"
    return Scanned(world, folder, _scan_into(folder, world.logs, accounts=world.accounts))


@pytest.fixture(scope="session")
def outcome() -> Callable[[Path], dict[str, Any]]:
    """What a result folder concludes, without times of the run: tables as rows, findings as JSON."""

    def read(folder: Path) -> dict[str, Any]:
        tables = {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("entities", "members", "links", "features")}
        lines = (folder / "findings.jsonl").read_text("utf-8").splitlines()
        return tables | {"findings": [_timeless(json.loads(line)) for line in lines]}

    return read


def _timeless(finding: dict[str, Any]) -> dict[str, Any]:
    """The finding without the moment at which it was made."""
    kept = {name: value for name, value in finding.items() if name != "time"}
    kept["finding_info"] = {name: value for name, value in finding["finding_info"].items() if name != "created_time"}
    return kept


@pytest.fixture(scope="session")
def write_rows() -> Callable[[Path, Sequence[dict[str, Any]]], Path]:
    """Write rows as a native JSON Lines log."""

    def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8")
        return path

    return write
