"""What the page shows of a report, worked out before any template runs: order, anchors, pictures, shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from stillwatch.records.findings import Axis, Finding, Pictures, Report
from stillwatch.report import figures
from stillwatch.report.figures.network import Tie, sampled
from stillwatch.report.words import period, plural, ranked, short_day

MEMBERS = 50
_Layer: TypeAlias = tuple[str, Sequence[int]]
_PLAIN = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture with its caption; `narrow` is its variant for narrow windows, empty where it needs none."""

    name: str
    svg: str
    caption: str
    narrow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One finding on the page; `pictures` is empty where it gets a row only."""

    finding: Finding
    number: int
    anchor: str
    detailed: bool
    pictures: tuple[Picture, ...]
    sizes: Picture | None
    network: Picture | None


def entries(report: Report, detailed: int) -> tuple[Entry, ...]:
    """All findings in order of rank; the first `detailed` ones with their pictures."""
    return tuple(_entry(finding, place, detailed=place <= detailed) for place, finding in enumerate(ranked(report.findings), 1))


def provider_overview(findings: Sequence[Entry]) -> Picture | None:
    """All findings' activity over time beside the provider's; None where no day was counted."""
    longest = max((entry.finding.pictures for entry in findings), key=lambda pictures: len(pictures.days), default=None)
    if longest is None or not longest.days:
        return None
    layers = [
        (
            f"{entry.number} · {entry.finding.entity_id}, {plural(len(entry.finding.members), 'account')}",
            _on_days(entry.finding.pictures, longest),
        )
        for entry in findings
    ]
    days, provider, layers = _pooled_days(longest, layers)
    svg = figures.overview(days, provider, layers, prefix="overview")
    narrow = figures.overview(days, provider, layers, prefix="overview-narrow", narrow=True)
    step = "day" if len(days) == len(longest.days) else "bar"
    return Picture(
        name="overview",
        svg=svg,
        narrow=narrow,
        caption=f"Exchanges per {step}, {period(longest.days[0], longest.days[-1])}, UTC. The lower panel has its own scale. "
        "An account that stands in two findings is counted in both.",
    )


def _entry(finding: Finding, number: int, *, detailed: bool) -> Entry:
    prefix = f"f{number}"
    pictures = _time_pictures(finding, prefix) + _evidence_pictures(finding, prefix) if detailed else ()
    return Entry(
        finding=finding,
        number=number,
        anchor=f"finding-{number}",
        detailed=detailed,
        pictures=pictures,
        sizes=_sizes(finding, prefix) if detailed else None,
        network=_network(finding, prefix) if detailed else None,
    )


def _time_pictures(finding: Finding, prefix: str) -> tuple[Picture, ...]:
    shown: list[Picture] = []
    pictures = finding.pictures
    if pictures.days:
        days, provider, layers = _pooled_days(pictures, [("", pictures.entity_daily)])
        svg = figures.activity(days, layers[0][1], provider, prefix=f"{prefix}-activity")
        caption = f"When: exchanges over time, {short_day(pictures.days[0])} to {short_day(pictures.days[-1])} (UTC days)."
        shown.append(Picture(name="activity", svg=svg, caption=caption))
    if any(pictures.entity_week):
        svg = figures.week(pictures.entity_week, pictures.benign_week, prefix=f"{prefix}-week")
        caption = "Rhythm: share of exchanges in each hour of the week, UTC. It shows whether there are idle hours, not where anyone is."
        shown.append(Picture(name="week", svg=svg, caption=caption))
    return tuple(shown)


def _evidence_pictures(finding: Finding, prefix: str) -> tuple[Picture, ...]:
    shown: list[Picture] = []
    if finding.pictures.subjects:
        svg = figures.coverage(finding.pictures.subjects, prefix=f"{prefix}-coverage")
        subjects = finding.pictures.subjects
        shown.append(
            Picture(
                name="coverage",
                svg=svg,
                caption=f"What about: share of exchanges per subject, for the {min(12, len(subjects))} subjects that it asks about most.",
            )
        )
    told = [(reading.signal.replace("_", " "), reading.contribution) for reading in finding.readings if reading.axis is Axis.HARVEST]
    if told:
        svg = figures.waterfall(told, finding.strength, prefix=f"{prefix}-waterfall")
        apart = any(reading.axis is Axis.POOLING for reading in finding.readings)
        more = " Signals of pooling are tested apart and add nothing here." if apart else ""
        caption = f"Why harvest: what each signal adds to the strength, in nats (3 nats multiply the odds by about 20).{more}"
        shown.append(Picture(name="waterfall", svg=svg, caption=caption))
    return tuple(shown)


def _sizes(finding: Finding, prefix: str) -> Picture | None:
    if not finding.tally.comparisons:
        return None
    known = [(name, size) for name, size, _ in finding.tally.comparisons]
    svg = figures.sizes(finding.tally.exchanges, known, prefix=f"{prefix}-sizes")
    return Picture(name="sizes", svg=svg, caption="How much: exchanges beside known distillation sets. Logarithmic scale.")


def _network(finding: Finding, prefix: str) -> Picture | None:
    ties = [
        Tie(account=edge.account_id, kind=edge.kind, trace=edge.trace, label=edge.label, sharing=edge.sharing, weight=edge.weight)
        for edge in finding.pictures.edges
    ]
    if not ties:
        return None
    kept = sampled(ties)
    accounts = len({tie.account for tie in kept})
    traces, all_traces = len({tie[1:3] for tie in kept}), len({tie[1:3] for tie in ties})
    cut = accounts < len(finding.members) or traces < all_traces
    said = (
        f"A sample: {accounts:,} of {len(finding.members):,} accounts and the {traces:,} heaviest traces."
        if cut
        else "All accounts and traces."
    )
    svg = figures.network(ties, prefix=f"{prefix}-network")
    caption = f"Who is tied to whom, and by what: accounts (dots) and what they share (squares); thicker lines weigh more. {said}"
    return Picture(name="network", svg=svg, caption=caption)


def _on_days(pictures: Pictures, calendar: Pictures) -> tuple[int, ...]:
    counted = dict(zip(pictures.days, pictures.entity_daily, strict=False))
    return tuple(counted.get(at, 0) for at in calendar.days)


def _pooled_days(pictures: Pictures, layers: Sequence[_Layer]) -> tuple[list[datetime], list[int], list[_Layer]]:
    """Bars of equal spans of days, few enough to draw: a log of years becomes weeks."""
    span = -(-len(pictures.days) // _PLAIN)

    def pooled(daily: Sequence[int]) -> list[int]:
        return [sum(daily[first : first + span]) for first in range(0, len(pictures.days), span)]

    return list(pictures.days[::span]), pooled(pictures.provider_daily), [(label, pooled(daily)) for label, daily in layers]
