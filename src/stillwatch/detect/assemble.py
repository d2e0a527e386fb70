"""Findings: an entity's verdicts with everything needed to check and to contest them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from stillwatch.detect.catalogue import CATALOGUE
from stillwatch.detect.entities import Entities
from stillwatch.detect.harvest_signals import DEALT, HARVEST_SIGNALS, NO_REPEATS, OF_ANY_PRODUCT, TEMPLATE
from stillwatch.detect.judge import Judgement
from stillwatch.detect.pictures import Backdrop, backdrop, link_edges, pictures
from stillwatch.detect.readings import entity_pooling_readings, group_readings, group_silences, harvest_readings
from stillwatch.detect.settings import DetectSettings
from stillwatch.detect.signal import TECHNIQUES
from stillwatch.detect.verdicts import harvest_verdict, severity, standing_out
from stillwatch.detect.words import next_step, summary, title
from stillwatch.link.nominate import TraceRows
from stillwatch.records.findings import EntityKind, Exhibit, Finding, Member, Reading, Severity, Silent, Tally, Verdict
from stillwatch.stats.multiplicity import expected_false

_WEIGHING = np.array([signal.weighs for signal in HARVEST_SIGNALS])
_FAMILIES = [signal.family for signal in HARVEST_SIGNALS if signal.weighs]
_TELLING = np.array([signal.weighs and signal.family not in OF_ANY_PRODUCT for signal in HARVEST_SIGNALS])
# any template that takes whatever comes (translate, summarise) has one wording over broad subjects: together they tell one thing
_TEMPLATE = "template"
_TELLING_FAMILIES = [
    _TEMPLATE if signal.family in TEMPLATE else signal.family for signal, tells in zip(HARVEST_SIGNALS, _TELLING, strict=True) if tells
]
LICENSED_SHARE = 0.9
"""Share of a group's accounts that must be licensed before the group is."""

