"""What a finding's numbers follow from, read from the result folder of its scan, so that a sealed case can give them again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from stillwatch.cases.evidence import decimal_text
from stillwatch.detect.tally import Prices
from stillwatch.records.findings import Finding, Run

_MOST_TESTS = 20_000
"""Different p-values that a case takes in; a scan has some hundreds, since they are ranks. Beyond, the q-value is stated."""

_PLACES = 12


def further_numbers(folder: Path, run: Run, finding: Finding) -> dict[str, Any]:
    """`taken`: tokens by model and side with the price of a million; `tests`: p-values of the finding's kind, with how many have each.

    Either is missing where the folder does not hold it.
    """
    return {name: rows for name, rows in (("taken", _taken(folder, run, finding)), ("tests", _tests(folder, finding))) if rows}


def _taken(folder: Path, run: Run, finding: Finding) -> list[dict[str, Any]]:
    """As `features.takings.model_use` counts: the model served, else the one requested."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    from stillwatch.features.takings import UNKNOWN_MODEL

    if not (folder / "exchanges").is_dir():
        return []
    columns = {"model": pc.coalesce(pc.field("model_served"), pc.field("model_requested"), pc.scalar(UNKNOWN_MODEL))}
    columns |= {side: pc.field(f"{side}_tokens") for side in ("input", "output")}
    mine = pc.field("account_id").isin([member.account_id for member in finding.members])
    rows = ds.dataset(folder / "exchanges", format="parquet").to_table(columns=columns, filter=mine)
    table = rows.group_by("model").aggregate([("input", "sum"), ("output", "sum")])
    prices = _prices(run)
    return [
        {"model": row["model"], "side": side, "tokens": row[f"{side}_sum"], "price": price}
        for row in sorted(table.to_pylist(), key=lambda row: row["model"])
        for side, price in zip(("input", "output"), prices.of(row["model"]) or (None, None), strict=True)
        if row[f"{side}_sum"] is not None
    ]


def _prices(run: Run) -> Prices:
    """The price table that the scan used."""
    models: dict[str, Any] = run.prices.get("models") or {}  # pyright: ignore[reportAssignmentType] - as the scan wrote it
    table = {name: (float(price["input"]), float(price["output"])) for name, price in models.items()}
    return Prices(currency=str(run.prices.get("currency")), models=table)


def _tests(folder: Path, finding: Finding) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    path = folder / "entities.parquet"
    if not path.exists():
        return []
    rows = pq.read_table(path, columns=["p_value", "q_value"], filters=[("kind", "=", finding.kind.value)]).to_pylist()
    counts = Counter(row["p_value"] for row in rows if row["q_value"] is not None)
    if len(counts) > _MOST_TESTS:
        return []
    texts: Counter[str] = Counter()
    for value in sorted(counts):
        texts[decimal_text(value, _PLACES) or "0"] += counts[value]
    return [{"p_value": text, "tests": count} for text, count in texts.items()]
