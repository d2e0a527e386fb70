"""The result folder: entities, members, links, findings, report, and run.json last of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.state import replacing, write_text
from stillwatch.detect.assemble import Evidence, Ruling
from stillwatch.engines.schema import arrow_schema
from stillwatch.link.group import Group, group_traces
from stillwatch.records.findings import EntityKind, Finding
from stillwatch.records.tables import ENTITIES, LINKS, MEMBERS, Table


def write_table(path: Path, table: Table, columns: dict[str, Any]) -> None:
    """Write columns as the table's Parquet file, atomically."""
    schema = arrow_schema(table)
    data = pa.Table.from_arrays([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    write_arrow(path, data)


def write_arrow(path: Path, data: pa.Table) -> None:
    """Write an Arrow table as Parquet, atomically."""
    with replacing(path) as file:
        pq.write_table(data, file, compression="zstd")


def entity_columns(rulings: Sequence[Ruling], evidence: Evidence) -> dict[str, Any]:
    """A row per entity that no group claims, findings or not."""
    entities, judgement = evidence.entities, evidence.judgement
    order = [ruling.entity for ruling in rulings]
    groups = [entities.groups[entity - entities.accounts] if entity >= entities.accounts else None for entity in order]
    return {
        "entity_id": [entities.entity_id(entity) for entity in order],
        "kind": [EntityKind.GROUP.value if group else EntityKind.ACCOUNT.value for group in groups],
        "accounts": [len(entities.members(entity)) for entity in order],
        "exchanges": [int(entities.features["exchanges"][entity]) for entity in order],
        "pooling": [ruling.pooling.value for ruling in rulings],
        "harvest": [ruling.harvest.value for ruling in rulings],
        "strength": np.nan_to_num(judgement.totals[order], nan=0.0),
        "p_value": _nullable(judgement.p_values[order]),
        "q_value": _nullable(judgement.q_values[order]),
        "pooling_p_value": [group.p_value if group else None for group in groups],
        "severity": [ruling.severity.value if ruling.severity else "none" for ruling in rulings],
    }


def _nullable(values: Any) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def member_columns(findings: Sequence[Finding]) -> dict[str, Any]:
    """The members of every finding."""
    rows = [(finding.entity_id, member) for finding in findings for member in finding.members]
    return {
        "entity_id": [entity for entity, _ in rows],
        "account_id": [member.account_id for _, member in rows],
        "membership": [member.membership for _, member in rows],
        "reasons": [json.dumps(member.reasons) for _, member in rows],
        "exchanges": [member.exchanges for _, member in rows],
        "first_at": [member.first_at for _, member in rows],
        "last_at": [member.last_at for _, member in rows],
    }


def link_columns(groups: Sequence[Group], evidence: Evidence, traces: pa.Table) -> dict[str, Any]:
    """Account-to-trace links of every group."""
    rows = evidence.rows
    ids = evidence.entities.profiles.ids
    sharing, worth = rows.sharing, rows.worth()
    times = _times(traces)
    columns: dict[str, list[Any]] = {name: [] for name in LINKS.names}
    for group in groups:
        inside = np.isin(rows.account, group.members) & np.isin(rows.trace, group_traces(group, rows))
        for row in np.flatnonzero(inside).tolist():
            trace, account = int(rows.trace[row]), str(ids[rows.account[row]])
            kind, value = str(rows.kinds[trace]), str(rows.values[trace])
            first, last = times.get((account, kind, value), (None, None))
            entry = (group.entity_id, account, kind, value, int(rows.count[row]), int(sharing[trace]), float(worth[trace]), first, last)
            for name, item in zip(LINKS.names, entry, strict=True):
                columns[name].append(item)
    return columns


def _times(traces: pa.Table) -> dict[tuple[str, str, str], tuple[Any, Any]]:
    names = ("account_id", "kind", "trace", "first_at", "last_at")
    lists = [traces[name].to_pylist() for name in names]
    return {(account, kind, trace): (first, last) for account, kind, trace, first, last in zip(*lists, strict=True)}


def write_entities(out: Path, rulings: Sequence[Ruling], findings: Sequence[Finding], evidence: Evidence, traces: pa.Table) -> None:
    """entities.parquet, members.parquet and links.parquet."""
    write_table(out / "entities.parquet", ENTITIES, entity_columns(rulings, evidence))
    write_table(out / "members.parquet", MEMBERS, member_columns(findings))
    write_table(out / "links.parquet", LINKS, link_columns(evidence.entities.groups, evidence, traces))


def write_subjects(out: Path, labels: Sequence[str]) -> None:
    """subjects.json: the label of each cell of the column `subject`."""
    write_text(out / "subjects.json", json.dumps(dict(enumerate(labels)), ensure_ascii=False, indent=1))
