"""Pictures of the evidence: what adds up to the strength, which subjects are covered, how much was taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stillwatch.report.figures.canvas import ENTITY, INK, LINE, OTHERS, PALETTE, SOFT, axes, compact, picture
from stillwatch.report.text import short
from stillwatch.report.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BARS = 12
_ROW = 18


def waterfall(contributions: Sequence[tuple[str, float]], strength: float, *, prefix: str) -> str:
    """The contributions in nats, largest first, each bar beginning where the last one ended, and the strength that they end at.

    Beyond twelve they are pooled. What they do not account for is a bar of its own.
    """
    steps = _steps(contributions, strength)
    height = 24 + _ROW * (len(steps) + 1)

    def paint(figure: Figure) -> None:
        drawn = axes(figure, (146, 20, 196, height - 24), grid="x")
        reached = 0.0
        for row, (_, nats) in enumerate(steps):
            drawn.barh(row, nats, 0.66, left=reached, color=ENTITY if nats >= 0 else PALETTE[0], linewidth=0)
            drawn.text(max(reached, reached + nats), row, f" {nats:+.1f}".replace("-", "−"), va="center", fontsize=9.5, color=INK)
            reached += nats
            drawn.plot([reached, reached], [row, row + 1], color=SOFT, linewidth=0.6)
        total = _finite(strength)
        drawn.barh(len(steps), total, 0.66, color=INK, linewidth=0)
        drawn.text(max(total, 0.0), len(steps), f" {total:.1f}", va="center", fontsize=9.5, color=INK, weight="bold")
        _rows(drawn, [short(name, 26) for name, _ in steps] + ["strength"])

    words = f"Waterfall of {len(contributions)} contributions that add up to a strength of {number(strength)} nats."
    return picture(paint, width=380, height=height, prefix=prefix, words=words)


def coverage(subjects: Sequence[tuple[str, int, int]], *, prefix: str) -> str:
    """Share of exchanges per subject, this entity's beside everyone else's; a subject is (label, entity's exchanges, all others')."""
    shown = subjects[:_BARS]
    ours = max(sum(subject[1] for subject in subjects), 1)
    theirs = max(sum(subject[2] for subject in subjects), 1)
    height = 42 + _ROW * max(len(shown), 1)

    def paint(figure: Figure) -> None:
        drawn = axes(figure, (146, 20, 222, height - 42), grid="x")
        rows = range(len(shown))
        drawn.barh([row - 0.19 for row in rows], [100 * subject[1] / ours for subject in shown], 0.36, color=ENTITY, label="This entity")
        drawn.barh([row + 0.19 for row in rows], [100 * subject[2] / theirs for subject in shown], 0.36, color=OTHERS, label="All others")
        _rows(drawn, [short(subject[0], 26) for subject in shown])
        top = max([100 * subject[1] / ours for subject in shown] + [100 * subject[2] / theirs for subject in shown] + [1.0])
        drawn.set_xlim(0, top * 1.1)
        drawn.set_xticks(_levels(top), [f"{level:g} %" for level in _levels(top)], fontsize=9.5)
        figure.legend(loc="upper left", bbox_to_anchor=(0.38, 1.0), ncols=2, frameon=False, fontsize=9.5, handlelength=1, borderpad=0.2)

    touched = sum(subject[1] > 0 for subject in subjects)
    words = f"Bars: share of exchanges per subject. This entity touches {touched} of {len(subjects)} subjects that were seen."
    return picture(paint, width=380, height=height, prefix=prefix, words=words)


def sizes(ours: int, known: Sequence[tuple[str, int]], *, prefix: str) -> str:
    """What the entity took beside known distillation sets, on a logarithmic axis; a known set is (name, exchanges)."""
    bars = sorted(
        [("this entity", max(ours, 1)), *((short(name, 28), max(size, 1)) for name, size in known[:_BARS])], key=lambda bar: bar[1]
    )
    height = 24 + _ROW * len(bars)
    floor = 10.0 ** math.floor(math.log10(bars[0][1]) - 0.3)

    def paint(figure: Figure) -> None:
        drawn = axes(figure, (162, 20, 172, height - 24), grid="x")
        drawn.set_xscale("log")
        for row, (name, size) in enumerate(bars):
            mine = name == "this entity"
            drawn.barh(row, size - floor, 0.6, left=floor, color=ENTITY if mine else OTHERS, linewidth=0)
            drawn.text(size, row, f" {compact(size)}", va="center", fontsize=9.5, color=INK, weight="bold" if mine else "normal")
        _rows(drawn, [name for name, _ in bars])
        top = math.ceil(math.log10(max(bars[-1][1], floor * 10)))
        powers = [10.0**power for power in range(round(math.log10(floor)), top + 1, max(1, math.ceil((top - math.log10(floor)) / 4)))]
        drawn.set_xticks(powers, [compact(power) for power in powers], fontsize=9.5)
        drawn.minorticks_off()
        drawn.set_xlim(floor, max(bars[-1][1], floor * 10) * 1.2)

    words = f"Logarithmic bars: {ours:,} exchanges of this entity beside {len(known)} known distillation sets."
    return picture(paint, width=380, height=height, prefix=prefix, words=words)


def _steps(contributions: Sequence[tuple[str, float]], strength: float) -> list[tuple[str, float]]:
    told = sorted(((name, _finite(nats)) for name, nats in contributions if abs(_finite(nats)) >= 0.05), key=lambda step: -step[1])
    steps = told[:_BARS]
    if told[_BARS:]:
        steps.append((f"{len(told) - _BARS} smaller ones", sum(nats for _, nats in told[_BARS:])))
    rest = _finite(strength) - sum(nats for _, nats in steps)
    if abs(rest) > 0.05:
        steps.append(("taken together", rest))
    return steps


def _rows(drawn: Axes, labels: Sequence[str]) -> None:
    drawn.set_yticks(range(len(labels)), labels, fontsize=9.5)
    drawn.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    drawn.tick_params(axis="x", labelsize=9.5)
    drawn.spines["bottom"].set_visible(False)
    drawn.spines["left"].set_color(LINE)


def _levels(top: float) -> list[float]:
    unit = 10.0 ** math.floor(math.log10(top))
    step = next(unit * factor for factor in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0) if top / (unit * factor) <= 4)
    return [level * step for level in range(int(top / step) + 1)]


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
