"""Recognises secrets in log text and puts a short fingerprint in their place."""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.secret_names import ASSIGNED_SUSPECT, FLAG, masked_values
from stillwatch.ingest.secret_shapes import BOT_TOKEN, LINK, SHAPES, Pattern
from stillwatch.ingest.secret_values import HASHED_KEY, mark

_KEY_HEX = 32
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ROUNDS = 4
"""A mark may free a name or a link that a longer secret had hidden; one more look nearly always suffices."""

_SHAPE_SUSPECT = "|".join(dict.fromkeys(shape.suspect for shape in (*SHAPES, FLAG, LINK)))
_LONG_TEXT_CHARS = 50_000
"""From here on it pays to ask for all shapes at once before each is looked for."""

_SCANS = (
    "|".join([*dict.fromkeys(kind.suspect for kind in (*SHAPES, FLAG, LINK) if kind is not BOT_TOKEN), ASSIGNED_SUSPECT]),
    BOT_TOKEN.suspect,
)
"""Two expressions that are looked for one after the other take half the time of one: the states of both would not fit RE2's table."""

SUSPECT = "|".join(_SCANS)
"""A regular expression (RE2) that matches every text in which `mask` would change something.

Arrow's RE2 runs in linear time but knows neither look-around nor possessive repeats, so this only finds candidates.
"""


def mask(text: str) -> str:
    """`text` with each recognised secret replaced by `[secret:KIND:8 hex]`, the hex being the start of the secret's sha256.

    The same secret always gives the same mark, so that a reader can see that two texts held the same one. Masking twice changes
    nothing more. A secret is known by its shape, by the name before it, or by its place in a link; one that has none of these stays.
    """
    for _ in range(_ROUNDS):
        masked = _masked_once(text)
        if masked == text:
            break
        text = masked
    return text


def _masked_once(text: str) -> str:
    folded = text.lower()
    if len(text) < _LONG_TEXT_CHARS or _has_shape(text):
        for shape in (*SHAPES, FLAG):
            text = _masked_shape(text, shape, folded)
    return _masked_shape(masked_values(text, folded), LINK, folded)


def _has_shape(text: str) -> bool:
    return pc.match_substring_regex(pa.array([text.encode("utf-8", "replace").decode()]), _SHAPE_SUSPECT)[0].as_py()


def _masked_shape(text: str, shape: Pattern, folded: str) -> str:
    if not any(hint in folded for hint in shape.hints):
        return text

    def marked(match: re.Match[str]) -> str:
        if not shape.proof(match):
            return match.group()
        start, end = match.span(match.re.groups)
        return match.string[match.start() : start] + mark(match.string[start:end], shape.kind) + match.string[end : match.end()]

    return shape.expression.sub(marked, text)


def mask_array(array: pa.Array) -> pa.Array:
    """A string array with `mask` applied to each value that needs it; the same array when none does."""
    suspect = pc.or_(*(pc.match_substring_regex(array, expression) for expression in _SCANS))
    if not pc.any(suspect).as_py():
        return array
    masked = pa.array([mask(text) for text in array.filter(suspect).to_pylist()], type=array.type)
    return pc.replace_with_mask(array, pc.fill_null(suspect, fill_value=False), masked)


def hash_key(value: str) -> str:
    """The identifier under which an API key is known: `key:` and the first 32 hex digits of its sha256.

    A value that already is a sha256 (64 hex digits) or such an identifier is not hashed again, so that a key and its logged hash meet.
    """
    if HASHED_KEY.fullmatch(value):
        return value
    if _SHA256.fullmatch(value):
        return "key:" + value.lower()[:_KEY_HEX]
    return "key:" + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:_KEY_HEX]
