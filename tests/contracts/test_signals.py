"""Every signal of the catalogue: it is described in full, says when it is silent, and moves the way it claims to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy import sparse

from stillwatch.app.describing import sketched_columns
from stillwatch.detect.catalogue import CATALOGUE, silent_signals
from stillwatch.detect.entities import Entities, gather
from stillwatch.detect.signal import TECHNIQUES, Scope, Signal, missing_columns
from stillwatch.engines.base import Engine
from stillwatch.engines.schema import arrow_schema
from stillwatch.features import CATALOGUE as FEATURES
from stillwatch.features import features
from stillwatch.features.traces import TRACE_KINDS
from stillwatch.link import likeness
from stillwatch.link.nominate import SHARED_KINDS, TraceRows, nominate
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import ASPECTS
from stillwatch.records.findings import Axis
from stillwatch.records.tables import ACCOUNTS, EXCHANGES, SKETCHED
from stillwatch.stats.seeds import generator

START = datetime(2026, 9, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
EACH, CELLS, ORDINARY = 60, 12, 5
BY_NAME = {feature.name: feature for feature in FEATURES}
KIND_NAMES = frozenset(kind.name for kind in TRACE_KINDS)
DERIVED = {
    "account_breadth": ("subject_effective",),
    "broad_template": ("subject_effective", "fixed_wording_share"),
    "distinct_prompts": ("distinct_prompt_share", "text_exchanges"),
    "subject_shift": (),
}
"""Values that detect.entities forms, and the features that they are formed of."""

ALWAYS = frozenset(column.name for column in EXCHANGES.columns if not column.nullable)
ENTITY = [signal for signal in CATALOGUE if signal.scope is Scope.ENTITY]
GROUP = [signal for signal in CATALOGUE if signal.scope is Scope.GROUP]
every = pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.id)


def test_ids_are_unique() -> None:
    ids = [signal.id for signal in CATALOGUE]
    assert len(set(ids)) == len(ids)


def test_the_values_formed_by_detect_are_known_here(entities: Entities) -> None:
    assert set(entities.features) - set(BY_NAME) == set(DERIVED)


@every
def test_the_source_exists(signal: Signal) -> None:
    if signal.scope is Scope.ENTITY:
        assert signal.source in BY_NAME or signal.source in DERIVED
    else:
        assert signal.source in ASPECTS or signal.source in KIND_NAMES
        assert signal.axis is Axis.POOLING


def test_every_aspect_of_validation_has_exactly_one_signal() -> None:
    sources = [signal.source for signal in GROUP]
    assert len(set(sources)) == len(sources)
    assert set(ASPECTS) <= set(sources)


@every
def test_the_columns_exist(signal: Signal) -> None:
    known = {*EXCHANGES.names, *ACCOUNTS.names}
    assert signal.columns
    for need in signal.columns:
        assert set(need.split("|")) <= known


@every
def test_a_reader_is_told_all_that_is_needed_to_doubt_it(signal: Signal) -> None:
    for text in (signal.ordinary, signal.blind_spot, signal.unit, signal.when_null, signal.family, signal.says):
        assert text.strip() == text
        assert text
    assert signal.references
    assert all(reference.strip() for reference in signal.references)
    assert signal.direction in (-1, 1)
    assert signal.techniques
    assert set(signal.techniques) <= set(TECHNIQUES)
    assert 0 <= signal.floor < 0.1


@every
def test_its_sentence_holds_its_number_and_says_what_is_unknown(signal: Signal) -> None:
    known = signal.sentence(0.375, 0.125, 0.25)
    assert "0.375" in known or "37.5 %" in known
    assert "{" not in known
    unknown = signal.sentence(0.375, None, None)
    if "{median}" in signal.says or "{high}" in signal.says:
        assert "unknown" in unknown
    assert known.endswith(".")


@every
def test_it_is_listed_as_silent_with_the_reason_exactly_when_a_column_is_missing(signal: Signal) -> None:
    everything = frozenset({*EXCHANGES.names, *ACCOUNTS.names})
    assert signal.id not in {silent.signal for silent in silent_signals(everything)}
    for need in signal.columns:
        without = everything - set(need.split("|"))
        (silent,) = (silent for silent in silent_signals(without) if silent.signal == signal.id)
        assert silent.reason == f"the log has no {need.replace('|', ' or ')}"
        for one in need.split("|"):
            assert not missing_columns(signal, without | {one})


def test_a_log_without_any_column_silences_every_signal() -> None:
    assert [silent.signal for silent in silent_signals(frozenset())] == [signal.id for signal in CATALOGUE]


def _possible(source: str, columns: frozenset[str]) -> bool:
    """Whether a log that fills these columns, and those that none can lack, gives the value."""
    available = sketched_columns(columns | ALWAYS) | {f"accounts.{name}" for name in columns & set(ACCOUNTS.names)}
    if source == "subject_shift":
        return "subject" in available
    return all(BY_NAME[name].possible(available) for name in DERIVED.get(source, (source,)))


@pytest.mark.parametrize("signal", ENTITY, ids=lambda signal: signal.id)
def test_the_columns_it_declares_are_enough_and_none_can_be_spared(signal: Signal) -> None:
    """What is not listed as silent must be able to speak, and the other way round."""
    for chosen in itertools.product(*(need.split("|") for need in signal.columns)):
        assert _possible(signal.source, frozenset(chosen)), chosen
    everything = frozenset({*EXCHANGES.names, *ACCOUNTS.names})
    for need in signal.columns:
        if not set(need.split("|")) & ALWAYS:
            assert not _possible(signal.source, everything - set(need.split("|"))), need


def _by_id(name: str) -> Signal:
    return next(signal for signal in CATALOGUE if signal.id == name)


@pytest.mark.parametrize("kind", [kind for kind in TRACE_KINDS if kind.name in SHARED_KINDS], ids=lambda kind: kind.name)
def test_a_likeness_by_shared_traces_can_speak_by_each_of_them(kind: Any) -> None:
    """Else the page would call a signal silent and show its reading."""
    signal = _by_id({"prompt": "shared_prompts", "parameters": "parameter_lockstep"}.get(kind.name, "shared_infrastructure"))
    if kind.name == "session_rule":
        needs = [frozenset({"session_id", "prompt_text"})]
    elif kind.name == "prompt":
        needs = [frozenset({"prompt_text"})]
    else:
        needs = [frozenset({name.removeprefix("accounts.")}) for name in (*kind.columns, *kind.any_of)]
    for need in needs:
        assert not missing_columns(signal, need | ALWAYS), need


Row = dict[str, Any]


def _office(place: int) -> datetime:
    """Four, sixteen, eight, ... exchanges a day between nine and five."""
    for day, count in enumerate((4, 16, 8, 14, 6, 12)):
        if place < count:
            return START + timedelta(days=day) + (9 + 8 * place / count) * HOUR
        place -= count
    raise AssertionError(place)


def _ordinary(place: int, account: int) -> Row:
    return {
        "started_at": _office(place) + timedelta(minutes=account),
        "session_id": f"s{account}-{place // 4}",
        "session_rule": "none",
        "key_id": f"k{account}",
        "client_ip": f"10.{account}.0.{place % 2 + 1}",
        "model_served": "old",
        "logprobs": False,
        "temperature": 0.7,
        "n": 1,
        "logit_bias_size": 0,
        "input_tokens": 100,
        "output_tokens": 100 + account,
        "reasoning_tokens": 10,
        "status": 200,
        "finish_reason": "stop",
        "turns": 3,
        "prompt_key": place % 20,
        "prompt_bucket": place % 20,
        "wording": [7] if place % 3 == 0 else [100 + place],
        "subject": (place + account) % 3,
        "elicits": 1 if place == account else 0,
        "reasoning_share": 0.1,
    }


def _probing(place: int) -> Row:
    """Ten early exchanges an hour apart, eight of them refused; then fifty in five hours."""
    if place < 10:
        return {"started_at": START + place * HOUR, "status": 400 if place < 8 else 200, "wording": [1]}
    return {"started_at": START + (9 + (place - 9) * 0.1) * HOUR, "wording": [1000 + place]}


def _released(place: int) -> Row:
    return {"model_served": "new", "started_at": START + timedelta(days=4) + place * 0.1 * HOUR} if place >= 30 else {}


RECIPES: dict[str, Callable[[int], Row]] = {
    "reasoning_elicitation_share": lambda _: {"elicits": 1},
    "reasoning_response_share": lambda _: {"reasoning_share": 0.9},
    "reasoning_token_share": lambda _: {"reasoning_tokens": 80},
    "grading_share": lambda _: {"elicits": 2},
    "cleaning_share": lambda _: {"elicits": 4},
    "evasion_share": lambda _: {"elicits": 8},
    "output_yield": lambda _: {"output_tokens": 5000},
    "single_turn_share": lambda _: {"turns": 1},
    "subject_effective": lambda place: {"subject": place % CELLS},
    "account_breadth": lambda place: {"subject": place % CELLS},
    "broad_template": lambda place: {"subject": place % CELLS, "wording": [9]},
    "distinct_prompts": lambda place: {"prompt_key": 1000 + place},
    "prompt_repeat_probability": lambda place: {"prompt_bucket": 1000 + place},
    "fixed_wording_share": lambda _: {"wording": [9]},
    "multiple_samples_share": lambda _: {"n": 8},
    "logprobs_share": lambda _: {"logprobs": True},
    "logit_bias_share": lambda _: {"logit_bias_size": 5},
    "temperature_spread": lambda place: {"temperature": place % 5 / 2},
    "hour_effective": lambda place: {"started_at": START + place * 2.5 * HOUR},
    "cadence_variation": lambda place: {"started_at": START + place * 2 * HOUR},
    "daily_variation": lambda place: {"started_at": START + timedelta(days=place // 10) + (9 + place % 10) * HOUR},
    "ramp": lambda place: {"started_at": START + place * 0.2 * HOUR} if place < 40 else {},
    "plan_to_usage": lambda _: {"input_tokens": 90_000},
    "probe_then_scale": _probing,
    "new_model_share": _released,
    "subject_shift": lambda _: {"subject": CELLS - 1},
    "session_determinism": lambda _: {"session_rule": "first_words"},
    "shared_credential": lambda place: {"client_ip": f"10.9.{place}.1"},
}
"""Per signal of entities, what an account does differently that shows it, in one line."""


def _log() -> pa.Table:
    rows: list[Row] = [
        {"account_id": f"ordinary-{account}", **_ordinary(place, account)} for account in range(ORDINARY) for place in range(EACH)
    ]
    rows += [{"account_id": name, **_ordinary(place, 1), **change(place)} for name, change in RECIPES.items() for place in range(EACH)]
    base = {"source": "test", "text_state": "full"}
    filled = [{**base, "exchange_id": str(number), **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, schema=arrow_schema(SKETCHED))


def _profiles(log: pa.Table) -> Profiles:
    ids, owner = np.unique(np.array(log["account_id"].to_pylist()), return_inverse=True)
    moments = Moments.empty(len(ids), 24, CELLS)
    np.add.at(moments.subjects, (owner, log["subject"].to_numpy()), 1)
    nothing = np.zeros(0, np.int64)
    return Profiles(
        ids=ids.astype(np.str_),
        accounts=moments,
        carriers=Moments.empty(0, 24, CELLS),
        carrier_trace=nothing,
        carrier_account=nothing,
        start_us=0,
    )


@pytest.fixture(scope="module")
def entities(duck: Engine) -> Entities:
    """One account per recipe among ordinary ones, through the real features."""
    log = _log()
    profiles = _profiles(log)
    quotas = pa.Table.from_pylist(
        [{"account_id": name, "monthly_quota_tokens": 1_000_000} for name in profiles.ids.tolist()], schema=arrow_schema(ACCOUNTS)
    )
    exchanges: Any = duck.table(log, "signal_log")
    expression = features(
        exchanges.mutate(entity_id=exchanges.account_id), duck.table(quotas, "signal_accounts"), frozenset(SKETCHED.names)
    )
    return gather(profiles, [], duck.arrow(expression), None)


def test_every_signal_of_entities_has_a_recipe() -> None:
    assert set(RECIPES) == {signal.id for signal in ENTITY}


@pytest.mark.parametrize("signal", ENTITY, ids=lambda signal: signal.id)
def test_the_behaviour_it_is_named_for_is_on_its_suspicious_side(entities: Entities, signal: Signal) -> None:
    ids = entities.profiles.ids.tolist()
    values = entities.features[signal.source] * signal.direction
    suspect = values[ids.index(signal.id)]
    ordinary = values[[place for place, name in enumerate(ids) if name.startswith("ordinary-")]]
    assert len(ordinary) == ORDINARY
    assert not np.isnan([suspect, *ordinary]).any()
    assert suspect > ordinary.max()
    assert abs(suspect) >= signal.floor


Levels = dict[str, npt.NDArray[np.float64]]


@pytest.fixture(scope="module")
def levels() -> Levels:
    """Per aspect, the likeness of [eight accounts of one operation, eight strangers]."""
    rng = generator(41, "aspects")
    rows, sets = np.arange(16), np.array([range(8), range(8, 16)])
    vectors = rng.normal(size=(16, 6))
    vectors[:8] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    volumes = np.where(rows < 8, 50.0, np.exp(rng.normal(4, 1, 16)))
    hours = rng.normal(size=(16, 100)).astype(np.float32)
    hours[:8] += 2 * hours[0]
    manner = rng.random((16, 4))
    manner[:8] = manner[0]
    carried = np.eye(16, dtype=np.float32)
    carried[:8, 0] = 1
    follows = np.zeros((16, 16), np.float32)
    follows[0, 1] = follows[2, 3] = follows[9, 10] = 1
    shared = likeness.by_traces(sparse.csr_array(carried), np.full(16, 2.0), sets)
    return {
        "subjects": likeness.by_subject(np.full(16, 40.0), vectors * 36, np.zeros(16, np.int64), sets),
        "volume": likeness.by_volume(volumes, sets),
        "lockstep": likeness.by_clock(hours, sets),
        "manner": likeness.by_manner(manner, sets),
        "infrastructure": shared,
        "parameters": shared,
        "failover": likeness.by_succession(sparse.csr_array(follows), rows, np.zeros((16, 2)), sets),
    }


@pytest.mark.parametrize("signal", [signal for signal in GROUP if signal.source in ASPECTS], ids=lambda signal: signal.id)
def test_a_likeness_is_shown_on_its_suspicious_side(levels: Levels, signal: Signal) -> None:
    """Statistics grow with likeness; what is shown is a distance where the direction is -1, and never a negative one."""
    one, strangers = levels[signal.source]
    assert one > strangers
    if signal.direction < 0:
        assert signal.direction * strangers > 0


@pytest.mark.parametrize("signal", [signal for signal in GROUP if signal.source in KIND_NAMES - set(ASPECTS)], ids=lambda signal: signal.id)
def test_a_shared_trace_counts_its_accounts(signal: Signal) -> None:
    accounts = np.arange(6)
    rows = TraceRows(
        account=accounts,
        trace=np.zeros(6, np.int64),
        count=np.full(6, 30),
        kinds=np.array([signal.source], np.str_),
        values=np.array(["5"], np.str_),
        accounts=40,
    )
    (candidate,) = nominate(rows, np.full(40, 50), LinkSettings())
    assert candidate.kind == signal.source
    assert len(candidate.members) == 6
    assert signal.unit == "accounts"
    assert signal.direction == 1
