"""Pictures of a proof: the statistic under other keys with ours marked, the twins' differences, and what would have been seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.report.figures.canvas import ENTITY, INK, OTHERS, PALETTE, SOFT, axes, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE, _HIGH = 380, 240
_BOX = (52, 44, 312, 168)


def elsewhere(values: Sequence[float], ours: float, *, of: str, prefix: str) -> str:
    """Histogram of the statistic under other keys or coin flips, and a line at our own value."""

    def paint(figure: Figure) -> None:
        drawn = axes(figure, _BOX, grid="y")
        drawn.hist(values, bins=_bins(values), color=OTHERS, linewidth=0)
        drawn.axvline(ours, color=ENTITY, linewidth=2)
        top = drawn.get_ylim()[1]
        left = ours > (min(*values, ours) + max(*values, ours)) / 2
        drawn.text(ours, top * 0.97, "ours  " if left else "  ours", ha="right" if left else "left", va="top", color=ENTITY, weight="bold")
        drawn.set_xlabel(of)
        drawn.set_ylabel("other keys or flips")

    beyond = sum(value >= ours for value in values)
    words = f"Histogram of {len(values):,} values under other keys or coin flips; {beyond:,} of them reach ours, {ours:.4g}."
    return picture(paint, width=_WIDE, height=_HIGH, prefix=prefix, words=words)


def differences(values: Sequence[float], *, prefix: str) -> str:
    """Histogram of the twins' differences, those that prefer the served answer apart from those that prefer the withheld one."""
    finite = np.asarray(values, dtype=float)
    # a single wild pair must not squeeze all others into one bar
    reach = float(np.quantile(np.abs(finite), 0.99)) or 1.0
    shown = np.clip(finite, -reach, reach)
    edges: list[float] = np.linspace(-reach, reach, 42).tolist()

    def paint(figure: Figure) -> None:
        drawn = axes(figure, _BOX, grid="y")
        drawn.hist(shown[shown > 0], bins=edges, color=ENTITY, linewidth=0, label="served preferred")
        drawn.hist(shown[shown <= 0], bins=edges, color=PALETTE[0], linewidth=0, label="withheld preferred")
        drawn.axvline(0, color=INK, linewidth=0.8)
        drawn.axvline(float(finite.mean()), color=INK, linewidth=1.5, linestyle="--", label="mean")
        drawn.set_xlabel("difference, served minus withheld")
        drawn.set_ylabel("pairs")
        figure.legend(loc="upper left", bbox_to_anchor=(0.12, 1.01), ncols=3, frameon=False, fontsize=8.5, handlelength=1, columnspacing=1)

    served = int(np.count_nonzero(finite > 0))
    words = f"Histogram of {len(values):,} differences: {served:,} prefer the served answer. The outermost hundredth is drawn at the edge."
    return picture(paint, width=_WIDE, height=_HIGH, prefix=prefix, words=words)


def power(curve: Sequence[tuple[float, float]], smallest: float | None, wanted: float, *, of: str, prefix: str) -> str:
    """Curve from effect to the probability of being seen, and a line at the smallest effect that is seen with the wanted one."""

    def paint(figure: Figure) -> None:
        drawn = axes(figure, _BOX, grid="y")
        drawn.plot([point[0] for point in curve], [point[1] for point in curve], color=PALETTE[0], linewidth=2)
        drawn.axhline(wanted, color=SOFT, linewidth=0.8, linestyle=":")
        if smallest is not None:
            drawn.axvline(smallest, color=ENTITY, linewidth=1.2, linestyle="--")
            drawn.text(smallest, 0.04, f"  {smallest:.3g}", color=ENTITY, va="bottom")
        drawn.set_ylim(0, 1.04)
        drawn.set_yticks([0, 0.5, wanted, 1], ["0", "50 %", f"{wanted:.0%}".replace("%", " %"), ""])
        drawn.set_xlabel("effect")

    seen = (
        f"From {smallest:.3g} on it is seen with probability {wanted:.0%}." if smallest is not None else "No drawn effect is seen reliably."
    )
    return picture(paint, width=_WIDE, height=_HIGH, prefix=prefix, words=f"Power against effect ({of}). {seen}")


def _bins(values: Sequence[float]) -> int:
    return max(12, min(60, math.isqrt(len(values))))
