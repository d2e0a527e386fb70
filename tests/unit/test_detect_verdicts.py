"""Verdicts and severities from numbers."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect.settings import DetectSettings
from stillwatch.detect.verdicts import harvest_verdict, severity, standing_out
from stillwatch.records.findings import Severity, Verdict

SETTINGS = DetectSettings()
NAN = float("nan")


def _severity(
    pooling: Verdict, harvest: Verdict, *, p: float = 0.001, q: float = 0.01, exchanges: int = 5000, licensed: bool = False
) -> Severity | None:
    return severity(pooling, harvest, p, q, exchanges, licensed=licensed, settings=SETTINGS)


def test_families_are_counted_once_and_silent_signals_never() -> None:
    p_signals = np.array([0.01, 0.001, 0.2, np.nan, 0.05])
    assert standing_out(p_signals, ["a", "a", "b", "c", "d"], 0.05) == 2
    assert standing_out(np.full(3, np.nan), ["a", "b", "c"], 0.05) == 0


@pytest.mark.parametrize(
    ("p", "q", "families", "public", "expected"),
    [
        (1e-9, 1e-7, 5, False, Verdict.YES),
        (1e-9, 1e-7, 3, False, Verdict.YES),
        (1e-9, 1e-7, 2, False, Verdict.UNCLEAR),
        (1e-9, 1e-7, 0, False, Verdict.UNCLEAR),
        (1e-9, 1e-7, 9, True, Verdict.UNCLEAR),
        (0.001, 0.06, 9, False, Verdict.UNCLEAR),
        (0.05, 0.5, 9, False, Verdict.UNCLEAR),
        (0.06, 0.5, 9, False, Verdict.NO),
        (NAN, NAN, 9, False, Verdict.UNCLEAR),
        (NAN, NAN, 0, True, Verdict.UNCLEAR),
    ],
)
def test_harvest_needs_the_correction_and_several_families(p: float, q: float, families: int, public: bool, expected: Verdict) -> None:
    assert harvest_verdict(p, q, families, 2, SETTINGS, public=public) is expected


@pytest.mark.parametrize("families", range(SETTINGS.agreeing_families))
def test_below_the_family_count_it_is_never_yes(families: int) -> None:
    assert harvest_verdict(1e-300, 1e-300, families, families, SETTINGS) is not Verdict.YES


def test_what_any_product_shows_is_never_a_yes_however_strong() -> None:
    assert harvest_verdict(1e-300, 1e-300, 6, SETTINGS.telling_families - 1, SETTINGS) is Verdict.UNCLEAR


def test_severities_of_the_usual_cases() -> None:
    yes, unclear, no = Verdict.YES, Verdict.UNCLEAR, Verdict.NO
    assert _severity(yes, yes, q=1e-4, exchanges=20 * SETTINGS.clear_exchanges) is Severity.CRITICAL
    assert _severity(yes, yes, q=1e-4) is Severity.HIGH
    assert _severity(no, yes, q=1e-4) is Severity.HIGH
    assert _severity(no, yes, q=0.04) is Severity.MEDIUM
    assert _severity(no, yes, exchanges=SETTINGS.clear_exchanges - 1) is Severity.LOW
    assert _severity(yes, unclear) is Severity.LOW
    assert _severity(yes, no, p=0.5) is Severity.INFO
    assert _severity(no, unclear, p=SETTINGS.watch_level) is Severity.INFO
    assert _severity(no, unclear, p=0.02) is None
    assert _severity(no, no, p=0.5) is None
    assert _severity(no, unclear, p=NAN, q=NAN) is None


@pytest.mark.parametrize("harvest", list(Verdict))
@pytest.mark.parametrize("pooling", list(Verdict))
def test_licensed_use_is_for_information_at_most(pooling: Verdict, harvest: Verdict) -> None:
    found = _severity(pooling, harvest, p=1e-12, q=1e-9, exchanges=1_000_000, licensed=True)
    assert found in (None, Severity.INFO)
    if Verdict.YES in (pooling, harvest):
        assert found is Severity.INFO
