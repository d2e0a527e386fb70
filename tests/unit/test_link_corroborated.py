"""What tells one operation from many customers of one kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.link import validate
from stillwatch.link.nominate import Candidate
from stillwatch.link.settings import LinkSettings
from stillwatch.link.settle import corroborated, dealt_out

SETTINGS = LinkSettings()


def _tested(kind: str = "wording", **p_values: float) -> validate.Tested:
    nobody = np.zeros(0, np.int64)
    candidate = Candidate(kind=kind, traces=("x",), members=nobody, counts=nobody, explained=frozenset(), worth=1.0)
    return validate.Tested(candidate=candidate, p_values=p_values, p_value=1e-6, silent={}, levels={"volume": (-0.1, -0.5)})


@pytest.mark.parametrize(
    ("p_values", "stands"),
    [
        ({"lockstep": 0.002, "volume": 0.002}, True),
        ({"lockstep": 0.002, "volume": 0.003}, False),  # one of five by chance
        ({"lockstep": 0.011, "volume": 1e-6, "manner": 1e-6}, False),  # jobs of one kind
        ({"subjects": 0.001, "manner": 1e-6}, False),  # customers of one product
        ({"subjects": 0.001, "volume": 0.001}, False),
        ({"subjects": 1e-4, "volume": 0.002}, True),
        ({"subjects": 1e-6, "volume": 0.009}, False),
        ({"subjects": 1e-6, "manner": 0.009}, False),
        ({"subjects": 0.009, "volume": 1e-4}, True),  # a list in equal shares
        ({"subjects": 0.009, "volume": 2e-4}, False),
        ({"subjects": 0.011, "volume": 1e-6, "manner": 1e-6}, False),
        ({"subjects": 1e-6}, False),  # one aspect is not several
    ],
)
def test_a_kind_of_customer_is_not_yet_an_operation(p_values: dict[str, float], stands: bool) -> None:
    assert corroborated(_tested(**p_values), 0.001, SETTINGS) is stands


@pytest.mark.parametrize(("volume", "dealt"), [(2e-4, True), (3e-4, False)])
def test_of_accounts_that_range_alike_equal_shares_make_a_dealt_list(volume: float, dealt: bool) -> None:
    tested = _tested("subjects", volume=volume, manner=0.01)
    assert dealt_out(tested, SETTINGS) is dealt
    assert corroborated(tested, 0.001, SETTINGS) is dealt
    # the same of accounts that share a wording are jobs of one kind
    assert not corroborated(_tested("wording", volume=volume, manner=0.01), 0.001, SETTINGS)


@pytest.mark.parametrize(("spread", "dealt"), [(0.22, True), (0.23, False)])
def test_many_customers_of_one_kind_who_scatter_a_little_less_than_others_have_no_quota(spread: float, dealt: bool) -> None:
    """Of 250 customers of a framework a small difference is certain; what is dealt out is dealt in equal shares."""
    for tested in (_tested(subjects=0.004, volume=2e-5), _tested("subjects", volume=2e-5, manner=0.01)):
        scattered = replace(tested, levels={"volume": (-spread, -0.6)})
        assert dealt_out(scattered, SETTINGS) is dealt
        assert corroborated(scattered, 0.001, SETTINGS) is dealt
    kind = replace(_tested(subjects=1e-6, volume=1e-4), levels={"volume": (-spread, -0.6)})
    assert corroborated(kind, 0.001, SETTINGS) is dealt


def test_nothing_stands_above_the_level() -> None:
    strong = _tested(lockstep=1e-6, infrastructure=1e-6, subjects=1e-6)
    assert corroborated(strong, SETTINGS.level, SETTINGS)
    assert not corroborated(strong, SETTINGS.level * 1.01, SETTINGS)


def test_customers_of_one_product_are_not_one_operation_because_their_subjects_cannot_be_told_apart() -> None:
    """Hundreds of customers of a framework share its wording, and may differ in nothing that they ask with it."""
    alike = replace(_tested(subjects=1e-5), levels={"subjects": (0.003, -0.137)}, carriers=np.arange(246))
    assert not corroborated(alike, 0.001, SETTINGS)
    assert corroborated(replace(alike, p_values=alike.p_values | {"lockstep": 1e-3}), 0.001, SETTINGS)
