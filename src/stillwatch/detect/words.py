"""Titles, summaries and next steps, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.records.findings import EntityKind, Reading, Severity, Tally, Verdict

TELLING = 0.05
"""P-value up to which a reading is worth a sentence in the summary."""

_NEXT = {
    (EntityKind.GROUP, True): (
        "Read the exhibits and ask each account's owner what the traffic is for. Only if the answers do not explain it, slow the group to "
        "its plan's rate for 72 hours; suspend nothing on this report alone. Undo: lift the rate."
    ),
    (EntityKind.GROUP, False): (
        "Ask sales whether this is a known reseller, class or company; note the answer on the accounts. Nothing needs to be limited."
    ),
    (EntityKind.ACCOUNT, True): (
        "Ask the customer what the traffic is for and compare with the declared use; hold the rate at its present level meanwhile. "
        "Undo: lift the hold."
    ),
    (EntityKind.ACCOUNT, False): "No action; look again with the next log.",
}


def title(kind: EntityKind, accounts: int, pooling: Verdict, harvest: Verdict, leading: str) -> str:
    """A line that says what was found and no more than that."""
    who = f"{accounts:,} accounts that act as one" if kind is EntityKind.GROUP and pooling is Verdict.YES else f"{accounts:,} account(s)"
    match harvest:
        case Verdict.YES:
            return f"{who}: traffic shaped like data collection ({leading})"
        case Verdict.UNCLEAR:
            return f"{who}: unclear whether data is collected"
        case Verdict.NO:
            return f"{who}: pooled, with ordinary traffic"


def summary(kind: EntityKind, accounts: int, harvest: Verdict, tally: Tally, readings: Sequence[Reading], days: float) -> str:
    """Two or three sentences: what was taken, the strongest reasons, what is not claimed."""
    who = f"A group of {accounts:,} accounts" if kind is EntityKind.GROUP else "One account"
    tokens = f" and {tally.output_tokens:,} output tokens" if tally.output_tokens is not None else ""
    taken = f"{who} drew {tally.exchanges:,} exchanges{tokens} over {days:.1f} days."
    strongest = sorted(
        (reading for reading in readings if reading.contribution > 0 and (reading.p_value or 0.0) <= TELLING),
        key=lambda reading: -reading.contribution,
    )[:3]
    reasons = " ".join(reading.sentence for reading in strongest)
    limits = {
        Verdict.YES: "This says what the traffic looks like, not who is behind it or what was done with the answers.",
        Verdict.UNCLEAR: "The traffic alone does not settle whether the answers become training data.",
        Verdict.NO: "Nothing in the traffic points to training data.",
    }[harvest]
    return " ".join(part for part in (taken, reasons, limits) if part)


def next_step(kind: EntityKind, harvest: Verdict, severity: Severity) -> str:
    """A reversible thing to do."""
    if severity is Severity.INFO and harvest is Verdict.YES:
        return "The declared use names a licence: compare the volume with what was agreed. Nothing needs to be limited."
    return _NEXT[(kind, harvest is Verdict.YES)]
