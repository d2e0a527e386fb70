"""Pictures of a screening: shares with their intervals, how much of a document is in the log, and how p-values are spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stillwatch.records.screening import ShareEstimate
from stillwatch.report.figures.canvas import ENTITY, INK, LINE, OTHERS, PALETTE, SOFT, axes, compact, picture
from stillwatch.report.text import short
from stillwatch.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 16
_ROW = 34
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Between ticks, of which there are at most seven."""


def shares(rows: Sequence[tuple[str, ShareEstimate | None, ShareEstimate | None]], *, prefix: str) -> str:
    """A dot with its interval for the matched and for the marked share of each source, the first sixteen; a row is (source, both)."""
    shown = rows[:_MOST]
    height = 56 + _ROW * max(len(shown), 1)
    ends = [estimate.high for row in shown for estimate in row[1:] if estimate]
    top = min(1.0, max([0.05, *ends]) * 1.15)

    def paint(figure: Figure) -> None:
        drawn = axes(figure, (190, 34, 480, height - 62), grid="x")
        for place, (_, *estimates) in enumerate(shown):
            for estimate, shift, colour in zip(estimates, (-0.16, 0.16), (ENTITY, PALETTE[0]), strict=True):
                if estimate is None:
                    continue
                drawn.plot([estimate.low, estimate.high], [place + shift] * 2, color=colour, linewidth=2.4, solid_capstyle="butt")
                drawn.plot([estimate.share], [place + shift], "o", color=colour, markersize=6)
        drawn.set_ylim(max(len(shown), 1) - 0.5, -0.5)
        drawn.set_yticks(range(len(shown)), [short(name, 32) for name, *_ in shown], fontsize=9.5)
        drawn.set_xlim(-top * 0.01, top)
        step = next((size for size in _STEPS if top / size <= 6), 0.25)
        ticks = [place * step for place in range(int(top / step + 1e-9) + 1)]
        drawn.set_xticks(ticks, [percent(tick) for tick in ticks], fontsize=9.5)
        drawn.set_xlabel("share of distinct documents, beyond chance", fontsize=9.5)
        for left, name, colour in ((190, "matches the served log", ENTITY), (380, "carries a watermark", PALETTE[0])):
            figure.text(left / 700, 1 - 14 / height, f"● {name}", color=colour, fontsize=9.5, va="center")

    words = f"Estimated shares with intervals for {len(shown)} of {len(rows)} sources."
    return picture(paint, width=700, height=height, prefix=prefix, words=words)


def containment(counts: Sequence[int], near_share: float, *, prefix: str) -> str:
    """Documents by how much of their wording stands in one served response; `counts` are of equal steps from 0 to 1."""

    def paint(figure: Figure) -> None:
        colours = [ENTITY if place / len(counts) >= near_share - 1e-9 else OTHERS for place in range(len(counts))]
        _histogram(figure, counts, colours, ["0 %", "25 %", "50 %", "75 %", "100 %"], "of a document's wording in one response")

    words = f"Histogram of {sum(counts)} documents that share wording with the log, by how much of them does."
    return picture(paint, width=380, height=204, prefix=prefix, words=words)


def p_values(counts: Sequence[int], *, prefix: str) -> str:
    """Tested documents by p-value, beside the even spread that independence of the key gives."""
    even = sum(counts) / max(len(counts), 1)

    def paint(figure: Figure) -> None:
        drawn = _histogram(figure, counts, [PALETTE[0]] * len(counts), ["0", "0.25", "0.5", "0.75", "1"], "p-value")
        drawn.axhline(even, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        figure.text(0.97, 0.97, "dashed: if independent of the key", ha="right", va="top", fontsize=9, color=SOFT)

    words = f"Histogram of the p-values of {sum(counts)} tested documents; without a watermark it is even, or falls short at the left."
    return picture(paint, width=380, height=204, prefix=prefix, words=words)


def _histogram(figure: Figure, counts: Sequence[int], colours: Sequence[str], quarters: Sequence[str], of: str) -> Any:
    """Bars of equal steps from 0 to 1; `quarters` are what the five ticks are called."""
    drawn = axes(figure, (52, 40, 312, 150), grid="y")
    step = 1 / max(len(counts), 1)
    drawn.bar([place * step for place in range(len(counts))], counts, step * 0.92, align="edge", color=colours, linewidth=0)
    drawn.set_xlim(0, 1)
    drawn.set_xticks([0, 0.25, 0.5, 0.75, 1], quarters, fontsize=9.5)
    drawn.set_xlabel(of, fontsize=9.5)
    top = max([1, *counts])
    ticks = sorted({0, top // 2, top})
    drawn.set_ylim(0, top * 1.15)
    drawn.set_yticks(ticks, [compact(tick) for tick in ticks], fontsize=9.5)
    drawn.spines["bottom"].set_color(LINE)
    return drawn
