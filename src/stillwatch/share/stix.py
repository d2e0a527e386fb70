"""Findings as a STIX 2.1 bundle: campaigns and intrusion sets, what they use, and what to look for. Never a threat actor.

A campaign is a group or account that was found to harvest; an intrusion set, accounts that act as one. Who stands behind them is not
known from traffic, so nothing here says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from stillwatch.records.findings import Run
from stillwatch.share.claim import CONTEXT, IN_HOUSE, UNDER_NAMES, Claim, confidence
from stillwatch.share.indicators import KINDS
from stillwatch.share.markings import atlas_pattern, stix_id, tlp_id, tlp_marking

_ORDINARY = {kind.name: kind.ordinary for kind in KINDS}


def stix_bundle(claims: Sequence[Claim], run: Run, *, producer: str, tlp: str, in_house: bool) -> str:
    """The bundle as JSON, checked by the stix2 library while it is built; the same input gives the same text.

    It needs the extra `share`.
    """
    import stix2

    made = _Objects(run, producer=producer, tlp=tlp, words=IN_HOUSE if in_house else UNDER_NAMES)
    by_id = {item["id"]: item for item in made.all_of(claims)}
    objects = [stix2.parse(item, version="2.1") for item in by_id.values()]
    bundle = stix2.Bundle(objects, id=stix_id("bundle", *sorted(by_id), _moment(run.created_at)), allow_custom=False)
    return str(bundle.serialize(indent=1, sort_keys=True)) + "\n"


class _Objects:
    """Makes the objects of one bundle."""

    def __init__(self, run: Run, *, producer: str, tlp: str, words: str) -> None:
        self._at = _moment(run.created_at)
        self._words = words
        self._tlp = tlp
        self._identity = {
            "type": "identity",
            "spec_version": "2.1",
            "id": stix_id("identity", producer),
            "created": self._at,
            "modified": self._at,
            "name": producer,
            "identity_class": "organization",
            "object_marking_refs": [tlp_id(tlp)],
        }

    def all_of(self, claims: Sequence[Claim]) -> Iterator[dict[str, Any]]:
        """Marking, identity, then each claim's objects."""
        yield tlp_marking(self._tlp)
        yield self._identity
        for claim in claims:
            yield from self._claim(claim)

    def _claim(self, claim: Claim) -> Iterator[dict[str, Any]]:
        finding = claim.finding
        accounts = [self._account(member.account_id) for member in finding.members]
        yield from accounts
        subjects = list(self._subjects(claim))
        yield from subjects
        refs = [item["id"] for item in accounts]
        for technique, name in finding.techniques if subjects else ():
            pattern = atlas_pattern(technique, name)
            if pattern is not None:
                yield pattern
                yield self._relation(subjects[0]["id"], "uses", pattern["id"])
        for indicator in self._indicators(claim):
            yield indicator
            refs.append(indicator["id"])
            if subjects:
                yield self._relation(indicator["id"], "indicates", subjects[0]["id"])
        refs += [item["id"] for item in subjects]
        grouping = self._grouping(claim, refs)
        yield grouping
        yield self._note(claim, [grouping["id"], *(item["id"] for item in subjects)])

    def _subjects(self, claim: Claim) -> Iterator[dict[str, Any]]:
        """A campaign where harvest is claimed, an intrusion set where pooling is, and that the one goes back to the other."""
        finding = claim.finding
        told = {"name": finding.title, "description": f"{finding.summary} {CONTEXT}", **self._confident(claim)}
        seen = {"first_seen": _moment(finding.first_at), "last_seen": _moment(finding.last_at)}
        campaign = (
            self._object("campaign", finding.uid, told | seen | {"objective": "collection of training data"}) if claim.harvest else None
        )
        origin = self._object("intrusion-set", finding.uid, told | seen) if claim.pooling else None
        yield from (item for item in (campaign, origin) if item is not None)
        if campaign is not None and origin is not None:
            yield self._relation(campaign["id"], "attributed-to", origin["id"])

    def _indicators(self, claim: Claim) -> Iterator[dict[str, Any]]:
        finding = claim.finding
        # STIX has no property for a TLS client's print, so no pattern can name one; the note tells them
        for kind in ("egress", "user_agent"):
            for value in claim.indicators.get(kind, ()):
                given = {
                    "name": f"{kind.replace('_', ' ')} of {finding.title}"[:200],
                    "description": f"Several of its accounts share it, and at most 1 % of others. Ordinary explanation: {_ORDINARY[kind]}",
                    "indicator_types": ["anomalous-activity"],
                    "pattern": _pattern(kind, value),
                    "pattern_type": "stix",
                    "pattern_version": "2.1",
                    "valid_from": _moment(finding.first_at),
                }
                yield self._object("indicator", finding.uid, given | self._confident(claim), kind, value)

    def _grouping(self, claim: Claim, refs: Sequence[str]) -> dict[str, Any]:
        given = {
            "name": claim.finding.title,
            "description": self._words,
            "context": "suspicious-activity",
            "object_refs": list(dict.fromkeys(refs)),
        }
        return self._object("grouping", claim.finding.uid, given)

    def _note(self, claim: Claim, refs: Sequence[str]) -> dict[str, Any]:
        finding = claim.finding
        given = {
            "abstract": "Ordinary explanations, and a reversible next step",
            "content": "\n".join(
                (CONTEXT, *(f"- {sentence}" for sentence in finding.ordinary), f"Next step: {finding.next_step}", *_prints(claim))
            ),
            "object_refs": list(refs),
        }
        return self._object("note", finding.uid, given)

    def _account(self, account: str) -> dict[str, Any]:
        return {
            "type": "user-account",
            "spec_version": "2.1",
            "id": stix_id("user-account", account),
            "user_id": account,
            "object_marking_refs": [tlp_id(self._tlp)],
        }

    def _relation(self, source: str, kind: str, target: str) -> dict[str, Any]:
        return self._object("relationship", source, {"relationship_type": kind, "source_ref": source, "target_ref": target}, kind, target)

    def _object(self, kind: str, uid: str, given: dict[str, Any], *parts: str) -> dict[str, Any]:
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": stix_id(kind, uid, *parts),
            "created_by_ref": self._identity["id"],
            "created": self._at,
            "modified": self._at,
            "object_marking_refs": [tlp_id(self._tlp)],
            **given,
        }

    @staticmethod
    def _confident(claim: Claim) -> dict[str, int]:
        told = confidence(claim.finding)
        return {} if told is None else {"confidence": told}


def _prints(claim: Claim) -> list[str]:
    """TLS prints in words: STIX patterns have nothing to compare them with."""
    prints = claim.indicators.get("tls", ())
    return [f"TLS prints that its accounts share, which no STIX pattern can name: {', '.join(prints)}"] if prints else []


def _pattern(kind: str, value: str) -> str:
    """What to look for, in the pattern language of STIX."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    if kind == "egress":
        return f"[ipv{6 if ':' in value else 4}-addr:value ISSUBSET '{quoted}']"
    return f"[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = '{quoted}']"


def _moment(at: datetime) -> str:
    """To the millisecond, as STIX writes times; the records' times are UTC."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
