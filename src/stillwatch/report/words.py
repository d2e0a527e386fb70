"""Numbers, times and verdicts in words that an engineer, an analyst and a lawyer read alike."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

from stillwatch.records.findings import Axis, Finding, Power, Reading, Report, Severity, Verdict

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

MEANINGS: dict[Axis, dict[Verdict, str]] = {
    Axis.POOLING: {
        Verdict.YES: "These accounts behave as one operation would. That alone is not distillation: so do relays, resellers and classes.",
        Verdict.UNCLEAR: "Some ties between accounts, but not enough to call them one operation.",
        Verdict.NO: "Nothing shows that more than one account acts together here.",
    },
    Axis.HARVEST: {
        Verdict.YES: "The traffic has the shape of text being collected to train a model.",
        Verdict.UNCLEAR: "Some marks of collecting training data, but not enough to tell it from an unusual honest use.",
        Verdict.NO: "The traffic does not look like the collection of training data.",
    },
}


def count(value: int | None) -> str:
    """A whole number with thousands set apart; a dash for none."""
    return "–" if value is None else f"{value:,}"


def number(value: float | None) -> str:
    """Three significant digits without an exponent where that reads well; a dash for none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "undefined"
    size = abs(value)
    if value == int(value) and size < 1e15:
        return f"{int(value):,}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 1e-3 else scientific(value)


def rough(value: float | None) -> str:
    """Two significant digits, for an estimate."""
    if value is None or not math.isfinite(value) or value == 0:
        return number(value)
    return number(float(f"{value:.1e}"))


def times(ratio: float) -> str:
    """How large one thing is beside another: `7.9 times`, `9.8 % of`."""
    return f"{rough(ratio)} times" if ratio >= 1 else f"{percent(ratio)} of"


def signed(value: float) -> str:
    """Two decimals with a sign."""
    return f"{value:+.2f}".replace("-", "−")


def scientific(value: float) -> str:
    """As 1.2 × 10⁻⁵."""
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.replace('-', '−')} × {power_of_ten(int(exponent))}"


def power_of_ten(exponent: int) -> str:
    """As 10⁻⁵."""
    return f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def probability(value: float | None) -> str:
    """A p- or q-value; a dash for none."""
    if value is None:
        return "–"
    if value <= 0:
        return "0"
    return f"{value:.2g}" if value >= 1e-3 else scientific(value)


def one_in(value: float | None) -> str:
    """A probability as odds that people picture: `1 in 83,000`."""
    if value is None or not 0 < value <= 1:
        return "–"
    odds = 1 / max(value, 1e-300)
    rounded = float(f"{odds:.1e}")
    if odds >= 1e12:
        return f"1 in {scientific(odds)}"
    if rounded >= 1e6:
        return f"1 in {rounded / 1e9:g} billion" if rounded >= 1e9 else f"1 in {rounded / 1e6:g} million"
    return f"1 in {rounded:,.0f}" if rounded >= 10 else f"1 in {rounded:g}"


def moment(value: datetime | None) -> str:
    """A point in time, UTC, to the minute."""
    if value is None:
        return "–"
    at = utc(value)
    return f"{day(at)}, {at:%H:%M} UTC"


def day(value: datetime | None) -> str:
    """A calendar day, UTC."""
    if value is None:
        return "–"
    at = utc(value)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def short_day(value: datetime) -> str:
    """A calendar day without its year, for axes."""
    at = utc(value)
    return f"{at.day} {_MONTHS[at.month - 1]}"


def period(first: datetime | None, last: datetime | None) -> str:
    """From the first day to the last, naming a shared month or year once."""
    if first is None or last is None:
        return "no dated exchange"
    start, end = utc(first), utc(last)
    if start.date() == end.date():
        return day(start)
    if start.year != end.year:
        return f"{day(start)} – {day(end)}"
    if start.month != end.month:
        return f"{short_day(start)} – {day(end)}"
    return f"{start.day}–{day(end)}"


