"""From described accounts to findings: link, judge, gather the evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.app.describing import group_features, member_table, profiles_of, sides, takings
from stillwatch.app.exhibiting import Wanted, exhibits
from stillwatch.app.keeping import Outcome, keep_linked, keep_outcome, kept_linked, kept_outcome
from stillwatch.app.stages import Stages
from stillwatch.app.writing import write_entities
from stillwatch.detect.assemble import Evidence, Ruling, build_findings, ranked, rule
from stillwatch.detect.catalogue import silent_signals
from stillwatch.detect.entities import Entities, gather
from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.judge import Judgement, judge, judge_group, single_customers, with_q_values
from stillwatch.detect.licences import licensed_accounts
from stillwatch.detect.pools import pool_baseline, pool_values
from stillwatch.detect.power import power
from stillwatch.detect.tally import Prices, known_sets, tally
from stillwatch.detect.together import openly_together
from stillwatch.engines.base import Engine
from stillwatch.ingest import Shard
from stillwatch.link.linking import Linked, link_accounts, nominations, watch
from stillwatch.link.membership import PUBLIC
from stillwatch.link.nominate import CONTENT_KINDS, TraceRows, trace_rows
from stillwatch.link.profiles import Profiles
from stillwatch.records.findings import Finding, Power, Tally
from stillwatch.settings import ScanSettings
from stillwatch.stats.seeds import generator

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is known of the accounts before anything is concluded, and where text can be read again."""

    engine: Engine
    exchanges: ir.Table
    side: ir.Table | None
    accounts: pa.Table | None
    available: frozenset[str]
    features: pa.Table
    traces: pa.Table
    labels: tuple[str, ...]
    shards: tuple[Shard, ...]
    folder: Path
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was concluded."""

    linked: Linked
    evidence: Evidence
    rulings: tuple[Ruling, ...]
    findings: tuple[Finding, ...]


def judge_all(described: Described, stages: Stages, prices: Prices, settings: ScanSettings, work: Path) -> Outcome:
    """Link accounts, judge entities and build findings; what each stage concludes is kept in `work`."""
    ids = np.array(sorted(described.features["entity_id"].to_pylist()), dtype=np.str_)
    rows = trace_rows(described.traces, ids)
    held: list[tuple[Linked, Profiles]] = []

    def link(tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
        held.append(_link(described, ids, rows, settings, tell))
        keep_linked(work, *held[0])
        return {}, described.rows

    def judge(_tell: Callable[[int], None]) -> tuple[dict[str, Any], int]:
        linked, profiles = held[0] if held else kept_linked(work)
        pooled = _group_features(described, linked, ids)
        entities = gather(profiles, linked.groups, described.features, pooled)
        judged = _conclude(described, entities, linked, rows, prices, settings)
        write_entities(work, judged.rulings, judged.findings, judged.evidence, described.traces)
        keep_outcome(work, outcome_of(judged, settings))
        return {}, len(entities.claimed)

    stages.keep("link", described.rows, link)
    stages.keep("judge", len(ids), judge)
    return kept_outcome(work)


def _link(
    described: Described, ids: npt.NDArray[np.str_], rows: TraceRows, settings: ScanSettings, tell: Callable[[int], None]
) -> tuple[Linked, Profiles]:
    exchanges = _aligned(described.features, ids, "exchanges")
    candidates, untested = nominations(rows, exchanges, settings.link)
    watched, places = watch(candidates)
    profiles = profiles_of(
        described.engine,
        described.exchanges,
        ids,
        watched,
        log_bounds(described.features),
        max(1, len(described.labels)),
        tell,
        threads=settings.threads,
    )
    linked = link_accounts(
        rows,
        candidates,
        places,
        profiles,
        sides(described.features, described.accounts, ids),
        settings.link,
        generator(settings.seed, "link"),
        untested=untested,
    )
    return linked, profiles


def log_bounds(features: pa.Table) -> tuple[int, int]:
    """Microseconds of the first and the last exchange of the log."""
    return int(pc.min(features["first_at"]).as_py() * 1e6), int(pc.max(features["last_at"]).as_py() * 1e6) + 1


def _aligned(features: pa.Table, ids: npt.NDArray[np.str_], name: str) -> npt.NDArray[np.int64]:
    places = pc.index_in(pa.array(ids.tolist(), pa.string()), value_set=features["entity_id"].combine_chunks())
    return features[name].combine_chunks().cast(pa.int64()).take(places).to_numpy()


def _group_features(described: Described, linked: Linked, ids: npt.NDArray[np.str_]) -> pa.Table | None:
    if not linked.groups:
        return None
    members = member_table([(group.entity_id, ids[group.members].tolist()) for group in linked.groups])
    return group_features(described.engine, described.exchanges, described.side, described.available, members)


def _conclude(described: Described, entities: Entities, linked: Linked, rows: TraceRows, prices: Prices, settings: ScanSettings) -> Judged:
    declared, verified = _column(described.accounts, "declared_use"), _column(described.accounts, "verification")
    licensed = licensed_accounts(entities.profiles.ids.tolist(), declared, verified, settings.detect)
    together = _together(described.accounts, entities, rows)
    public = _public_shares(entities, rows)
    judgement = _judgement(entities, linked.suspects | licensed, rows, together, settings, public)
    evidence = Evidence(
        entities=entities,
        judgement=judgement,
        rows=rows,
        silent=silent_signals(described.available),
        labels=described.labels,
        declared=declared,
        licensed=licensed,
        public=public,
        together=together,
        draws=settings.link.confirming_draws,
    )
    rulings = rule(evidence, settings.detect)
    found = ranked(rulings, judgement)
    findings = build_findings(
        found, evidence, _tallies(described, evidence, found, prices), _exhibits(described, evidence, found, settings)
    )
    return Judged(linked=linked, evidence=evidence, rulings=rulings, findings=findings)


def _judgement(
    entities: Entities,
    unfit: npt.NDArray[np.bool_],
    rows: TraceRows,
    together: npt.NDArray[np.float64],
    settings: ScanSettings,
    public: npt.NDArray[np.float64],
) -> Judgement:
    """Accounts against accounts of like volume, groups against random pools, q-values over both.

    `unfit` [A] are accounts that stand for no ordinary customer: those that linking suspects, and those with a licence to harvest.
    `public` [A] are shares of public items: accounts that work through test sets are never a finding, so that they are no hypothesis that
    the others' correction pays for.
    """
    testing = public >= settings.detect.public_share
    values, volumes = entities.signal_values(), entities.features["exchanges"]
    draw = generator(settings.seed, "judge")
    unfit = np.concatenate([unfit, np.zeros(len(entities.groups), np.bool_)])
    judgement = judge(values, volumes, entities.is_group, entities.claimed, unfit, HARVEST_SIGNALS, settings.detect, draw)
    free = ~(entities.claimed | unfit | entities.is_group)
    for place, group in enumerate(entities.groups):
        entity = entities.accounts + place
        # accounts of a large campaign's first day have sent little, and so must those that they are compared with
        least = min(settings.link.least_exchanges, volumes[group.members].min())
        ordinary = free & (volumes >= least)
        baseline = pool_baseline(entities, rows, ordinary[: entities.accounts])
        pools = pool_values(baseline, group.members, HARVEST_SIGNALS, settings.detect.pools, draw)
        if pools is None or volumes[entity] < settings.detect.least_exchanges:
            continue
        openly = together[entity] >= settings.detect.open_customer
        singles = single_customers(values[ordinary], volumes[ordinary], volumes[entity], settings.detect.reference_size) if openly else None
        judge_group(judgement, entity, pools, singles, HARVEST_SIGNALS)
    asked = ~np.concatenate([testing, np.zeros(len(entities.groups), np.bool_)])
    return with_q_values(judgement, entities.is_group, asked)


def _together(accounts: pa.Table | None, entities: Entities, rows: TraceRows) -> npt.NDArray[np.float64]:
    """[E] share of each group's accounts that stand openly together; 0 for accounts."""
    names = _column(accounts, "org_id")
    organisations = [names.get(account) for account in entities.profiles.ids.tolist()]
    found = np.zeros(len(entities.claimed))
    for place, group in enumerate(entities.groups):
        found[entities.accounts + place] = openly_together(rows, group.members, organisations)
    return found


