"""Nominations: which sets of accounts are worth testing, and what a shared trace is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.link.families import families
from stillwatch.link.linking import explained_by, nominations, watch
from stillwatch.link.nominate import NOMINATING_KINDS, Candidate, TraceRows, nominate, trace_rows
from stillwatch.link.settings import LinkSettings
from stillwatch.records.tables import TRACES

ACCOUNTS = 40
IDS = np.array([f"a{number:02d}" for number in range(ACCOUNTS)], np.str_)
SETTINGS = LinkSettings()
Held = tuple[str, str, range | list[int], int]


def _rows(*held: Held) -> TraceRows:
    """Rows out of (kind, value, accounts, exchanges of each that carry it)."""
    entries = [
        {"account_id": str(IDS[account]), "kind": kind, "trace": value, "count": count}
        for kind, value, accounts, count in held
        for account in accounts
    ]
    return trace_rows(pa.Table.from_pylist(entries, schema=arrow_schema(TRACES)), IDS)


def _exchanges(each: int = 100) -> npt.NDArray[np.int64]:
    return np.full(ACCOUNTS, each, np.int64)


def _members(candidates: list[Candidate]) -> list[tuple[str, list[int]]]:
    return [(candidate.kind, candidate.members.tolist()) for candidate in candidates]


def test_worth_is_minus_the_log_of_popularity() -> None:
    rows = _rows(("wording", "1", range(3), 9), ("wording", "2", range(40), 9))
    assert rows.sharing.tolist() == [3, 40]
    assert rows.worth().tolist() == pytest.approx([np.log(41 / 4), 0.0])


def test_what_everybody_has_is_worth_nothing() -> None:
    assert _rows(("tls", "one", range(ACCOUNTS), 9)).worth().tolist() == [0.0]


def test_rows_of_unknown_accounts_are_dropped() -> None:
    entries = [{"account_id": name, "kind": "asn", "trace": "7", "count": 2} for name in ("a01", "stranger", "a03")]
    rows = trace_rows(pa.Table.from_pylist(entries, schema=arrow_schema(TRACES)), IDS)
    assert rows.account.tolist() == [1, 3]
    assert (rows.kinds.tolist(), rows.values.tolist(), rows.count.tolist()) == (["asn"], ["7"], [2, 2])


def test_a_trace_value_may_hold_any_character() -> None:
    rows = _rows(("session", "odd \x1f value \u2028 {0}", range(3), 1))
    assert rows.values.tolist() == ["odd \x1f value \u2028 {0}"]


def test_fingerprints_with_nearly_the_same_carriers_are_one_nomination() -> None:
    rows = _rows(("wording", "1", range(10), 60), ("wording", "2", range(9), 50), ("wording", "3", range(1, 10), 70))
    (only,) = nominate(rows, _exchanges(), SETTINGS)
    assert set(only.traces) == {"1", "2", "3"}
    assert only.members.tolist() == list(range(10))
    # an account's exchanges that carry any of them are at least those that carry its most frequent one
    assert only.counts.tolist() == [60, *[70] * 9]


def test_traces_with_different_carriers_stay_apart() -> None:
    rows = _rows(("wording", "1", range(10), 60), ("wording", "2", range(8, 18), 60))
    assert sorted(_members(nominate(rows, _exchanges(), SETTINGS))) == [("wording", list(range(10))), ("wording", list(range(8, 18)))]


def test_traces_of_different_kinds_with_exactly_the_same_carriers_are_tested_once() -> None:
    rows = _rows(("wording", "1", range(6), 60), ("network", "10.0.0.0/24", range(6), 60))
    (only,) = nominate(rows, _exchanges(), SETTINGS)
    assert only.kind == "wording"
    assert only.explained == {"parameters", "manner", "infrastructure"}


def test_everyday_phrases_nominate_nobody() -> None:
    """Every account says it now and then; for none is it a tenth of what it sends."""
    rows = _rows(("wording", "1", range(ACCOUNTS), 4))
    assert nominate(rows, _exchanges(), SETTINGS) == []


def test_a_phrase_that_is_heavy_for_a_minority_of_its_carriers_nominates_nobody() -> None:
    rows = _rows(("wording", "1", range(8), 60), ("wording", "1", range(8, 30), 4))
    assert nominate(rows, _exchanges(), SETTINGS) == []


def test_a_phrase_that_is_heavy_for_most_of_its_carriers_nominates_them_all() -> None:
    rows = _rows(("wording", "1", range(20), 60), ("wording", "1", range(20, 30), 4))
    assert _members(nominate(rows, _exchanges(), SETTINGS)) == [("wording", list(range(30)))]


@pytest.mark.parametrize("kind", NOMINATING_KINDS)
def test_three_accounts_are_a_nomination_and_two_are_not(kind: str) -> None:
    assert _members(nominate(_rows((kind, "1", range(3), 90)), _exchanges(), SETTINGS)) == [(kind, [0, 1, 2])]
    assert nominate(_rows((kind, "1", range(2), 90)), _exchanges(), SETTINGS) == []


@pytest.mark.parametrize("kind", ["user_agent", "asn", "org", "release"])
def test_facts_about_the_market_nominate_nobody(kind: str) -> None:
    assert nominate(_rows((kind, "1", range(12), 90)), _exchanges(), SETTINGS) == []


def test_a_log_without_traces_nominates_nobody() -> None:
    assert nominate(_rows(), _exchanges(), SETTINGS) == []


def test_a_nomination_explains_its_own_kind_of_likeness() -> None:
    explained = {
        kind: next(iter(nominate(_rows((kind, "1", range(5), 90)), _exchanges(), SETTINGS))).explained
        for kind in ("wording", "system", "prompt", "parameters", "network", "payment", "email_domain")
    }
    assert explained["wording"] == explained["system"] == {"parameters", "manner"}
    assert {"subjects", "manner"} <= explained["prompt"]
    assert "parameters" in explained["parameters"]
    assert explained["network"] == explained["payment"] == explained["email_domain"] == {"infrastructure"}


def test_the_order_of_rows_does_not_change_the_nominations() -> None:
    held: list[Held] = [("wording", "1", range(10), 60), ("wording", "2", range(9), 50), ("network", "n", range(20, 26), 9)]
    forward, backward = (nominate(_rows(*order), _exchanges(), SETTINGS) for order in (held, held[::-1]))
    assert _members(forward) == _members(backward)
    assert [sorted(candidate.traces) for candidate in forward] == [sorted(candidate.traces) for candidate in backward]


def test_the_limit_keeps_content_and_infrastructure_and_counts_what_it_leaves_out() -> None:
    held: list[Held] = [("wording", str(number), range(3 * number, 3 * number + 3), 60) for number in range(6)]
    held += [("network", f"n{number}", range(3 * number + 18, 3 * number + 21), 60) for number in range(6)]
    kept, untested = nominations(_rows(*held), _exchanges(), LinkSettings(nominations=6))
    assert untested == 6
    assert [candidate.kind for candidate in kept] == ["wording"] * 3 + ["network"] * 3
    all_kept, none_left = nominations(_rows(*held), _exchanges(), SETTINGS)
    assert (len(all_kept), none_left) == (12, 0)


def test_watching_names_each_fingerprint_of_each_content_candidate() -> None:
    rows = _rows(
        ("wording", "5", range(10), 60), ("wording", "-9", range(9), 50), ("system", "7", range(20, 30), 60), ("tls", "t", range(4), 9)
    )
    candidates = nominate(rows, _exchanges(), SETTINGS)
    watched, places = watch(candidates)
    assert watched.keys.tolist() == sorted([5, -9, 7])
    owner = dict(zip(watched.keys.tolist(), watched.traces.tolist(), strict=True))
    for index, candidate in enumerate(candidates):
        assert (index in places) == (candidate.kind in ("wording", "system"))
        if index in places:
            assert {owner[int(trace)] for trace in candidate.traces} == {places[index]}
            assert np.array_equal(watched.members[places[index]], candidate.members)


def test_nothing_is_watched_where_no_content_is_shared() -> None:
    watched, places = watch(nominate(_rows(("network", "n", range(5), 9)), _exchanges(), SETTINGS))
    assert (len(watched.keys), len(watched.members), places) == (0, 0, {})


def test_a_family_is_watched_through_its_wordings() -> None:
    rows = _rows(("wording", "5", range(10), 60), ("wording", "6", range(5, 15), 50), ("wording", "7", range(30, 34), 60))
    single = nominate(rows, _exchanges(), SETTINGS)
    candidates = [*families(single, 1000, SETTINGS), *single]
    assert [candidate.members.tolist() for candidate in candidates if candidate.family] == [list(range(15))]
    watched, places = watch(candidates)
    assert watched.keys.tolist() == [5, 6, 7]
    assert len(watched.members) == 3
    parts = watched.families[places[0] - len(watched.members)]
    assert {int(watched.keys[watched.traces == part][0]) for part in parts.tolist()} == {5, 6}


def test_a_likeness_takes_over_what_its_members_wording_explains() -> None:
    wording = nominate(_rows(("wording", "5", range(10), 60)), _exchanges(), SETTINGS)
    alike = replace(wording[0], kind="subjects", traces=(), explained=frozenset({"subjects"}))
    mostly = replace(alike, members=np.arange(4, 16), counts=np.full(12, 9))
    hardly = replace(alike, members=np.arange(8, 20), counts=np.full(12, 9))
    assert explained_by(wording, mostly).explained == {"subjects", "parameters", "manner"}
    assert explained_by(wording, hardly).explained == {"subjects"}
