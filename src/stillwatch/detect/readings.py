"""Every signal on one entity, in numbers and words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.judge import Judgement
from stillwatch.detect.pooling_signals import POOLING_SIGNALS
from stillwatch.detect.signal import Scope, Signal
from stillwatch.link.group import Group
from stillwatch.records.findings import Reading, Silent
from stillwatch.stats.conformal import conformal_p_values

_ASPECTS = {signal.source: signal for signal in POOLING_SIGNALS if signal.scope is Scope.GROUP}


def harvest_readings(judgement: Judgement, entity: int) -> tuple[Reading, ...]:
    """The harvest signals that could speak, strongest first."""
    found = [
        _reading(
            signal,
            value=float(judgement.values[entity, column]),
            median=_known(judgement.medians[entity, column]),
            high=_known(judgement.highs[entity, column]),
            size=int(judgement.sizes[entity, column]),
            p_value=_known(judgement.p_signals[entity, column]),
            contribution=float(judgement.contributions[entity, column]),
        )
        for column, signal in enumerate(HARVEST_SIGNALS)
        if not np.isnan(judgement.p_signals[entity, column])
    ]
    return tuple(sorted(found, key=lambda reading: (-reading.contribution, reading.p_value or 1.0)))


def group_readings(group: Group, draws: int) -> tuple[Reading, ...]:
    """The likenesses that make accounts a group, from its most certain candidate; and what nominated it."""
    found: list[Reading] = []
    seen: set[str] = set()
    for tested in group.tested:
        signal = _ASPECTS.get(tested.candidate.kind)
        if signal is not None and tested.candidate.traces and signal.id not in seen:
            seen.add(signal.id)
            carriers = float(np.isin(tested.candidate.members, group.members).sum())
            found.append(_reading(signal, value=carriers, median=None, high=None, size=0, p_value=None, contribution=0.0))
        for aspect, p_value in tested.p_values.items():
            signal = _ASPECTS[aspect]
            if signal.id in seen:
                continue
            seen.add(signal.id)
            # aspects grow with likeness; a distance is shown as one
            value, median = (signal.direction * level for level in tested.levels[aspect])
            found.append(
                _reading(signal, value=value, median=median, high=None, size=draws, p_value=p_value, contribution=-np.log(p_value))
            )
    return tuple(sorted(found, key=lambda reading: -reading.contribution))


def entity_pooling_readings(
    values: Mapping[str, npt.NDArray[np.float64]], entity: int, reference: npt.NDArray[np.integer]
) -> tuple[Reading, ...]:
    """Pooling signals that one account alone can show; `values` are by feature, [E]."""
    found: list[Reading] = []
    others = reference[reference != entity]
    for signal in POOLING_SIGNALS:
        if signal.scope is not Scope.ENTITY or signal.source not in values:
            continue
        value = values[signal.source][entity]
        known = values[signal.source][others]
        known = known[~np.isnan(known)]
        if np.isnan(value) or len(known) < 20:
            continue
        p_value = float(conformal_p_values([value * signal.direction], known * signal.direction)[0])
        median, high = float(np.median(known)), float(np.quantile(known, 0.95))
        size, nats = len(known), float(-np.log(p_value))
        found.append(_reading(signal, value=float(value), median=median, high=high, size=size, p_value=p_value, contribution=nats))
    return tuple(found)


def group_silences(group: Group) -> tuple[Silent, ...]:
    """The likenesses that could not be tested on the group, and why."""
    spoken = {aspect for tested in group.tested for aspect in tested.p_values}
    reasons = {aspect: reason for tested in group.tested for aspect, reason in tested.silent.items() if aspect not in spoken}
    return tuple(Silent(signal=_ASPECTS[aspect].id, reason=reason) for aspect, reason in sorted(reasons.items()))


def _reading(
    signal: Signal, *, value: float, median: float | None, high: float | None, size: int, p_value: float | None, contribution: float
) -> Reading:
    return Reading(
        signal=signal.id,
        axis=signal.axis,
        value=value,
        unit=signal.unit,
        baseline_median=median,
        baseline_high=high,
        reference_size=size,
        p_value=p_value,
        contribution=float(contribution),
        sentence=signal.sentence(value, median, high),
        ordinary=signal.ordinary,
    )


def _known(value: np.floating | float) -> float | None:
    return None if np.isnan(value) else float(value)