def _public_shares(entities: Entities, rows: TraceRows) -> npt.NDArray[np.float64]:
    """[A] share of each account's exchanges whose prompt at least PUBLIC other accounts sent as well."""
    public = (rows.kinds == "prompt") & (rows.sharing > PUBLIC)
    kept = public[rows.trace]
    counts = np.bincount(rows.account[kept], weights=rows.count[kept], minlength=rows.accounts)
    return counts / np.maximum(entities.features["exchanges"][: entities.accounts], 1)


def _column(accounts: pa.Table | None, name: str) -> dict[str, str]:
    """Account id to the value of a column of the accounts table, where it has one."""
    if accounts is None:
        return {}
    pairs = zip(accounts["account_id"].to_pylist(), accounts[name].to_pylist(), strict=True)
    return {account: value for account, value in pairs if value}


def _names(evidence: Evidence, entity: int) -> list[str]:
    return evidence.entities.profiles.ids[evidence.entities.members(entity)].tolist()


def _tallies(described: Described, evidence: Evidence, found: Sequence[Ruling], prices: Prices) -> Callable[[int], Tally]:
    sets = known_sets()
    if not found:
        return lambda _entity: tally([], [], prices, sets)
    members = member_table([(evidence.entities.entity_id(ruling.entity), _names(evidence, ruling.entity)) for ruling in found])
    uses, tasks = takings(described.engine, described.exchanges, members)

    def of(entity: int) -> Tally:
        name = evidence.entities.entity_id(entity)
        return tally(uses.get(name, []), tasks.get(name, []), prices, sets)

    return of


