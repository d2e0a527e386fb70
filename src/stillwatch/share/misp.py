"""Findings as one MISP event: an object per finding, with its accounts, indicators and ordinary explanations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, cast

from stillwatch.records.findings import Run, Severity
from stillwatch.share.claim import CONTEXT, IN_HOUSE, UNDER_NAMES, Claim
from stillwatch.share.markings import atlas_url, stable_id

TEMPLATE = "distillation-group"
_THREAT_LEVELS = {Severity.CRITICAL: "1", Severity.HIGH: "1", Severity.MEDIUM: "2", Severity.LOW: "3", Severity.INFO: "4"}
_OWN_ORGANISATION, _ONGOING = "0", "1"
_TYPES = {"egress": "ip-src", "user_agent": "user-agent", "tls": "text"}
_CATEGORIES = {"ip-src": "Network activity", "user-agent": "Network activity", "link": "External analysis"}


def template() -> dict[str, Any]:
    """The definition of the object, as a MISP server takes it into its folder of objects."""
    text = files("stillwatch.share").joinpath("misp-distillation-group.json").read_text("utf-8")
    return cast("dict[str, Any]", json.loads(text))


def misp_event(claims: Sequence[Claim], run: Run, *, producer: str, tlp: str, in_house: bool) -> str:
    """The event as JSON, unpublished and for one's own organisation until somebody decides otherwise; the same input, the same text.

    No attribute is marked for automatic detection: address blocks and user agents are shared by honest customers.
    """
    seconds = str(int(run.created_at.timestamp()))
    words = IN_HOUSE if in_house else UNDER_NAMES
    identity = stable_id("misp event", producer, seconds, *(claim.finding.uid for claim in claims))
    rank = max((claim.finding.severity for claim in claims), key=lambda severity: severity.rank, default=Severity.INFO)
    event = {
        "uuid": identity,
        "info": f"Distillation through a language model's API: {len(claims)} findings of {producer}",
        "date": run.created_at.date().isoformat(),
        "timestamp": seconds,
        "threat_level_id": _THREAT_LEVELS[rank],
        "analysis": _ONGOING,
        "distribution": _OWN_ORGANISATION,
        "published": False,
        "Tag": [{"name": f"tlp:{tlp}"}],
        "Attribute": [_attribute(identity, seconds, "comment", f"{CONTEXT} {words}", category="Internal reference")],
        "Object": [_object(claim, seconds) for claim in claims],
    }
    return json.dumps({"Event": event}, ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def _object(claim: Claim, seconds: str) -> dict[str, Any]:
    finding, known = claim.finding, template()
    identity = stable_id("misp object", finding.uid)
    rows = list(_values(claim))
    return {
        "uuid": identity,
        "name": TEMPLATE,
        "meta-category": known["meta-category"],
        "template_uuid": known["uuid"],
        "template_version": str(known["version"]),
        "description": known["description"],
        "timestamp": seconds,
        "distribution": "5",
        "comment": finding.title,
        "Attribute": [
            _attribute(f"{identity}/{relation}/{place}", seconds, kind, value, relation=relation)
            for place, (relation, kind, value) in enumerate(rows)
        ],
    }


def _values(claim: Claim) -> Iterator[tuple[str, str, str]]:
    """(relation in the template, type of attribute, value)."""
    finding = claim.finding
    yield "finding", "text", finding.uid
    yield "summary", "text", finding.summary
    yield "pooling", "text", finding.pooling.value
    yield "harvest", "text", finding.harvest.value
    yield "accounts", "counter", str(len(finding.members))
    yield "exchanges", "counter", str(finding.tally.exchanges)
    yield "first-seen", "datetime", finding.first_at.isoformat()
    yield "last-seen", "datetime", finding.last_at.isoformat()
    if finding.q_value is not None:
        yield "q-value", "float", repr(finding.q_value)
    yield from (("account", "text", member.account_id) for member in finding.members)
    yield from (("technique", "link", atlas_url(technique)) for technique, _ in finding.techniques)
    yield from (("ordinary-explanation", "text", sentence) for sentence in finding.ordinary)
    for kind, values in claim.indicators.items():
        yield from ((kind.replace("_", "-"), _TYPES[kind], value) for value in values)


def _attribute(
    owner: str, seconds: str, kind: str, value: str, *, relation: str | None = None, category: str | None = None
) -> dict[str, Any]:
    made = {
        "uuid": stable_id("misp attribute", owner, kind, value),
        "type": kind,
        "category": category or _CATEGORIES.get(kind, "Other"),
        "value": value,
        "to_ids": False,
        "distribution": "5",
        "timestamp": seconds,
    }
    return made | ({"object_relation": relation} if relation else {})
