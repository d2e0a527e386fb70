"""The report's pictures: plain sequences in, inline SVG out."""

from __future__ import annotations

from stillwatch.report.figures.evidence import coverage, sizes, waterfall
from stillwatch.report.figures.network import Tie, network
from stillwatch.report.figures.rhythm import activity, overview, week

__all__ = ["Tie", "activity", "coverage", "network", "overview", "sizes", "waterfall", "week"]
