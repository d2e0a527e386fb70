"""What must hold of every feature and every kind of trace, whatever the data."""

from __future__ import annotations

from collections import Counter

import pytest

from stillwatch.features import CATALOGUE, Feature
from stillwatch.features.catalogue import PARTS
from stillwatch.features.traces import TRACE_KINDS, TraceKind
from stillwatch.records.tables import ACCOUNTS, SKETCHED

KNOWN = {*SKETCHED.names, *(f"accounts.{name}" for name in ACCOUNTS.names)}


def test_no_two_features_parts_or_columns_share_a_name() -> None:
    names = [
        *(feature.name for feature in CATALOGUE),
        *(f"part {part.name}" for part in PARTS),
        *(f"given {name}" for part in PARTS for name in part.gives),
        *(f"kind {kind.name}" for kind in TRACE_KINDS),
    ]
    assert [name for name, times in Counter(names).items() if times > 1] == []


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda feature: feature.name)
def test_a_feature_names_known_columns_and_parts_and_explains_itself(feature: Feature) -> None:
    assert {*feature.columns, *feature.any_of} <= KNOWN
    assert set(feature.parts) <= {part.name for part in PARTS}
    assert feature.unit
    assert feature.when_null
    assert feature.version >= 1


@pytest.mark.parametrize("kind", TRACE_KINDS, ids=lambda kind: kind.name)
def test_a_kind_of_trace_names_known_columns_and_an_ordinary_explanation(kind: TraceKind) -> None:
    assert {*kind.columns, *kind.any_of} <= KNOWN
    assert kind.family in {"content", "infrastructure", "identity", "behaviour"}
    assert kind.label
    assert kind.ordinary.endswith(".")


def test_a_need_for_any_of_several_columns_is_met_by_one() -> None:
    refusals = next(feature for feature in CATALOGUE if feature.name == "early_refused_share")
    assert refusals.possible(frozenset({"started_at", "finish_reason"}))
    assert not refusals.possible(frozenset({"started_at"}))
    assert not refusals.possible(frozenset({"finish_reason"}))
