"""Readings and rulings: what is told adds up to what was judged, and each word rests on a number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from stillwatch.detect.assemble import Evidence, build_findings, ranked, rule
from stillwatch.detect.entities import Entities, gather
from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.judge import Judgement, judge, judge_group, with_q_values
from stillwatch.detect.licences import licensed_accounts
from stillwatch.detect.readings import entity_pooling_readings, group_readings, group_silences, harvest_readings
from stillwatch.detect.settings import DetectSettings
from stillwatch.detect.tally import Prices, tally
from stillwatch.features import CATALOGUE as FEATURES
from stillwatch.link import validate
from stillwatch.link.group import Group, group_id
from stillwatch.link.nominate import Candidate, TraceRows
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.records.findings import Axis, EntityKind, Finding, Severity, Verdict
from stillwatch.stats.seeds import generator

ACCOUNTS, CELLS = 80, 6
MEMBERS = np.array([3, 1, 2, 0], np.int64)
IDS = np.array([f"a{number:02d}" for number in range(ACCOUNTS)], np.str_)
SETTINGS = DetectSettings(least_account_exchanges=50, serious_exchanges=600)
START = 1_788_739_200


def _tested() -> validate.Tested:
    candidate = Candidate(
        kind="wording",
        traces=("11",),
        members=np.arange(5),
        counts=np.full(5, 40),
        explained=frozenset({"parameters", "manner"}),
        worth=2.0,
    )
    return validate.Tested(
        candidate=candidate,
        p_values={"subjects": 0.001, "volume": 0.2},
        p_value=0.0005,
        silent={"manner": "explained by what the accounts share", "failover": "no status"},
        levels={"subjects": (-0.01, -0.4), "volume": (-0.2, -0.5)},
    )


GROUP = Group(
    entity_id=group_id(IDS[MEMBERS].tolist()),
    members=MEMBERS,
    membership=np.array([1.0, 0.9, 0.8, 0.4]),
    tested=(_tested(),),
    p_value=0.0005,
    q_value=0.002,
)


def _profiles() -> Profiles:
    rng = generator(31, "reading profiles")
    moments = Moments.empty(ACCOUNTS, 48, CELLS)
    moments.subjects[:] = rng.integers(0, 60, (ACCOUNTS, CELLS))
    moments.hours[:] = rng.integers(0, 9, (ACCOUNTS, 48))
    nothing = np.zeros(0, np.int64)
    carriers = Moments.empty(0, 48, CELLS)
    return Profiles(
        ids=IDS, accounts=moments, carriers=carriers, carrier_trace=nothing, carrier_account=nothing, start_us=START * 1_000_000
    )


def _features(ids: list[str], name: str) -> pa.Table:
    rng = generator(32, name)
    columns = {feature.name: rng.random(len(ids)) for feature in FEATURES}
    columns |= {"exchanges": np.full(len(ids), 900.0), "text_exchanges": np.full(len(ids), 800.0)}
    columns |= {"first_at": np.full(len(ids), float(START)), "last_at": np.full(len(ids), START + 86_400.0)}
    columns["temperature_spread"][:] = np.nan
    return pa.table({"entity_id": ids, **columns})


@pytest.fixture(scope="module")
def entities() -> Entities:
    # rows of the features table come in any order
    accounts = _features(IDS.tolist(), "accounts").take(pa.array(list(reversed(range(ACCOUNTS)))))
    return gather(_profiles(), [GROUP], accounts, _features([GROUP.entity_id], "group"))


@pytest.fixture(scope="module")
def judgement(entities: Entities) -> Judgement:
    values = entities.signal_values()
    nobody = np.zeros(len(values), np.bool_)
    draw = generator(33, "judge")
    found = judge(values, entities.features["exchanges"], entities.is_group, entities.claimed, nobody, HARVEST_SIGNALS, SETTINGS, draw)
    pools = generator(34, "pools").random((300, len(HARVEST_SIGNALS))) * 0.5
    judge_group(found, ACCOUNTS, pools, None, HARVEST_SIGNALS)
    return with_q_values(found, entities.is_group)


def _evidence(
    entities: Entities, judgement: Judgement, declared: dict[str, str] | None = None, public: float = 0.0, verification: str = "contract"
) -> Evidence:
    none = np.zeros(0, np.int64)
    rows = TraceRows(account=none, trace=none, count=none, kinds=np.zeros(0, np.str_), values=np.zeros(0, np.str_), accounts=ACCOUNTS)
    shares = np.full(ACCOUNTS, public)
    labels = tuple(f"subject {cell}" for cell in range(CELLS))
    return Evidence(
        entities=entities,
        judgement=judgement,
        rows=rows,
        silent=(),
        labels=labels,
        declared=declared or {},
        licensed=licensed_accounts(IDS.tolist(), declared or {}, dict.fromkeys(IDS.tolist(), verification), SETTINGS),
        public=shares,
        together=np.zeros(len(entities.claimed)),
        draws=999,
    )


def _shouting(judgement: Judgement, entity: int) -> Judgement:
    """The judgement with one entity far beyond every other in every family."""
    copies = {name: getattr(judgement, name).copy() for name in ("p_signals", "p_values", "q_values")}
    copies["p_signals"][entity] = 0.001
    copies["p_values"][entity], copies["q_values"][entity] = 1e-8, 1e-6
    return replace(judgement, **copies)


def test_entities_line_up_with_accounts_then_groups(entities: Entities) -> None:
    assert len(entities.claimed) == ACCOUNTS + 1
    assert set(np.flatnonzero(entities.claimed).tolist()) == set(MEMBERS.tolist())
    assert entities.entity_id(7) == "a07"
    assert entities.entity_id(ACCOUNTS) == GROUP.entity_id
    assert entities.members(ACCOUNTS).tolist() == MEMBERS.tolist()
    expected = _features(IDS.tolist(), "accounts")["output_yield"].to_numpy()
    assert entities.features["output_yield"][:ACCOUNTS] == pytest.approx(expected)


def test_derived_values_are_functions_of_the_features(entities: Entities) -> None:
    features = entities.features
    assert features["broad_template"] == pytest.approx(features["subject_effective"] * features["fixed_wording_share"])
    assert features["distinct_prompts"] == pytest.approx(features["distinct_prompt_share"] * features["text_exchanges"])
    assert len(features["subject_shift"]) == ACCOUNTS + 1


def test_values_below_the_floor_are_none_and_groups_have_no_rhythm(entities: Entities) -> None:
    values = entities.signal_values()
    for column, signal in enumerate(HARVEST_SIGNALS):
        known = values[:ACCOUNTS, column]
        assert not ((known > 0) & (known < signal.floor)).any()
        if not signal.of_groups:
            assert np.isnan(values[ACCOUNTS, column]), signal.id


def test_the_readings_of_every_entity_add_up_to_its_strength(entities: Entities, judgement: Judgement) -> None:
    for entity in range(ACCOUNTS + 1):
        readings = harvest_readings(judgement, entity)
        strength = judgement.totals[entity]
        assert sum(reading.contribution for reading in readings) == pytest.approx(0.0 if np.isnan(strength) else strength)
        assert [reading.contribution for reading in readings] == sorted((reading.contribution for reading in readings), reverse=True)
        assert all(reading.axis is Axis.HARVEST and reading.p_value is not None for reading in readings)


def test_a_signal_without_values_is_not_read(judgement: Judgement) -> None:
    assert "temperature_spread" not in {reading.signal for reading in harvest_readings(judgement, 20)}
    assert harvest_readings(judgement, int(MEMBERS[0])) == ()


def test_a_group_is_read_by_its_likenesses_and_by_what_nominated_it() -> None:
    readings = {reading.signal: reading for reading in group_readings(GROUP, 999)}
    assert set(readings) == {"shared_wording", "one_list", "like_volume"}
    # five accounts carry the wording, four of them are members
    assert readings["shared_wording"].value == 4
    assert readings["shared_wording"].p_value is None
    # a distance is shown as one: positive, and smaller than that of random accounts
    assert (readings["one_list"].value, readings["one_list"].baseline_median) == (0.01, 0.4)
    assert readings["one_list"].contribution == pytest.approx(-np.log(0.001))
    assert readings["one_list"].reference_size == 999


def test_likenesses_that_could_not_be_tested_say_why() -> None:
    assert {(silent.signal, silent.reason) for silent in group_silences(GROUP)} == {
        ("like_manner", "explained by what the accounts share"),
        ("failover", "no status"),
    }


def _pooling_values(entity: float) -> dict[str, npt.NDArray[np.float64]]:
    return {"key_addresses": np.array([entity, *range(1, 41)], float), "derived_session_share": np.full(41, np.nan)}


def test_an_account_alone_is_read_against_the_others_without_itself() -> None:
    (reading,) = entity_pooling_readings(_pooling_values(90.0), 0, np.arange(41))
    assert reading.signal == "shared_credential"
    assert (reading.reference_size, reading.baseline_median) == (40, 20.5)
    assert reading.p_value == pytest.approx(1 / 41)
    assert entity_pooling_readings(_pooling_values(float("nan")), 0, np.arange(41)) == ()
    assert entity_pooling_readings(_pooling_values(90.0), 0, np.arange(15)) == ()


def _findings(evidence: Evidence) -> tuple[Finding, ...]:
    found = ranked(rule(evidence, SETTINGS), evidence.judgement)
    return build_findings(found, evidence, lambda _entity: tally([], [], Prices(currency="USD", models={}), []), {})


def test_every_entity_that_no_group_claims_is_ruled_once(entities: Entities, judgement: Judgement) -> None:
    rulings = rule(_evidence(entities, judgement), SETTINGS)
    assert [ruling.entity for ruling in rulings] == [place for place in range(ACCOUNTS + 1) if place not in MEMBERS]
    assert {ruling.pooling for ruling in rulings[:-1]} == {Verdict.NO}
    assert rulings[-1].pooling is Verdict.YES


def test_findings_add_up_and_come_most_severe_first(entities: Entities, judgement: Judgement) -> None:
    findings = _findings(_evidence(entities, _shouting(judgement, 40)))
    assert [finding.severity.rank for finding in findings] == sorted((finding.severity.rank for finding in findings), reverse=True)
    assert {finding.entity_id for finding in findings} >= {GROUP.entity_id, "a40"}
    for finding in findings:
        harvest = [reading.contribution for reading in finding.readings if reading.axis is Axis.HARVEST]
        assert sum(harvest) == pytest.approx(finding.strength)
        assert "{" not in finding.title + finding.summary + finding.next_step + "".join(finding.ordinary)


def test_a_finding_names_its_members_with_reasons(entities: Entities, judgement: Judgement) -> None:
    (group,) = (finding for finding in _findings(_evidence(entities, judgement)) if finding.kind is EntityKind.GROUP)
    assert [(member.account_id, member.membership) for member in group.members] == [("a03", 1.0), ("a01", 0.9), ("a02", 0.8), ("a00", 0.4)]
    assert all("wording: 40 of its exchanges (4%)" in member.reasons[0] for member in group.members)
    assert group.pooling_p_value == 0.0005


def test_a_finding_has_the_same_uid_whenever_it_is_built(entities: Entities, judgement: Judgement) -> None:
    first, second = (_findings(_evidence(entities, judgement)) for _ in range(2))
    assert [finding.uid for finding in first] == [finding.uid for finding in second]
    assert len({finding.uid for finding in first}) == len(first)


@pytest.mark.parametrize(
    ("use", "verification", "severity"),
    [
        ("Licensed training, deal 7", "licensed", Severity.INFO),
        ("Synthetic data under licence", "Contract", Severity.INFO),
        ("Licensed training, deal 7", "email", Severity.HIGH),
        ("assistants built under contract for hotels", "contract", Severity.HIGH),
        ("a quiz for the driving licence", "contract", Severity.HIGH),
        ("Licensed training, deal 7", "business", Severity.HIGH),
        ("chat", "contract", Severity.HIGH),
        ("No personal data; synthetic data under licence", "contract", Severity.INFO),
        ("synthetic data, not under licence", "contract", Severity.HIGH),
        ("we don't do licensed training", "contract", Severity.HIGH),
        ("unlicensed training", "contract", Severity.HIGH),
        ("synthetic data under licence (expired)", "contract", Severity.HIGH),
        ("licensed training: pending", "licensed", Severity.HIGH),
    ],
)
def test_a_licence_of_a_verified_customer_makes_a_harvest_information(
    entities: Entities, judgement: Judgement, use: str, verification: str, severity: Severity
) -> None:
    evidence = _evidence(entities, _shouting(judgement, 40), {"a40": use}, verification=verification)
    findings = {finding.entity_id: finding for finding in _findings(evidence)}
    assert findings["a40"].harvest is Verdict.YES
    assert findings["a40"].severity is severity
    assert f"Declared use: {use}" in findings["a40"].ordinary


def test_a_group_is_licensed_only_if_nine_in_ten_of_its_accounts_are(entities: Entities, judgement: Judgement) -> None:
    loud = _shouting(judgement, ACCOUNTS)
    three = {str(IDS[member]): "licensed training" for member in MEMBERS[:3]}
    all_four = {str(IDS[member]): "licensed training" for member in MEMBERS}
    severities = [rule(_evidence(entities, loud, declared), SETTINGS)[-1].severity for declared in (three, all_four)]
    assert severities == [Severity.HIGH, Severity.INFO]


def test_an_account_that_works_through_public_items_is_never_a_yes(entities: Entities, judgement: Judgement) -> None:
    loud = _shouting(judgement, 40)
    private, public = (
        next(ruling for ruling in rule(_evidence(entities, loud, public=share), SETTINGS) if ruling.entity == 40) for share in (0.49, 0.5)
    )
    assert private.harvest is Verdict.YES
    assert public.harvest is Verdict.UNCLEAR
    assert public.severity is None


def test_techniques_are_cited_only_where_harvest_is_claimed(entities: Entities, judgement: Judgement) -> None:
    findings = {finding.entity_id: finding for finding in _findings(_evidence(entities, _shouting(judgement, 40)))}
    assert ("AML.T0024.002", "Extract AI Model") in findings["a40"].techniques
    for finding in findings.values():
        assert bool(finding.techniques) == (finding.harvest is Verdict.YES)


def test_one_house_is_neither_an_acquittal_nor_grounds_for_a_charge(entities: Entities, judgement: Judgement) -> None:
    loud = _shouting(judgement, ACCOUNTS)
    plain = rule(_evidence(entities, loud), SETTINGS)[-1]
    assert plain.harvest is Verdict.YES
    unmatched = loud.unmatched.copy()
    unmatched[ACCOUNTS] = True
    alone = rule(_evidence(entities, replace(loud, unmatched=unmatched)), SETTINGS)[-1]
    assert (alone.harvest, alone.severity) == (Verdict.UNCLEAR, Severity.LOW)
    p_values, q_values, strangers = (values.copy() for values in (loud.p_values, loud.q_values, loud.as_strangers))
    p_values[ACCOUNTS], q_values[ACCOUNTS], strangers[ACCOUNTS] = 0.4, 0.8, 1e-6
    explained = rule(_evidence(entities, replace(loud, p_values=p_values, q_values=q_values, as_strangers=strangers)), SETTINGS)[-1]
    assert (explained.harvest, explained.severity) == (Verdict.UNCLEAR, Severity.LOW)
    strangers[ACCOUNTS] = 0.4
    ordinary = rule(_evidence(entities, replace(loud, p_values=p_values, q_values=q_values, as_strangers=strangers)), SETTINGS)[-1]
    assert ordinary.harvest is Verdict.NO


def test_a_house_is_told_as_the_ordinary_explanation_and_what_it_asks_for(entities: Entities, judgement: Judgement) -> None:
    evidence = _evidence(entities, _shouting(judgement, ACCOUNTS))
    assert not any("openly share" in words for words in _findings(evidence)[0].ordinary)
    together = evidence.together.copy()
    together[ACCOUNTS] = 0.8
    told = [words for words in _findings(replace(evidence, together=together))[0].ordinary if "openly share" in words]
    assert told
    assert told[0].startswith("80% of its accounts")
    assert "single customers of its size" in told[0]


def test_a_template_for_whatever_comes_tells_one_thing_only(entities: Entities, judgement: Judgement) -> None:
    loud = _shouting(judgement, ACCOUNTS)
    told = loud.p_signals.copy()
    product = {"wording", "coverage", "shape", "yield", "novelty"}
    for column, signal in enumerate(HARVEST_SIGNALS):
        told[ACCOUNTS, column] = 0.001 if signal.family in product else 0.5
    template = rule(_evidence(entities, replace(loud, p_signals=told)), SETTINGS)[-1]
    assert template.harvest is Verdict.UNCLEAR
    column = next(place for place, signal in enumerate(HARVEST_SIGNALS) if signal.family == "reasoning")
    told[ACCOUNTS, column] = 0.001
    assert rule(_evidence(entities, replace(loud, p_signals=told)), SETTINGS)[-1].harvest is Verdict.YES
