"""The narrative, held against the statement: it runs nothing, and its claims and numbers are the statement's, word for word. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from stillwatch.sealing.container import NARRATIVE
from stillwatch.sealing.refusals import RefusedCaseError

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
"""
"""What every page begins with: before anything else, it lets the browser run nothing and fetch nothing."""

_BEGINNING = re.compile(re.escape(HEAD) + "<title>[^<]*</title>\n<style>[^<]*</style>\n</head>\n")
_TAG = re.compile(
    "</?(?:html|body|main|h[1-3]|p|b|i|ul|li|section|div|dl|dt|dd|table|thead|tbody|tr|th|td|code|pre|br|a|span)"
    '(?: class="[a-z ]*"| href="#[A-Za-z0-9]*"| id="(?:check|[CEN][0-9]{1,4})")?>',
    re.ASCII,
)
_MARKED = re.compile(r'<span id="([CN][0-9]{1,4})">([^<]*)</span>', re.ASCII)
_IDENTIFIED = re.compile(' id="[CN]')


def marked_texts(predicate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(uid, text) that a narrative shows, claims first."""
    claims = [(claim["uid"], claim["text"]) for claim in predicate["claims"]]
    return claims + [(number["uid"], f"{number['value']} {number['unit']}") for number in predicate["numbers"]]


def check_narrative(page: bytes, predicate: Mapping[str, Any]) -> None:
    """Nothing where the page is inert and shows the statement's claims and numbers, each once; else RefusedCaseError.

    Behind its fixed head stand a title, a style, and a body of few plain tags: no script, comment, handler, frame or image, and no link
    that leads out of the page.
    """
    try:
        text = page.decode()
    except UnicodeDecodeError:
        raise RefusedCaseError("narrative", NARRATIVE, expected="UTF-8", got="other bytes") from None
    beginning = _BEGINNING.match(text)
    if beginning is None or "\r" in text:
        raise RefusedCaseError("narrative", NARRATIVE, expected="a page with the head of the format", got="another, or a carriage return")
    body = text[beginning.end() :]
    if (place := _TAG.sub("", body).find("<")) >= 0:
        raise RefusedCaseError("narrative", NARRATIVE, expected="plain tags that run nothing", got=ascii(_TAG.sub("", body)[place:][:40]))
    found = [(uid, html.unescape(shown)) for uid, shown in _MARKED.findall(body)]
    expected = marked_texts(predicate)
    if found != expected or len(_IDENTIFIED.findall(body)) != len(found):
        uid = next((one[0] for one, other in zip(expected, [*found, ("", "")], strict=False) if one != other), "no more")
        raise RefusedCaseError("narrative", NARRATIVE, expected=f"{uid} as the statement has it", got="another text")
