"""One way to draw: a matplotlib figure becomes an inline SVG without scripts, addresses or identifiers that clash."""

from __future__ import annotations

import html
import io
import re
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from stillwatch.report.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
SOFT = "#5b6672"
LINE = "#d5dae0"
# Wong's palette, told apart by people with any common colour blindness.
ENTITY = "#b8500a"
OTHERS = "#8fa1b3"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6a51a3", "#7f6000")

_STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "stillwatch",
    "text.parse_math": False,
    "text.usetex": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 10.0,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "grid.color": "#e9ecef",
    "grid.linewidth": 0.8,
    "path.simplify": True,
}
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_TAG = re.compile(r"<[^<>]*>")
_IDENTIFIER = re.compile(r'\bid="')
_REFERENCE = re.compile(r'\b(?:xlink:)?href="#')
_LONG_DECIMAL = re.compile(r"(\d\.\d{2})\d+")
_FAMILY = re.compile(r"font-family: [^;\"]*|font: ([^;\"]*?px) [^;\"]*")
# matplotlib's style context and the warning filters belong to the whole process
_LOCK = threading.Lock()


def picture(paint: Callable[[Figure], None], *, width: float, height: float, prefix: str, words: str) -> str:
    """An inline SVG of `width` by `height` units; every identifier begins with `prefix`; `words` is its text alternative."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    sink = io.StringIO()
    with _LOCK, warnings.catch_warnings(), mpl.rc_context(_STYLE):  # pyright: ignore[reportArgumentType] - rc keys are literals there
        warnings.simplefilter("ignore")  # a glyph that the measuring font lacks; the reader's font draws it
        figure = Figure(figsize=(width / 72, height / 72), facecolor="none")
        canvas = FigureCanvasSVG(figure)
        paint(figure)
        canvas.print_svg(sink, metadata=_METADATA)
    return _inline(sink.getvalue(), width, height, prefix, words)


def axes(figure: Figure, box: tuple[float, float, float, float], *, grid: str = "") -> Axes:
    """Axes in a box of (left, bottom, width, height) in units of the picture, with grid lines along `x` or `y`."""
    wide, high = figure.get_size_inches() * 72
    drawn = figure.add_axes((box[0] / wide, box[1] / high, box[2] / wide, box[3] / high))
    drawn.patch.set_visible(False)
    if grid == "x":
        drawn.grid(visible=True, axis="x")
    elif grid == "y":
        drawn.grid(visible=True, axis="y")
    return drawn


def compact(value: float) -> str:
    """A number for an axis: 1.2 k, 3 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _inline(svg: str, width: float, height: float, prefix: str, words: str) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style\b[^>]*>.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = body[body.index(">") + 1 :]
    body = _TAG.sub(lambda match: _scoped(match.group(), prefix), body)
    label = html.escape(visible(words, limit=1000), quote=True)
    root = f'<svg class="picture" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}">'
    return root + re.sub(r">\s+<", "><", body).strip()


def _scoped(tag: str, prefix: str) -> str:
    """A tag whose identifiers are the picture's own; groups need none."""
    if tag.startswith("<g "):
        tag = re.sub(r'\sid="[^"]*"', "", tag)
    tag = _IDENTIFIER.sub(f'id="{prefix}-', tag)
    tag = _REFERENCE.sub(f'href="#{prefix}-', tag).replace("url(#", f"url(#{prefix}-")
    tag = _FAMILY.sub(lambda match: f"font: {match[1]} system-ui, sans-serif" if match[1] else "font-family: system-ui, sans-serif", tag)
    return tag if " id=" in tag and "<path" not in tag else _LONG_DECIMAL.sub(r"\1", tag)
