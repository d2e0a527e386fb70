"""What leaves holds no text of a prompt, and identifiers only under the recipient's names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from stillwatch.errors import UsageError
from stillwatch.marks.keys import MasterSecret
from stillwatch.records.findings import LinkEdge, Report
from stillwatch.report import ocsf_finding
from stillwatch.share.claim import Claim, plain_indicators
from stillwatch.share.misp import misp_event
from stillwatch.share.naming import Identifiers, Names, Pseudonyms, pseudonyms_for
from stillwatch.share.redact import shareable
from stillwatch.share.stix import stix_bundle
from stillwatch.share.tables import finding_tables


def _everything(claims: Sequence[Claim], report: Report) -> str:
    given = {"producer": "Example Models", "tlp": "amber", "in_house": False}
    rows = json.dumps([ocsf_finding(claim.finding, report.run) for claim in claims])
    tables = "".join(finding_tables([claim.finding for claim in claims]).values())
    return rows + stix_bundle(claims, report.run, **given) + misp_event(claims, report.run, **given) + tables


def _texts(report: Report) -> set[str]:
    return {text for finding in report.findings for exhibit in finding.exhibits for text in (exhibit.prompt[:30], exhibit.response[:30])}


@pytest.mark.slow
def test_no_identifier_and_no_text_is_in_any_format(claims: Sequence[Claim], report: Report) -> None:
    whole = _everything(claims, report)
    secret = {member.account_id for finding in report.findings for member in finding.members}
    secret |= {exhibit.exchange_id for finding in report.findings for exhibit in finding.exhibits}
    secret |= {finding.entity_id for finding in report.findings} | {
        edge.trace for finding in report.findings for edge in finding.pictures.edges
    }
    assert len(secret) > 100
    assert not [identifier for identifier in sorted(secret) if identifier in whole]
    assert not [text for text in _texts(report) if text in whole]
    named = {capability for finding in report.findings for capability, _ in finding.tally.capabilities}
    assert not [label for label, _, _ in report.findings[0].pictures.subjects if label not in named and f'"{label}"' in whole]


def test_in_house_the_identifiers_stay_and_the_text_goes(report: Report, claims_of: Callable[[Report, Names], Sequence[Claim]]) -> None:
    whole = _everything(claims_of(report, Identifiers()), report)
    assert all(member.account_id in whole for finding in report.findings for member in finding.members)
    assert not [text for text in _texts(report) if text in whole]


def test_one_recipient_always_sees_the_same_name_and_another_sees_another(master: MasterSecret, acme: Pseudonyms) -> None:
    assert acme.of("account", "acct_1") == pseudonyms_for(master, "acme-labs").of("account", "acct_1")
    names = {acme.of("account", "acct_1"), acme.of("account", "acct_2"), acme.of("exchange", "acct_1")}
    names.add(pseudonyms_for(master, "other-labs").of("account", "acct_1"))
    names.add(pseudonyms_for(MasterSecret(bytes(range(1, 33))), "acme-labs").of("account", "acct_1"))
    assert len(names) == 5


def test_counts_and_verdicts_are_those_of_the_scan(claims: Sequence[Claim], report: Report) -> None:
    for claim, finding in zip(claims, report.findings, strict=True):
        kept = claim.finding
        assert (kept.tally, kept.q_value, kept.severity, kept.first_at) == (
            finding.tally,
            finding.q_value,
            finding.severity,
            finding.first_at,
        )
        assert len(kept.members) == len({member.account_id for member in kept.members}) == len(finding.members)
        assert [exhibit.shows for exhibit in kept.exhibits] == [exhibit.shows for exhibit in finding.exhibits]


def test_an_identifier_within_a_sentence_is_replaced_and_what_a_customer_declared_is_left_out(report: Report, acme: Pseudonyms) -> None:
    account = report.findings[0].members[3].account_id
    finding = replace(
        report.findings[0], summary=f"Began with {account}, then grew.", ordinary=("Declared use: we are Example Ltd", "A class.")
    )
    kept = shareable(finding, acme)
    assert kept.summary == f"Began with {acme.of('account', account)}, then grew."
    assert kept.ordinary == ("A class.",)


def test_short_identifiers_do_not_break_the_numbers_of_sentences(report: Report, acme: Pseudonyms) -> None:
    members = (replace(report.findings[0].members[0], account_id="7"),)
    kept = shareable(replace(report.findings[0], members=members, summary="7 accounts sent 7 requests"), acme)
    assert kept.summary == "7 accounts sent 7 requests"
    assert kept.members[0].account_id == acme.of("account", "7")


@pytest.mark.parametrize("kind", ["payment", "email_domain", "org", "session", "wording", "system", "prompt", "user_agent", "parameters"])
def test_traces_that_name_somebody_or_stand_for_text_are_replaced(kind: str, report: Report, acme: Pseudonyms) -> None:
    edge = LinkEdge(account_id="acct_0_000", kind=kind, trace="kept-secret.example", label="x", sharing=3, weight=1.0)
    finding = replace(
        report.findings[0],
        pictures=replace(report.findings[0].pictures, edges=(edge, replace(edge, kind="network", trace="203.0.113.0/24"))),
    )
    first, second = shareable(finding, acme).pictures.edges
    assert "kept-secret" not in first.trace
    assert second.trace == "203.0.113.0/24"


def test_user_agents_that_hold_more_than_a_product_stay_here() -> None:
    agents = ("python-httpx/0.28", "OpenAI/JS 5.12.2", "bot/1 (+mailto:ops@customer.example)", "acct_9/1.0", "Mozilla/5.0 (X11; Linux)", "")
    rows = [{"entity_id": "e", "kind": "user_agent", "value": agent} for agent in agents]
    rows += [{"entity_id": "e", "kind": "egress", "value": value} for value in ("2001:db8:0::/48", "not an address")]
    found = plain_indicators([*rows, {"entity_id": "other", "kind": "tls", "value": "t"}], "e", ["acct_9"])
    assert found == {"user_agent": ("OpenAI/JS 5.12.2", "python-httpx/0.28"), "tls": (), "egress": ("2001:db8::/48",)}


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_recipient_without_a_usable_name_is_refused(name: str, master: MasterSecret) -> None:
    with pytest.raises(UsageError, match="--recipient"):
        pseudonyms_for(master, name)
