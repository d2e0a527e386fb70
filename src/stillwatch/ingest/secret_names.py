"""Finds secrets that have no shape of their own by the name before them: `api_key=...`, `"password": "..."`, `| token | ... |`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stillwatch.ingest.secret_shapes import shape
from stillwatch.ingest.secret_values import CODE, drawn, is_secret, mark, mixed, trimmed

# Each begins with the character itself, by which the search finds candidates.
_CHOSEN = (
    *("password", "passwd", "passwort", "passphrase", "passcode", "pwd", "kennwort", "mot de passe", "senha", "palavra[ -]passe"),
    *("contrase(?:ñ|Ñ|n\u0303?|\\\\{1,4}u00f1)a", "пароль", "Пароль", "ПАРОЛЬ"),
    *("密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "암호"),
)
_CHOSEN_WORDS = ("pass", "pw", "clave")
_KEYS = ("api", "access", "account", "private", "signing", "encryption", "auth", "master", "shared", "secret", "storage", "subscription")
_ISSUED = (
    *(f"{kind}[ _-]?key" for kind in (*_KEYS, "client", "admin")),
    *("key_id", "secret", "token", "credentials?", "authorization", "x-auth(?:-[a-z]{1,16})?", "密钥", "密鑰"),
    *(f"{first}(?:amp;)?(?:key|code|auth|sig|signature)" for first in "?&"),
)
_WEAK_WORDS = ("key", "auth")
"""Names of much else too, so that only a long mixed value directly after the sign counts."""

_LONG_MIXED_CHARS = 12
_LAST_ASCII = "\x7f"
_HINTS = (
    *("key", "token", "secret", "pass", "pw", "kennwort", "contrase", "clave", "senha", "credential", "authorization", "x-auth"),
    *("?code", "?auth", "?sig", "&code", "&auth", "&sig", "amp;code", "amp;auth", "amp;sig", "auth="),
    *("密", "口令", "парол", "パスワード", "暗証番号", "비밀번호", "암호"),
    *sorted({f"\\u{ord(name[0]):04x}" for name in _CHOSEN + _ISSUED if name[0] > _LAST_ASCII}),
)
_BLANK = "[ \\t\\r\\n\u00a0\u202f\u3000]"
_QUOTE = r"\\{0,4}[\"'`]"
_SAYS = "is|ist|lautet|est|es|é|это"
_SAYS_GLUED = "是|为|為|は|는|은"
_COLONS = r"[:：＝]|%3[aA]|%3[dD]|\\{1,4}u(?:ff1a|FF1A)"
_VALUE_FIELD = (
    rf"(?:string_?value|array_?value|values|value){_QUOTE}{_BLANK}{{0,4}}:{_BLANK}{{0,4}}[\[{{]?{_BLANK}{{0,4}}[\[{{]?{_BLANK}{{0,4}}"
)


def _with_escaped(names: Iterable[str]) -> tuple[str, ...]:
    r"""The names, and each that is not of ASCII as JSON may write it: \u5bc6\u7801."""
    names = tuple(names)
    escaped = (["\\\\{1,4}u" + format(ord(char), "04x") for char in name] for name in names if name[0] > _LAST_ASCII)
    return names + tuple("\\" + "".join(chars).replace("\\\\{1,4}", "\\\\{0,3}", 1) for chars in escaped)


def _after_first(names: Iterable[str], *, whole: bool = False) -> str:
    """An expression for what follows the first character of a name, which was read before; `whole`: no letter may stand before it."""
    branches: dict[str, list[str]] = {}
    for name in names:
        branches.setdefault(name[0].lower(), []).append(name[1:])
    before = "(?<![A-Za-z].)" if whole else ""
    return "|".join(f"(?<={_first(first)}){before}(?:{'|'.join(rest)})" for first, rest in branches.items())


def _first(char: str) -> str:
    return f"[{re.escape(char)}{char.upper() if char.upper() != char else ''}]"


_CHOSEN_NAMES, _ISSUED_NAMES = _with_escaped(_CHOSEN), _with_escaped(_ISSUED)
_STARTS = {name[0] for name in (*_CHOSEN_NAMES, *_CHOSEN_WORDS, *_ISSUED_NAMES, *_WEAK_WORDS)}
_FIRSTS = re.escape("".join(sorted({case for first in _STARTS for case in (first.lower(), first.upper())})))
# The first character is read alone: a search for one set of characters is many times faster than a search for many names.
_NAMED = re.compile(
    rf"[{_FIRSTS}](?<!\[secret:.)(?!(?<=\[s)ecret:[a-z-]{{2,16}}:[0-9a-f]{{8}}\])"
    rf"(?:(?P<password>{_after_first(_CHOSEN_NAMES)}|{_after_first(_CHOSEN_WORDS, whole=True)})|(?:{_after_first(_ISSUED_NAMES)})"
    rf"|(?P<weak>(?<![\w.-].)(?:{_after_first(_WEAK_WORDS)})(?==[^\s=]{{{_LONG_MIXED_CHARS}}})))[0-9]?"
    rf"(?:{_BLANK}{{1,4}}(?P<said>{_SAYS}):?{_BLANK}{{1,4}}|(?P<told>{_SAYS_GLUED}):?{_BLANK}{{0,2}}"
    rf"|{_QUOTE}{_BLANK}{{0,4}},{_BLANK}{{0,4}}(?:(?:{_QUOTE}{_VALUE_FIELD}){{1,4}}|(?P<pair>(?={_QUOTE})))"
    rf"|{_QUOTE}{_BLANK}{{1,4}}value{_BLANK}{{0,2}}={_BLANK}{{0,2}}(?={_QUOTE})"
    rf"|(?P<cell>[*_`]{{0,3}}[ \t]{{0,40}}\|[ \t]{{0,8}}[*_`]{{0,3}})"
    rf"|(?:\\{{0,4}}[\"'`*_\])]|%22|%27|&quot;){{0,4}}{_BLANK}{{0,8}}"
    rf"(?::{_BLANK}{{0,2}}[A-Za-z][\w.\[\]]{{0,30}}{_BLANK}{{0,2}}=|[:=]{{1,3}}>?|{_COLONS}|>)[*_]{{0,3}}{_BLANK}{{0,8}}(?:%20|%22|%27|&quot;|\+){{0,4}})"
    rf"(?:(?:basic|bearer|token|bot|apikey|api-key|key|negotiate|digest)(?:{_BLANK}|%20|\+){{1,4}})?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_EVERY_NAME = "|".join(re.escape(name[0]) + name[1:] for name in (*_ISSUED_NAMES, *_CHOSEN_NAMES, *_CHOSEN_WORDS))
# After a comma, a `|` or "is", only a value that looks drawn counts, or one that holds a mark.
_SUSPECT_VALUE = r"[^ \t\r\n]*(?:[0-9!@#$%^~]|[A-Za-z]{16}|\[secret:)"
ASSIGNED_SUSPECT = (
    rf"(?i:(?:{_EVERY_NAME})[0-9]?"
    rf"(?:(?:{_BLANK}+(?:{_SAYS}):?{_BLANK}+|(?:{_SAYS_GLUED}):?{_BLANK}*|\\*[\"'`]{_BLANK}*,{_BLANK}*|[*_`]*[ \t]*\|[ \t]*)"
    rf"(?:[a-z-]+(?:{_BLANK}|%20|\+)+)?{_SUSPECT_VALUE}"
    rf"|\\*[\"'`]{_BLANK}+value{_BLANK}*="
    rf"|\\*[\"'`]{_BLANK}*,{_BLANK}*\\*[\"'`](?:[a-z_]+\\*[\"'`]{_BLANK}*:|[^\r\n]*[0-9])"
    rf"|(?:\\*[\"'`*_\])]|%22|%27|&quot;)*{_BLANK}*(?:[=>]|{_COLONS})[:=>*_]*{_BLANK}*[^ \t\r\n]{{2}})"
    r"|(?:key|auth)=[^ \t\r\n]*[0-9])"
)

_FLAG_NAMES = "(pass(?:word|wd|phrase)|pwd)|api[-_]?key|[a-z]{3,12}[-_]key|(?:[a-z]{3,12}[-_])?token|(?:[a-z]{3,12}[-_])?secret"


def _is_flag_secret(match: re.Match[str]) -> bool:
    value = match.group(match.re.groups)
    return not CODE.match(value) and is_secret(value, is_password=match.group(1) is not None, is_quoted=False)


FLAG = shape(
    "assigned",
    "--",
    rf"--(?:[a-z0-9]{{1,20}}[-_]){{0,2}}(?i:{_FLAG_NAMES})[ \t]{{1,4}}[\"'`]?([^\s\"'`<>\\-][^\s\"'`<>\\]{{5,}})",
    rf"--[a-z0-9_-]*(?i:{_FLAG_NAMES})[ \t]",
    _is_flag_secret,
)
"""Options of command lines, where only a blank parts the value from its name."""

# A comma, quote or bracket is part of a bare password unless the text goes on as after a value; a tail left over would tell the most.
_BARE = (
    r"(?:[^\s\\<>\"'`,;&，。；、！？）】」』]++"
    r"|(?!\\{1,8}[\"'nrt]|</|[\"'`,;&>](?:[\s,;:&)}\]>\"'`]|\Z|</|[\w.%-]{1,40}[=:]))[\\<>\"'`,;&])"
)
_JUDGED_CHARS, _JUDGED_QUOTED_CHARS = 64, 256
_AHEAD_CHARS = 64
"""What the expressions may look at beyond what is judged: quotes before it, and the name after it."""
_OPENING = re.compile(r"[bfru]{0,2}(\\{0,4}[\"'`])", re.IGNORECASE)
_BARE_VALUE = re.compile(rf"(?:[bfru]{{0,2}}\\{{0,4}}[\"'`])?(?P<value>{_BARE}++)", re.IGNORECASE)
_BARE_REST = re.compile(rf"{_BARE}*+")
_SEVERAL_WORDS = 2
_MIXED_CHARS, _LEAST_CHARS = 8, 6
_ROW_CHARS = 80


def masked_values(text: str, folded: str) -> str:
    """`text` with the values of names such as `password` marked where they look like secrets; `folded` is the text in lower case.

    A value that does not is not stepped over, since another name may stand in it. The judgement reads a bounded part, which keeps
    the time linear; what is then marked reaches to the value's end.
    """
    if not any(hint in folded for hint in _HINTS):
        return text
    kept: list[str] = []
    copied = position = 0
    while first := _NAMED.search(text, position):
        last = first
        while further := _NAMED.match(text, last.end()):  # of names in a row, such as `password=password=`, the last one has the value
            last = further
        position = last.end()
        is_password = last["password"] is not None or first["password"] is not None
        if span := _secret_span(text, last, is_password=is_password) or (
            last is not first and _secret_span(text, first, is_password=is_password)
        ):
            start, position = span
            kept += [text[copied:start], mark(text[start:position], "assigned")]
            copied = position
    return "".join([*kept, text[copied:]])


def _secret_span(text: str, found: re.Match[str], *, is_password: bool) -> tuple[int, int] | None:
    """Where the value after a name stands, if it is a secret."""
    if quoted := _quoted(text, found.end()):
        value = text[slice(*quoted)]
        is_likely = found["weak"] is None and (found["pair"] is None or mixed(value, _MIXED_CHARS))
        if is_likely and is_secret(value, is_password=is_password, is_quoted=True):
            return quoted
        if len(value.split()) < _SEVERAL_WORDS:
            return None
    if found["pair"] is not None or (found["cell"] is not None and not _is_in_row(text, found.start())):
        return None
    return _bare_span(text, found, is_password=is_password)


def _quoted(text: str, start: int) -> tuple[int, int] | None:
    """Where the value between two quotes of the same kind stands, on one line."""
    opening = _OPENING.match(text, start)
    if not opening:
        return None
    quote, begin = opening[1], opening.end()
    last = begin + _JUDGED_QUOTED_CHARS + len(quote)
    end = text.find(quote, begin, last)
    while end > begin and text[end - 1] == "\\":
        end = text.find(quote, end + 1, last)
    value = text[begin : max(begin, end)]
    return (begin, end) if value and "\n" not in value and "\r" not in value else None


def _is_in_row(text: str, start: int) -> bool:
    """Whether a name stands in a row of a table, which shows by a `|` before it, and is no variable of a shell."""
    before = text[max(0, start - _ROW_CHARS) : start].rpartition("\n")[2]
    return "|" in before and not before.endswith(("$", "{"))


def _bare_span(text: str, found: re.Match[str], *, is_password: bool) -> tuple[int, int] | None:
    """Where a value without quotes stands, if it is a secret."""
    bare = _BARE_VALUE.match(text, found.end(), found.end() + _JUDGED_CHARS + _AHEAD_CHARS)
    if not bare or bare.end() - bare.start("value") < _LEAST_CHARS:
        return None
    start, value = bare.start("value"), bare["value"][:_JUDGED_CHARS]
    if found["cell"] is not None:
        value = value.partition("|")[0]
    if not _is_bare_secret(value, found, is_password=is_password):
        return None
    end = start + len(value)
    if len(value) == _JUDGED_CHARS and (rest := _BARE_REST.match(text, end)):
        end = rest.end()
    last = max(start, end - _JUDGED_CHARS)
    return start, last + len(trimmed(text[last:end]))


def _is_bare_secret(value: str, found: re.Match[str], *, is_password: bool) -> bool:
    """A value without quotes may also be code, the prose after "the password is", or a shell's folder."""
    if ((found["said"] or found["told"]) and not drawn(value)) or (found["weak"] and not mixed(value, _LONG_MIXED_CHARS)):
        return False
    shortened = trimmed(value)
    if CODE.match(value) or CODE.match(shortened) or (found["password"] in {"wd", "WD"} and value.startswith(("/", "~"))):
        return False
    return is_secret(shortened, is_password=is_password, is_quoted=False)
