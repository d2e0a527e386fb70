"""Pictures over time: the provider's period, an entity's days, an entity's week."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from stillwatch.report.figures.canvas import ENTITY, INK, OTHERS, PALETTE, SOFT, axes, compact, picture
from stillwatch.report.text import short
from stillwatch.report.words import short_day

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAMED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """How much room a picture of the provider's period takes, in its own units, and how large its letters are there.

    Attributes:
        width: of the whole picture; upper, lower: heights of the panels.
        columns, row: of the legend.
        label: letters of a legend's label.
        letters: size of letters; ticks: most days named on an axis.
    """

    width: int
    upper: int
    lower: int
    columns: int
    row: int
    label: int
    letters: float
    ticks: int


_WIDE = _Room(width=480, upper=78, lower=100, columns=2, row=15, label=40, letters=9.0, ticks=6)
_NARROW = _Room(width=330, upper=100, lower=170, columns=1, row=18, label=38, letters=11.0, ticks=4)
"""For a window as narrow as a telephone: taller, with one column of labels, and letters of the size that text has there."""


def _legend(figure: Figure, drawn: Any, room: _Room) -> None:
    """Columns of labels at the foot of the picture."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.06 if room is _WIDE else 0.0, 0.0), "borderaxespad": 0.0}
    style: dict[str, Any] = {"borderpad": 0.0, "frameon": False, "handlelength": 1, "columnspacing": 1.2}
    figure.legend(*drawn.get_legend_handles_labels(), ncols=room.columns, fontsize=room.letters - 0.5, **place, **style)


def overview(
    days: Sequence[datetime], provider: Sequence[int], findings: Sequence[tuple[str, Sequence[int]]], *, prefix: str, narrow: bool = False
) -> str:
    """Exchanges per day of all findings, stacked, below the provider's total; each finding is (label, exchanges per day).

    The first seven findings have a colour of their own; the rest are one layer. An account in two findings counts in both.
    `narrow` gives the variant for narrow windows.
    """
    room = _NARROW if narrow else _WIDE
    layers = [(short(label, room.label), np.asarray(daily, float)) for label, daily in findings[:_NAMED]]
    if len(findings) > _NAMED:
        rest = np.sum([np.asarray(daily, float) for _, daily in findings[_NAMED:]], axis=0)
        layers.append((f"{len(findings) - _NAMED:,} more", rest))
    foot = 26 + room.row * math.ceil(len(layers) / room.columns)

    def paint(figure: Figure) -> None:
        upper = axes(figure, (40, foot + room.lower + 38, room.width - 46, room.upper), grid="y")
        lower = axes(figure, (40, foot, room.width - 46, room.lower), grid="y")
        _bars(upper, np.asarray(provider, float), OTHERS)
        floor = np.zeros(len(days))
        for place, (label, daily) in enumerate(layers):
            lower.bar(np.arange(len(days)), daily, _bar_width(len(days)), bottom=floor, color=PALETTE[place], label=label, linewidth=0)
            floor = floor + daily
        titles = ("All exchanges of the provider, per day", "Of these, in findings (own scale)")
        for drawn, title, top in zip((upper, lower), titles, (max(provider, default=0), float(floor.max(initial=0))), strict=True):
            drawn.set_title(title, loc="left", fontsize=room.letters + 1)
            _days_axis(drawn, days, top, room)
        if layers:
            _legend(figure, lower, room)

    words = f"Bars per day over {len(days)} days: all exchanges of the provider above, those of {len(findings)} findings below."
    return picture(paint, width=room.width, height=foot + room.lower + room.upper + 58, prefix=prefix, words=words)


