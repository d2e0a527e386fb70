"""Recognises secrets in log text and puts a short fingerprint in their place."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_KEY_HEX = 32
_FINGERPRINT_HEX = 8
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_HASHED_KEY = re.compile(r"key:[0-9a-f]{32}")
_MARK = re.compile(r"\[secret:[a-z-]{2,16}:[0-9a-f]{8}\]")
_OPEN_MARK = re.compile(r"\[secret:[a-z-]{2,16}:[0-9a-f]{8}\Z")
_JWT_DOTS = 2
_ROUNDS = 4
"""A mark may free a name or a link that a longer secret had hidden; one more look nearly always suffices."""

# Nothing here is bounded by `\b`: it sees no border between a key and the letter, ideogram or underscore that it is glued to. What
# words do by accident (`task-...`) is told from keys by whether the body looks drawn at random.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """One kind of secret that is known by its shape.

    Attributes:
        hints: lower-case; a text that holds none of them cannot match.
        expression: its group 1, or all of it where it has none, is the secret.
        suspect: RE2; matches wherever `expression` does.
        proof: what the whole match must pass too.
    """

    kind: str
    hints: tuple[str, ...]
    expression: re.Pattern[str]
    suspect: str
    proof: Callable[[re.Match[str]], bool]


def _always(_: re.Match[str]) -> bool:
    return True


_RUN = re.compile(r"[A-Za-z0-9]+")
_WORDLIKE_CHARS = 16
_DRAWN_CHARS = 8
_LONG_CHARS = 32


def _drawn(text: str) -> bool:
    """Whether an unbroken piece is longer than words are, or mixes letters and digits over at least 8 characters."""
    for piece in _RUN.findall(text):
        mixed = not piece.isalpha() and not piece.isdigit()
        if len(piece) >= _WORDLIKE_CHARS or (mixed and len(piece) >= _DRAWN_CHARS):
            return True
    return False


def _secret_is_drawn(match: re.Match[str]) -> bool:
    return _drawn(match.group(match.re.groups))


def _is_sk_key(match: re.Match[str]) -> bool:
    """After a vowel, `sk-` ends a word such as task, disk or risk, and ids follow that (`task-3f2b...`); keys mix the cases as well."""
    body = match.group().partition("sk-")[2]
    if match.string[match.start() - 1 : match.start()].lower() not in {"a", "e", "i", "o", "u"}:
        return _drawn(body) or (len(body) >= _LONG_CHARS and _mixes_cases_and_digits(body))
    return any(_drawn(run) and _mixes_cases_and_digits(run) for run in _RUN.findall(body))


def _mixes_cases_and_digits(text: str) -> bool:
    return text.lower() != text != text.upper() and any(char.isdigit() for char in text)


def _is_jwt(match: re.Match[str]) -> bool:
    return match.group().count(".") >= _JWT_DOTS


def _is_basic(match: re.Match[str]) -> bool:
    """Base64 of `user:password`; "Basic Information" is none."""
    body = match.group(1).rstrip("=")
    try:
        pair = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_" if "-" in body or "_" in body else None, validate=True)
        return ":" in (text := pair.decode()) and text.isprintable()
    except (binascii.Error, ValueError):
        return False


def _holds_password(match: re.Match[str]) -> bool:
    return not _is_known(match.group(1))


def _shape(kind: str, hints: str, expression: str, suspect: str, proof: Callable[[re.Match[str]], bool] = _always) -> _Pattern:
    return _Pattern(kind=kind, hints=tuple(hints.split()), expression=re.compile(expression, re.ASCII), suspect=suspect, proof=proof)


def _prefixed(kind: str, hints: str, prefix: str, body: str, least: int) -> _Pattern:
    """A fixed beginning, then at least `least` characters of `body`."""
    return _shape(kind, hints, f"{prefix}{body}{{{least},}}", f"{prefix}{body}{{{min(least, 8)}}}")


def _prefixed_drawn(kind: str, hints: str, prefix: str) -> _Pattern:
    """A beginning that also stands in names of programs, so that what follows must look drawn."""
    return _shape(kind, hints, f"{prefix}[A-Za-z0-9_-]{{20,}}", f"{prefix}[A-Za-z0-9_-]{{8}}", _secret_is_drawn)


_ALNUM, _DASHED = "[A-Za-z0-9]", "[A-Za-z0-9_-]"
_SHAPES = (
    _shape(
        "private-key",
        "-----begin",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[A-Za-z0-9+/=\s\\:,.()]|-(?!-))*+(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
    ),
    _prefixed("stripe", "k_live_ k_test_ whsec_", "(?:[rsp]k_(?:live|test)|whsec)_", _ALNUM, 16),
    _prefixed("aws", "akia asia", "(?:AKIA|ASIA)", "[0-9A-Z]", 16),
    _prefixed("github", "ghp_ gho_ ghu_ ghs_ ghr_", "gh[pousr]_", _ALNUM, 20),
    _prefixed("github", "github_pat_", "github_pat_", "[A-Za-z0-9_]", 20),
    _prefixed("gitlab", "glpat- glrt- gldt- glptt- glcbt-", "gl(?:pat|rt|dt|ptt|cbt)-", _DASHED, 16),
    _prefixed("slack", "xox xapp-", "(?:xox[abeprs]|xapp)-", "[A-Za-z0-9-]", 10),
    _prefixed_drawn("slack", "xoxo-", "xoxo-"),
    _prefixed("google", "aiza", "AIza", _DASHED, 30),
    _prefixed("google", "ya29.", r"ya29\.(?:[0-9]\.)?", _DASHED, 16),
    _prefixed("google", "gocspx-", "GOCSPX-", _DASHED, 16),
    _prefixed_drawn("huggingface", "hf_", "hf_"),
    _prefixed_drawn("npm", "npm_", "npm_"),
    _prefixed_drawn("groq", "gsk_", "gsk_"),
    _prefixed_drawn("xai", "xai-", "xai-"),
    _prefixed_drawn("replicate", "r8_", "r8_"),
    _prefixed_drawn("nvidia", "nvapi-", "nvapi-"),
    _prefixed_drawn("perplexity", "pplx-", "pplx-"),
    _prefixed_drawn("pypi", "pypi-", "pypi-"),
    _prefixed_drawn("shopify", "shpat_ shpss_ shpca_ shppa_", "shp(?:at|ss|ca|pa)_"),
    _prefixed_drawn("vault", "hvs.", r"hvs\."),
    _prefixed("digitalocean", "_v1_", "do[opr]_v1_", "[a-f0-9]", 20),
    _shape("sendgrid", "sg.", rf"SG\.{_DASHED}{{16,}}\.{_DASHED}{{16,}}", rf"SG\.{_DASHED}{{8}}"),
    # The dots are optional here and counted afterwards: a pattern that fails late would take quadratic time on hostile text.
    _shape("jwt", "eyj", rf"eyJ{_DASHED}{{8,}}(?:\.{_DASHED}*){{0,2}}(?:\.{_DASHED}+){{0,2}}", rf"eyJ{_DASHED}{{8,}}\.", _is_jwt),
    # After the other shapes, of which one may stand behind `task-`.
    _shape("anthropic", "sk-ant-", rf"sk-ant-{_DASHED}{{16,}}", rf"sk-{_DASHED}{{16}}", _is_sk_key),
    # In the second half each `sk-` is tried alone, so that `task-` before a key does not swallow it.
    _shape(
        "openai",
        "sk-",
        rf"(?<![aeiouAEIOU])sk-{_DASHED}{{16,}}|(?<=[aeiouAEIOU])sk-(?:(?!sk-){_DASHED}){{16,}}",
        rf"sk-{_DASHED}{{16}}",
        _is_sk_key,
    ),
    _shape(
        "bearer",
        "bearer",
        r"(?i:bearer)[ \t\r\n:=\"'\\]{1,8}([A-Za-z0-9._~+/=-]{16,})",
        r"(?i:bearer)[ \t\r\n:=\"'\\]+[A-Za-z0-9._~+/=-]{16}",
        _secret_is_drawn,
    ),
    _shape(
        "basic",
        "basic",
        r"(?i:basic)[ \t]{1,4}([a-z]*[A-Z0-9+/][A-Za-z0-9+/_-]{4,}={0,2})",
        r"(?i:basic)[ \t]+[a-z]*[A-Z0-9+/][A-Za-z0-9+/_-]{4}",
        _is_basic,
    ),
)
_LINK = _shape("url", "://", r"://[^\s/@:\"'`<>]*:([^\s/\"'`<>]+)@", r"://[^\s/@:]*:[^\s/]+@", _holds_password)

# Secrets without a shape are known by the name before them: `api_key=...`, `"password": "..."`, `AccountKey=...`.
_CHOSEN_NAME = r"passw(?:or)?d|passwort|passphrase|passcode|pwd|密码|密碼|口令"
_ISSUED_NAME = (
    r"(?:api|access|account|private|signing|encryption|auth|master|shared|secret|storage|subscription|client|admin)[ _-]?key|key_id"
    r"|secret|token|credentials?|authorization|[?&]sig|密钥|密鑰"
)
_ASSIGNED_HINTS = ("key", "token", "secret", "pass", "pw", "credential", "authorization", "sig", "密", "口令")
_BLANK = r"[ \t\r\n]"
_NAMED = re.compile(
    rf"(?<!\[secret:)(?!(?<=\[)secret:[a-z-]{{2,16}}:[0-9a-f]{{8}}\])(?:(?P<password>{_CHOSEN_NAME}|(?<![A-Za-z])(?:pass|pw))|{_ISSUED_NAME})[0-9]?"
    rf"(?:{_BLANK}{{1,4}}(?P<said>is):?{_BLANK}{{1,4}}|\\{{0,4}}[\"'`*_\])]{{0,4}}{_BLANK}{{0,8}}"
    rf"(?::{_BLANK}{{0,2}}[A-Za-z][\w.\[\]]{{0,30}}{_BLANK}{{0,2}}=|[:=]{{1,3}}>?|：|>)[*_]{{0,3}}{_BLANK}{{0,8}})"
    rf"(?:(?:basic|bearer|token|bot|apikey|api-key|key|negotiate|digest){_BLANK}{{1,4}})?",
    re.IGNORECASE | re.ASCII,
)
_ASSIGNED_SUSPECT = (
    rf"(?i:(?:{_CHOSEN_NAME}|pass|pw|{_ISSUED_NAME})[0-9]?(?:{_BLANK}+is:?{_BLANK}|\\*[\"'`*_\])]*{_BLANK}*(?:[:=]|：|>)[:=>*_]*){_BLANK}*"
    r"[^ \t\r\n]{2})"
)
SUSPECT = "|".join([*dict.fromkeys(shape.suspect for shape in (*_SHAPES, _LINK)), _ASSIGNED_SUSPECT])
"""A regular expression (RE2) that matches every text in which `mask` would change something.

