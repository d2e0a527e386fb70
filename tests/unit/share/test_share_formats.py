"""Programs that we did not write read every format; the same input gives the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pymisp
import pytest
import stix2

from stillwatch.records.findings import Report, Verdict
from stillwatch.report import incident_finding, ocsf_finding
from stillwatch.share.claim import Claim
from stillwatch.share.markings import TLP_LEVELS, atlas_pattern, tlp_id
from stillwatch.share.misp import misp_event, template
from stillwatch.share.stix import stix_bundle
from stillwatch.share.tables import csv_text, finding_tables

pytestmark = pytest.mark.slow

GIVEN: dict[str, Any] = {"producer": "Example Models", "tlp": "amber", "in_house": False}


@pytest.fixture(scope="session")
def published() -> Callable[[str], Any]:
    """Validators of OCSF 1.8.0 as it was published; names that it does not know are refused."""
    from jsonschema import Draft202012Validator  # seconds of grammars
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    return lambda name: Draft202012Validator(schema.get_class_schema(name, ["incident"] if name == "incident_finding" else []))


@pytest.mark.parametrize(("name", "make"), [("detection_finding", ocsf_finding), ("incident_finding", incident_finding)])
@pytest.mark.slow
def test_ocsf_rows_follow_the_published_schema(
    name: str,
    make: Callable[..., dict[str, Any]],
    claims: Sequence[Claim],
    report: Report,
    published: Callable[[str], Any],
) -> None:
    validator = published(name)
    for claim in claims:
        row = make(claim.finding, report.run)
        assert not [(list(error.absolute_path), error.message) for error in validator.iter_errors(row)]
    for broken in ({"severity_id": "high"}, {"no_such_name": 1}, {"finding_info": {"title": 3}, "finding_info_list": [{"title": 3}]}):
        assert not validator.is_valid(row | broken)
    del row["activity_id"]
    assert not validator.is_valid(row)


@pytest.mark.slow
def test_an_incident_is_new_unassigned_and_undecided(report: Report) -> None:
    row = incident_finding(report.findings[0], report.run)
    assert (row["class_uid"], row["type_uid"], row["status_id"], row["verdict_id"], row["is_suspected_breach"]) == (
        2005,
        200501,
        1,
        0,
        False,
    )
    assert row["finding_info_list"][0]["uid"] == ocsf_finding(report.findings[0], report.run)["finding_info"]["uid"]
    assert all(sentence in row["comment"] for sentence in report.findings[0].ordinary)


@pytest.mark.slow
def test_a_bundle_is_valid_stix_for_the_validator_of_oasis(claims: Sequence[Claim], report: Report) -> None:
    text = stix_bundle(claims, report.run, **GIVEN)
    # ids of one input are the same each time (UUIDv5), which STIX allows and the validator's advice does not
    import stix2validator  # seconds of grammars

    options = stix2validator.ValidationOptions(version="2.1", disabled=["uuid-check", "external-source-hash"])
    assert stix2validator.validate_string(text, options).is_valid
    assert not stix2validator.validate_string(text.replace('"campaign"', '"Campaign!"', 1), options).is_valid
    patterns = [item["pattern"] for item in json.loads(text)["objects"] if item["type"] == "indicator"]
    assert any("ISSUBSET '203.0.113.0/24'" in pattern for pattern in patterns)
    assert any("ipv6-addr" in pattern for pattern in patterns)


@pytest.mark.parametrize("kinds", [(), ("tls",), ("egress",)])
@pytest.mark.slow
def test_a_bundle_of_few_indicators_is_valid_and_says_what_it_knows(
    claims: Sequence[Claim], report: Report, kinds: tuple[str, ...]
) -> None:
    values = {"egress": ("198.51.100.0/24",), "tls": ("t13d1516h2",)}
    few = [replace(claim, indicators={kind: values[kind] for kind in kinds}) for claim in claims]
    text = stix_bundle(few, report.run, **GIVEN)
    import stix2validator  # seconds of grammars

    options = stix2validator.ValidationOptions(version="2.1", disabled=["uuid-check", "external-source-hash"])
    assert stix2validator.validate_string(text, options).is_valid
    objects = json.loads(text)["objects"]
    needed = {"campaign", "intrusion-set", "attack-pattern", "user-account", "grouping", "note", "relationship"}
    assert needed <= {item["type"] for item in objects}
    assert any(item["type"] == "indicator" for item in objects) is ("egress" in kinds)
    assert any("t13d1516h2" in item["content"] for item in objects if item["type"] == "note") is ("tls" in kinds)


@pytest.mark.slow
def test_a_bundle_comes_back_from_the_stix_library_as_it_was(claims: Sequence[Claim], report: Report) -> None:
    text = stix_bundle(claims, report.run, **GIVEN)
    parsed = stix2.parse(text, version="2.1")
    assert json.loads(parsed.serialize()) == json.loads(text)
    assert text == stix_bundle(claims, report.run, **GIVEN)


@pytest.mark.slow
def test_a_campaign_is_what_harvests_and_nobody_is_called_a_threat_actor(claims: Sequence[Claim], report: Report) -> None:
    objects = json.loads(stix_bundle(claims, report.run, **GIVEN))["objects"]
    kinds = [item["type"] for item in objects]
    assert kinds.count("campaign") == sum(finding.harvest is Verdict.YES for finding in report.findings)
    assert kinds.count("intrusion-set") == sum(finding.pooling is Verdict.YES for finding in report.findings)
    assert kinds.count("note") == len(report.findings)
    assert not {"threat-actor", "malware", "location"} & set(kinds)
    assert kinds.count("identity") == 1


@pytest.mark.slow
def test_techniques_stand_under_their_official_ids_and_every_object_is_marked(claims: Sequence[Claim], report: Report) -> None:
    objects = json.loads(stix_bundle(claims, report.run, **GIVEN | {"tlp": "red"}))["objects"]
    patterns = {item["external_references"][0]["external_id"]: item["id"] for item in objects if item["type"] == "attack-pattern"}
    assert patterns["AML.T0024.002"] == "attack-pattern--3f567912-629a-5e0b-ab0c-0102977c2d6c"
    assert {item["target_ref"] for item in objects if item.get("relationship_type") == "uses"} == set(patterns.values())
    ours = [item for item in objects if item["type"] not in ("attack-pattern", "marking-definition")]
    assert all(item["object_marking_refs"] == ["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"] for item in ours)
    assert len({tlp_id(level) for level in TLP_LEVELS}) == 5


@pytest.mark.slow
def test_every_technique_that_a_signal_cites_has_an_official_id() -> None:
    from stillwatch.detect.signal import TECHNIQUES

    assert not [technique for technique, name in TECHNIQUES.items() if atlas_pattern(technique, name) is None]


@pytest.mark.slow
def test_misp_reads_the_event_and_holds_its_objects_to_the_template(claims: Sequence[Claim], report: Report) -> None:
    text = misp_event(claims, report.run, **GIVEN)
    event = pymisp.MISPEvent()
    event.load(json.loads(text))
    assert [tag.name for tag in event.tags] == ["tlp:amber"]
    assert len(event.objects) == len(claims)
    known = template()
    for item, claim in zip(event.objects, claims, strict=True):
        assert item.template_uuid == known["uuid"]
        assert {attribute.object_relation for attribute in item.attributes} <= known["attributes"].keys()
        assert all(known["attributes"][attribute.object_relation]["misp-attribute"] == attribute.type for attribute in item.attributes)
        assert {attribute.value for attribute in item.get_attributes_by_relation("account")} == {
            member.account_id for member in claim.finding.members
        }
        assert not any(attribute.to_ids for attribute in item.attributes)
    again = json.loads(event.to_json())
    assert len({attribute["uuid"] for item in again["Object"] for attribute in item["Attribute"]}) == sum(
        len(item["Attribute"]) for item in again["Object"]
    )
    assert text == misp_event(claims, report.run, **GIVEN)


@pytest.mark.slow
def test_the_template_is_one_that_misp_takes(tmp_path: Any) -> None:
    known = template()
    folder = tmp_path / known["name"]
    folder.mkdir()
    (folder / "definition.json").write_text(json.dumps(known), "utf-8")
    item = pymisp.MISPObject(known["name"], strict=True, misp_objects_path_custom=tmp_path)
    item.add_attribute("finding", "finding-1")
    item.add_attribute("summary", "words")
    assert item._validate()
    with pytest.raises(pymisp.exceptions.PyMISPError):
        item.add_attribute("no-such-relation", "x")


@pytest.mark.slow
def test_csv_comes_back_and_no_cell_can_be_a_formula(claims: Sequence[Claim], nasty_claims: Sequence[Claim]) -> None:
    for given in (claims, nasty_claims):
        tables = {
            name: list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
            for name, text in finding_tables([claim.finding for claim in given]).items()
        }
        assert len(tables["findings.csv"]) == len(given)
        assert len(tables["members.csv"]) == sum(len(claim.finding.members) for claim in given)
        assert {row["finding"] for row in tables["signals.csv"]} <= {row["finding"] for row in tables["findings.csv"]}
        assert [row["account"] for row in tables["members.csv"]] == [
            member.account_id for claim in given for member in claim.finding.members
        ]


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "  =1", "\r=1", "|calc", "＝1", '"=1', "'=1", "%0A=1"]
)
@pytest.mark.slow
def test_what_a_spreadsheet_could_run_begins_with_an_apostrophe_or_an_escape(text: str) -> None:
    cell = next(csv.reader(io.StringIO(csv_text(["head"], [[text]]).split("\r\n", 1)[1])))[0]
    assert cell[0] in "'\\"
    assert cell.endswith(text.strip("\t\r"))


@pytest.mark.slow
def test_numbers_stay_numbers_and_controls_are_escaped() -> None:
    line = csv_text(["a"], [[-1.5, None, "a\nb\x1b", "\ud800"]]).split("\r\n")[1]
    assert line == '"-1.5","","a\\u000ab\\u001b","\\ud800"'


@pytest.mark.slow
def test_hostile_texts_leave_every_format_readable_and_safe_to_print(nasty_claims: Sequence[Claim], report: Report) -> None:
    bundle, event = stix_bundle(nasty_claims, report.run, **GIVEN), misp_event(nasty_claims, report.run, **GIVEN)
    assert stix2.parse(bundle).objects
    pymisp.MISPEvent().load(json.loads(event))
    for text in (bundle, event, *finding_tables([claim.finding for claim in nasty_claims]).values()):
        assert text.encode("utf-8")
        assert not [character for character in text if not character.isprintable() and character not in "\r\n"]


@pytest.mark.slow
def test_a_finding_without_values_is_told_in_every_format(report: Report, claims: Sequence[Claim]) -> None:
    bare = replace(claims[5].finding, techniques=(), members=claims[5].finding.members[:1], ordinary=())
    claim = Claim(finding=bare, indicators={})
    assert stix2.parse(stix_bundle([claim], report.run, **GIVEN)).objects
    assert pymisp.MISPEvent().load(misp_event([claim], report.run, **GIVEN)) is None
    assert stix_bundle([], report.run, **GIVEN)
    assert json.loads(misp_event([], report.run, **GIVEN))["Event"]["Object"] == []
