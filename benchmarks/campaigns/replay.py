"""How much of a campaign leaks before it is first found: growing prefixes of the log, by event time, are scanned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from campaigns.metrics import Finding, Truth, reported
from campaigns.writing import Written

# shares of what the campaign would harvest in all, at which a scan is run
STEPS = (0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
HOSTILE_MAJORITY = 0.5

Scan = Callable[[Path, Path], list[Finding]]


def first_finding(written: Written, truth: Truth, scan: Scan, folder: Path, *, claim: str, harvest: float) -> dict[str, Any]:
    """Share of the campaign that had leaked at the first prefix with a finding whose members are mostly hostile.

    `scan` takes a log and a result folder; `harvest` is how many exchanges the whole campaign would harvest, of which the log may hold the
    first only. `leaked` None: not found in what the log holds, which is the share `held`.
    """
    log = pq.read_table(written.log)
    harvested = log.filter(pc.is_in(log["exchange_id"], value_set=_payload(written.payload)))["started_at"]
    told: dict[str, Any] = {"of_exchanges": round(harvest), "held": len(harvested) / harvest, "hostile_accounts": len(truth.hostile)}
    for size in _sizes(len(harvested), harvest):
        prefix = log.filter(pc.less_equal(log["started_at"], harvested[size - 1]))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "prefix.parquet"
        pq.write_table(prefix, path, row_group_size=20_000)
        if any(_true(entity, truth, claim) for entity in reported(scan(path, folder / "result"))):
            return told | {"leaked": size / harvest, "leaked_exchanges": size, "prefix_exchanges": len(prefix)}
    return told | {"leaked": None, "prefix_exchanges": len(log)}


def _sizes(held: int, harvest: float) -> list[int]:
    """Harvested exchanges of each prefix; the last is all that the log holds."""
    wanted = [round(step * harvest) for step in STEPS if 0 < round(step * harvest) < held]
    return [*wanted, held]


def _payload(path: Path) -> pa.Array:
    table = pq.read_table(path)
    return table.filter(table["payload"])["exchange_id"].combine_chunks()


def _true(entity: Finding, truth: Truth, claim: str) -> bool:
    return getattr(entity, claim) and len(entity.accounts & truth.hostile) > HOSTILE_MAJORITY * len(entity.accounts)
