"""What the terminal shows of a screening."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.app.showing import plain
from stillwatch.records.screening import Screening, SourceScreened
from stillwatch.report.screen_page import interval
from stillwatch.report.words import plural

_SHOWN = 20


def screening_table(screening: Screening) -> RenderableType:
    """A row per source, the whole corpus last, and what was lost."""
    table = Table(title="What was found", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("source", "documents", "exact", "near", "matched share", "tested", "marked", "marked share", "leads"):
        table.add_column(name, overflow="fold", justify="left" if name == "source" else "right")
    several = len(screening.sources) > 1
    for source in screening.sources[:_SHOWN] if several else ():
        table.add_row(*_cells(source.name, source))
    if len(screening.sources) > _SHOWN:
        table.add_row(plain(f"and {len(screening.sources) - _SHOWN:,} more"))
    table.add_row(
        *_cells(
            "whole corpus" if several else screening.whole.name if not screening.sources else screening.sources[0].name, screening.whole
        )
    )
    files = screening.files
    lost = sum(file.quarantined for file in files)
    parts: list[RenderableType] = [table]
    parts.append(Text(f"Read {sum(file.rows_in for file in files):,} rows of {plural(len(files), 'file')}, {lost:,} quarantined."))
    parts += [plain(f"Not read: {path[:300]}: {reason}") for path, reason in screening.ignored[:5]]
    if len(screening.ignored) > 5:
        parts.append(Text(f"Not read: {len(screening.ignored) - 5:,} more files, named in run.json"))
    parts.append(Text("Shares are of distinct documents, beyond chance, with their interval. Leads are places to look at, and no finding."))
    return Group(*parts)


def _cells(name: str, source: SourceScreened) -> list[Text]:
    compared, tested = source.comparable > 0, source.tested > 0
    counts = [source.exact, source.near] if compared else ["–", "–"]
    marked = [f"{source.tested:,}", f"{source.marked:,}"] if tested else ["–", "–"]
    shown = [
        name,
        f"{source.documents:,}",
        *counts,
        interval(source.matched_share),
        *marked,
        interval(source.marked_share),
        source.with_leads,
    ]
    return [plain(f"{value:,}" if isinstance(value, int) else value) for value in shown]
