"""More evidence never makes an entity look better."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.settings import DetectSettings
from stillwatch.detect.verdicts import harvest_verdict, severity
from stillwatch.records.findings import Severity, Verdict

SETTINGS = DetectSettings()
RANK = {Verdict.NO: 0, Verdict.UNCLEAR: 1, Verdict.YES: 2}
p_values = st.one_of(st.floats(1e-12, 1.0), st.sampled_from([SETTINGS.level, SETTINGS.watch_level, 0.001]))
factors = st.floats(0.0, 1.0)


@given(p=p_values, q_factor=st.floats(1, 50), shrink=factors, families=st.integers(0, 13), more=st.integers(0, 5))
def test_more_evidence_never_lowers_the_verdict(p: float, q_factor: float, shrink: float, families: int, more: int) -> None:
    q = min(1.0, p * q_factor)
    before = harvest_verdict(p, q, families, families, SETTINGS)
    after = harvest_verdict(p * shrink, q * shrink, families + more, families + more, SETTINGS)
    assert RANK[after] >= RANK[before]
    assert RANK[harvest_verdict(p, q, families, families, SETTINGS, public=True)] <= min(1, RANK[before])


def _rank(found: Severity | None) -> int:
    return -1 if found is None else found.rank


@given(
    pooled=st.booleans(),
    to_pool=st.booleans(),
    p=p_values,
    q_factor=st.floats(1, 50),
    shrink=factors,
    families=st.integers(0, 13),
    more=st.integers(0, 5),
    exchanges=st.integers(0, 30_000),
    extra=st.integers(0, 30_000),
    licensed=st.booleans(),
)
def test_more_evidence_never_lowers_the_severity(
    pooled: bool,
    to_pool: bool,
    p: float,
    q_factor: float,
    shrink: float,
    families: int,
    more: int,
    exchanges: int,
    extra: int,
    licensed: bool,
) -> None:
    """Smaller p and q, more agreeing families, more exchanges, and pooling that is shown: each can only raise it."""
    q = min(1.0, p * q_factor)
    pooling = Verdict.YES if pooled else Verdict.NO
    stronger = Verdict.YES if pooled or to_pool else Verdict.NO
    weak, strong = (
        harvest_verdict(p, q, families, families, SETTINGS),
        harvest_verdict(p * shrink, q * shrink, families + more, families + more, SETTINGS),
    )
    before = severity(pooling, weak, p, q, exchanges, licensed=licensed, settings=SETTINGS)
    after = severity(stronger, strong, p * shrink, q * shrink, exchanges + extra, licensed=licensed, settings=SETTINGS)
    assert _rank(after) >= _rank(before)
