"""Every indicator is counted as often as it occurs, however the rows are cut into batches; what it is worth depends on who carries it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.findings import Report
from stillwatch.records.tables import EXCHANGES, SKETCHED
from stillwatch.share.hashing import Keyed, value_bytes
from stillwatch.share.indicators import KIND_NAMES
from stillwatch.share.matching import READ, Matcher, block_of
from stillwatch.share.profile import Profile, make_profile
from stillwatch.share.weighing import FEWEST_ACCOUNTS, Worth, weighed
from stillwatch.sketch.codebook import fit_codebook
from stillwatch.sketch.sketcher import Sketcher
from stillwatch.stats.seeds import generator

START = datetime(2026, 9, 7, tzinfo=UTC)  # a Monday
SCHEMA = pa.schema([arrow_schema(SKETCHED).field(name) for name in READ])


def _batch(rows: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([dict.fromkeys(READ) | row for row in rows], schema=SCHEMA)


def _crowd(amount: int) -> list[dict[str, object]]:
    """Exchanges of other accounts, which carry nothing but one TLS print that all have."""
    return [
        {
            "account_id": f"other{number}",
            "started_at": START,
            "wording": [1, 2],
            "prompt_key": 3,
            "prompt_chars": 90,
            "tls_fingerprint": "shared",
        }
        for number in range(amount)
    ]


@pytest.fixture(scope="module")
def profile(report: Report, keyed: Keyed) -> Profile:
    """Two groups; both have the wording 42."""
    made = make_profile(report.findings[:2], report.run, (), keyed, producer="Example Models", tlp="amber")

    def digest(kind: str, value: str) -> str:
        return keyed.digest(kind, value_bytes(value)).hex()

    first = dict.fromkeys(KIND_NAMES, ()) | {
        "wording": (digest("wording", "42"), digest("wording", "-7")),
        "system": (digest("system", "5"),),
        "prompt": (digest("prompt", "99"),),
        "user_agent": (digest("user_agent", "odd/1"),),
        "tls": ("shared",),
        "egress": ("203.0.113.0/24", "2001:db8::/48"),
    }
    second = dict.fromkeys(KIND_NAMES, ()) | {"wording": (digest("wording", "42"),)}
    groups = (replace(made.groups[0], indicators=first), replace(made.groups[1], indicators=second))
    return replace(made, groups=groups)


ROWS: list[dict[str, object]] = [
    {"account_id": "a", "started_at": START, "wording": [42, 42, 8], "system_key": 5, "prompt_key": 99, "prompt_chars": 90},
    {"account_id": "a", "started_at": START + timedelta(hours=25), "wording": [-7, 42], "prompt_key": 99, "prompt_chars": 10},
    {"account_id": "b", "started_at": START + timedelta(days=7), "wording": [42], "user_agent": "odd/1", "client_ip": "203.0.113.200"},
    {"account_id": "c", "started_at": START, "wording": None, "client_ip": "2001:db8:0:1::5", "user_agent": "plain/1"},
    {"account_id": "c", "started_at": START, "wording": [], "client_ip": "not an address", "tls_fingerprint": ""},
]


def _counts(profile: Profile, keyed: Keyed, rows: list[dict[str, object]], size: int) -> dict[tuple[int, str, str], tuple[int, int]]:
    matcher = Matcher(profile, keyed)
    for start in range(0, len(rows), size):
        matcher.add(_batch(rows[start : start + size]))
    indicators, _, _ = weighed(profile, matcher.seen())
    places = {group.id: place for place, group in enumerate(profile.groups)}
    return {(places[found.group], found.kind, found.value): (found.exchanges, found.accounts) for found in indicators}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_counts_are_right_however_the_rows_are_cut(size: int, profile: Profile, keyed: Keyed) -> None:
    def digest(kind: str, value: str) -> str:
        return keyed.digest(kind, value_bytes(value)).hex()

    assert _counts(profile, keyed, ROWS, size) == {
        (0, "wording", digest("wording", "42")): (3, 2),
        (0, "wording", digest("wording", "-7")): (1, 1),
        (0, "system", digest("system", "5")): (1, 1),
        (0, "prompt", digest("prompt", "99")): (1, 1),  # the other prompt is too short to say anything
        (0, "user_agent", digest("user_agent", "odd/1")): (1, 1),
        (0, "tls", "shared"): (0, 0),
        (0, "egress", "203.0.113.0/24"): (1, 1),
        (0, "egress", "2001:db8::/48"): (1, 1),
        (1, "wording", digest("wording", "42")): (3, 2),
    }


def test_what_many_accounts_carry_is_common_and_what_few_carry_is_rare(profile: Profile, keyed: Keyed) -> None:
    matcher = Matcher(profile, keyed)
    matcher.add(_batch([*ROWS, *_crowd(400)]))
    indicators, groups, local = weighed(profile, matcher.seen())
    worths = {(found.kind, found.worth) for found in indicators}
    assert ("tls", Worth.COMMON) in worths
    assert {worth for kind, worth in worths if kind == "wording"} == {Worth.RARE}
    first = next(found for found in indicators if found.kind == "wording" and found.exchanges == 3)
    assert (first.first_at, first.last_at) == (START, START + timedelta(days=7))
    assert groups[0].given["wording"] == groups[0].found["wording"] == groups[0].rare["wording"] == 2
    assert groups[0].rare["tls"] == 0
    assert groups[0].accounts == 3
    assert (groups[0].worth, groups[1].worth) == (Worth.RARE, Worth.SINGLE)
    assert "by chance" in groups[1].sentence
    assert groups[0].several == 2  # `a` has four of them, `b` three
    assert [(account.account_id, account.rare) for account in local if account.group == groups[0].id] == [("a", 4), ("b", 3), ("c", 1)]


def test_common_software_alone_is_said_to_be_common(profile: Profile, keyed: Keyed) -> None:
    matcher = Matcher(profile, keyed)
    matcher.add(_batch(_crowd(150)))
    _, groups, local = weighed(profile, matcher.seen())
    assert (groups[0].worth, groups[1].worth, local) == (Worth.COMMON, Worth.ABSENT, ())
    assert "shared software" in groups[0].sentence
    assert "clears nobody" in groups[1].sentence


def test_a_log_of_few_accounts_weighs_nothing(profile: Profile, keyed: Keyed) -> None:
    matcher = Matcher(profile, keyed)
    matcher.add(_batch([*ROWS, *_crowd(FEWEST_ACCOUNTS - 4)]))
    indicators, groups, _ = weighed(profile, matcher.seen())
    assert {found.worth for found in indicators} == {Worth.UNWEIGHED}
    assert "too few" in groups[0].sentence


def test_hours_count_an_exchange_once_and_are_compared_only_where_there_are_enough(profile: Profile, keyed: Keyed) -> None:
    matcher = Matcher(profile, keyed)
    matcher.add(_batch(ROWS))
    seen = matcher.seen()
    assert seen.hours.sum(axis=1).tolist() == [3, 3]
    assert seen.hours[0, 0] == 2  # Monday 00:00, twice
    assert seen.hours[0, 25] == 1
    assert seen.own_hours.sum() == len(ROWS)
    assert weighed(profile, seen)[1][0].hours_alike is None
    for _ in range(40):
        matcher.add(_batch(ROWS))
    group = weighed(profile, matcher.seen())[1][0]
    assert group.hours_alike is not None
    assert 0 <= group.hours_alike <= 1


def test_another_key_finds_nothing_that_is_hashed(profile: Profile) -> None:
    from stillwatch.marks.keys import MasterSecret

    found = _counts(profile, Keyed(MasterSecret(bytes(range(1, 33)))), ROWS, 100)
    assert {kind for (_, kind, _), (exchanges, _) in found.items() if exchanges} == {"egress"}


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:DB8:7:1::2", "2001:db8:7::/48"),
        ("2001:db8:0:1::2", "2001:db8::/48"),
        ("203.0.113.***", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_an_address_has_one_block(address: str, block: str | None) -> None:
    assert block_of(address) == block


def test_the_fingerprints_are_those_of_the_scheme_that_the_profile_names() -> None:
    """If this fails, the kernel makes other fingerprints: give `profile.FINGERPRINTS` another name, or profiles will match nothing."""
    rows = {"account_id": "a", "started_at": START, "exchange_id": "e", "source": "native", "text_state": "full"}
    text = (
        "Work on the item below with full care. Lay out every step of your thinking before the reply, then restate the answer in one line."
    )
    batch = pa.RecordBatch.from_pylist([rows | {"prompt_text": text, "system_text": "You are careful."}], schema=arrow_schema(EXCHANGES))
    found = Sketcher(fit_codebook([], [], generator(0, "no subjects")))(batch).to_pylist()[0]
    assert (found["prompt_key"], found["system_key"], sorted(found["wording"])) == GOLDEN


GOLDEN: tuple[int, int, list[int]] = (
    -7466234991035321273,
    8350691205306073321,
    [-6606924712174606328, 1254666880914138890, 1617958835338919749, 2135403262045473421, 3723256106575860074],
)


@pytest.mark.slow
def test_fingerprints_do_not_depend_on_the_log_that_the_subjects_were_fitted_on() -> None:
    texts = [f"a text about subject {number % 7} and its {number} parts in some detail" for number in range(400)]
    fitted = fit_codebook(texts, [f"a{number % 9}" for number in range(400)], generator(1, "fit"), prompts=texts, cells=4)
    rows = [
        {"account_id": "a", "started_at": START, "exchange_id": str(place), "source": "native", "text_state": "full", "prompt_text": text}
        for place, text in enumerate(texts[:50])
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(EXCHANGES))
    ours, theirs = (Sketcher(book)(batch) for book in (fitted, fit_codebook([], [], generator(0, "no subjects"))))
    for name in ("wording", "prompt_key", "system_key", "prompt_chars"):
        assert ours.column(name).equals(theirs.column(name)), name
    assert np.unique(ours.column("prompt_key").to_numpy()).size == 1  # digits are folded, so these prompts are one