_BY_ID = {signal.id: signal for signal in CATALOGUE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The verdicts on one entity, before its evidence is gathered."""

    entity: int
    pooling: Verdict
    harvest: Verdict
    severity: Severity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What findings are built from.

    Attributes:
        entities, judgement, rows: what was judged, how, and the shared traces.
        silent: signals that could not speak on this log.
        labels: a label per subject cell.
        declared: account id to declared use, where the accounts table has one.
        licensed: [A] whether the provider has licensed the account's use, see `licences`.
        public: [A] share of each account's exchanges whose prompt several other accounts sent as well.
        together: [E] share of each entity's accounts that stand openly together, see `together`.
        draws: random sets per candidate group.
    """

    entities: Entities
    judgement: Judgement
    rows: TraceRows
    silent: tuple[Silent, ...]
    labels: tuple[str, ...]
    declared: Mapping[str, str]
    licensed: npt.NDArray[np.bool_]
    public: npt.NDArray[np.float64]
    together: npt.NDArray[np.float64]
    draws: int


def rule(evidence: Evidence, settings: DetectSettings) -> tuple[Ruling, ...]:
    """Verdicts on every entity that no group claims, in order."""
    entities, judgement = evidence.entities, evidence.judgement
    rulings: list[Ruling] = []
    for entity in np.flatnonzero(~entities.claimed).tolist():
        families, telling = _families(judgement.p_signals[entity], settings.agreeing_level)
        public = entity < entities.accounts and evidence.public[entity] >= settings.public_share
        harvest = harvest_verdict(judgement.p_values[entity], judgement.q_values[entity], families, telling, settings, public=public)
        explained = harvest is Verdict.NO and judgement.as_strangers[entity] <= settings.level
        if explained or (harvest is Verdict.YES and judgement.unmatched[entity]):
            # that they are openly one house may explain it: neither an acquittal, nor grounds to accuse them of acting as one
            harvest = Verdict.UNCLEAR
        pooling = Verdict.YES if entity >= entities.accounts else Verdict.NO
        licensed = bool(evidence.licensed[entities.members(entity)].mean() >= LICENSED_SHARE)
        exchanges = int(entities.features["exchanges"][entity])
        level = severity(
            pooling,
            harvest,
            judgement.p_values[entity],
            judgement.q_values[entity],
            exchanges,
            licensed=licensed or public,
            settings=settings,
        )
        rulings.append(Ruling(entity=entity, pooling=pooling, harvest=harvest, severity=level))
    return tuple(rulings)


def _families(p_signals: npt.NDArray[np.float64], level: float) -> tuple[int, int]:
    """How many families stand out, and how many of those that a plain product does not show by being one.

    A dealt-out list counts as its template would: once, whether its wording or its breadth gives it away.
    """
    known = np.where(np.isnan(p_signals), 1.0, p_signals)

    def least(part: str) -> float:
        return min(p for p, signal in zip(known.tolist(), HARVEST_SIGNALS, strict=True) if part in (signal.id, signal.family))

    dealt = max(least(part) for part in DEALT) <= level and least("novelty") <= NO_REPEATS
    telling = standing_out(np.append(known[_TELLING], 0.0 if dealt else 1.0), [*_TELLING_FAMILIES, _TEMPLATE], level)
    templates = sum(least(family) <= level for family in TEMPLATE)
    return standing_out(known[_WEIGHING], _FAMILIES, level) + int(dealt and not templates), telling


def ranked(rulings: Sequence[Ruling], judgement: Judgement) -> list[Ruling]:
    """The rulings that are findings, most severe and strongest first."""
    found = [ruling for ruling in rulings if ruling.severity is not None]
    return sorted(found, key=lambda ruling: (-(ruling.severity or Severity.INFO).rank, -_zero(judgement.totals[ruling.entity])))


def build_findings(
    rulings: Sequence[Ruling],
    evidence: Evidence,
    tallies: Callable[[int], Tally],
    exhibits: Mapping[int, tuple[Exhibit, ...]],
) -> tuple[Finding, ...]:
    """A finding per ruling, in the same order."""
    q_values = [evidence.judgement.q_values[ruling.entity] for ruling in rulings]
    known = np.array([q for q in q_values if not np.isnan(q)])
    findings: list[Finding] = []
    behind = backdrop(evidence.entities)
    for ruling, q_value in zip(rulings, q_values, strict=True):
        at_least = int((known <= q_value).sum()) if not np.isnan(q_value) else 0
        expected = float(expected_false(known, at_least)) if at_least else None
        findings.append(_finding(ruling, evidence, tallies(ruling.entity), exhibits.get(ruling.entity, ()), expected, behind))
    return tuple(findings)


def _finding(
    ruling: Ruling, evidence: Evidence, tally: Tally, exhibits: tuple[Exhibit, ...], expected: float | None, behind: Backdrop
) -> Finding:
    entities, judgement, entity = evidence.entities, evidence.judgement, ruling.entity
    kind = EntityKind.GROUP if entity >= entities.accounts else EntityKind.ACCOUNT
    group = entities.groups[entity - entities.accounts] if kind is EntityKind.GROUP else None
    harvest = harvest_readings(judgement, entity)
    pooling = group_readings(group, evidence.draws) if group else ()
    reference = np.flatnonzero(~entities.claimed[: entities.accounts])
    readings = (*harvest, *pooling, *entity_pooling_readings(entities.features, entity, reference))
    edges = link_edges(group, evidence.rows, entities.profiles.ids) if group else ()
    members = _members(evidence, entity)
    first, last = _seen(entities, entity)
    level = ruling.severity or Severity.INFO
    return Finding(
        uid="finding-" + hashlib.sha256(f"{entities.entity_id(entity)}/{first}/{tally.exchanges}".encode()).hexdigest()[:16],
        entity_id=entities.entity_id(entity),
        kind=kind,
        title=title(kind, len(members), ruling.pooling, ruling.harvest, _leading(harvest)),
        summary=summary(kind, len(members), ruling.harvest, tally, readings, (last - first).total_seconds() / 86400),
        pooling=ruling.pooling,
        harvest=ruling.harvest,
        severity=level,
        strength=_zero(judgement.totals[entity]),
        p_value=_known(judgement.p_values[entity]),
        q_value=_known(judgement.q_values[entity]),
        pooling_p_value=group.p_value if group else None,
        expected_false=expected,
        first_at=first,
        last_at=last,
        members=members,
        readings=readings,
        tally=tally,
        techniques=_techniques(readings, ruling),
        ordinary=_ordinary(readings, evidence, members, float(evidence.together[entity])),
        silent=(*evidence.silent, *(group_silences(group) if group else ())),
        next_step=next_step(kind, ruling.harvest, level),
        exhibits=exhibits,
        pictures=pictures(entities, entity, evidence.labels, edges, behind),
    )


def _leading(harvest: Sequence[Reading]) -> str:
    """The families that weigh most, for the title."""
    strong = [_BY_ID[reading.signal].family for reading in harvest[:6] if reading.contribution >= 2.0]
    return ", ".join(list(dict.fromkeys(strong))[:3]) or "several signs"


def _members(evidence: Evidence, entity: int) -> tuple[Member, ...]:
    entities = evidence.entities
    group = entities.groups[entity - entities.accounts] if entity >= entities.accounts else None
    strengths = group.membership if group else np.ones(1)
    reasons = _member_reasons(evidence, entity) if group else {}
    members: list[Member] = []
    for account, strength in zip(entities.members(entity).tolist(), strengths.tolist(), strict=True):
        first, last = _seen(entities, account)
        members.append(
            Member(
                account_id=str(entities.profiles.ids[account]),
                membership=float(strength),
                reasons=tuple(reasons.get(account, ("behaves like the group's other accounts",) if group else ("the account itself",))),
                exchanges=int(entities.features["exchanges"][account]),
                first_at=first,
                last_at=last,
            )
        )
    return tuple(members)


def _member_reasons(evidence: Evidence, entity: int) -> dict[int, list[str]]:
    """Per account of a group, what ties it to the others."""
    group = evidence.entities.groups[entity - evidence.entities.accounts]
    exchanges = evidence.entities.features["exchanges"]
    reasons: dict[int, list[str]] = {}
    for tested in group.tested:
        candidate = tested.candidate
        for account, count in zip(candidate.members.tolist(), candidate.counts.tolist(), strict=True):
            if candidate.traces:
                share = count / max(1.0, float(exchanges[account]))
                carried = f"{count:,} of its exchanges ({share:.0%})"
                text = f"{candidate.kind}: {carried} carry a trace that {len(candidate.members):,} accounts share"
            else:
                text = f"{candidate.kind}: cannot be told from {len(candidate.members) - 1:,} other accounts"
            known = reasons.setdefault(account, [])
            if len(known) < 4 and text not in known:
                known.append(text)
    return reasons


def _seen(entities: Entities, entity: int) -> tuple[datetime, datetime]:
    """First and last exchange."""
    first, last = (datetime.fromtimestamp(float(entities.features[name][entity]), UTC) for name in ("first_at", "last_at"))
    return first, last


def _techniques(readings: Sequence[Reading], ruling: Ruling) -> tuple[tuple[str, str], ...]:
    """ATLAS techniques of the signals that stand out; none unless harvest is claimed, for a label outlives its context."""
    if ruling.harvest is not Verdict.YES:
        return ()
    telling = [reading for reading in readings if reading.p_value is None or reading.p_value <= 0.05]
    cited = [technique for reading in telling for technique in _BY_ID[reading.signal].techniques]
    return tuple((technique, TECHNIQUES[technique]) for technique in dict.fromkeys(cited))


def _ordinary(readings: Sequence[Reading], evidence: Evidence, members: Sequence[Member], together: float) -> tuple[str, ...]:
    """The honest explanations of what stands out, and what the accounts declared."""
    telling = [reading.ordinary for reading in readings if reading.p_value is None or reading.p_value <= 0.05]
    declared = dict.fromkeys(evidence.declared[member.account_id] for member in members if member.account_id in evidence.declared)
    uses = [f"Declared use: {use[:160]}" for use in list(declared)[:5]]
    house = (
        f"{together:.0%} of its accounts openly share an organisation, a mail domain or a network: it may be one company, class or team. "
        "Where most do, harvest is only said where it stands out among single customers of its size as well, of whom there must be enough."
    )
    return (*uses, *((house,) if together > 0 else ()), *dict.fromkeys(telling))


def _zero(value: np.floating | float) -> float:
    return 0.0 if np.isnan(value) else float(value)


def _known(value: np.floating | float) -> float | None:
    return None if np.isnan(value) else float(value)
