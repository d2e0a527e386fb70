"""Results of several seeds of a cell as one, and what was to be reached held against them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from campaigns.cells import ALSO_ON, CELLS, Reach
from campaigns.metrics import share
from stillwatch.stats.intervals import clopper_pearson

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the table of what is to be reached.

    Attributes:
        holds: None: not measured.
        short_by: how much is missing, in the measure's unit; 0 where it holds.
    """

    words: str
    wanted: str
    measured: str
    holds: bool | None
    short_by: float
    best_rival: str


def measured(results: Iterable[Result], cell: str) -> list[Result]:
    """The seeds of a cell that ran."""
    return [result for result in results if result["cell"] == cell and result["state"] == "measured"]


def pooled(parts: list[Result], what: str) -> Result:
    """A share over the accounts of all seeds; the interval takes accounts for independent, which those of one campaign are not."""
    hits = sum(round((part[what]["value"] or 0.0) * part[what]["of"]) for part in parts)
    size = sum(part[what]["of"] for part in parts)
    return share(np.arange(size) < hits, what)


def best_rival(seeds: list[Result]) -> tuple[str, float]:
    """The baseline with the highest recall over the seeds, at the same number of honest accounts accused; no name where all have none."""
    names = sorted({name for result in seeds for name in result["baselines"]})
    recalls = {name: pooled([result["baselines"][name] for result in seeds], "recall")["value"] or 0.0 for name in names}
    best = max(recalls, key=lambda name: recalls[name], default="")
    return (best, recalls[best]) if recalls.get(best) else ("none of them", 0.0) if recalls else ("", 0.0)


def false_of(seeds: list[Result]) -> Result:
    """False findings of several seeds together, per 1,000 honest entities, by severity and kind."""
    parts = [result["stillwatch"]["false"] for result in seeds]
    count, size = sum(part["findings"] for part in parts), sum(part["honest_entities"] for part in parts)
    low, high = clopper_pearson(count, size) if size else (0.0, 1.0)
    severities: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for part in parts:
        severities.update(part["by_severity"])
        kinds.update(part["by_kind"])
    return {
        "findings": count,
        "true_pooling": sum(part["true_pooling"] for part in parts),
        "honest_entities": size,
        "per_1000": 1000 * count / max(1, size),
        "low": 1000 * low,
        "high": 1000 * high,
        "by_severity": dict(severities),
        "by_kind": dict(kinds),
        "harvest_claimed": sum(part["harvest_claimed"] for part in parts),
    }


def reached(reach: Reach, results: list[Result]) -> Line:
    """Whether `reach` holds in these results."""
    seeds = [result for cell in reach.cells for result in measured(results, cell)]
    if not seeds:
        return Line(words=reach.words, wanted=_wanted(reach), measured="not measured", holds=None, short_by=0.0, best_rival="")
    told, short = _MEASURES[reach.measure](reach, seeds)
    name, recall = best_rival(seeds)
    rival = f"{name} {recall:.2f}" if name else ""
    return Line(words=reach.words, wanted=_wanted(reach), measured=told, holds=short <= 0, short_by=max(0.0, short), best_rival=rival)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point of a curve: account recall at one place of the horizontal axis.

    Attributes:
        claimed: of accounts in findings that make the cell's claim.
        named: of accounts in findings that make either claim.
        rival: of the best baseline, at the same number of honest accounts accused.
    """

    place: float
    claimed: float
    named: float
    rival: float


def points(results: list[Result]) -> dict[str, list[Point]]:
    """By curve, in order of place."""
    curves: dict[str, list[Point]] = {}
    for cell in CELLS:
        seeds = measured(results, cell.name)
        if seeds:
            own = [result["stillwatch"] for result in seeds]
            claimed = pooled(own, "recall")["value"] or 0.0
            other = pooled([part["other_claim"] for part in own], "recall")["value"] or 0.0
            for curve, place in (*cell.sweep, *ALSO_ON.get(cell.name, ())):
                point = Point(place=place, claimed=claimed, named=max(claimed, other), rival=best_rival(seeds)[1])
                curves.setdefault(curve, []).append(point)
    return {name: sorted(places, key=lambda point: point.place) for name, places in curves.items()}


def realised_false_discovery(results: list[Result]) -> Result:
    """Share of the findings that claim harvest, over all logs, whose members are mostly honest; None of none."""
    listed = [finding for result in results if result["state"] == "measured" for finding in result["stillwatch"]["findings"]]
    claims = [finding for finding in listed if finding["harvest"]]
    return share(np.array([2 * finding["hostile"] < finding["accounts"] for finding in claims], bool), "false discovery")


def interval(value: Result) -> str:
    """A share and its interval, in words."""
    return "none" if value["value"] is None else f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"


def _wanted(reach: Reach) -> str:
    if reach.most is not None:
        return f"at most {reach.most:g}"
    return f"recall {reach.least:g}" + (f" at precision {reach.precision:g}" if reach.precision else "")


def _recall(reach: Reach, seeds: list[Result]) -> tuple[str, float]:
    recall, precision = (pooled([result["stillwatch"] for result in seeds], name) for name in ("recall", "precision"))
    short = (reach.least or 0.0) - (recall["value"] or 0.0)
    if reach.precision and precision["value"] is not None:
        short = max(short, reach.precision - precision["value"])
    told = f"recall {interval(recall)}, precision {interval(precision)}"
    if any(result["stillwatch"]["claim"] == "harvest" for result in seeds):
        # accounts of a group whose harvest stays unclear are named as well, without the claim that is asked for here
        others = [result["stillwatch"]["other_claim"] for result in seeds]
        told += f"; named as pooled: recall {interval(pooled(others, 'recall'))}, precision {interval(pooled(others, 'precision'))}"
    return told, short


def _found(reach: Reach, seeds: list[Result]) -> tuple[str, float]:
    value = share(np.array([result["stillwatch"]["found"] for result in seeds], bool), "found")
    return f"{interval(value)} of {len(seeds)} seeds", (reach.least or 0.0) - value["value"]


def _harvest_claimed(reach: Reach, seeds: list[Result]) -> tuple[str, float]:
    value = pooled([result["stillwatch"]["other_claim"] for result in seeds], "recall")
    return interval(value), (value["value"] or 0.0) - (reach.most or 0.0)


def _false(reach: Reach, seeds: list[Result]) -> tuple[str, float]:
    value = false_of(seeds)
    severities = ", ".join(f"{count} {name}" for name, count in sorted(value["by_severity"].items())) or "none"
    told = f"{value['per_1000']:.2f} ({value['low']:.2f} to {value['high']:.2f}); {severities}"
    grave = sum(value["by_severity"].get(name, 0) for name in ("high", "critical"))
    return told, max(value["per_1000"] - (reach.most or 0.0), float(grave))


def _leaked(reach: Reach, seeds: list[Result]) -> tuple[str, float]:
    shares = [result.get("replay", {}).get("leaked") for result in seeds]
    known = [1.0 if value is None else value for value in shares]
    told = ", ".join("not found" if value is None else f"at most {value:.2%}" for value in shares)
    return told, max(known) - (reach.most or 0.0)


_MEASURES = {"recall": _recall, "found": _found, "harvest claimed": _harvest_claimed, "false findings": _false, "leaked": _leaked}
