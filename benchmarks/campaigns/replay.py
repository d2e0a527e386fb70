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

# shares of the campaign's harvested exchanges at which a scan is run
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
HOSTILE_MAJORITY = 0.5

Scan = Callable[[Path, Path], list[Finding]]


def first_finding(written: Written, truth: Truth, scan: Scan, folder: Path, *, claim: str) -> dict[str, Any]:
    """Share of the campaign that had leaked at the first prefix with a finding whose members are mostly hostile.

    `scan` takes a log and a result folder. `leaked` None: not found in the whole log either.
    """
    log = pq.read_table(written.log)
    harvested = log.filter(pc.is_in(log["exchange_id"], value_set=_payload(written.payload)))["started_at"]
    for step in STEPS:
        cut = harvested[max(0, min(len(harvested), round(step * len(harvested))) - 1)]
        prefix = log.filter(pc.less_equal(log["started_at"], cut))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "prefix.parquet"
        pq.write_table(prefix, path, row_group_size=20_000)
        if any(_true(entity, truth, claim) for entity in reported(scan(path, folder / "result"))):
            return {"leaked": step, "of_exchanges": len(harvested), "prefix_exchanges": len(prefix)}
    return {"leaked": None, "of_exchanges": len(harvested), "prefix_exchanges": len(log)}


def _payload(path: Path) -> pa.Array:
    table = pq.read_table(path)
    return table.filter(table["payload"])["exchange_id"].combine_chunks()


def _true(entity: Finding, truth: Truth, claim: str) -> bool:
    return getattr(entity, claim) and len(entity.accounts & truth.hostile) > HOSTILE_MAJORITY * len(entity.accounts)
