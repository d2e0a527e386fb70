"""Sigma rules (specification 2.1) for event managers: amounts per account and day, and address blocks of found groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stillwatch.records.findings import Run
from stillwatch.share.claim import Claim
from stillwatch.share.markings import stable_id
from stillwatch.share.thresholds import ABOVE, THRESHOLDS, Threshold

LOGSOURCE = {"category": "application", "product": "language-model-api", "service": "exchanges"}
"""The fields are those of Stillwatch's exchanges table, which is the native log format too."""

_LEAST_ACCOUNTS = 3
_EGRESS_ORDINARY = "A company, a campus, a cloud or a carrier puts many customers behind one block."


def sigma_rules(claims: Sequence[Claim], run: Run, limits: Mapping[str, int], *, producer: str, tlp: str) -> str:
    """The rules as YAML documents; the same input gives the same text.

    Args:
        claims: whose address blocks are watched.
        run: the scan.
        limits: name of a rule of THRESHOLDS to its threshold; rules without one are left out.
        producer: who made the rules.
        tlp: the marking.

    It needs the extra `share`.
    """
    import yaml

    made = _Rules(run, producer=producer, tlp=tlp)
    rules = [*(rule for known in THRESHOLDS if known.name in limits for rule in made.threshold(known, limits[known.name]))]
    rules += [rule for claim in claims if claim.indicators.get("egress") for rule in made.egress(claim)]
    return "---\n".join(yaml.safe_dump(rule, sort_keys=False, allow_unicode=False, width=120) for rule in rules)


class _Rules:
    """Makes pairs of rules: what counts, and how much of it is too much."""

    def __init__(self, run: Run, *, producer: str, tlp: str) -> None:
        self._date = run.created_at.date().isoformat()
        self._producer = producer
        self._tags = [f"tlp.{tlp}"]
        self._seed = run.created_at.isoformat()

    def threshold(self, rule: Threshold, limit: int) -> Iterator[dict[str, Any]]:
        """An account that exceeds the limit in a day."""
        name = f"stillwatch_{rule.name}"
        stands = f" It stands in for the signal {rule.signal}." if rule.signal else ""
        about = (
            f"At most {100 * ABOVE:g} % of the days of ordinary accounts lay above {limit:,} in the log that this was made from.{stands} "
            "A group that spreads its load over many accounts stays below it."
        )
        selections = {f"selection_{place}": dict(fields) for place, fields in enumerate(rule.selection, 1)}
        condition = " or ".join(selections)
        yield self._base(name, f"{rule.title}: what counts", about, {**selections, "condition": condition})
        counted = {"type": "value_sum" if rule.summed else "event_count", "rules": [name], "group-by": ["account_id"], "timespan": "1d"}
        limited: dict[str, Any] = {"gt": limit} | ({"field": rule.summed} if rule.summed else {})
        yield self._over(name, rule.title, about, counted | {"condition": limited}, rule.ordinary, "low")

    def egress(self, claim: Claim) -> Iterator[dict[str, Any]]:
        """Several accounts that come from the address blocks of a found group within a day."""
        uid = claim.finding.uid
        name = f"stillwatch_egress_{stable_id('sigma', uid)[:8]}"
        about = f"Address blocks that several accounts of {uid} came from, and at most 1 % of others. A block is no proof of anything."
        blocks = list(claim.indicators["egress"])
        yield self._base(
            name, f"Requests from address blocks of {uid}", about, {"selection": {"client_ip|cidr": blocks}, "condition": "selection"}
        )
        counted = {"type": "value_count", "rules": [name], "timespan": "1d"}
        limited = {"gte": _LEAST_ACCOUNTS, "field": "account_id"}
        title = f"Several accounts from address blocks of {uid}"
        yield self._over(name, title, about, counted | {"condition": limited}, _EGRESS_ORDINARY, "medium")

    def _base(self, name: str, title: str, about: str, detection: dict[str, Any]) -> dict[str, Any]:
        return self._head(name, "base", title, about) | {
            "name": name,
            "logsource": dict(LOGSOURCE),
            "detection": detection,
            "level": "informational",
        }

    def _over(self, name: str, title: str, about: str, correlation: dict[str, Any], ordinary: str, level: str) -> dict[str, Any]:
        head = self._head(name, "correlation", title, about)
        return head | {"correlation": correlation, "falsepositives": [ordinary], "level": level}

    def _head(self, name: str, part: str, title: str, about: str) -> dict[str, Any]:
        return {
            "title": title,
            "id": stable_id("sigma", self._producer, self._seed, name, part),
            "status": "experimental",
            "description": about,
            "author": self._producer,
            "date": self._date,
            "tags": list(self._tags),
        }
