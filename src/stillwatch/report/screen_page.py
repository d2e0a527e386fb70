"""The page of a screening: one HTML file that needs nothing else, runs nothing and reaches nowhere."""

from __future__ import annotations

from stillwatch.records.screening import NOT_SHOWN, Screening, ShareEstimate, SourceScreened, unlooked
from stillwatch.report import words
from stillwatch.report.figures import screening as figures
from stillwatch.report.page import environment
from stillwatch.report.view import Picture

_SOURCES = 200


def render_screening(screening: Screening) -> str:
    """The whole report. It quotes no document, and names of files and documents can only be read."""
    return (
        environment()
        .get_template("screen.html")
        .render(
            screening=screening,
            whole=screening.whole,
            headline=headline(screening),
            unlooked=unlooked(screening),
            sources=screening.sources[:_SOURCES],
            pictures=_pictures(screening),
            shares=_shares(screening),
            rows_in=sum(file.rows_in for file in screening.files),
            quarantined=sum(file.quarantined for file in screening.files),
            level=screening.settings["level"],
            does_not_show=NOT_SHOWN,
        )
    )


def headline(screening: Screening) -> str:
    """What was found, in a title that claims no more than it shows."""
    whole = screening.whole
    said: list[str] = []
    if whole.comparable:
        said.append(f"{words.plural(whole.exact + whole.near, 'document')} with served wording")
    if whole.tested:
        said.append(f"{words.plural(whole.marked, 'document')} with a watermark")
    said.append(f"{words.plural(whole.with_leads, 'document')} with leads")
    return ", ".join(said)


def interval(estimate: ShareEstimate | None) -> str:
    """An estimate with its interval; a dash for none."""
    if estimate is None:
        return "–"
    return f"{words.percent(estimate.share)} ({words.percent(estimate.low)} – {words.percent(estimate.high)})"


def _shares(screening: Screening) -> dict[str, tuple[str, str]]:
    return {
        source.name: (interval(source.matched_share), interval(source.marked_share)) for source in (*screening.sources, screening.whole)
    }


def _pictures(screening: Screening) -> dict[str, Picture]:
    found: dict[str, Picture] = {}
    rows = [
        _row("whole corpus", screening.whole),
        *(_row(source.name, source) for source in screening.sources if len(screening.sources) > 1),
    ]
    if any(estimate for row in rows for estimate in row[1:]):
        caption = (
            "What share of distinct documents carries a trace beyond what chance gives; bars are intervals of each row by itself "
            f"({words.percent(screening.settings['confidence'])}). A trace that cannot be found is not in it: read it as a lower bound."
        )
        found["shares"] = Picture(name="shares", svg=figures.shares(rows, prefix="shares"), caption=caption)
    if any(screening.containment):
        svg = figures.containment(screening.containment, screening.settings["near_share"], prefix="containment")
        found["containment"] = Picture(
            name="containment",
            svg=svg,
            caption="Documents that share any sampled wording with the log, by how much of a document stands in one response.",
        )
    if any(screening.p_counts):
        svg = figures.p_values(screening.p_counts, prefix="p-values")
        found["p_values"] = Picture(
            name="p_values", svg=svg, caption="p-values of the tested documents. Marked ones pile up at the left; all others lie evenly."
        )
    return found


def _row(name: str, source: SourceScreened) -> tuple[str, ShareEstimate | None, ShareEstimate | None]:
    return name, source.matched_share, source.marked_share
