"""The narrative, held against the statement: its claims and numbers are the statement's, word for word. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from stillwatch.sealing.container import NARRATIVE
from stillwatch.sealing.refusals import RefusedCaseError

_MARKED = re.compile(r'<span id="([CN][0-9]{1,4})">([^<]*)</span>', re.ASCII)


def marked_texts(predicate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(uid, text) that a narrative shows, claims first."""
    claims = [(claim["uid"], claim["text"]) for claim in predicate["claims"]]
    return claims + [(number["uid"], f"{number['value']} {number['unit']}") for number in predicate["numbers"]]


def check_narrative(page: bytes, predicate: Mapping[str, Any]) -> None:
    """Nothing where the page is inert and shows the statement's claims and numbers, each once; else RefusedCaseError."""
    try:
        text = page.decode()
    except UnicodeDecodeError:
        raise RefusedCaseError("narrative", NARRATIVE, expected="UTF-8", got="other bytes") from None
    if "<script" in text.lower() or "\r" in text:
        raise RefusedCaseError("narrative", NARRATIVE, expected="a page that runs nothing", got="a script or a carriage return")
    found = [(uid, html.unescape(shown)) for uid, shown in _MARKED.findall(text)]
    expected = marked_texts(predicate)
    if found != expected:
        uid = next((one[0] for one, other in zip(expected, [*found, ("", "")], strict=False) if one != other), "no more")
        raise RefusedCaseError("narrative", NARRATIVE, expected=f"{uid} as the statement has it", got="another text")
