"""What limits a miss: the campaign's accounts are handed to the detector's own stages, with the truth at hand.

- *validated*: the true group is nominated as accounts that send one list, and validation is asked whether they act as one. Where it says
  yes and the scan found nothing, nomination is what is missing; where it says no, no better nomination would help.
- *judged*: the true group is judged against true benign traffic: all honest accounts, and no other. Where it says no, the traffic of the
  whole campaign does not stand out from honest customers' in what the signals read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from campaigns.metrics import Truth
from stillwatch.app.describing import accounts_table, group_features, member_table, sides, sketched_columns
from stillwatch.app.keeping import kept_linked
from stillwatch.app.state import ingest_from_json
from stillwatch.detect.assemble import Evidence, rule
from stillwatch.detect.entities import Entities, gather
from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.judge import Judgement, judge, judge_group, with_q_values
from stillwatch.detect.pools import pool_baseline, pool_values
from stillwatch.engines.duckdb import DuckEngine
from stillwatch.link.group import Group
from stillwatch.link.nominate import Candidate, TraceRows, trace_rows
from stillwatch.link.profiles import Profiles
from stillwatch.link.settle import corroborated
from stillwatch.link.validate import Tested, Validator
from stillwatch.records.findings import Verdict
from stillwatch.settings import ScanSettings
from stillwatch.stats.seeds import generator


def bounds(result: Path, accounts: Path, truth: Truth) -> dict[str, Any]:
    """What validation and judgement say of the true campaign, from a scan's result folder."""
    settings, work = ScanSettings(), result / ".work"
    _, profiles = kept_linked(work)
    rows = trace_rows(pq.read_table(work / "traces.parquet"), profiles.ids)
    features, table = pq.read_table(work / "features.parquet"), pq.read_table(accounts)
    members = np.flatnonzero(np.isin(profiles.ids, sorted(truth.hostile))).astype(np.int64)
    told: dict[str, Any] = {}
    if len(members) >= settings.link.smallest_group:
        validator = Validator(profiles, rows, sides(features, table, profiles.ids), settings.link, generator(settings.seed, "bounds"))
        tested = validator.test(_one_list(profiles, members), None)
        told["validated"] = {"p_value": tested.p_value, "acts_as_one": _acts_as_one(tested, settings)}
    read = ingest_from_json(json.loads((work / "state.json").read_text("utf-8"))["done"]["read"]["noted"])
    entities = _entities(result, profiles, members, features, table, sketched_columns(read.filled_columns), settings)
    told["judged"] = _judged(entities, members, rows, truth, settings)
    return told


def _one_list(profiles: Profiles, members: np.ndarray) -> Candidate:
    counts = profiles.accounts.counts[members]
    return Candidate(kind="subjects", traces=(), members=members, counts=counts, explained=frozenset({"subjects"}), worth=1.0)


def _acts_as_one(tested: Tested, settings: ScanSettings) -> bool:
    """As a single hypothesis, which needs no correction for others."""
    return tested.p_value is not None and corroborated(tested, tested.p_value, settings.link)


def _entities(
    result: Path, profiles: Profiles, members: np.ndarray, features: Any, table: Any, available: frozenset[str], settings: ScanSettings
) -> Entities:
    """The accounts and, of several, the true group."""
    if len(members) < settings.link.smallest_group:
        return gather(profiles, (), features, None)
    one = np.ones(len(members))
    group = Group(entity_id="true", members=members, membership=one, tested=(), p_value=0.0, q_value=0.0)
    engine = DuckEngine(result / ".work", threads=settings.threads, memory_limit=settings.memory_limit)
    try:
        exchanges, side = engine.read([result / "exchanges"]), accounts_table(engine, table)
        filled = available | {name for name in table.column_names if table[name].null_count < len(table)}
        pooled = group_features(engine, exchanges, side, filled, member_table([("true", profiles.ids[members].tolist())]))
    finally:
        engine.close()
    return gather(profiles, (group,), features, pooled)


def _judged(entities: Entities, members: np.ndarray, rows: TraceRows, truth: Truth, settings: ScanSettings) -> dict[str, Any]:
    values, volumes = entities.signal_values(), entities.features["exchanges"]
    honest = np.zeros(len(entities.claimed), np.bool_)
    honest[: entities.accounts] = np.isin(entities.profiles.ids, sorted(truth.honest))
    draw = generator(settings.seed, "bounds/judge")
    if not entities.groups:
        judgement = judge(values, volumes, entities.is_group, entities.claimed, ~honest, HARVEST_SIGNALS, settings.detect, draw)
        entity = int(members[0])
    else:
        least = min(settings.link.least_exchanges, volumes[members].min())
        baseline = pool_baseline(entities, rows, (honest & (volumes >= least))[: entities.accounts])
        judgement = judge(
            values, volumes, entities.is_group, np.ones_like(entities.claimed), ~honest, HARVEST_SIGNALS, settings.detect, draw
        )
        entity = entities.accounts
        pools = pool_values(baseline, members, HARVEST_SIGNALS, settings.detect.pools, draw)
        if pools is not None:
            judge_group(judgement, entity, pools, None, HARVEST_SIGNALS)
    judgement = with_q_values(judgement, entities.is_group)
    return {"p_value": float(judgement.p_values[entity]), "harvests": _verdict(entities, judgement, rows, entity, settings)}


def _verdict(entities: Entities, judgement: Judgement, rows: TraceRows, entity: int, settings: ScanSettings) -> bool:
    """As one hypothesis among the accounts of the log, or the only group."""
    nobody = np.zeros(entities.accounts)
    evidence = Evidence(
        entities=entities,
        judgement=judgement,
        rows=rows,
        silent=(),
        labels=(),
        declared={},
        licensed=nobody.astype(np.bool_),
        public=nobody,
        together=np.zeros(len(entities.claimed)),
        draws=settings.link.confirming_draws,
    )
    return any(ruling.entity == entity and ruling.harvest is Verdict.YES for ruling in rule(evidence, settings.detect))
