"""From numbers to words: the two verdicts and the severity of an entity. Pure; every threshold is a setting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.detect.settings import DetectSettings
from stillwatch.records.findings import Severity, Verdict


def standing_out(p_signals: npt.NDArray[np.float64], families: Sequence[str], level: float) -> int:
    """How many families have a signal with p at or below the level."""
    return len({family for family, p in zip(families, p_signals.tolist(), strict=True) if p <= level})


def harvest_verdict(
    p_value: float, q_value: float, families: int, telling: int, settings: DetectSettings, *, public: bool = False
) -> Verdict:
    """Yes only when the whole stands out after correction and several families do by themselves; NaN is too little to say.

    `telling` of the `families` are none that a plain product shows by being one: brief questions, long answers and nothing asked twice are
    how such a product's customers look when they are taken together, and no harvest.

    A single account that mostly sends public items (`public`) works through a test set as far as the log can tell, and is never a yes.
    """
    if np.isnan(p_value):
        return Verdict.UNCLEAR
    enough = families >= settings.agreeing_families and telling >= settings.telling_families
    if q_value <= settings.level and enough and not public:
        return Verdict.YES
    return Verdict.UNCLEAR if p_value <= settings.level else Verdict.NO


def severity(
    pooling: Verdict, harvest: Verdict, p_value: float, q_value: float, exchanges: int, *, licensed: bool, settings: DetectSettings
) -> Severity | None:
    """How much a finding matters; None: nothing to report.

    Pooling alone is worth knowing and no accusation; so is an account that stands out without passing the correction for many. Harvest
    needs volume before it is more than low, and a use that the provider has licensed is for information whatever its shape.
    """
    if harvest is not Verdict.YES:
        if pooling is not Verdict.YES:
            return Severity.INFO if p_value <= settings.watch_level and q_value <= settings.watch_rate and not licensed else None
        return Severity.LOW if harvest is Verdict.UNCLEAR and not licensed else Severity.INFO
    if licensed:
        return Severity.INFO
    if exchanges < settings.serious_exchanges:
        return Severity.LOW if exchanges < settings.clear_exchanges else Severity.MEDIUM
    if pooling is Verdict.YES:
        return Severity.CRITICAL if q_value <= 0.001 and exchanges >= 2 * settings.serious_exchanges else Severity.HIGH
    return Severity.HIGH if q_value <= 0.001 else Severity.MEDIUM
