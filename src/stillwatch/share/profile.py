"""The distillation indicator profile: what a provider tells another of how a group works, without saying who it is.

The format stands in `profile-1.schema.json`; `parse_profile` holds a file to it, and to bounds that the schema names too.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.records.findings import Finding, Run, Verdict
from stillwatch.share.hashing import UNKEYED_WARNING, Hashing, value_bytes
from stillwatch.share.indicators import KINDS
from stillwatch.share.markings import stable_id

FORMAT = "stillwatch-distillation-profile"
VERSION = 1
FINGERPRINTS = "stillwatch-wording-1"
"""The scheme of the fingerprints of text. A kernel that gives others is another scheme; a test holds the kernel to recorded ones."""

HOURS = 168
MOST_BYTES = 16 * 1024 * 1024
MOST_GROUPS = 1_000
MOST_OF_A_KIND = 4_096
LONGEST_VALUE = 200

NOTICE = (
    "These are observations of traffic, and no accusation: every indicator has ordinary explanations, such as shared software, a public "
    "template, or a network with many customers. A match is a reason to look, and never by itself a reason to act against an account."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileGroup:
    """How one entity works.

    Attributes:
        id: stable for the same content and key; not the entity's own.
        kind: account or group.
        pooling, harvest: yes, unclear or no.
        accounts, exchanges: to two significant digits.
        first_day, last_day: as 2026-11-30, UTC.
        techniques: MITRE ATLAS ids.
        indicators: kind to values: digests of text, TLS prints and address blocks as they are; sorted.
        hours: 168 numbers from 0 to 1 with two decimals, exchanges per hour of the week against the busiest, Monday 00:00 UTC first.
    """

    id: str
    kind: str
    pooling: str
    harvest: str
    accounts: int
    exchanges: int
    first_day: str
    last_day: str
    techniques: tuple[str, ...]
    indicators: Mapping[str, tuple[str, ...]]
    hours: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A set of groups, and how their indicators were hashed.

    Attributes:
        id: stable for the same content.
        created: moment of the scan, ISO 8601 with Z.
        producer: who made it.
        tlp: clear, green, amber, amber+strict or red.
        method: hmac-sha256 or sha256.
        key_id: which shared key; None: none.
        notice: what to keep in mind; with unkeyed digests, what they give away.
    """

    id: str
    created: str
    producer: str
    tlp: str
    method: str
    key_id: str | None
    notice: str
    groups: tuple[ProfileGroup, ...]


def make_profile(
    findings: Sequence[Finding], run: Run, rows: Sequence[Mapping[str, Any]], hashing: Hashing, *, producer: str, tlp: str
) -> Profile:
    """The profile of the findings that claim harvest or pooling.

    Args:
        findings: as the scan wrote them; their identifiers stay here.
        run: the scan.
        rows: of `indicators.CARRIED`.
        hashing: of the indicators that stand for text.
        producer: who makes it.
        tlp: the marking.
    """
    values: dict[str, dict[str, list[str]]] = {}
    hashed = {kind.name: kind.hashed for kind in KINDS}
    for row in rows:
        kind, value = row["kind"], row["value"]
        shown = hashing.digest(kind, value_bytes(value)).hex() if hashed[kind] else plain_value(kind, value)
        if shown is not None:
            values.setdefault(row["entity_id"], {}).setdefault(kind, []).append(shown)
    claimed = [finding for finding in findings if Verdict.YES in (finding.pooling, finding.harvest)]
    groups = _with_ids([_group(finding, values.get(finding.entity_id, {})) for finding in claimed], hashing.key_id)
    created = moment(run.created_at)
    notice = NOTICE if hashing.key_id else f"{NOTICE} {UNKEYED_WARNING}"
    identity = stable_id("profile", created, producer, str(hashing.key_id), *(group.id for group in groups))
    return Profile(
        id=identity,
        created=created,
        producer=producer,
        tlp=tlp,
        method=hashing.method,
        key_id=hashing.key_id,
        notice=notice,
        groups=tuple(groups),
    )


def profile_json(profile: Profile) -> dict[str, Any]:
    """The profile as its file holds it."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "id": profile.id,
        "created": profile.created,
        "producer": profile.producer,
        "tlp": profile.tlp,
        "fingerprints": FINGERPRINTS,
        "hashing": {"method": profile.method, "key_id": profile.key_id},
        "notice": profile.notice,
        "groups": [_group_json(group) for group in profile.groups],
    }


def profile_text(profile: Profile) -> str:
    """The file's text: ASCII, so that no character of a log acts on whoever shows it."""
    return json.dumps(profile_json(profile), ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def moment(at: datetime) -> str:
    """ISO 8601 in whole seconds with Z; the records' times are UTC."""
    return at.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _with_ids(groups: Sequence[ProfileGroup], key_id: str | None) -> list[ProfileGroup]:
    """The groups, each with an id that depends on what the profile tells of it and on nothing else; in the order of their ids."""
    told: Counter[str] = Counter()
    named: list[ProfileGroup] = []
    for group in groups:
        text = json.dumps(_group_json(group), sort_keys=True)
        told[text] += 1
        named.append(dataclasses.replace(group, id=stable_id("profile group", str(key_id), text, str(told[text]))))
    return sorted(named, key=lambda group: group.id)


def _group(finding: Finding, values: Mapping[str, Sequence[str]]) -> ProfileGroup:
    busiest = max(finding.pictures.entity_week, default=0.0) or 1.0
    week = finding.pictures.entity_week if len(finding.pictures.entity_week) == HOURS else (0.0,) * HOURS
    return ProfileGroup(
        id="",
        kind=finding.kind.value,
        pooling=finding.pooling.value,
        harvest=finding.harvest.value,
        accounts=coarse(len(finding.members)),
        exchanges=coarse(finding.tally.exchanges),
        first_day=finding.first_at.date().isoformat(),
        last_day=finding.last_at.date().isoformat(),
        techniques=tuple(sorted(technique for technique, _ in finding.techniques)),
        indicators={kind.name: tuple(sorted(set(values.get(kind.name, ())))) for kind in KINDS},
        hours=tuple(round(share / busiest, 2) for share in week),
    )


def plain_value(kind: str, value: str) -> str | None:
    """An indicator that leaves as it is: an address block in its one spelling, a print that can be shown; None where it is neither."""
    if kind != "egress":
        return value if value.isprintable() and len(value) <= LONGEST_VALUE else None
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return None


def coarse(amount: int) -> int:
    """A count to two significant digits."""
    return int(float(f"{amount:.1e}"))


def _group_json(group: ProfileGroup) -> dict[str, Any]:
    given = {field.name: getattr(group, field.name) for field in dataclasses.fields(group)}
    return given | {
        "techniques": list(group.techniques),
        "indicators": {kind: list(values) for kind, values in group.indicators.items()},
        "hours": list(group.hours),
    }
