"""The profile holds to its schema, comes back as it was, gives no text to whoever lacks the key, and a hostile one is refused."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from stillwatch.marks.keys import MasterSecret
from stillwatch.records.findings import Report, Verdict
from stillwatch.share.hashing import Keyed, Unkeyed
from stillwatch.share.indicators import KIND_NAMES
from stillwatch.share.parsing import ProfileError, parse_profile
from stillwatch.share.profile import MOST_BYTES, Profile, coarse, make_profile, profile_json, profile_text

DIGEST = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def schema() -> Any:
    from jsonschema import Draft202012Validator  # seconds of grammars

    schema = json.loads(files("stillwatch.share").joinpath("profile-1.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _rows(report: Report) -> list[dict[str, Any]]:
    entity = report.findings[0].entity_id
    values = {
        "wording": "-42",
        "system": "7",
        "prompt": "99",
        "user_agent": "python-httpx/0.28",
        "tls": "t13d",
        "egress": "2001:db8:0::/48",
    }
    return [{"entity_id": entity, "kind": kind, "value": value} for kind, value in values.items()]


@pytest.fixture(scope="session")
def profile(report: Report, keyed: Keyed) -> Profile:
    return make_profile(report.findings, report.run, _rows(report), keyed, producer="Example Models", tlp="amber+strict")


@pytest.mark.slow
def test_a_profile_holds_to_its_schema_and_comes_back_as_it_was(profile: Profile, schema: Any) -> None:
    assert not list(schema.iter_errors(profile_json(profile)))
    assert parse_profile(profile_text(profile).encode(), "p.json") == profile


def test_claims_alone_are_told_and_nobody_is_named(profile: Profile, report: Report) -> None:
    assert len(profile.groups) == sum(Verdict.YES in (finding.pooling, finding.harvest) for finding in report.findings)
    text = profile_text(profile)
    secret = {member.account_id for finding in report.findings for member in finding.members}
    secret |= {finding.entity_id for finding in report.findings} | {finding.uid for finding in report.findings}
    assert not [identifier for identifier in secret if identifier in text]
    assert "python-httpx" not in text
    assert '"2001:db8::/48"' in text


def test_the_same_input_gives_the_same_text_and_another_key_other_digests_and_ids(report: Report, profile: Profile, keyed: Keyed) -> None:
    again = make_profile(report.findings, report.run, _rows(report), keyed, producer="Example Models", tlp="amber+strict")
    other = make_profile(
        report.findings, report.run, _rows(report), Keyed(MasterSecret(bytes(range(1, 33)))), producer="Example Models", tlp="amber+strict"
    )
    assert profile_text(again) == profile_text(profile)
    assert not {group.id for group in other.groups} & {group.id for group in profile.groups}
    ours, theirs = (next(group for group in made.groups if group.indicators["wording"]) for made in (profile, other))
    assert ours.indicators["wording"] != theirs.indicators["wording"]
    assert ours.indicators["tls"] == theirs.indicators["tls"]


def test_a_digest_is_the_standard_librarys_hmac_and_gives_nothing_to_another_key(keyed: Keyed) -> None:
    from stillwatch.marks.keys import hkdf_sha256

    key = hkdf_sha256(bytes(range(32)), salt=b"stillwatch sharing v1", info=b"indicators", length=32)
    assert keyed.digest("wording", b"-42") == hmac.digest(key, b"wording\0-42", "sha256")[:16]
    assert Unkeyed().digest("wording", b"-42") == hashlib.sha256(b"wording\0-42").digest()[:16]
    assert keyed.key_id not in (None, key.hex()[:16])
    assert len({keyed.digest(kind, b"1") for kind in KIND_NAMES}) == len(KIND_NAMES)


@pytest.mark.slow
def test_an_unkeyed_profile_says_what_it_gives_away(report: Report, schema: Any) -> None:
    made = make_profile(report.findings, report.run, _rows(report), Unkeyed(), producer="Example Models", tlp="red")
    assert "can guess" in made.notice
    assert made.key_id is None
    assert not list(schema.iter_errors(profile_json(made)))
    assert parse_profile(profile_text(made).encode(), "p.json") == made


def test_hours_are_shares_of_the_busiest_with_two_decimals_and_counts_are_coarse(profile: Profile) -> None:
    for group in profile.groups:
        assert max(group.hours) == 1.0
        assert all(round(value, 2) == value for value in group.hours)
    assert [coarse(amount) for amount in (0, 7, 64, 412_345, 48_112)] == [0, 7, 64, 410_000, 48_000]


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


def _drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


HOSTILE: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (_set("format", to="other"), "format is 'other'"),
    (_set("version", to=2), "version is 2"),
    (_set("version", to=True), "version is True"),
    (_set("version", to="1"), "version is '1'"),
    (_set("fingerprints", to="stillwatch-wording-2"), "nothing could match"),
    (_set("extra", to=1), "unknown name 'extra'"),
    (_drop("notice"), "lacks 'notice'"),
    (_set("id", to="not an id"), "id is"),
    (_set("created", to="yesterday"), "created is"),
    (_set("producer", to=""), "producer is"),
    (_set("producer", to=["x"]), "a value of type list"),
    (_set("tlp", to="white"), "tlp is 'white'"),
    (_set("hashing", "method", to="md5"), "hashing.method"),
    (_set("hashing", "key_id", to=None), "hashing.key_id is null"),
    (_set("hashing", "method", to="sha256"), "null was expected"),
    (_set("groups", to={}), "a list was expected"),
    (_set("groups", to=[None] * 1001), "1,000 at most"),
    (_set("groups", 0, to=[]), "groups[0]"),
    (_set("groups", 0, "accounts", to=-1), "groups[0].accounts is -1"),
    (_set("groups", 0, "accounts", to=1.5), "accounts is 1.5"),
    (_set("groups", 0, "accounts", to=10**400), "groups[0].accounts"),
    (_set("groups", 0, "harvest", to="maybe"), "harvest is 'maybe'"),
    (_set("groups", 0, "techniques", to=["T1"]), "techniques"),
    (_set("groups", 0, "hours", to=[0.0] * 167), "167 numbers"),
    (_set("groups", 0, "hours", to=[2] * 168), "holds 2"),
    (_set("groups", 0, "hours", to=["1"] * 168), "holds '1'"),
    (_set("groups", 0, "indicators", "wording", to=["xyz"]), "groups[0].indicators.wording"),
    (_set("groups", 0, "indicators", "wording", to=[DIGEST, DIGEST]), "twice"),
    (_set("groups", 0, "indicators", "wording", to=[DIGEST.upper()]), "wording"),
    (_set("groups", 0, "indicators", "prompt", to=[f"{number:032x}" for number in range(4097)]), "4,096 at most"),
    (_set("groups", 0, "indicators", "account", to=["acct_1"]), "unknown name 'account'"),
    (_set("groups", 0, "indicators", "egress", to=["203.0.113.7"]), "egress"),
    (_set("groups", 0, "indicators", "egress", to=["0.0.0.0/0"]), "egress"),
]
"""Changes of a sound profile, and what the message says. Every one is refused by the schema as well."""


@pytest.mark.parametrize(("change", "said"), HOSTILE)
@pytest.mark.slow
def test_a_wrong_profile_is_refused_by_parser_and_schema_alike(
    change: Callable[[dict[str, Any]], None], said: str, profile: Profile, schema: Any
) -> None:
    value = copy.deepcopy(profile_json(profile))
    change(value)
    with pytest.raises(ProfileError, match=r"p\.json") as refused:
        parse_profile(json.dumps(value).encode(), "p.json")
    assert said in str(refused.value)
    assert len(str(refused.value)) < 600
    assert not schema.is_valid(value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("groups", 0, "first_day"), "2026-13-01"),
        (("groups", 0, "indicators", "egress"), ["999.0.113.0/24"]),
        (("groups", 0, "indicators", "egress"), ["203.0.113.7/24"]),
        (("groups", 0, "indicators", "tls"), ["a\x1b[31m"]),
        (("producer",), "a\u202eb"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_too(path: tuple[Any, ...], value: Any, profile: Profile) -> None:
    given = copy.deepcopy(profile_json(profile))
    _set(*path, to=value)(given)
    with pytest.raises(ProfileError) as refused:
        parse_profile(json.dumps(given).encode(), "p.json")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"null", "an object was expected"),
        (b"[1]", "an object was expected"),
        (b'{"format": 1, "format": 2}', "stands twice"),
        (b'{"version": NaN}', "NaN is no number"),
        (b"[" * 200_000, "nests too deeply"),
        (b'{"a":' * 200_000, "nests too deeply"),
        (b"9" * 10_000, "not JSON"),
        (b" " * (MOST_BYTES + 1), "more than"),
    ],
)
def test_what_is_no_profile_at_all_is_refused_within_bounds(content: bytes, said: str) -> None:
    with pytest.raises(ProfileError, match=said) as refused:
        parse_profile(content, "p.json")
    assert len(str(refused.value)) < 600
