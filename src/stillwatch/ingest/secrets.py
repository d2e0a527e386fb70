"""Recognises secrets in log text and puts a short fingerprint in their place."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_KEY_HEX = 32
_FINGERPRINT_HEX = 8
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_HASHED_KEY = re.compile(r"key:[0-9a-f]{32}")
_JWT_DOTS = 2

# The names under which keys and passwords are handed over: `api_key=...`, `"password": "..."`.
_ASSIGNED_NAME = (
    r"(?:api[_-]?key|user_api_key|key_id|secret[_-]?(?:access[_-]?)?key|access[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret"
    r"|passw(?:or)?d|authorization)"
)
_ASSIGNED_SIGN = r"\\*[\"']?\s*[:=]\s*\\*[\"']?"
_ASSIGNED_VALUE = r"[A-Za-z0-9_\-./+=~]{12,}"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One kind of secret. `hints` are lower-case: a text that holds none of them cannot match."""

    kind: str
    hints: tuple[str, ...]
    expression: re.Pattern[str]


def _pattern(kind: str, hints: str, expression: str) -> _Pattern:
    return _Pattern(kind, tuple(hints.split()), re.compile(expression))


_PATTERNS = (
    _pattern(
        "private-key",
        "-----begin",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\:,.]|-(?!-))*+(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?",
    ),
    _pattern("anthropic", "sk-ant-", r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    _pattern("openai", "sk-", r"\bsk-[A-Za-z0-9_-]{20,}"),
    _pattern("stripe", "k_live_ k_test_", r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _pattern("aws", "akia asia", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    _pattern("github", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})"),
    _pattern("gitlab", "glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    _pattern("slack", "xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _pattern("google", "aiza", r"\bAIza[0-9A-Za-z_-]{35}"),
    _pattern("huggingface", "hf_", r"\bhf_[A-Za-z0-9]{30,}"),
    # The dots are optional here and counted afterwards: a pattern that fails late would take quadratic time on hostile text.
    _pattern("jwt", "eyj", r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"),
    _pattern("bearer", "bearer", r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{16,})"),
    _pattern(
        "assigned",
        "key token secret passw authorization",
        rf"(?i){_ASSIGNED_NAME}{_ASSIGNED_SIGN}({_ASSIGNED_VALUE})",
    ),
)

# Arrow's RE2 runs in linear time but knows no look-ahead and no possessive repeats, so this only finds candidates.
SUSPECT = "|".join(
    (
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----",
        r"\bsk-[A-Za-z0-9_-]{16}",
        r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{16}",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}",
        r"\bgh[pousr]_[A-Za-z0-9]{30}",
        r"\bgithub_pat_",
        r"\bglpat-",
        r"\bxox[abeoprs]-",
        r"\bAIza[0-9A-Za-z_-]{35}",
        r"\bhf_[A-Za-z0-9]{30}",
        r"\beyJ[A-Za-z0-9_-]{8}",
        r"(?i:\bbearer\s+[A-Za-z0-9._~+/=-]{16})",
        rf"(?i:{_ASSIGNED_NAME}{_ASSIGNED_SIGN}{_ASSIGNED_VALUE})",
    )
)
"""A regular expression (RE2) that matches every text in which `mask` would change something."""


def mask(text: str) -> str:
    """`text` with each recognised secret replaced by `[secret:KIND:8 hex]`, the hex being the start of the secret's sha256.

    The same secret always gives the same mark, so that a reader can see that two texts held the same one.
    """
    folded = text.lower()
    for pattern in _PATTERNS:
        if any(hint in folded for hint in pattern.hints):
            text = pattern.expression.sub(lambda match, kind=pattern.kind: _mark(match, kind), text)
    return text


def _mark(match: re.Match[str], kind: str) -> str:
    whole = match.group()
    if kind == "jwt" and whole.count(".") < _JWT_DOTS:
        return whole
    secret = match.group(1) if match.re.groups else whole
    if secret.startswith(("secret:", "key:")):
        return whole
    fingerprint = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:_FINGERPRINT_HEX]
    return whole.replace(secret, f"[secret:{kind}:{fingerprint}]")


def mask_array(array: pa.Array) -> pa.Array:
    """A string array with `mask` applied to each value that needs it; the same array when none does."""
    suspect = pc.match_substring_regex(array, SUSPECT)
    if not pc.any(suspect).as_py():
        return array
    masked = pa.array([mask(text) for text in array.filter(suspect).to_pylist()], type=array.type)
    return pc.replace_with_mask(array, pc.fill_null(suspect, fill_value=False), masked)


def hash_key(value: str) -> str:
    """The identifier under which an API key is known: `key:` and the first 32 hex digits of its sha256.

    A value that already is a sha256 (64 hex digits) or such an identifier is not hashed again, so that a key and its logged hash meet.
    """
    if _HASHED_KEY.fullmatch(value):
        return value
    if _SHA256.fullmatch(value):
        return "key:" + value.lower()[:_KEY_HEX]
    return "key:" + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:_KEY_HEX]
