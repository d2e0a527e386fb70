"""What the terminal shows of an export and of a match."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.app.matching import LOCAL, MATCHES, QUARANTINE, Matched
from stillwatch.app.showing import plain
from stillwatch.report.words import count, period
from stillwatch.share.weighing import OBSERVATION, MatchedGroup, Worth

_SHOWN = 15


def export_lines(manifest: Mapping[str, Any], out: Path) -> RenderableType:
    """The files, under which names accounts stand, and the marking."""
    lines = [plain(f"{out / name}") for name in (*manifest["files"], "export.json")]
    lines += [plain(f"Not written: {name}: {reason}. The other formats are whole.") for name, reason in manifest["not_written"].items()]
    recipient = f"For {manifest['recipient']}. " if manifest["recipient"] else ""
    return Group(*lines, plain(f"{recipient}{manifest['names']} TLP:{manifest['tlp'].upper()}. No text of a prompt is in it."))


def match_table(matched: Matched, out: Path) -> RenderableType:
    """What was seen of each group, the most telling indicators, and what was read."""
    parts: list[RenderableType] = [plain(f"Profile of {matched.profile.producer}, {len(matched.profile.groups)} groups. {OBSERVATION}")]
    for group in matched.groups[:_SHOWN]:
        parts.append(plain(f"{group.id}: {group.sentence}"))
        if group.worth is not Worth.ABSENT:
            parts.append(_table(matched, group))
        if group.hours_alike is not None and group.own_hours_alike is not None:
            parts.append(plain(_hours(group)))
    if len(matched.groups) > _SHOWN:
        parts.append(Text(f"{len(matched.groups) - _SHOWN:,} more groups stand in {MATCHES}."))
    files, reasons = matched.read.files, sorted(matched.read.reasons.items(), key=lambda pair: -pair[1])
    lost = f" ({', '.join(f'{amount:,} {reason}' for reason, amount in reasons)})" if reasons else ""
    rows, refused = sum(file.rows_in for file in files), sum(file.quarantined for file in files)
    parts.append(Text(f"Read {rows:,} rows of {len(files):,} files, {refused:,} quarantined{lost}."))
    parts += [plain(f"Not read: {path[:300]}: {reason}") for path, reason in matched.left_aside[:5]]
    parts.append(
        plain(f"All of it: {out / MATCHES}. Refused rows: {out / QUARANTINE}. Your own accounts, not for the partner: {out / LOCAL}")
    )
    return Group(*parts)


def _hours(group: MatchedGroup) -> str:
    return (
        f"Hours of the week: {group.hours_alike:.2f} alike to the partner's in the {group.exchanges:,} exchanges that carry its wording or "
        f"prompts; {group.own_hours_alike:.2f} in all of your traffic. Shown beside the rest, and weighed nowhere."
    )


def _table(matched: Matched, group: MatchedGroup) -> Table:
    """A row per kind of indicator that occurs."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("indicators")
    for name in ("in the profile", "seen", "rare", "exchanges", "accounts"):
        table.add_column(name, justify="right")
    table.add_column("seen from, to")
    for kind, amount in group.found.items():
        seen = [found for found in matched.indicators if found.group == group.id and found.kind == kind and found.first_at is not None]
        if not amount or not seen:
            continue
        firsts, lasts = [found.first_at for found in seen if found.first_at], [found.last_at for found in seen if found.last_at]
        cells = (count(group.given[kind]), count(amount), count(group.rare[kind]))
        most = (count(max(found.exchanges for found in seen)), count(max(found.accounts for found in seen)))
        table.add_row(kind, *cells, *most, period(min(firsts), max(lasts)))
    table.caption = "exchanges, accounts: of the one indicator that the most of them carry"
    table.caption_justify = "left"
    return table
