"""The two pictures of the page: how far each statistic reaches, and innocents over keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from proving.cast import STUDENTS

LINES = (
    ("ours, neutral text", "radioactivity_open", "tests", "#1b6e8c", "o"),
    ("de-duplicated argmax, marked text", "dedup_marked", "published", "#b5642a", "s"),
    ("de-duplicated argmax, neutral text", "dedup_neutral", "published", "#d9a05b", "^"),
    ("argmax with repeats (not valid)", "naive_neutral", "published", "#999999", "x"),
)
_STYLE = {"svg.hashsalt": "stillwatch", "font.size": 9.0, "axes.spines.top": False, "axes.spines.right": False}


def reach(proofs: Mapping[str, Any], path: Path) -> None:
    """-log10 p of each statistic against the share of marked text."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        axes = figure.subplots()
        marked = [student for student in reversed(STUDENTS) if student.answers == "marked"]
        shares = [0.0, *(100.0 * student.share for student in marked)]
        for words, name, group, colour, sign in LINES:
            logs = [_log10(proofs[each], group, name) for each in ("human", *(student.name for student in marked))]
            axes.plot(shares, [max(-log, 0.05) for log in logs], color=colour, marker=sign, label=words)
        axes.axhline(6.0, color="#666666", linewidth=0.8, linestyle=":")
        axes.set(xscale="symlog", yscale="log", xlabel="marked text, % of the student's tokens", ylabel="−log10 p")
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xticks(shares, [f"{share:g}" for share in shares])
        axes.set_xlim(-0.2, 120.0)
        axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


def _log10(record: Any, group: str, name: str) -> float:
    found = record[group][name]
    return float(found["log10_p"] if isinstance(found, dict) else found)


def innocents(masses: Mapping[str, Any], path: Path) -> None:
    """Standardised masses of innocents over keys, against the normal law."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 2.6), layout="constrained")
        panels = figure.subplots(1, len(masses), sharey=True, squeeze=False)[0]
        grid = np.linspace(-4.0, 4.0, 200)
        for axes, (name, values) in zip(panels, masses.items(), strict=True):
            axes.hist(values, bins=np.linspace(-4.0, 4.0, 33), density=True, color="#a9c9d6")
            axes.plot(grid, np.exp(-(grid**2) / 2.0) / np.sqrt(2.0 * np.pi), color="#1b6e8c")
            axes.set(title=name, xlabel="keyed mass / deviation")
        panels[0].set(ylabel="density over keys")
        figure.savefig(path, metadata={"Date": None})
