"""All signals, in one place."""

from __future__ import annotations

from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.pooling_signals import POOLING_SIGNALS
from stillwatch.detect.signal import Signal, missing_columns
from stillwatch.records.findings import Silent

CATALOGUE: tuple[Signal, ...] = (*POOLING_SIGNALS, *HARVEST_SIGNALS)


def silent_signals(available: frozenset[str]) -> tuple[Silent, ...]:
    """The signals that cannot speak on a log with these columns, and why."""
    found: list[Silent] = []
    for signal in CATALOGUE:
        missing = missing_columns(signal, available)
        if missing:
            needs = ", ".join(need.replace("|", " or ") for need in missing)
            found.append(Silent(signal=signal.id, reason=f"the log has no {needs}"))
    return tuple(found)
