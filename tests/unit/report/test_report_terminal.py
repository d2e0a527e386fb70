"""The terminal shows the chain behind a finding, and no text from a log can steer it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from stillwatch.records.findings import Report
from stillwatch.report import explain_text, render_html, summary_json, summary_table, words


def printed(renderable: RenderableType, *, colour: bool = False) -> str:
    sink = io.StringIO()
    Console(file=sink, width=200, force_terminal=colour, color_system="truecolor" if colour else None).print(renderable)
    return sink.getvalue()


def test_the_summary_names_every_finding_and_the_power(report: Report) -> None:
    text = printed(summary_table(report))
    for finding in report.findings:
        assert finding.entity_id in text
    assert "should be expected to be false" in text
    assert " ".join(report.run.power.words.split()[:6]) in text


def test_a_summary_without_findings_says_so_with_its_power(empty: Report) -> None:
    text = printed(summary_table(empty))
    assert "No distillation found" in text
    assert "What this run could have found" in text


def test_an_explanation_goes_from_the_claim_to_members_links_exchanges_and_doubts(report: Report) -> None:
    finding = report.findings[0]
    text = printed(explain_text(finding, everything=True))
    order = [
        text.index(heading)
        for heading in (
            finding.title,
            "Signals  strength",
            "Accounts  64",
            "Links  ",
            "Exchanges  examples",
            "What speaks against it",
            "Next step",
        )
    ]
    assert order == sorted(order)
    assert all(reading.signal in text for reading in finding.readings)
    assert all(exhibit.exchange_id in text for exhibit in finding.exhibits)
    assert all(member.account_id in text for member in finding.members)
    assert "--all" not in text
    assert "could not speak" in text


def test_a_first_look_is_short_and_counts_what_it_leaves_out(report: Report) -> None:
    finding = report.findings[0]
    short, full = printed(explain_text(finding)), printed(explain_text(finding, everything=True))
    assert len(short.splitlines()) < len(full.splitlines()) / 2
    shown = sum(member.account_id in short.split("\nLinks")[0] for member in finding.members)
    assert 0 < shown < len(finding.members)
    assert f"and {len(finding.members) - shown} more accounts; --all shows the rest" in short
    for axis in ("harvest", "pooling"):
        assert f"({axis})" in short
    assert finding.next_step.split()[0] in short


def test_a_single_account_is_explained_without_links(report: Report) -> None:
    text = printed(explain_text(report.findings[2]))
    assert "Links" not in text
    assert report.findings[2].entity_id in text


@pytest.mark.slow
@pytest.mark.parametrize("colour", [False, True])
def test_no_text_from_a_log_steers_the_terminal(nasty: Report, colour: bool) -> None:
    explained = [explain_text(finding, everything=everything) for finding in nasty.findings for everything in (False, True)]
    for renderable in (summary_table(nasty), *explained):
        text = printed(renderable, colour=colour)
        styled = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", styled) is None
        assert "\x1b[31mred" not in text
        assert "\x1b]8" not in text
        assert len(text) < 200_000


def test_rich_markup_in_a_log_is_text(nasty: Report) -> None:
    text = printed(summary_table(nasty))
    assert "[bold red]" in text


def test_the_json_summary_counts_what_the_report_holds(report: Report, nasty: Report, empty: Report) -> None:
    for held in (report, nasty, empty):
        told = json.loads(json.dumps(summary_json(held), allow_nan=False))
        assert len(told["findings"]) == len(held.findings) == sum(told["severities"].values())
        assert told["power"]["words"] == held.run.power.words
    told = summary_json(report)
    assert told["findings"][0]["entity_id"] == report.findings[0].entity_id
    assert told["findings"][0]["accounts"] == 64


def test_endless_numbers_do_not_break_the_json_summary(report: Report) -> None:
    endless = replace(report, findings=(replace(report.findings[0], strength=float("inf")),))
    assert json.loads(json.dumps(summary_json(endless), allow_nan=False))["findings"][0]["strength"] == "inf"


@pytest.mark.slow
def test_a_list_price_is_shown_with_its_currency_in_text_page_and_json(report: Report) -> None:
    finding = report.findings[0]
    price = f"{words.money(finding.tally.list_price, None)} EUR"
    assert f"list price {price}" in printed(explain_text(finding))
    assert price in render_html(report)
    told = summary_json(report)["findings"][0]
    assert (told["list_price"], told["currency"]) == (finding.tally.list_price, "EUR")
    old = replace(finding, tally=replace(finding.tally, currency=None))
    assert "EUR" not in printed(explain_text(old))
