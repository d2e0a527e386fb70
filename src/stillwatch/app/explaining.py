"""Reads a result folder back: one finding with its links and exchanges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stillwatch.app.state import PREVIOUS, RUN
from stillwatch.errors import SchemaError, UnreadableInputError, UsageError
from stillwatch.records.findings import Finding, Run


def read_run(out: Path) -> Run:
    """run.json of a finished result folder; a folder without one is not whole."""
    from stillwatch.report import run_from_json

    path = out / "run.json"
    if not out.is_dir():
        message = f"{out}: no such folder; DIR is the result folder of a scan"
        raise UsageError(message)
    if not path.exists():
        message = f"{out} has no run.json, so no finished scan; run stillwatch scan … --out {out} (--resume continues an interrupted one)"
        if (out / PREVIOUS / RUN).exists():
            message += f", or explain the earlier result in {out / PREVIOUS}"
        raise UnreadableInputError(message)
    try:
        return run_from_json(json.loads(path.read_text("utf-8")))
    except (ValueError, SchemaError) as error:
        message = f"{path} is damaged ({type(error).__name__}: {error}); run the scan again"
        raise UnreadableInputError(message) from None


def find_finding(out: Path, entity_id: str) -> Finding:
    """The finding about one entity, by its entity id, its finding id, or an account that is a member."""
    from stillwatch.report import read_findings

    read_run(out)
    findings = read_findings(out / "findings.jsonl")
    for finding in findings:
        if entity_id in (finding.entity_id, finding.uid):
            return finding
    for finding in findings:
        if any(member.account_id == entity_id for member in finding.members):
            return finding
    known = ", ".join(finding.entity_id for finding in findings[:5]) or "none: the scan found nothing"
    message = f"no finding in {out} is about {entity_id[:120]!r}; findings are about: {known}"
    raise UsageError(message)


def links_of(out: Path, finding: Finding) -> list[dict[str, Any]]:
    """The finding's rows of links.parquet, most telling first."""
    import pyarrow.parquet as pq

    rows = pq.read_table(out / "links.parquet", filters=[("entity_id", "==", finding.entity_id)]).to_pylist()
    return sorted(rows, key=lambda row: (-row["weight"], row["kind"], row["trace"], row["account_id"]))


def exchanges_of(out: Path, finding: Finding, most: int) -> list[dict[str, Any]]:
    """Exchanges of the finding's strongest members, from exchanges/: the first of each member, then the second of each, and so on."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

    members = [member.account_id for member in finding.members[:20]]
    columns = ["exchange_id", "account_id", "started_at", "model_served", "input_tokens", "output_tokens", "subject"]
    table = ds.dataset(out / "exchanges", format="parquet").to_table(columns=columns, filter=ds.field("account_id").isin(members))
    table = table.sort_by([("account_id", "ascending"), ("started_at", "ascending"), ("exchange_id", "ascending")])
    accounts = table["account_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    starts = np.searchsorted(accounts, np.arange(len(members)))
    turn = np.arange(len(accounts)) - starts[accounts]
    return table.take(pa.array(np.argsort(turn, kind="stable")[:most])).to_pylist()
