"""The verdict's page: one HTML file that needs nothing else, runs nothing and reaches nowhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from stillwatch.records.verdicts import JudgedResult, Outcome, ProvenanceResult, Verdict
from stillwatch.report import words
from stillwatch.report.codec import to_plain
from stillwatch.report.page import environment
from stillwatch.report.view import Picture

_PICTURED = 40
"""Results that get pictures; a plan that tries more keys shows the others as rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A result as the page shows it."""

    number: int
    judged: JudgedResult
    pictures: tuple[Picture, ...]
    reach: str


def render_verdict(verdict: Verdict) -> str:
    """The verdict as one HTML page. It holds no script and no address; names from plan and suspect can only be read."""
    order = sorted(verdict.results, key=lambda judged: judged.log10_adjusted)
    pictured = {id(judged) for judged in order[:_PICTURED]}
    shown = tuple(
        Shown(
            number=number,
            judged=judged,
            pictures=_pictures(judged.result, f"t{number}") if id(judged) in pictured else (),
            reach=reach_words(judged.result),
        )
        for number, judged in enumerate(verdict.results, 1)
    )
    template = environment().get_template("verdict.html")
    return template.render(verdict=verdict, entries=shown, shown=verdict.outcome is Outcome.SHOWN, p_value=p_value)


def verdict_summary(verdict: Verdict) -> dict[str, Any]:
    """What a machine needs of a verdict: outcome, keys, and each result's numbers; the whole stands in verdict.json."""
    return {
        "outcome": verdict.outcome.value,
        "headline": verdict.headline,
        "points_to": list(verdict.points_to),
        "log10_e": to_plain(verdict.log10_e),
        "results": [
            {
                "test": judged.name,
                "key": judged.key,
                "sample": judged.result.sample,
                "log10_p": to_plain(judged.result.log10_p),
                "log10_adjusted": to_plain(judged.log10_adjusted),
                "reaches": judged.reaches,
                "smallest_effect": judged.result.reach.smallest,
            }
            for judged in verdict.results
        ],
        "unjudged": [to_plain(each) for each in verdict.unjudged],
    }


def p_value(log10: float) -> str:
    """A p- or e-value that may lie beyond doubles: `0.012`, `3.1 × 10⁻⁴¹²`."""
    if math.isinf(log10):
        return "0" if log10 < 0 else "infinite"
    if log10 >= -3.0:
        return _scaled(log10) if log10 >= 6.0 else f"{10.0**log10:,.0f}" if log10 >= 3.0 else f"{10.0**log10:.3g}"
    return _scaled(log10)


def reach_words(result: ProvenanceResult) -> str:
    """What a test of this size would have seen."""
    reach = result.reach
    level = f"p ≤ {p_value(reach.log10_level)}"
    if reach.smallest is None:
        return f"With this sample no effect up to the largest drawn would have reached {level} with probability {reach.power:.0%}."
    kind = "exact under that effect" if reach.exact else "a normal approximation"
    return (
        f"An effect of {reach.smallest:.3g} ({reach.effect}) would have reached {level} with probability {reach.power:.0%} ({kind}). "
        "Smaller ones may be there unseen."
    )


def _scaled(log10: float) -> str:
    power = math.floor(log10)
    mantissa = 10.0 ** (log10 - power)
    # 9.96 would be shown as 10.0
    power, mantissa = (power + 1, 1.0) if mantissa >= 9.95 else (power, mantissa)
    return f"{mantissa:.1f} × {words.power_of_ten(power)}"


def _pictures(result: ProvenanceResult, prefix: str) -> tuple[Picture, ...]:
    from stillwatch.report.figures import proof

    found: list[Picture] = []
    if result.elsewhere:
        ours = result.details[0] if result.test == "radioactivity_open" else result.value
        found.append(
            Picture(
                name="elsewhere",
                svg=proof.elsewhere(result.elsewhere, ours, of=result.statistic[:60], prefix=f"{prefix}-keys"),
                caption=f"The statistic under {len(result.elsewhere):,} other keys or coin flips, and under ours.",
            )
        )
    if result.test == "twins" and result.details:
        caption = f"{len(result.details):,} pairs. An innocent suspect's picture is a mirror of itself but for chance."
        found.append(Picture(name="differences", svg=proof.differences(result.details, prefix=f"{prefix}-twins"), caption=caption))
    reach = result.reach
    drawn = proof.power(reach.curve, reach.smallest, reach.power, of=reach.effect, prefix=f"{prefix}-power")
    found.append(Picture(name="power", svg=drawn, caption=f"What would have been seen. Effect: {reach.effect}."))
    return tuple(found)
