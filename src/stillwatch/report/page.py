"""The report page: one HTML file that needs nothing else, runs nothing and reaches nowhere."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from stillwatch.records.findings import Axis, Report
from stillwatch.report import words
from stillwatch.report.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

_LIMIT = 2000
_EXCERPT = 1500


def render_html(report: Report, *, detailed: int = 25) -> str:
    """The whole report as one HTML page; the first `detailed` findings in full, the others as rows.

    The page holds no script and no address, its content policy forbids both, and text from logs can only be read.
    """
    from stillwatch.report import view

    shown = view.entries(report, detailed)
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            run=report.run,
            entries=shown,
            overview=view.provider_overview(shown),
            severities=words.severities(report.findings),
            headline=words.headline(report.findings, report.run.power),
            other_findings=words.other_findings(report.findings),
            suppressed_findings=words.suppressed_findings(report.findings),
            expected_false=words.expected_false(report),
            members_shown=view.MEMBERS,
        )
    )


@functools.cache
def _filters() -> dict[str, Any]:
    from markupsafe import Markup

    return {
        "count": words.count,
        "number": words.number,
        "expectation": words.expectation,
        "times": words.times,
        "signed": words.signed,
        "probability": words.probability,
        "one_in": words.one_in,
        "moment": words.moment,
        "day": words.day,
        "money": words.money,
        "percent": words.percent,
        "excerpt": functools.partial(visible, limit=_EXCERPT, multiline=True),
        "label": functools.partial(visible, limit=120),
        "command": words.explain_command,
        "drawing": Markup,
    }


def environment() -> Environment:
    """What every page is rendered with: escaping always, undefined names an error, text bounded and made visible."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stillwatch.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(_filters())
    names: dict[str, Any] = {
        "period": words.period,
        "plural": words.plural,
        "meaning": words.meaning,
        "certainty": words.certainty,
        "suppressed": words.suppressed,
        "ordered": words.ordered,
        "Axis": Axis,
        "round": round,
        "min": min,
        "max": max,
    }
    environment.globals.update(names)
    return environment


def _shown(value: object) -> object:
    """Every value that a template prints passes here: text is bounded and made visible before it is escaped."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(str(value), limit=_LIMIT, multiline=True)
    return value