def activity(days: Sequence[datetime], entity: Sequence[int], provider: Sequence[int], *, prefix: str) -> str:
    """Exchanges per day of one entity, and of the provider as a whole; two panels, each with its own scale."""

    def paint(figure: Figure) -> None:
        upper = axes(figure, (40, 132, 332, 84), grid="y")
        lower = axes(figure, (40, 24, 332, 62), grid="y")
        for drawn, daily, colour, title in (
            (upper, entity, ENTITY, "This entity, exchanges per day"),
            (lower, provider, OTHERS, "Provider in total (own scale)"),
        ):
            _bars(drawn, np.asarray(daily, float), colour)
            drawn.set_title(title, loc="left")
            _days_axis(drawn, days, max(daily, default=0))

    busiest = max(range(len(days)), key=lambda place: entity[place]) if days and any(entity) else None
    peak = "" if busiest is None else f" Busiest on {short_day(days[busiest])} with {entity[busiest]:,} exchanges."
    words = f"Bars per day: {sum(entity):,} exchanges of this entity beside {sum(provider):,} of the provider.{peak}"
    return picture(paint, width=380, height=240, prefix=prefix, words=words)


def week(entity: Sequence[float], benign: Sequence[float], *, prefix: str) -> str:
    """Two heat maps of seven days by 24 hours, UTC: the share of exchanges in each hour of the week, on one colour scale."""
    top = max([*entity, *benign, 1e-9])

    def paint(figure: Figure) -> None:
        for bottom, shares, title in ((142, entity, "This entity"), (22, benign, "Ordinary accounts")):
            drawn = axes(figure, (34, bottom, 330, 78))
            drawn.imshow(_grid(shares), cmap="Blues", vmin=0, vmax=top, aspect="auto", interpolation="none")
            drawn.set_title(title, loc="left")
            drawn.set_yticks(range(7), _WEEKDAYS, fontsize=8.5)
            drawn.set_xticks([place - 0.5 for place in range(0, 25, 4)], [f"{hour} h" for hour in range(0, 25, 4)], fontsize=8.5)
            for spine in drawn.spines.values():
                spine.set_visible(True)

    hours = sum(share > 0 for share in entity)
    words = f"Heat maps of the week, UTC. This entity is active in {hours} of 168 hours of the week; ordinary accounts below."
    return picture(paint, width=380, height=240, prefix=prefix, words=words)


def _grid(shares: Sequence[float]) -> np.ndarray:
    padded = np.zeros(168)
    padded[: min(len(shares), 168)] = np.nan_to_num(np.asarray(shares[:168], float))
    return padded.reshape(7, 24)


def _bars(drawn: Axes, daily: np.ndarray, colour: str) -> None:
    drawn.bar(np.arange(len(daily)), daily, _bar_width(len(daily)), color=colour, linewidth=0)


def _bar_width(days: int) -> float:
    return 0.86 if days <= 60 else 1.0


def _days_axis(drawn: Axes, days: Sequence[datetime], top: float, room: _Room = _WIDE) -> None:
    places = list(range(0, len(days), max(1, math.ceil(len(days) / room.ticks))))
    drawn.set_xticks(places, [short_day(days[place]) for place in places], fontsize=room.letters)
    drawn.set_xlim(-0.6, max(len(days), 1) - 0.4)
    drawn.set_ylim(0, max(top, 1) * 1.08)
    step = _step(max(top, 1))
    levels = [level * step for level in range(int(max(top, 1) / step) + 1)]
    drawn.set_yticks(levels, [compact(level) for level in levels], fontsize=room.letters)
    drawn.spines["left"].set_visible(False)
    drawn.title.set_color(INK)
    drawn.tick_params(colors=SOFT)


def _step(top: float) -> float:
    """The round step that gives two to four levels below the top."""
    unit = 10.0 ** math.floor(math.log10(top))
    for factor in (0.2, 0.25, 0.5, 1.0):
        if top / (unit * factor) <= 4 and (unit * factor >= 1 or top < 1):
            return unit * factor
    return max(unit, 1.0) if top / unit <= 4 else unit * 2.5 if top / (unit * 2.5) <= 4 else unit * 5
