"""What a scan concluded, counted against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stillwatch.stats.intervals import BOOTSTRAP_MINIMUM, bootstrap_interval, clopper_pearson
from stillwatch.stats.ranks import average_ranks
from stillwatch.stats.seeds import generator

COVERED, PURE = 0.5, 0.9
BOOTSTRAP_DRAWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One entity that a scan reports.

    Attributes:
        severity: `none` for an entity that was judged and not reported.
    """

    entity_id: str
    accounts: frozenset[str]
    harvest: bool
    pooling: bool
    severity: str
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Who is hostile, and what kind of customer everyone is."""

    hostile: frozenset[str]
    kinds: Mapping[str, str]

    @property
    def honest(self) -> frozenset[str]:
        """All accounts that belong to no campaign."""
        return frozenset(self.kinds) - self.hostile


def read_truth(path: Path) -> Truth:
    """The truth about the accounts of a composed log."""
    rows = pq.read_table(path).to_pylist()
    hostile = frozenset(row["account_id"] for row in rows if row["campaign_id"])
    return Truth(hostile=hostile, kinds={row["account_id"]: row["role"] for row in rows})


def read_entities(result: Path) -> list[Finding]:
    """Every entity of a result folder, reported or not; members of what is not reported are listed for single accounts only."""
    members: dict[str, set[str]] = {}
    for row in pq.read_table(result / "members.parquet").to_pylist():
        members.setdefault(row["entity_id"], set()).add(row["account_id"])
    return [
        Finding(
            entity_id=row["entity_id"],
            accounts=frozenset(members.get(row["entity_id"], {row["entity_id"]} if row["kind"] == "account" else ())),
            harvest=row["harvest"] == "yes",
            pooling=row["pooling"] == "yes",
            severity=row["severity"],
            strength=float(row["strength"] or 0.0),
        )
        for row in pq.read_table(result / "entities.parquet").to_pylist()
    ]


def reported(entities: Iterable[Finding]) -> list[Finding]:
    """Those that reach the reader of the report."""
    return [entity for entity in entities if entity.severity != "none"]


def accused(entities: Iterable[Finding], *, claim: str) -> frozenset[str]:
    """Members of the reported entities of which `claim` (harvest or pooling) is said outright."""
    return frozenset(account for entity in reported(entities) if getattr(entity, claim) for account in entity.accounts)


def campaign_found(entities: Iterable[Finding], hostile: frozenset[str], *, claim: str) -> bool:
    """Whether one finding covers half of the campaign's accounts, with nine tenths of its members hostile."""
    for entity in reported(entities):
        inside = len(entity.accounts & hostile)
        if getattr(entity, claim) and inside >= COVERED * len(hostile) and inside >= PURE * len(entity.accounts) and inside:
            return True
    return False


def share(hits: NDArray[np.bool_], name: str) -> dict[str, Any]:
    """A share of accounts with its interval: bootstrap over accounts, exact where they are few or all alike; None of nothing."""
    count = int(hits.sum())
    if not len(hits):
        return {"value": None, "low": None, "high": None, "of": 0}
    if len(hits) < BOOTSTRAP_MINIMUM or count in (0, len(hits)):
        low, high = clopper_pearson(count, len(hits))
    else:
        draw = generator(1, f"bootstrap/{name}")
        low, high = bootstrap_interval(hits.astype(float), lambda rows: rows.mean(axis=1), draw, BOOTSTRAP_DRAWS)
    return {"value": count / len(hits), "low": low, "high": high, "of": len(hits)}


def recall_and_precision(found: frozenset[str], truth: Truth) -> dict[str, Any]:
    """Recall and precision over accounts, with intervals, and which honest kinds were accused."""
    wrong = found - truth.hostile
    return {
        "accused": len(found),
        "recall": share(np.array([account in found for account in sorted(truth.hostile)], bool), "recall"),
        "precision": share(np.array([account in truth.hostile for account in sorted(found)], bool), "precision"),
        "honest_accused": len(wrong),
        "honest_accused_by_kind": dict(Counter(truth.kinds[account] for account in sorted(wrong))),
    }


def false_findings(entities: Iterable[Finding], truth: Truth) -> dict[str, Any]:
    """Reported entities with more honest members than hostile ones, by severity and kind, per 1,000 honest entities."""
    listed = list(entities)
    honest = [entity for entity in listed if entity.accounts and 2 * len(entity.accounts & truth.hostile) < len(entity.accounts)]
    wrong = reported(honest)
    groups = sum(len(entity.accounts) > 1 for entity in honest)
    size = len(truth.honest) + groups
    low, high = clopper_pearson(len(wrong), size) if size else (0.0, 1.0)
    kinds = [Counter(truth.kinds[account] for account in sorted(entity.accounts - truth.hostile)).most_common(1)[0][0] for entity in wrong]
    true = [entity for entity in wrong if _only_informs(entity, truth)]
    return {
        "true_pooling": len(true),
        "honest_entities": size,
        "findings": len(wrong),
        "per_1000": 1000 * len(wrong) / max(1, size),
        "low": 1000 * low,
        "high": 1000 * high,
        "by_severity": dict(Counter(entity.severity for entity in wrong)),
        "harvest_claimed": sum(entity.harvest for entity in wrong),
        "pooling_claimed": sum(entity.pooling for entity in wrong),
        "by_kind": dict(Counter(kinds)),
        "discoveries": len(reported(listed)),
        "realised_false_discovery": len(wrong) / max(1, len(reported(listed))),
    }


ONE_HOUSE = frozenset({"company", "licensed", "migration"})
"""Kinds whose accounts do act as one."""


def _only_informs(entity: Finding, truth: Truth) -> bool:
    """Whether a finding says, for information, that accounts act as one which do: it accuses nobody, and it is true."""
    kinds = {truth.kinds[account] for account in entity.accounts}
    return entity.severity == "info" and entity.pooling and not entity.harvest and len(kinds) == 1 and kinds <= ONE_HOUSE


def average_precision(scores: NDArray[np.float64], hostile: NDArray[np.bool_]) -> float:
    """Area under precision-recall by steps; accounts of one score count as one step, so that ties gain nothing. NaN without positives."""
    if not hostile.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked, labels = scores[order], hostile[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = np.cumsum(labels)[ends]
    precision = hits / (ends + 1)
    gained = np.diff(np.concatenate([[0], hits])) / hostile.sum()
    return float((precision * gained).sum())


def account_scores(entities: Iterable[Finding], accounts: list[str]) -> NDArray[np.float64]:
    """The strongest evidence of any entity that each account is in."""
    best: dict[str, float] = {}
    for entity in entities:
        for account in entity.accounts:
            best[account] = max(best.get(account, -np.inf), entity.strength)
    return np.array([best.get(account, -1e9) for account in accounts])


def separation(scores: NDArray[np.float64], hostile: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a hostile account scores above an honest one, ties half. NaN for one class."""
    if hostile.all() or not hostile.any():
        return float("nan")
    size = int(hostile.sum())
    return float((average_ranks(scores)[hostile].sum() - size * (size + 1) / 2) / (size * (len(scores) - size)))


def threshold_at(scores: NDArray[np.float64], honest: NDArray[np.bool_], allowed: int) -> float:
    """The lowest threshold above which (strictly) at most `allowed` honest accounts lie."""
    values = np.sort(scores[honest])[::-1]
    return float(values[allowed]) if allowed < len(values) else -np.inf