def _exhibits(described: Described, evidence: Evidence, found: Sequence[Ruling], settings: ScanSettings) -> dict[int, Any]:
    wanted = [
        Wanted(entity=ruling.entity, accounts=frozenset(_names(evidence, ruling.entity)), traces=_wordings(evidence, ruling.entity))
        for ruling in found[: settings.detect.detailed]
    ]
    return exhibits(described.shards, described.folder, wanted)


def _wordings(evidence: Evidence, entity: int) -> frozenset[int]:
    """Fingerprints of the wording that made the accounts a group."""
    if entity < evidence.entities.accounts:
        return frozenset()
    group = evidence.entities.groups[entity - evidence.entities.accounts]
    content = (tested.candidate for tested in group.tested if tested.candidate.kind in CONTENT_KINDS)
    return frozenset(int(trace) for candidate in content for trace in candidate.traces)


def outcome_of(judged: Judged, settings: ScanSettings) -> Outcome:
    """What is kept of the conclusions, and what the run record tells of them."""
    linked, judgement = judged.linked, judged.evidence.judgement
    notes: list[str] = []
    if linked.untested:
        notes.append(f"{linked.untested:,} weaker nominations for groups were not tested; raise link.nominations to test them.")
    rejected = sum(q_value > settings.link.level for _, q_value in linked.tested)
    notes.append(f"{len(linked.tested):,} candidate groups were tested; {rejected:,} of them behave as independent customers.")
    return Outcome(
        findings=judged.findings,
        entities=len(judged.rulings),
        judged=int((~np.isnan(judgement.p_values)).sum()),
        groups=len(linked.groups),
        silent=judged.evidence.silent,
        power=_power(judged, settings),
        notes=tuple(notes),
    )


def _power(judged: Judged, settings: ScanSettings) -> Power:
    """The smallest campaign that the run could have seen."""
    entities = judged.evidence.entities
    volumes = entities.features["exchanges"][: entities.accounts]
    ordinary = ~(entities.claimed[: entities.accounts] | judged.linked.suspects | judged.evidence.licensed)
    rows = ~np.isnan(judged.evidence.judgement.p_values)
    groups = int((rows & entities.is_group).sum())
    return power(
        reference=int((ordinary & (volumes >= settings.detect.reference_least)).sum()),
        groups=groups,
        accounts=int(rows.sum()) - groups,
        able=int((volumes >= settings.link.least_exchanges).sum()),
        draws=settings.link.confirming_draws,
        settings=settings.detect,
        pooling_level=settings.link.level,
    )
