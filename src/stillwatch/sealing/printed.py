"""The narrative to be printed: the same words as a PDF, whose bytes follow from the statement alone.

The font is DejaVu Sans, which matplotlib brings along. Characters that it has not are written as `[U+4E2D]`; the page of the narrative
shows them, so the printed one says where it is to be found.
"""

from __future__ import annotations

import html
import importlib.util
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stillwatch.errors import MissingExtraError
from stillwatch.sealing.narrative import Tables, recomputable, rule_words, shown_rows
from stillwatch.sealing.refusals import SealError

_REGULAR, _BOLD, _MONO = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"
_LONGEST_PARAGRAPH = 6000
_WIDEST = 7
"""Columns of an exhibit that fit on a page; the others are named below the table."""


def narrative_pdf(predicate: Mapping[str, Any], tables: Tables) -> bytes:
    """The PDF. Raises MissingExtraError where reportlab is not installed."""
    if importlib.util.find_spec("reportlab") is None:
        raise MissingExtraError("reportlab", extra="cases")
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    target = io.BytesIO()
    words = _Words()
    case = predicate["case"]
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        invariant=1,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=18 * mm,
        title=words.plain(f"Case {case['id']}: {case['title']}"),
        author=words.plain(predicate["sealed"]["by"]),
    )
    foot = partial(_foot, text=words.plain(f"Sealed case {case['id'][:60]} · the statement that was signed is in case.json"))
    document.build(_story(predicate, tables, words), onFirstPage=foot, onLaterPages=foot)
    return target.getvalue()


class _Words:
    """Paragraphs and tables in the house's type, from plain text alone."""

    def __init__(self) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont

        folder = _fonts()
        for name in (_REGULAR, _BOLD, _MONO):
            if name not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
        font: Any = pdfmetrics.getFont(_REGULAR)
        self._known: Mapping[int, int] = font.face.charToGlyph
        body = ParagraphStyle("body", fontName=_REGULAR, fontSize=9, leading=12.6, spaceAfter=5, splitLongWords=1)
        self._styles = {
            "body": body,
            "soft": ParagraphStyle("soft", parent=body, textColor=HexColor("#56616c"), fontSize=7.8, leading=10.5),
            "title": ParagraphStyle("title", parent=body, fontName=_BOLD, fontSize=17, leading=21, spaceAfter=7),
            "head": ParagraphStyle(
                "head", parent=body, fontName=_BOLD, fontSize=12, leading=15, spaceBefore=13, spaceAfter=5, keepWithNext=1
            ),
            "strong": ParagraphStyle("strong", parent=body, fontName=_BOLD, keepWithNext=1),
            "cell": ParagraphStyle("cell", parent=body, fontSize=7.4, leading=9.4, spaceAfter=0),
            "mono": ParagraphStyle("mono", parent=body, fontName=_MONO, fontSize=8, leading=11, leftIndent=8),
            "item": ParagraphStyle("item", parent=body, leftIndent=10, bulletIndent=0),
        }

    def plain(self, text: str) -> str:
        """The text with characters that the font has not written by their number."""
        return "".join(one if one == "\n" or ord(one) in self._known else f"[U+{ord(one):04X}]" for one in text)

    def say(self, text: str, style: str = "body", bullet: str | None = None) -> Any:
        """A paragraph. Its text is escaped: nothing in it is markup."""
        from reportlab.platypus import Paragraph

        shown = html.escape(self.plain(text[:_LONGEST_PARAGRAPH])).replace("\n", "<br/>")
        return Paragraph(shown, self._styles[style], bulletText=bullet)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float]) -> Any:
        """A table over the page's width."""
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        cells = [[self.say(text, "cell") for text in row] for row in (head, *rows)]
        width = 174 * mm / sum(shares)
        lines = [
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, "#d5dae0"),
            ("BACKGROUND", (0, 0), (-1, 0), "#f5f7f9"),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]
        return Table(cells, colWidths=[share * width for share in shares], repeatRows=1, style=lines, splitInRow=1, spaceAfter=5)


def _story(predicate: Mapping[str, Any], tables: Tables, words: _Words) -> list[Any]:
    case, sealed = predicate["case"], predicate["sealed"]
    whom = "for use within the house" if sealed["recipient"] is None else f"for {sealed['recipient']}"
    return [
        words.say(f"Sealed case {case['id']} · sealed {sealed['at'][:10]} by {sealed['by']} · {whom}", "soft"),
        words.say(case["title"], "title"),
        words.say(case["summary"]),
        words.say("This puts a signed statement into words. It is a claim of whoever sealed it, and no judgement of a court.", "soft"),
        *_claims(predicate, words),
        *_numbers(predicate, words),
        *_exhibits(predicate, tables, words),
        *_made(predicate, words),
        *_checks(predicate, tables, words),
    ]


def _claims(predicate: Mapping[str, Any], words: _Words) -> list[Any]:
    story = [words.say("What is claimed", "head")]
    for claim in predicate["claims"]:
        story.append(words.say(f"{claim['uid']}. {claim['text']}", "strong"))
        story.append(words.say(f"Of: {claim['about']}. How sure, and on what it rests: {claim['certainty']}"))
        story.append(words.say("Rests on: " + ", ".join((*claim["numbers"], *claim["exhibits"])), "soft"))
    story.append(words.say("Ordinary explanations that were considered", "head"))
    story += [words.say(f"{found['text']} {found['weighed']}", "item", "•") for found in predicate["ordinary"]]
    story.append(words.say("What this does not show", "head"))
    return story + [words.say(limit, "item", "•") for limit in predicate["limits"]]


