"""Judges whether a value looks like a secret, and makes the mark that stands in its place."""

from __future__ import annotations

import hashlib
import re

HASHED_KEY = re.compile(r"key:[0-9a-f]{32}")
MARK = re.compile(r"\[secret:[a-z-]{2,16}:[0-9a-f]{8}\]")
_OPEN_MARK = re.compile(r"\[secret:[a-z-]{2,16}:[0-9a-f]{8}\Z")
_FINGERPRINT_HEX = 8

RUN = re.compile(r"[A-Za-z0-9]+")
_WORDLIKE_CHARS = 16
_DRAWN_CHARS = 8

# What stands for a value that is elsewhere: `${X}`, `{{ x }}`, `<your key>`, `%(x)s`, `****`.
_REFERENCE = re.compile(
    r"\$[{(]|\{\{"
    r"|(?:\$(?:[A-Z_][A-Z0-9_]*|[a-z_]+)|\{[\w.\[\]]*\}|<[^<>]*>|%(?:\(\w+\))?[sd]|%[A-Z_]+%|[*xX.•…_-]+|\[[A-Za-z_ -]*\])[),.;:]*\Z"
)
# A call, an index, an attribute, or a variable named for what it holds.
CODE = re.compile(
    r"[a-z_][\w.]*[(\[](?:\Z|[\"'].*|.*[)\]])|[a-z_]+\d?(?:\.[a-z_]+\d?)+\Z|[a-z]+(?:_[a-z]+)+_?\d?\Z"
    r"|[a-z_]*(?:pass|pwd|secret|token|key|cred)[a-z_]*\d?\Z",
    re.IGNORECASE,
)
# Dates, versions, links, algorithms, lengths.
_ORDINARY = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ][\d:.Z+-]*)?\Z|v?\d+(?:\.\d+)+(?:-[a-z]+[.\d]*)?\Z|[a-z][a-z+.-]{1,12}://"
    r"|(?:sha|md|base|utf|argon|oauth|pbkdf|aes|hs|rs|es|u?int|float)-?\d{1,3}(?:i?d|array|[-_][a-z]+)*\Z"
    r"|\d{1,4}[-+]?(?:bytes?|bits?|char[a-z]*|digits?|letters?|words?|symbols?|tokens?|sec[a-z]*|min[a-z]*|hours?|days?)(?:-[a-z]+)*\Z",
    re.IGNORECASE,
)
_LEAST_PASSWORD, _LEAST_KEY, _LEAST_WORD = 6, 8, 12
_STRONG_QUOTED = re.compile(r"\w[!@#$%^&*+=?~|]+\w")
_STRONG_BARE = re.compile(r"\w[!@#$%^~]+\w")
_SEVERAL_WORDS, _MOST_WORDS_KEY, _MOST_WORDS_PASSWORD = 2, 2, 5
_CLOSERS = ").,;:]}>"


def mark(secret: str, kind: str) -> str:
    """What stands in the place of a secret."""
    return f"[secret:{kind}:{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()[:_FINGERPRINT_HEX]}]"


def drawn(text: str) -> bool:
    """Whether an unbroken piece is longer than words are, or mixes letters and digits over at least 8 characters."""
    for piece in RUN.findall(text):
        mixed = not piece.isalpha() and not piece.isdigit()
        if len(piece) >= _WORDLIKE_CHARS or (mixed and len(piece) >= _DRAWN_CHARS):
            return True
    return False


def mixed(text: str, least: int) -> bool:
    """Whether an unbroken piece mixes letters and digits over at least `least` characters."""
    return any(len(piece) >= least and not piece.isalpha() and not piece.isdigit() for piece in RUN.findall(text))


def mixes_cases_and_digits(text: str) -> bool:
    """Whether upper-case letters, lower-case letters and digits all stand in a text."""
    return text.lower() != text != text.upper() and any(char.isdigit() for char in text)


def trimmed(value: str) -> str:
    """A bare value without the brackets and stops after it; a mark keeps its own bracket."""
    stripped = value.rstrip(_CLOSERS)
    return stripped + "]" if "[secret:" in stripped and _OPEN_MARK.search(stripped) else stripped


def is_known(value: str) -> bool:
    """Whether a value is already a mark or a hashed key, or stands for one that is elsewhere."""
    beyond = MARK.sub("", value)
    if beyond != value:
        return not any(char.isalnum() for char in beyond)
    return bool(HASHED_KEY.match(value) or _REFERENCE.match(value))


def is_secret(value: str, *, is_password: bool, is_quoted: bool) -> bool:
    """Whether the value of a name such as `password` or `token` looks like a secret."""
    if is_known(value) or _ORDINARY.match(value):
        return False
    if "[secret:" in value and MARK.search(value):
        return True
    if len(words := value.split()) > 1:
        most = _MOST_WORDS_PASSWORD if is_password else _MOST_WORDS_KEY
        return len(words) <= most and any(drawn(word) and not _ORDINARY.match(word) for word in words)
    return _is_password(value, is_quoted=is_quoted) if is_password else len(value) >= _LEAST_KEY and drawn(value)


def _is_password(value: str, *, is_quoted: bool) -> bool:
    """Whether one word looks chosen as a password: letters with digits or inner signs, digits alone, or a long run of letters."""
    if len(value) < _LEAST_PASSWORD:
        return False
    letters, digits = any(char.isalpha() for char in value), any(char.isdigit() for char in value)
    if digits:
        return letters or value.isdigit() or bool(_STRONG_QUOTED.search(value))
    if letters and (_STRONG_QUOTED if is_quoted else _STRONG_BARE).search(value):
        return True
    return drawn(value) or (is_quoted and len(value) >= _LEAST_WORD)