def utc(value: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is taken as UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def money(value: float | None, currency: str | None) -> str:
    """A list price with its currency, where that is known; a dash for none."""
    if value is None:
        return "–"
    amount = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"
    return f"{amount} {currency}" if currency else amount


def plural(amount: int, one: str, many: str = "") -> str:
    """The amount with its noun."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def meaning(axis: Axis, verdict: Verdict) -> str:
    """What a verdict says, in one sentence."""
    return MEANINGS[axis][verdict]


def ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Most severe first, then strongest; equals in order of their uid."""
    return tuple(sorted(findings, key=lambda finding: (-finding.severity.rank, -_finite(finding.strength), finding.uid)))


def ordered(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """Readings of harvest before those of pooling, each with the largest contribution first."""
    return tuple(sorted(readings, key=lambda reading: (reading.axis is not Axis.HARVEST, -_finite(reading.contribution))))


def severities(findings: Sequence[Finding]) -> tuple[tuple[Severity, int], ...]:
    """(severity, findings), most severe first, without those that no finding has."""
    counted = ((severity, sum(finding.severity is severity for finding in findings)) for severity in reversed(Severity))
    return tuple((severity, amount) for severity, amount in counted if amount)


def nothing_found(power: Power | None) -> str:
    """The title of a run without findings; a run that could not have found anything does not say that there is nothing."""
    return "Too little data to judge" if power is not None and power.accounts is None else "No distillation found"


def headline(findings: Sequence[Finding], power: Power | None = None) -> str:
    """What a report found, in a title."""
    harvest = sum(finding.harvest is Verdict.YES for finding in findings)
    if not findings:
        return nothing_found(power)
    if harvest:
        return f"{plural(harvest, 'finding')} of possible distillation"
    return f"{plural(len(findings), 'finding')}, none of clear harvest"


def other_findings(findings: Sequence[Finding]) -> str:
    """How many findings do not claim harvest, and why they stand in the report; empty where all claim it."""
    unclear = sum(finding.harvest is Verdict.UNCLEAR for finding in findings)
    ordinary = sum(finding.harvest is Verdict.NO for finding in findings)
    said: list[str] = []
    if unclear:
        said.append(f"In {plural(unclear, 'finding')} harvest is unclear.")
    if ordinary:
        verbs = ("shows", "stands") if ordinary == 1 else ("show", "stand")
        said.append(f"{plural(ordinary, 'finding')} {verbs[0]} no harvest and {verbs[1]} here for pooling.")
    return " ".join(said)


def suppressed(finding: Finding) -> str:
    """That a finding was decided already, by which case and until when; empty where it was not."""
    held = finding.suppressed
    if held is None:
        return ""
    return (
        f"Suppressed until {moment(held.until)}: {held.case} was closed as {held.disposition.replace('_', ' ')} ({held.reason}) by "
        f"{held.decided_by} on {moment(held.decided_at)}, about {percent(held.overlap)} of the same accounts."
    )


def suppressed_findings(findings: Sequence[Finding]) -> str:
    """How many findings are suppressed; empty where none is."""
    held = sum(finding.suppressed is not None for finding in findings)
    verb = "is" if held == 1 else "are"
    return f"Of these, {held:,} {verb} suppressed: decided by a case, and shown all the same." if held else ""


def expected_false(report: Report) -> str:
    """How many of the findings that claim harvest are to be expected false, in words."""
    claims = [finding for finding in report.findings if finding.harvest is Verdict.YES]
    known = [finding.expected_false for finding in claims if finding.expected_false is not None]
    if not report.findings:
        return "Nothing was found, so nothing can be a false finding."
    if not claims:
        return "No finding claims harvest, so none can be a false claim of it."
    if not known:
        return "No claim of harvest has enough exchanges for an error rate: read each one as a lead, not as a conclusion."
    rated = "the one finding that claims harvest" if len(known) == 1 else f"the {len(known):,} findings that claim harvest"
    uncounted = len(claims) - len(known)
    tail = f" {plural(uncounted, 'further claim')} had too few exchanges to be tested." if uncounted else ""
    few = expectation(max(known))
    return f"{few[0].upper()}{few[1:]} of {rated} should be expected to be false, if the reference traffic is what it is taken for.{tail}"


def expectation(value: float | None) -> str:
    """An expected number of false findings: `about 0.51`, `fewer than 0.001`."""
    if value is None:
        return "–"
    return "fewer than 0.001" if value < 0.001 else f"about {rough(value)}"


def certainty(finding: Finding) -> str:
    """What the finding's p- and q-value mean, in words."""
    if finding.p_value is None or finding.q_value is None:
        return "There were too few exchanges to test this entity for harvest, so it carries no error rate. Treat it as a lead."
    if finding.harvest is not Verdict.YES:
        values = f"p = {probability(finding.p_value)}, q = {probability(finding.q_value)}"
        return (
            f"By the harvest test, {percent(finding.p_value)} of ordinary entities read at least this high ({values}). "
            "That is not enough to claim harvest, and this finding does not claim it."
        )
    share = percent(finding.q_value)
    about = "" if share.startswith("less") else "about "
    said = [
        f"By the harvest test, a reading this extreme comes up about {one_in(finding.p_value)} times in ordinary traffic (p).",
        f"If every entity that reads at least this high is reported, {about}{share} of those reports are false on average (q).",
    ]
    if finding.expected_false is not None:
        said.append(
            f"Among this run's findings at least this strong, {expectation(finding.expected_false)} should be expected to be false."
        )
    return " ".join(said)


def percent(share: float | None) -> str:
    """A share in percent, never rounded to nothing."""
    if share is None or not math.isfinite(share):
        return "–"
    size = share * 100
    if 0 < size < 0.01:
        return "less than 0.01 %"
    return f"{size:.0f} %" if size >= 10 or size == 0 else f"{size:.2g} %"


def explain_command(entity_id: str) -> str:
    """The command that shows an entity in full, quoted for a POSIX shell."""
    quoted = shlex.quote(entity_id)
    return f"stillwatch explain DIR -- {quoted}" if entity_id.startswith("-") else f"stillwatch explain DIR {quoted}"


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.copysign(1e300, value) if value == value else -1e300
