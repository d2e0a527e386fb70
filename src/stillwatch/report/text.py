"""Text from logs made safe to show: bounded, with control and direction-changing characters made visible and addresses disarmed."""

from __future__ import annotations

import re
import unicodedata

# Characters that show nothing, steer a terminal or turn the reading direction: a reader must see that they are there.
_HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\ufffe\\uffff\\ud800-\\udfff\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]"
)
_MARK = "[\\u0300-\\u036f\\u0483-\\u0489\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f]"
_MARKS = re.compile(f"({_MARK}{{3}}){_MARK}+")


def visible(text: str, *, limit: int = 2000, multiline: bool = False) -> str:
    """The text with nothing in it that acts: at most `limit` characters of it, and a count of those left out.

    Control characters and other invisible ones are written as `[U+202E]`; piles of combining marks are cut;
    `://` is written `[:]//`, so that no viewer makes a link of it. Line breaks stay only in `multiline` text.
    """
    kept = text[:limit].replace("\r\n", "\n")
    if not multiline:
        kept = kept.replace("\n", " ").replace("\t", " ")
    kept = _HIDDEN.sub(_code_point, kept)
    kept = _MARKS.sub(r"\1", kept).replace("://", "[:]//")
    left_out = len(text) - limit
    return f"{kept} … [{left_out:,} more characters]" if left_out > 0 else kept


def short(text: str, columns: int) -> str:
    """One line of at most `columns` columns of a fixed-width font; a cut text ends in an ellipsis. Wide characters count two."""
    line = " ".join(visible(text, limit=columns * 4).split())
    used = 0
    for place, character in enumerate(line):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > columns:
            return line[: max(place - 1, 0)] + "…"
    return line


def _code_point(match: re.Match[str]) -> str:
    return f"[U+{ord(match.group()):04X}]"