def _numbers(predicate: Mapping[str, Any], words: _Words) -> list[Any]:
    rows = [
        (number["uid"], number["label"], f"{number['value']} {number['unit']}", f"{number['how']}\n{rule_words(number)}")
        for number in predicate["numbers"]
    ]
    head = ("", "what it is", "claimed", "how to get it")
    return [words.say("Numbers", "head"), words.table(head, rows, (1.4, 5, 4, 9))] if rows else []


def _exhibits(predicate: Mapping[str, Any], tables: Tables, words: _Words) -> list[Any]:
    story = [words.say("Evidence", "head")]
    shown = shown_rows(tables)
    for exhibit in predicate["exhibits"]:
        story.append(words.say(f"{exhibit['uid']}. {exhibit['title']}", "strong"))
        story.append(words.say(f"{exhibit['shows']} Comes from: {exhibit['origin']}"))
        if exhibit["withheld"]:
            story.append(words.say(f"Withheld as a whole: {exhibit['rows']:,} rows, logged as record {exhibit['index']}.", "soft"))
            continue
        names = [column["name"] for column in exhibit["columns"]][:_WIDEST]
        rows = [["withheld" if cell is None else cell for cell in row[:_WIDEST]] for row in shown[exhibit["uid"]]]
        story.append(words.table(names, rows, [1.0] * len(names)))
        further = [column["name"] for column in exhibit["columns"]][_WIDEST:]
        beside = f"; further columns: {', '.join(further)}" if further else ""
        story.append(words.say(f"{len(rows)} of {exhibit['rows']:,} rows; record {exhibit['index']} of the log{beside}", "soft"))
    return story


def _made(predicate: Mapping[str, Any], words: _Words) -> list[Any]:
    events = [
        (
            event["at"][:16].replace("T", " "),
            event["who"],
            event["action"],
            event["why"],
            f"{(event['before'] or 'none')[:8]} → {event['after'][:8]}",
        )
        for event in predicate["custody"]
    ]
    story = [words.say("Custody", "head"), words.table(("when (UTC)", "who", "did what", "why", "evidence"), events, (4, 4, 4, 6, 5))]
    if predicate["dispositions"]:
        story.append(words.say("How the house judged it", "head"))
    judged = (
        f"{found['at'][:10]}, {found['by']}: {found['outcome']} ({found['reason']}). {found['words']}"
        for found in predicate["dispositions"]
    )
    story += [words.say(text, "item", "•") for text in judged]
    story.append(words.say("What it was made with", "head"))
    files = [(found["name"], "" if found["rows"] is None else f"{found['rows']:,}", found["sha256"]) for found in predicate["inputs"][:200]]
    story += [words.table(("input file", "rows", "sha256"), files, (7, 3, 9))] if files else []
    for said, name in (("Versions", "versions"), ("Settings", "settings"), ("Seeds", "seeds")):
        if predicate[name]:
            story.append(words.say(f"{said}: " + "; ".join(f"{one['name']} {one['value']}" for one in predicate[name])))
    return story


def _checks(predicate: Mapping[str, Any], tables: Tables, words: _Words) -> list[Any]:
    log, count = predicate["log"], len(predicate["numbers"])
    recomputed = recomputable(predicate, tables)
    said = (
        "The statement and every file are as they were signed; one changed byte is named.",
        (
            f"Every exhibit stands in the evidence log {log['origin']} (state of {log['size']:,} records, root {log['root'][:16]}…). "
            "Ask anybody who kept a checkpoint of that log whether it is the same log."
        ),
        f"{recomputed} of {count} numbers are computed again from the rows. The others are marked, with what gives them.",
        "Withheld cells are marked. A court can have them opened: value and salt must give the hash that stands for them.",
        (
            "If you are the one accused: ask for the rows about you, compare them with your own records, and say which of the ordinary "
            "explanations holds. A finding can be wrong, and what clears you belongs into the case as an exhibit."
        ),
        "Characters that stand here as [U+…] are shown in narrative.html.",
    )
    story = [
        words.say("What you can check, and how", "head"),
        words.say(
            "You need the case file, the log's verifier key from somebody whom you trust, and one of two programs that share no code:"
        ),
        words.say("stillwatch verify CASE --key KEY\npython3 verify_case.py CASE --key KEY", "mono"),
    ]
    return story + [words.say(text, "item", "•") for text in said]


def _foot(canvas: Any, document: Any, *, text: str) -> None:
    canvas.saveState()
    canvas.setFont(_REGULAR, 7)
    canvas.drawString(document.leftMargin, 26, text)
    canvas.drawRightString(document.pagesize[0] - document.rightMargin, 26, str(canvas.getPageNumber()))
    canvas.restoreState()


def _fonts() -> Path:
    spec = importlib.util.find_spec("matplotlib")
    folder = Path(spec.origin or "").parent / "mpl-data" / "fonts" / "ttf" if spec else Path()
    if not (folder / f"{_REGULAR}.ttf").is_file():
        raise SealError(
            "the fonts that matplotlib brings along are not there, and the printed narrative needs them; install matplotlib again"
        )
    return folder
