"""Laws of linking, merging and closing, and of the labels and suppressions that follow, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from stillwatch.app.case_sources import gather
from stillwatch.cases.claims import NewExhibit, NewTie
from stillwatch.cases.closing import Closing, close, reopen
from stillwatch.cases.dispositions import REASONS, SUPPRESSES, Disposition, disposition_of, reason_of
from stillwatch.cases.joining import LEAST_NATS, link, merge, related
from stillwatch.cases.labels import labels_of, suppressions_of
from stillwatch.cases.making import added
from stillwatch.cases.reading import case_view, timeline
from stillwatch.cases.refusals import CaseStateError, StaleCaseError
from stillwatch.cases.store import Acting, CaseStore
from stillwatch.cases.working import assign, comment, look_at
from stillwatch.errors import UsageError

Act = Callable[..., Acting]
New = Callable[..., int]


def benign(**changes: object) -> Closing:
    given: dict[str, object] = {
        "disposition": Disposition.BENIGN_TRUE,
        "reason": "evaluation",
        "words": "agreed in May",
        "suppress_days": 90.0,
    }
    return Closing(**given | changes)  # pyright: ignore[reportArgumentType]


def test_cases_are_related_by_accounts_and_by_telling_traces_alone(store: CaseStore, new: New, result: Path) -> None:
    base = gather(result, ("group-0000",), ())
    claim = base.claims[0]

    def tied(uid: str, accounts: list[str], *ties: tuple[str, str, float]) -> int:
        members = tuple(replace(claim.members[0], account_id=account) for account in accounts)
        made = tuple(
            NewTie(key=f"{kind}/{trace}", kind=kind, trace=trace, accounts=2, sharing=3, weight=nats) for kind, trace, nats in ties
        )
        return new(gathered=replace(base, claims=(replace(claim, uid=uid, members=members, ties=made),)), title=uid)

    mine = tied("mine", ["a", "b"], ("wording", "w1", 5.0), ("payment", "p1", 4.0), ("tls", "common", LEAST_NATS - 0.1))
    accounts = tied("accounts", ["b", "c"], ("wording", "w9", 9.0))
    traces = tied("traces", ["d"], ("wording", "w1", 3.5), ("payment", "p1", 6.0), ("tls", "common", 9.0))
    tied("strangers", ["e"], ("tls", "common", 9.0), ("wording", "w2", 9.0))
    with store.reading() as session:
        found = {other.number: other for other in related(session, mine)}
    assert list(found) == [accounts, traces]
    assert (found[accounts].accounts, found[accounts].named, found[accounts].nats) == (1, ("b",), 0)
    assert (found[traces].traces, found[traces].infrastructure) == ((("wording", "w1"),), (("payment", "p1"),))
    assert found[traces].nats == pytest.approx(3.5 + 4.0)


def test_a_link_stands_in_both_timelines_once(store: CaseStore, new: New, act: Act) -> None:
    one, other = new("group-0000"), new("group-0001")
    link(store, other, one, act("bob"), "the same hands")
    for here, there in ((one, other), (other, one)):
        last = timeline(store, here)[-1]
        assert (last.act, last.words, last.detail["with"]) == ("linked", "the same hands", f"case-{there}")
        assert case_view(store, here).linked == (there,)
    with pytest.raises(CaseStateError, match="linked already"):
        link(store, one, other, act(), "again")
    with pytest.raises(UsageError, match="name two cases"):
        link(store, one, one, act(), "self")


def test_a_merge_loses_nothing_and_the_merged_case_points_to_the_other(store: CaseStore, new: New, act: Act) -> None:
    one, two, three = new("group-0003"), new("group-0000", by="bob"), new("group-0001")
    _, exhibit = added(store, two, act(), NewExhibit(kind="note", label="n", media_type="text/plain", content=b"words", private=False))
    comment(store, two, act("bob"), "before")
    before = {number: (case_view(store, number), timeline(store, number)) for number in (one, two, three)}
    merge(store, two, one, act("carl", minutes=1), "one operation")
    merge(store, one, three, act("carl", minutes=2), "and this")
    whole = case_view(store, three)
    assert whole.merged == (one, two)
    assert whole.summary.severity == "critical"
    for number in (one, two, three):
        view, acts = before[number]
        assert [claim for claim in whole.claims if claim.case == number] == list(view.claims)
        assert [exhibit for exhibit in whole.exhibits if exhibit.case == number] == list(view.exhibits)
        assert [line for line in timeline(store, three) if line.case == number][: len(acts)] == acts
    assert case_view(store, two).summary.merged_into == one
    assert look_at(store, three, act(minutes=3), exhibit, "to see")[1] == b"words"
    with pytest.raises(CaseStateError, match=f"case-{two} was merged into case-{one}; work there"):
        comment(store, two, act(), "too late")
    with pytest.raises(CaseStateError, match="merged into"):
        merge(store, three, one, act(), "in a ring")
    with store.reading() as session:
        assert related(session, three) == []


def test_a_merge_that_rests_on_an_older_version_is_refused(store: CaseStore, new: New, act: Act) -> None:
    one, two = new("group-0000"), new("group-0001")
    seen = case_view(store, one).summary.version
    comment(store, one, act("bob"), "no")
    with pytest.raises(StaleCaseError):
        merge(store, one, two, act(expected=seen), "yes")
    assert case_view(store, one).summary.status == "open"


@pytest.mark.slow
def test_a_closed_case_says_how_and_takes_comments_alone(store: CaseStore, new: New, act: Act) -> None:
    number = new("group-0000")
    close(store, number, act("bob"), benign())
    found = case_view(store, number)
    assert (found.summary.status, found.summary.disposition, found.summary.reason, found.words) == (
        *("closed", "benign_true", "evaluation"),
        "agreed in May",
    )
    assert found.summary.suppressed_until == act().at + timedelta(days=90)
    comment(store, number, act(), "noted")
    with pytest.raises(CaseStateError, match="case-1 is closed"):
        assign(store, number, act(), "ann")
    with pytest.raises(CaseStateError, match="is closed"):
        close(store, number, act(), benign())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suppress_days": 367.0}, "0 to 366"),
        ({"suppress_days": -1.0}, "0 to 366"),
        ({"suppress_days": float("nan")}, "0 to 366"),
        ({"overlap": 0.4}, "0.5"),
        ({"overlap": 1.01}, "0.5"),
        ({"reason": "chance"}, "no reason for benign_true"),
        ({"disposition": Disposition.TRUE, "reason": "admitted"}, "suppresses nothing"),
        ({"disposition": Disposition.UNDETERMINED, "reason": "no_text"}, "suppresses nothing"),
    ],
)
def test_a_closing_that_says_what_it_cannot_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        benign(**changes)


def test_every_disposition_has_reasons_and_every_code_is_given_once() -> None:
    assert {reason.disposition for reason in REASONS} == set(Disposition)
    assert len({reason.code for reason in REASONS}) == len(REASONS)
    for reason in REASONS:
        assert reason_of(reason.code.replace("_", "-"), reason.disposition) is reason
    assert disposition_of("benign-true") is Disposition.BENIGN_TRUE
    with pytest.raises(UsageError, match="benign-true"):
        disposition_of("guilty")


@pytest.mark.parametrize("disposition", list(Disposition))
def test_what_follows_from_a_closed_case_ends_when_it_is_opened_again(
    store: CaseStore, new: New, act: Act, disposition: Disposition
) -> None:
    number, other = new("group-0000"), new("group-0003")
    merge(store, other, number, act(), "one operation")
    reason = next(reason.code for reason in REASONS if reason.disposition is disposition)
    days = 30.0 if disposition in SUPPRESSES else 0.0
    close(store, number, act("bob"), Closing(disposition=disposition, reason=reason, words="so it is", suppress_days=days))
    labels, held = labels_of(store), suppressions_of(store, at=act(minutes=1).at)
    entities = ["group-0000", "group-0003"]
    assert [label.entity_id for label in labels] == ([] if disposition is Disposition.UNDETERMINED else entities)
    assert [one.entity_id for one in held] == (entities if disposition in SUPPRESSES else [])
    for label in labels:
        assert (label.disposition, label.decided_by, label.decided_at, label.case) == (disposition, "bob", act().at, number)
        assert len(label.members) == {"group-0000": 64, "group-0003": 7}[label.entity_id]
    assert suppressions_of(store, at=act().at + timedelta(days=30)) == []
    reopen(store, number, act("ann"), "new facts")
    assert labels_of(store) == []
    assert suppressions_of(store, at=act().at) == []
    assert [line.detail.get("disposition") for line in timeline(store, number) if line.act in ("closed", "reopened")] == [disposition] * 2