Arrow's RE2 runs in linear time but knows neither look-around nor possessive repeats, so this only finds candidates.
"""

# A comma, quote or bracket is part of a bare password unless the text goes on as after a value; a tail left over would tell the most.
_BARE = (
    r"(?:[^\s\\<>\"'`,;&，。；、！？）】」』]"
    r"|(?!\\{1,8}[\"'nrt]|</|[\"'`,;&>](?:[\s,;:&)}\]>\"'`]|\Z|</|[\w.%-]{1,40}[=:]))[\\<>\"'`,;&])"
)
_JUDGED_CHARS = 64
_QUOTED_VALUE = re.compile(
    r"[bfru]{0,2}(?P<quote>\\{0,4}[\"'`])(?P<value>(?:(?!(?<!\\)(?P=quote))[^\r\n]){1,256})(?P=quote)", re.IGNORECASE
)
_BARE_VALUE = re.compile(rf"(?:[bfru]{{0,2}}\\{{0,4}}[\"'`])?(?P<value>{_BARE}{{1,{_JUDGED_CHARS}}})", re.IGNORECASE)
_BARE_REST = re.compile(rf"{_BARE}*+")

# What stands for a value that is elsewhere: `${X}`, `{{ x }}`, `<your key>`, `%(x)s`, `****`.
_REFERENCE = re.compile(
    r"\$[{(]|\{\{"
    r"|(?:\$(?:[A-Z_][A-Z0-9_]*|[a-z_]+)|\{[\w.\[\]]*\}|<[^<>]*>|%(?:\(\w+\))?[sd]|%[A-Z_]+%|[*xX.•…_-]+|\[[A-Za-z_ -]*\])[),.;:]*\Z"
)
# A call, an index, an attribute, or a variable named for what it holds.
_CODE = re.compile(
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
    for shape in _SHAPES:
        text = _masked_shape(text, shape, folded)
    if any(hint in folded for hint in _ASSIGNED_HINTS):
        text = _masked_values(text)
    return _masked_shape(text, _LINK, folded)


def _masked_shape(text: str, shape: _Pattern, folded: str) -> str:
    if not any(hint in folded for hint in shape.hints):
        return text

    def marked(match: re.Match[str]) -> str:
        if not shape.proof(match):
            return match.group()
        start, end = match.span(match.re.groups)
        return match.string[match.start() : start] + _mark(match.string[start:end], shape.kind) + match.string[end : match.end()]

    return shape.expression.sub(marked, text)


def _mark(secret: str, kind: str) -> str:
    return f"[secret:{kind}:{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()[:_FINGERPRINT_HEX]}]"


def _masked_values(text: str) -> str:
    """`text` with the values of names such as `password` marked where they look like secrets.

    A value that does not is not stepped over, since another name may stand in it. The judgement reads a bounded part, which keeps
    the time linear; what is then marked reaches to the value's end.
    """
    kept: list[str] = []
    copied = position = 0
    while found := _NAMED.search(text, position):
        position = found.end()
        if span := _secret_span(text, found):
            start, position = span
            kept += [text[copied:start], _mark(text[start:position], "assigned")]
            copied = position
    return "".join([*kept, text[copied:]])


def _secret_span(text: str, found: re.Match[str]) -> tuple[int, int] | None:
    """Where the value after a name stands, if it is a secret."""
    is_password = found["password"] is not None
    quoted = _QUOTED_VALUE.match(text, found.end())
    if quoted:
        if _is_secret(quoted["value"], is_password=is_password, is_quoted=True):
            return quoted.span("value")
        if len(quoted["value"].split()) < _SEVERAL_WORDS:
            return None
    bare = _BARE_VALUE.match(text, found.end())
    if not bare or not _is_bare_secret(bare["value"], found):
        return None
    start, end = bare.start("value"), _end_of(_BARE_REST, text, bare.end())
    last = max(start, end - _JUDGED_CHARS)
    return start, last + len(_trimmed(text[last:end]))


def _is_bare_secret(value: str, found: re.Match[str]) -> bool:
    """A value without quotes may also be code, the prose after "the password is", or a shell's folder."""
    trimmed = _trimmed(value)
    name = found["password"] or ""
    if _CODE.match(value) or _CODE.match(trimmed) or (name.lower() == "pwd" and value.startswith(("/", "~"))):
        return False
    return not (found["said"] and not _drawn(value)) and _is_secret(trimmed, is_password=bool(name), is_quoted=False)


