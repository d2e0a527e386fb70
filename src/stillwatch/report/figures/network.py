"""The picture of a group: accounts as dots, the traces that they share as labelled squares, a line for each tie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from stillwatch.report.figures.canvas import INK, PALETTE, SOFT, axes, picture
from stillwatch.report.text import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Key = TypeVar("_Key", str, tuple[str, str])
_ACCOUNTS = 32
_TRACES = 12
_ACCOUNT_ROW = 13.0
_TRACE_ROW = 27.0
_WIDTH = 480.0
_DOT, _SQUARE = 122.0, 250.0


class Tie(NamedTuple):
    """One account's tie to one trace; `weight` is what the sharing is worth, `sharing` how many accounts share it."""

    account: str
    kind: str
    trace: str
    label: str
    sharing: int
    weight: float


def network(ties: Sequence[Tie], *, prefix: str) -> str:
    """Accounts on the left, traces on the right; at most 32 accounts and 12 traces, those with the most weight."""
    kept = sampled(ties)
    accounts, traces = _order(kept)
    height = 26 + max(len(accounts) * _ACCOUNT_ROW, len(traces) * _TRACE_ROW, 40)
    left = _rows(accounts, height, _ACCOUNT_ROW)
    right = _rows(traces, height, _TRACE_ROW)
    kinds = list(dict.fromkeys(tie.kind for tie in kept))
    colours = {kind: PALETTE[place % len(PALETTE)] for place, kind in enumerate(kinds)}

    def paint(figure: Figure) -> None:
        drawn = axes(figure, (0, 0, _WIDTH, height))
        drawn.set_axis_off()
        drawn.set_xlim(0, _WIDTH)
        drawn.set_ylim(height, 0)
        _lines(drawn, kept, left, right, colours)
        _accounts(drawn, left)
        _traces(drawn, kept, right, colours)

    words = f"Graph of {len(accounts)} accounts and {len(traces)} traces that they share, with {len(kept)} ties."
    return picture(paint, width=_WIDTH, height=height, prefix=prefix, words=words)


def sampled(ties: Sequence[Tie]) -> tuple[Tie, ...]:
    """The ties between the accounts and the traces that the picture has room for."""
    traces = set(_heaviest([((tie.kind, tie.trace), tie.weight) for tie in ties], _TRACES))
    kept = [tie for tie in ties if (tie.kind, tie.trace) in traces]
    accounts = set(_heaviest([(tie.account, tie.weight) for tie in kept], _ACCOUNTS))
    return tuple(tie for tie in kept if tie.account in accounts)


def trace_name(trace: str) -> str:
    """A trace as people tell it apart: of a long key the last eight characters, else its text."""
    return trace[-8:] if len(trace) > 12 and trace.removeprefix("-").isalnum() else trace


def _heaviest(weighted: Sequence[tuple[_Key, float]], limit: int) -> list[_Key]:
    total: dict[_Key, float] = defaultdict(float)
    for key, weight in weighted:
        total[key] += weight
    return sorted(total, key=lambda key: (-total[key], str(key)))[:limit]


def _order(ties: Sequence[Tie]) -> tuple[list[str], list[tuple[str, str]]]:
    """Traces by how many accounts they tie, accounts by the mean place of their traces, so that lines cross little."""
    tied: dict[tuple[str, str], set[str]] = defaultdict(set)
    for tie in ties:
        tied[tie.kind, tie.trace].add(tie.account)
    traces = sorted(tied, key=lambda key: (-len(tied[key]), key))
    place = {key: row for row, key in enumerate(traces)}
    rows: dict[str, list[int]] = defaultdict(list)
    for tie in ties:
        rows[tie.account].append(place[tie.kind, tie.trace])
    accounts = sorted(rows, key=lambda account: (sum(rows[account]) / len(rows[account]), account))
    return accounts, traces


def _rows(keys: Sequence[_Key], height: float, row: float) -> dict[_Key, float]:
    """Where each key stands, spread evenly about the middle."""
    pitch = min(max((height - 30) / max(len(keys), 1), row), row * 2)
    first = height / 2 - pitch * (len(keys) - 1) / 2
    return {key: first + pitch * place for place, key in enumerate(keys)}


def _lines(
    drawn: Axes, ties: Sequence[Tie], left: Mapping[str, float], right: Mapping[tuple[str, str], float], colours: Mapping[str, str]
) -> None:
    from matplotlib.collections import LineCollection

    heaviest = max((tie.weight for tie in ties), default=1.0) or 1.0
    segments = [[(_DOT, left[tie.account]), (_SQUARE, right[tie.kind, tie.trace])] for tie in ties]
    widths = [0.5 + 1.3 * max(tie.weight, 0.0) / heaviest for tie in ties]
    drawn.add_collection(LineCollection(segments, linewidths=widths, colors=[colours[tie.kind] for tie in ties], alpha=0.45))


def _accounts(drawn: Axes, left: Mapping[str, float]) -> None:
    drawn.scatter([_DOT] * len(left), list(left.values()), s=26, c=INK, linewidths=0, zorder=3)
    for account, row in left.items():
        drawn.text(_DOT - 8, row, short(account, 20), ha="right", va="center", fontsize=9, color=INK)


def _traces(drawn: Axes, ties: Sequence[Tie], right: Mapping[tuple[str, str], float], colours: Mapping[str, str]) -> None:
    first = {(tie.kind, tie.trace): tie for tie in reversed(ties)}
    for key, row in right.items():
        tie = first[key]
        drawn.scatter([_SQUARE], [row], s=52, c=colours[tie.kind], marker="s", linewidths=0, zorder=3)
        drawn.text(_SQUARE + 10, row - 5.5, _label(tie), va="center", fontsize=9, color=INK)
        said = f"{short(tie.kind, 22)}, shared by {tie.sharing:,}"
        drawn.text(_SQUARE + 10, row + 5.5, said, va="center", fontsize=8.5, color=SOFT)


def _label(tie: Tie) -> str:
    """What is shared, and enough of the trace itself to tell two of a kind apart."""
    named = short(tie.label, 26)
    return f"{named} · {short(trace_name(tie.trace), 41 - len(named))}"
