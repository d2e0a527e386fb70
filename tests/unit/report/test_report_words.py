"""Numbers in words, and log text made safe to show."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.records.findings import Axis, Report, Verdict
from stillwatch.report import words
from stillwatch.report.text import short, visible

ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]|://")


@given(st.text(st.characters(codec=None, exclude_categories=[]), max_size=300), st.integers(1, 200), st.booleans())
def test_visible_text_never_acts_and_is_bounded(text: str, limit: int, multiline: bool) -> None:
    shown = visible(text, limit=limit, multiline=multiline)
    assert ACTS.search(shown) is None
    assert multiline or "\n" not in shown
    assert len(shown) <= 11 * limit + 40
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=80).filter(lambda text: ":" not in text))
def test_ordinary_text_is_shown_as_it_stands(text: str) -> None:
    assert visible(text) == text or ACTS.search(text) or not text.isascii()


def test_a_cut_text_says_how_much_is_left_out() -> None:
    assert visible("x" * 105, limit=100) == "x" * 100 + " … [5 more characters]"


@pytest.mark.slow
@given(st.text(max_size=100), st.integers(2, 40))
def test_a_short_text_fits_its_columns(text: str, columns: int) -> None:
    assert len(short(text, columns)) <= columns


def test_wide_characters_take_two_columns() -> None:
    assert short("蒸" * 20, 10) == "蒸" * 4 + "…"
    assert short("short", 10) == "short"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_number_has_words(value: float) -> None:
    assert words.number(value)
    assert words.rough(value)
    assert words.probability(abs(value)) if math.isfinite(value) else True


@pytest.mark.parametrize(
    ("value", "said"), [(0.00012, "1.2 × 10⁻⁴"), (0.05, "0.05"), (0.0, "0"), (None, "–"), (1.0, "1"), (0.0234, "0.023")]
)
def test_probabilities_read_well(value: float | None, said: str) -> None:
    assert words.probability(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, "1 in 2"),
        (0.0012, "1 in 830"),
        (2e-6, "1 in 500,000"),
        (7e-9, "1 in 140 million"),
        (4e-10, "1 in 2.5 billion"),
        (1.0, "1 in 1"),
        (None, "–"),
    ],
)
def test_odds_are_rounded_to_two_digits(value: float | None, said: str) -> None:
    assert words.one_in(value) == said


def test_a_period_names_a_shared_month_and_year_once() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    assert words.period(start, start + timedelta(hours=5)) == "1 Jun 2026"
    assert words.period(start, start + timedelta(days=13)) == "1–14 Jun 2026"
    assert words.period(start, start + timedelta(days=40)) == "1 Jun – 11 Jul 2026"
    assert words.period(start, start + timedelta(days=400)) == "1 Jun 2026 – 6 Jul 2027"
    assert words.period(None, start) == "no dated exchange"


def test_a_share_is_never_rounded_to_nothing() -> None:
    assert [words.percent(share) for share in (0.0, 1e-7, 0.0004, 0.031, 0.5, 1.0)] == [
        "0 %", "less than 0.01 %", "0.04 %", "3.1 %", "50 %", "100 %",
    ]  # fmt: skip


def test_every_verdict_has_a_meaning_of_its_own() -> None:
    said = {words.meaning(axis, verdict) for axis in Axis for verdict in Verdict}
    assert len(said) == len(Axis) * len(Verdict)


@given(st.text(min_size=1, max_size=40).filter(lambda text: "\x00" not in text))
def test_the_explain_command_is_safe_to_paste(entity: str) -> None:
    parts = shlex.split(words.explain_command(entity))
    assert parts[:3] == ["stillwatch", "explain", "DIR"]
    assert parts[-1] == entity
    assert len(parts) == (5 if entity.startswith("-") else 4)


def test_expected_false_findings_are_those_of_the_weakest_claim_of_harvest(report: Report, empty: Report) -> None:
    said = words.expected_false(report)
    assert said.startswith("About 0.032 of the 3 findings that claim harvest")
    assert "Nothing was found" in words.expected_false(empty)
    assert "No finding claims harvest" in words.expected_false(replace(report, findings=report.findings[3:]))
    untested = replace(report.findings[0], p_value=None, q_value=None, expected_false=None)
    assert "as a lead" in words.expected_false(replace(report, findings=(untested,)))
    assert "1 further claim had too few" in words.expected_false(replace(report, findings=(*report.findings[:2], untested)))


def test_pooling_without_harvest_is_never_counted_as_distillation(report: Report) -> None:
    assert words.headline(report.findings) == "3 findings of possible distillation"
    assert words.headline(report.findings[3:]) == "3 findings, none of clear harvest"
    assert words.headline(()) == "No distillation found"
    assert (
        words.other_findings(report.findings) == "In 2 findings harvest is unclear. 1 finding shows no harvest and stands here for pooling."
    )
    assert words.other_findings(report.findings[:3]) == ""
    assert "does not claim it" in words.certainty(report.findings[3])


def test_an_untested_finding_is_called_a_lead(report: Report) -> None:
    assert "lead" in words.certainty(report.findings[5])
    assert "1 in 500,000" in words.certainty(report.findings[0])