def _trimmed(value: str) -> str:
    """A bare value without the brackets and stops after it; a mark keeps its own bracket."""
    stripped = value.rstrip(_CLOSERS)
    return stripped + "]" if _OPEN_MARK.search(stripped) else stripped


def _end_of(expression: re.Pattern[str], text: str, start: int) -> int:
    match = expression.match(text, start)
    return match.end() if match else start


def _is_known(value: str) -> bool:
    """Whether a value is already a mark or a hashed key, or stands for one that is elsewhere."""
    beyond = _MARK.sub("", value)
    if beyond != value:
        return not any(char.isalnum() for char in beyond)
    return bool(_HASHED_KEY.match(value) or _REFERENCE.match(value))


def _is_secret(value: str, *, is_password: bool, is_quoted: bool) -> bool:
    if _is_known(value) or _ORDINARY.match(value):
        return False
    if "[secret:" in value and _MARK.search(value):
        return True
    if len(words := value.split()) > 1:
        most = _MOST_WORDS_PASSWORD if is_password else _MOST_WORDS_KEY
        return len(words) <= most and any(_drawn(word) and not _ORDINARY.match(word) for word in words)
    return _is_password(value, is_quoted=is_quoted) if is_password else len(value) >= _LEAST_KEY and _drawn(value)


def _is_password(value: str, *, is_quoted: bool) -> bool:
    """Whether one word looks chosen as a password: letters with digits or inner signs, digits alone, or a long run of letters."""
    if len(value) < _LEAST_PASSWORD:
        return False
    letters, digits = any(char.isalpha() for char in value), any(char.isdigit() for char in value)
    if digits:
        return letters or value.isdigit() or bool(_STRONG_QUOTED.search(value))
    if letters and (_STRONG_QUOTED if is_quoted else _STRONG_BARE).search(value):
        return True
    return _drawn(value) or (is_quoted and len(value) >= _LEAST_WORD)


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
