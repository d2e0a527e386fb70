"""Words of findings: no template shows through, numbers are readable, nothing is claimed that was not found."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from stillwatch.detect.catalogue import CATALOGUE
from stillwatch.detect.signal import Signal, shown
from stillwatch.detect.tally import ModelUse, Prices, tally
from stillwatch.detect.words import next_step, summary, title
from stillwatch.records.findings import Axis, EntityKind, Reading, Severity, Verdict

PRICES = Prices(currency="USD", models={})


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.id)
def test_sentences_hold_no_braces_whatever_is_known(signal: Signal) -> None:
    for value, median, high in itertools.product((0.0, 0.25, 1e-12, 5e6, -3.0), (None, 0.0, 12345.6), (None, 0.0, 12345.6)):
        text = signal.sentence(value, median, high)
        assert not {"{", "}"} & set(text)
        assert "None" not in text
        assert text.endswith(".")


@pytest.mark.parametrize(
    ("value", "share", "text"),
    [
        (None, False, "unknown"),
        (None, True, "unknown"),
        (0.0, False, "0"),
        (0.25, True, "25 %"),
        (1.0, True, "100 %"),
        (0.12345, True, "12.3 %"),
        (0.12345, False, "0.123"),
        (1234.5, False, "1,234"),
        (-2500.0, False, "-2,500"),
    ],
)
def test_numbers_have_as_many_digits_as_a_reader_needs(value: float | None, share: bool, text: str) -> None:
    assert shown(value, share=share) == text


def _reading(sentence: str, contribution: float) -> Reading:
    return Reading(
        signal="ramp",
        axis=Axis.HARVEST,
        value=1.0,
        unit="x",
        baseline_median=None,
        baseline_high=None,
        reference_size=0,
        p_value=0.01,
        contribution=contribution,
        sentence=sentence,
        ordinary="",
    )


EVERY = list(itertools.product(EntityKind, Verdict, Verdict))


@pytest.mark.parametrize(("kind", "pooling", "harvest"), EVERY)
def test_titles_claim_harvest_and_pooling_only_where_they_were_found(kind: EntityKind, pooling: Verdict, harvest: Verdict) -> None:
    text = title(kind, 1200, pooling, harvest, "coverage, reasoning")
    assert "1,200" in text
    assert "{" not in text
    assert ("data collection" in text) == (harvest is Verdict.YES)
    assert ("act as one" in text) == (kind is EntityKind.GROUP and pooling is Verdict.YES)


@pytest.mark.parametrize("harvest", list(Verdict))
@pytest.mark.parametrize("kind", list(EntityKind))
def test_summaries_say_what_was_taken_the_three_strongest_reasons_and_the_limits(kind: EntityKind, harvest: Verdict) -> None:
    taken = tally([ModelUse(model="m", exchanges=4321, input_tokens=None, output_tokens=98765)], [], PRICES, [])
    readings = [_reading(f"Reason {number}.", float(number)) for number in range(6)]
    text = summary(kind, 7, harvest, taken, readings, 3.25)
    assert "4,321 exchanges and 98,765 output tokens over 3.2 days" in text
    assert [f"Reason {number}." in text for number in range(6)] == [False, False, False, True, True, True]
    assert text.index("Reason 5") < text.index("Reason 4") < text.index("Reason 3")
    assert "{" not in text
    accusing = "This says what the traffic looks like, not who is behind it"
    assert (accusing in text) == (harvest is Verdict.YES)


def test_a_reading_that_does_not_stand_out_is_no_reason() -> None:
    taken = tally([ModelUse(model="m", exchanges=10, input_tokens=None, output_tokens=None)], [], PRICES, [])
    ordinary = replace(_reading("Two addresses, as everybody.", 9.0), p_value=0.4)
    assert "Two addresses" not in summary(EntityKind.ACCOUNT, 1, Verdict.UNCLEAR, taken, [ordinary], 1.0)


def test_unknown_tokens_are_not_told() -> None:
    taken = tally([ModelUse(model="m", exchanges=2, input_tokens=None, output_tokens=None)], [], PRICES, [])
    assert "output tokens" not in summary(EntityKind.ACCOUNT, 1, Verdict.NO, taken, [], 1.0)


@pytest.mark.parametrize(("kind", "harvest", "severity"), list(itertools.product(EntityKind, Verdict, Severity)))
def test_every_next_step_is_reversible_or_nothing(kind: EntityKind, harvest: Verdict, severity: Severity) -> None:
    text = next_step(kind, harvest, severity)
    assert text
    assert "{" not in text
    assert any(word in text for word in ("Undo", "Nothing needs to be limited", "No action"))
    if harvest is Verdict.YES and severity is Severity.INFO:
        assert "licence" in text
