"""What the terminal shows of a screening."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.app.showing import plain
from stillwatch.records.screening import Screening, SourceScreened, unlooked
from stillwatch.report.screen_page import interval
from stillwatch.report.words import plural

_SHOWN = 20


def screening_table(screening: Screening) -> RenderableType:
    """A row per source, the whole corpus last, and what was lost."""
    whole, several = screening.whole, len(screening.sources) > 1
    table = Table(title="What was found", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("source", overflow="fold")
    for name in _columns(whole):
        table.add_column(name, justify="right", overflow="fold")
    for source in screening.sources[:_SHOWN] if several else ():
        table.add_row(plain(source.name), *_cells(source, whole))
    if len(screening.sources) > _SHOWN:
        table.add_row(plain(f"and {len(screening.sources) - _SHOWN:,} more"))
    table.add_row(plain("whole corpus" if several else screening.sources[0].name), *_cells(whole, whole))
    files = screening.files
    lost = sum(file.quarantined for file in files)
    parts: list[RenderableType] = [table, *(Text(line) for line in unlooked(screening))]
    parts.append(Text(f"Read {sum(file.rows_in for file in files):,} rows of {plural(len(files), 'file')}, {lost:,} quarantined."))
    parts += [plain(f"Not read: {path[:300]}: {reason}") for path, reason in screening.ignored[:5]]
    if len(screening.ignored) > 5:
        parts.append(Text(f"Not read: {len(screening.ignored) - 5:,} more files, named in run.json"))
    parts.append(Text("Shares are of distinct documents, beyond chance, with their interval. Leads are places to look at, and no finding."))
    return Group(*parts)


def _columns(whole: SourceScreened) -> list[str]:
    """The columns that have something to say: a comparison that was not asked for has none."""
    matched = ["exact", "near", "matched share"] if whole.comparable else []
    marked = ["tested", "marked", "marked share"] if whole.tested else []
    return ["documents", *matched, *marked, "leads"]


def _cells(source: SourceScreened, whole: SourceScreened) -> list[Text]:
    values: dict[str, int | str] = {
        "documents": source.documents,
        "exact": source.exact,
        "near": source.near,
        "matched share": interval(source.matched_share),
        "tested": source.tested,
        "marked": source.marked,
        "marked share": interval(source.marked_share),
        "leads": source.with_leads,
    }
    return [plain(f"{value:,}" if isinstance(value, int) else value) for value in (values[name] for name in _columns(whole))]
