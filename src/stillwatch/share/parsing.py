"""Reads a profile that a partner sent. It may be hostile: bounded, strict, and refused with its place and a reason."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NoReturn, cast

from stillwatch.errors import StillwatchError
from stillwatch.records.findings import EntityKind, Verdict
from stillwatch.share.hashing import DIGEST_HEX, KEYED, UNKEYED
from stillwatch.share.indicators import KINDS
from stillwatch.share.markings import TLP_LEVELS
from stillwatch.share.profile import (
    FINGERPRINTS,
    FORMAT,
    HOURS,
    LONGEST_VALUE,
    MOST_BYTES,
    MOST_GROUPS,
    MOST_OF_A_KIND,
    VERSION,
    Profile,
    ProfileGroup,
)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_HEX}}}")
_KEY_ID = re.compile(r"[0-9a-f]{16}")
_TECHNIQUE = re.compile(r"AML\.T[0-9]{4}(?:\.[0-9]{3})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_BLOCK_BITS = {4: 24, 6: 48}
_LONGEST_NAME, _LONGEST_NOTICE, _MOST_TECHNIQUES = 200, 2_000, 50
_MOST_COUNT = 10**15
_SHOWN = 60

_TOP = ("format", "version", "id", "created", "producer", "tlp", "fingerprints", "hashing", "notice", "groups")
_OF_GROUP = (
    *("id", "kind", "pooling", "harvest", "accounts", "exchanges", "first_day", "last_day"),
    *("techniques", "indicators", "hours"),
)


class ProfileError(StillwatchError):
    """A profile cannot be used; the message names the place in it and what was expected."""


def parse_profile(content: bytes, where: str) -> Profile:
    """The profile that a file holds.

    Args:
        content: the file's bytes, one more than MOST_BYTES at most.
        where: the file, for messages.

    Raises ProfileError for anything that the format does not allow: too large, no JSON, names that stand twice or are not known, another
    version, a value of another type or out of bounds.
    """
    if len(content) > MOST_BYTES:
        raise ProfileError(f"{where} has more than {MOST_BYTES:,} bytes, the largest that a profile may have; ask for a smaller one")
    try:
        return _profile(_json(content, where), where)
    except RecursionError:
        raise ProfileError(f"{where} nests too deeply to be a profile; ask for a new one") from None


def _json(content: bytes, where: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(name for place, (name, _) in enumerate(pairs) if name in dict(pairs[:place]))
            _refuse(where, f"the name {_shown(twice)} stands twice in one object")
        return found

    try:
        return json.loads(content.decode(), object_pairs_hook=once, parse_constant=lambda word: _refuse(where, f"{word} is no number"))
    except ValueError as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"it is not JSON ({str(error)[:_SHOWN]})"
        _refuse(where, reason)


def _profile(given: Any, where: str) -> Profile:
    top = _object(given, where, "the profile", ())
    if top.get("format") != FORMAT:
        _refuse(where, f"format is {_shown(top.get('format'))}, {FORMAT!r} was expected")
    if type(top.get("version")) is not int or top["version"] != VERSION:
        _refuse(where, f"version is {_shown(top.get('version'))}, this program reads version {VERSION}")
    top = _object(given, where, "the profile", _TOP)
    if top["fingerprints"] != FINGERPRINTS:
        _refuse(where, f"fingerprints is {_shown(top['fingerprints'])}, this program makes {FINGERPRINTS!r}, so nothing could match")
    hashing = _object(top["hashing"], where, "hashing", ("method", "key_id"))
    method = _one_of(hashing["method"], (KEYED, UNKEYED), where, "hashing.method")
    groups = _list(top["groups"], where, "groups", MOST_GROUPS)
    found = tuple(_group(group, where, f"groups[{place}]") for place, group in enumerate(groups))
    if len({group.id for group in found}) != len(found):
        _refuse(where, "two groups have the same id")
    return Profile(
        id=_text(top["id"], where, "id", _UUID),
        created=_calendar(top["created"], where, "created", _MOMENT),
        producer=_words(top["producer"], where, "producer", _LONGEST_NAME),
        tlp=_one_of(top["tlp"], TLP_LEVELS, where, "tlp"),
        method=method,
        key_id=_text(hashing["key_id"], where, "hashing.key_id", _KEY_ID) if method == KEYED else _none(hashing["key_id"], where),
        notice=_words(top["notice"], where, "notice", _LONGEST_NOTICE),
        groups=found,
    )


def _group(given: Any, where: str, place: str) -> ProfileGroup:
    group = _object(given, where, place, _OF_GROUP)
    verdicts = tuple(verdict.value for verdict in Verdict)
    techniques = _list(group["techniques"], where, f"{place}.techniques", _MOST_TECHNIQUES)
    return ProfileGroup(
        id=_text(group["id"], where, f"{place}.id", _UUID),
        kind=_one_of(group["kind"], tuple(kind.value for kind in EntityKind), where, f"{place}.kind"),
        pooling=_one_of(group["pooling"], verdicts, where, f"{place}.pooling"),
        harvest=_one_of(group["harvest"], verdicts, where, f"{place}.harvest"),
        accounts=_count(group["accounts"], where, f"{place}.accounts"),
        exchanges=_count(group["exchanges"], where, f"{place}.exchanges"),
        first_day=_calendar(group["first_day"], where, f"{place}.first_day", _DAY),
        last_day=_calendar(group["last_day"], where, f"{place}.last_day", _DAY),
        techniques=tuple(_text(item, where, f"{place}.techniques", _TECHNIQUE) for item in techniques),
        indicators=_indicators(group["indicators"], where, f"{place}.indicators"),
        hours=_hours(group["hours"], where, f"{place}.hours"),
    )


def _indicators(given: Any, where: str, place: str) -> dict[str, tuple[str, ...]]:
    checks: dict[str, Callable[[Any, str, str], str]] = {"tls": _print, "egress": _block}
    lists = _object(given, where, place, tuple(kind.name for kind in KINDS))
    found: dict[str, tuple[str, ...]] = {}
    for name, values in lists.items():
        at = f"{place}.{name}"
        check = checks.get(name, lambda value, where, at: _text(value, where, at, _DIGEST))
        found[name] = tuple(check(value, where, at) for value in _list(values, where, at, MOST_OF_A_KIND))
        if len(set(found[name])) != len(found[name]):
            _refuse(where, f"{at} names a value twice")
    return found


def _print(value: Any, where: str, place: str) -> str:
    return _words(value, where, place, LONGEST_VALUE)


def _block(value: Any, where: str, place: str) -> str:
    text = _words(value, where, place, LONGEST_VALUE)
    try:
        block = ipaddress.ip_network(text)
    except ValueError:
        block = None
    if block is None or block.prefixlen != _BLOCK_BITS[block.version]:
        _refuse(where, f"{place} holds {_shown(text)}, a /24 of IPv4 or a /48 of IPv6 was expected")
    return text


def _hours(given: Any, where: str, place: str) -> tuple[float, ...]:
    values = _list(given, where, place, HOURS)
    if len(values) != HOURS:
        _refuse(where, f"{place} has {len(values)} numbers, {HOURS} were expected")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            _refuse(where, f"{place} holds {_shown(value)}, a number from 0 to 1 was expected")
    return tuple(float(value) for value in values)


def _object(given: Any, where: str, place: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        _refuse(where, f"{place} is {_kind(given)}, an object was expected")
    found = cast("dict[str, Any]", given)
    if names and (odd := sorted(set(found) ^ set(names))):
        _refuse(where, f"{place} {'lacks' if odd[0] in names else 'has the unknown name'} {_shown(odd[0])}")
    return found


def _list(given: Any, where: str, place: str, most: int) -> list[Any]:
    if not isinstance(given, list):
        _refuse(where, f"{place} is {_kind(given)}, a list was expected")
    values = cast("list[Any]", given)
    if len(values) > most:
        _refuse(where, f"{place} has {len(values):,} values, {most:,} at most were expected")
    return values


def _words(given: Any, where: str, place: str, most: int) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= most or not given.isprintable():
        _refuse(where, f"{place} is {_shown(given)}, printable text of 1 to {most} characters was expected")
    return given


def _text(given: Any, where: str, place: str, form: re.Pattern[str]) -> str:
    if not isinstance(given, str) or form.fullmatch(given) is None:
        _refuse(where, f"{place} is {_shown(given)}, {form.pattern} was expected")
    return given


def _calendar(given: Any, where: str, place: str, form: re.Pattern[str]) -> str:
    text = _text(given, where, place, form)
    try:
        _ = date.fromisoformat(text) if form is _DAY else datetime.fromisoformat(text)
    except ValueError:
        _refuse(where, f"{place} is {_shown(text)}, which is in no calendar")
    return text


def _one_of(given: Any, known: tuple[str, ...], where: str, place: str) -> str:
    if not isinstance(given, str) or given not in known:
        _refuse(where, f"{place} is {_shown(given)}, one of {', '.join(known)} was expected")
    return given


def _count(given: Any, where: str, place: str) -> int:
    if type(given) is not int or not 0 <= given <= _MOST_COUNT:
        _refuse(where, f"{place} is {_shown(given)}, a whole number from 0 to {_MOST_COUNT:,} was expected")
    return given


def _none(given: Any, where: str) -> None:
    if given is not None:
        _refuse(where, f"hashing.key_id is {_shown(given)}, null was expected where no key is used")


def _kind(given: Any) -> str:
    return "null" if given is None else f"a value of type {type(given).__name__}"


def _shown(given: Any) -> str:
    """A value as a message may show it: bounded, on one line, nothing in it that acts."""
    text = ascii(given[: _SHOWN + 1]) if isinstance(given, str) else ascii(given) if type(given) in (bool, float) else _kind(given)
    if type(given) is int and abs(given) <= _MOST_COUNT * 1000:
        text = str(given)
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}…"


def _refuse(where: str, reason: str) -> NoReturn:
    raise ProfileError(f"{where} is no profile that can be used: {reason}; ask its sender for a new one")
