"""The kinds of secrets that are known by their shape, whatever stands around them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.ingest.secret_values import RUN, drawn, is_known, mixed, mixes_cases_and_digits

_JWT_DOTS = 2
_LONG_CHARS = 32
_SQUARE_LETTERS = 20
_USER_CHARS = 16

# Nothing here is bounded by `\b`: it sees no border between a key and the letter, ideogram or underscore that it is glued to. What
# words do by accident (`task-...`) is told from keys by whether the body looks drawn at random.


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
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


def _secret_is_drawn(match: re.Match[str]) -> bool:
    return drawn(match.group(match.re.groups))


def _is_drawn_user(match: re.Match[str]) -> bool:
    """The user of a link, where it is no name: a long piece that mixes letters and digits."""
    return mixed(match.group(1), _USER_CHARS)


def _is_sk_key(match: re.Match[str]) -> bool:
    """After a vowel, `sk-` ends a word such as task, disk or risk, and ids follow that (`task-3f2b...`); keys mix the cases as well."""
    body = match.group().partition("sk-")[2]
    if match.string[match.start() - 1 : match.start()].lower() not in {"a", "e", "i", "o", "u"}:
        return drawn(body) or (len(body) >= _LONG_CHARS and mixes_cases_and_digits(body))
    return any(drawn(run) and mixes_cases_and_digits(run) for run in RUN.findall(body))


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


def _is_discord_token(match: re.Match[str]) -> bool:
    """Names of programs may have dots at the same places."""
    return mixes_cases_and_digits(match.group(1).partition(".")[2])


def _is_square_token(match: re.Match[str]) -> bool:
    """Pictures in base64 may begin in the same way, with a long run of one letter."""
    return mixes_cases_and_digits(match.group()) and len(set(match.group())) >= _SQUARE_LETTERS


def _holds_password(match: re.Match[str]) -> bool:
    return not is_known(match.group(1))


def shape(kind: str, hints: str, expression: str, suspect: str, proof: Callable[[re.Match[str]], bool] = _always) -> Pattern:
    """A kind of secret; what each argument means stands at `Pattern`, but that `hints` are parted by blanks."""
    return Pattern(kind=kind, hints=tuple(hints.split()), expression=re.compile(expression, re.ASCII), suspect=suspect, proof=proof)


def _prefixed(kind: str, hints: str, prefix: str, body: str, least: int) -> Pattern:
    """A fixed beginning, then at least `least` characters of `body`."""
    return shape(kind, hints, f"{prefix}{body}{{{least},}}", f"{prefix}{body}{{{min(least, 8)}}}")


def _prefixed_drawn(kind: str, hints: str, prefix: str) -> Pattern:
    """A beginning that also stands in names of programs, so that what follows must look drawn."""
    return shape(kind, hints, f"{prefix}[A-Za-z0-9_-]{{20,}}", f"{prefix}[A-Za-z0-9_-]{{8}}", _secret_is_drawn)


_ALNUM, _DASHED = "[A-Za-z0-9]", "[A-Za-z0-9_-]"
_COOKIE_NAME, _COOKIE_VALUE = "[!#$%&*+.^_|~A-Za-z0-9-]{1,64}", r"=[^\s;,\"'`\\<>]*+"
# The dots are found first: the run before them is looked for nowhere else.
BOT_TOKEN = shape(
    "discord",
    ".",
    rf"\.(?<={_DASHED}{{23}}\.)({_DASHED}{{6}}\.{_DASHED}{{27,}})",
    rf"\.{_DASHED}{{6}}\.{_DASHED}{{27}}",
    _is_discord_token,
)
SHAPES = (
    shape(
        "private-key",
        "-----begin",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[A-Za-z0-9+/=\s\\:,.()]|-(?!-))*+(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
    ),
    _prefixed("stripe", "k_live_ k_test_ whsec_", "(?:[rsp]k_(?:live|test)|whsec)_", _ALNUM, 16),
    _prefixed("aws", "akia asia", "(?:AKIA|ASIA)", "[0-9A-Z]", 16),
    _prefixed("aws", "absk", "ABSK", "[A-Za-z0-9+/=]", 40),
    _prefixed("aws", "bedrock-api-key-", "bedrock-api-key-YmVkcm9jay", "[A-Za-z0-9+/=_-]", 30),
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
    shape(
        "slack",
        "hooks.slack.com",
        r"(?i:hooks\.slack\.com)\\{0,4}/(?i:services|workflows|triggers)\\{0,4}/([A-Za-z0-9_/\\-]{16,})",
        r"(?i:hooks\.slack\.com)\\*/",
    ),
    shape(
        "discord",
        "webhooks",
        rf"(?i:webhooks)\\{{0,4}}/[0-9]{{5,25}}\\{{0,4}}/({_DASHED}{{16,}})",
        rf"(?i:webhooks)\\*/[0-9]{{5,25}}\\*/{_DASHED}{{8}}",
    ),
    shape("telegram", ":aa", rf":(AA(?<=[0-9]{{8}}:AA){_DASHED}{{30,}})", rf"[0-9]:AA{_DASHED}{{8}}"),
    shape("twilio", "sk ac", "(?:SK|AC)[0-9a-f]{32}", "(?:SK|AC)[0-9a-f]{8}"),
    _prefixed("mailgun", "key-", "key-", "[0-9a-f]", 32),
    shape("mailchimp", "-us", "(?<![0-9a-f])[0-9a-f]{32,}+-us[0-9]{1,2}", "[0-9a-f]-us[0-9]"),
    shape("databricks", "dapi", "dapi[0-9a-f]{32}(?:-[0-9])?", "dapi[0-9a-f]{8}"),
    _prefixed("notion", "secret_ ntn_", "(?:secret|ntn)_", _ALNUM, 40),
    _prefixed("linear", "lin_api_ lin_oauth_", "lin_(?:api|oauth)_", _ALNUM, 20),
    shape("airtable", "pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{8}"),
    _prefixed("figma", "figd_ figo_ figp_", "fig[dop]_", _DASHED, 20),
    _prefixed_drawn("grafana", "glsa_", "glsa_"),
    _prefixed("grafana", "glc_", "glc_", "[A-Za-z0-9+/=]", 32),
    _prefixed("docker", "dckr_", "dckr_[po]at_", _DASHED, 20),
    _prefixed("newrelic", "nrak-", "NRAK-", "[A-Z0-9]", 20),
    _prefixed("atlassian", "atatt3 atctt3", "AT[AC]TT3", "[A-Za-z0-9_=-]", 20),
    _prefixed("postman", "pmak-", "PMAK-", "[0-9a-f-]", 24),
    _prefixed_drawn("pinecone", "pcsk_", "pcsk_"),
    _prefixed("langsmith", "lsv2_", "lsv2_(?:pt|sk)_", "[0-9a-f_]", 24),
    # After a vowel it may be an id such as `task_...`, of 32 or 64 digits.
    shape("elevenlabs", "sk_", "(?<![aeiouAEIOU])sk_[0-9a-f]{40,}|sk_[0-9a-f]{48}(?![0-9a-f])", "sk_[0-9a-f]{16}"),
    _prefixed("sentry", "sntrys_ sntryu_", "sntry[su]_", "[A-Za-z0-9+/=_]", 20),
    _prefixed("square", "sq0", "sq0(?:atp|csp|idp|idb)-", _DASHED, 16),
    shape("square", "eaaa", rf"(?<![A-Za-z0-9+/])EAAA{_DASHED}{{56,}}", f"EAAA{_DASHED}{{32}}", _is_square_token),
    shape(
        "paypal",
        "access_token$",
        r"access_token\$(?:production|sandbox)\$([0-9A-Za-z]{8,}\$[0-9A-Za-z]{16,})",
        r"access_token\$(?:production|sandbox)\$",
    ),
    _prefixed("supabase", "sbp_", "sbp_(?:oauth_|v0_)?", "[0-9a-f]", 32),
    shape(
        "doppler",
        "dp.",
        r"dp\.(?:ct|pt|st|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{32,}",
        r"dp\.(?:ct|pt|st|sa|scim|audit)\.",
    ),
    _prefixed("rubygems", "rubygems_", "rubygems_", "[0-9a-f]", 32),
    _prefixed_drawn("planetscale", "pscale_", "pscale_(?:tkn|pw|oauth)_"),
    _prefixed_drawn("tavily", "tvly-", "tvly-"),
    _prefixed_drawn("together", "tgp_v1_", "tgp_v1_"),
    shape("age", "age-secret-key-1", "(?i:AGE-SECRET-KEY-1[A-Z0-9]{20,})", "(?i:AGE-SECRET-KEY-1[A-Z0-9]{8})"),
    shape(
        "private-key",
        "private-lines",
        r"Private-Lines:[ \t]{0,4}[0-9]{1,4}"
        r"((?:(?:\s|\\{1,8}[nr]){1,8}[A-Za-z0-9+/]{2,}+={0,2}(?=[\s\\\"'`<]|\Z))+)",
        r"Private-Lines:",
    ),
    BOT_TOKEN,
    shape(
        "session",
        "cookie",
        rf"(?i:cookie2?)[\\\"'`]{{0,5}}[ \t]{{0,4}}[:=][ \t\\\"'`\[]{{0,8}}"
        rf"({_COOKIE_NAME}{_COOKIE_VALUE}(?:;[ \t]?{_COOKIE_NAME}(?:{_COOKIE_VALUE})?)*+)",
        r"(?i:cookie2?)[\\\"'`]*[ \t]*[:=][ \t\\\"'`\[]*[!#$%&*+.^_|~A-Za-z0-9-]+=",
        _secret_is_drawn,
    ),
    # `https://<token>@host`: a token in the place of a user, without a password
    shape("url", "://", rf"://({_DASHED}{{{_USER_CHARS},}})@", rf"://{_DASHED}{{8,}}@", _is_drawn_user),
    # the private numbers of a key in JSON: RFC 7518, sections 6.2.2 and 6.3.2
    shape(
        "jwk",
        "kty",
        rf"\"(?:d|p|q|dp|dq|qi)\\{{0,4}}\"\s{{0,4}}:\s{{0,4}}\\{{0,4}}\"({_DASHED}{{40,}})",
        rf"\"(?:d|p|q|dp|dq|qi)\\*\"\s*:\s*\\*\"{_DASHED}{{16}}",
        _secret_is_drawn,
    ),
    _prefixed("digitalocean", "_v1_", "do[opr]_v1_", "[a-f0-9]", 20),
    shape("sendgrid", "sg.", rf"SG\.{_DASHED}{{16,}}\.{_DASHED}{{16,}}", rf"SG\.{_DASHED}{{8}}"),
    # The dots are optional here and counted afterwards: a pattern that fails late would take quadratic time on hostile text.
    shape("jwt", "eyj", rf"eyJ{_DASHED}{{8,}}(?:\.{_DASHED}*){{0,2}}(?:\.{_DASHED}+){{0,2}}", rf"eyJ{_DASHED}{{8,}}\.", _is_jwt),
    # After the other shapes, of which one may stand behind `task-`.
    shape("anthropic", "sk-ant-", rf"sk-ant-{_DASHED}{{16,}}", rf"sk-{_DASHED}{{16}}", _is_sk_key),
    # In the second half each `sk-` is tried alone, so that `task-` before a key does not swallow it.
    shape(
        "openai",
        "sk-",
        rf"(?<![aeiouAEIOU])sk-{_DASHED}{{16,}}|(?<=[aeiouAEIOU])sk-(?:(?!sk-){_DASHED}){{16,}}",
        rf"sk-{_DASHED}{{16}}",
        _is_sk_key,
    ),
    shape(
        "bearer",
        "bearer",
        r"(?i:bearer)(?:[ \t\r\n:=\"'\\+]|%20|%3[AaDd]){1,8}([A-Za-z0-9._~+/=-]{16,})",
        r"(?i:bearer)(?:[ \t\r\n:=\"'\\+]|%20|%3[AaDd])+[A-Za-z0-9._~+/=-]{16}",
        _secret_is_drawn,
    ),
    shape(
        "basic",
        "basic",
        r"(?i:basic)(?:[ \t+]|%20){1,4}([a-z]*[A-Z0-9+/][A-Za-z0-9+/_-]{4,}={0,2})",
        r"(?i:basic)(?:[ \t+]|%20)+[a-z]*[A-Z0-9+/][A-Za-z0-9+/_-]{4}",
        _is_basic,
    ),
)
LINK = shape("url", "://", r"://[^\s/@:\"'`<>]*:([^\s/\"'`<>]+)@", r"://[^\s/@:]*:[^\s/]+@", _holds_password)
