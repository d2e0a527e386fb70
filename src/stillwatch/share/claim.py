"""One finding ready to leave, with the indicators that go with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.records.findings import Finding, Verdict
from stillwatch.share.profile import plain_value

_AGENT = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,40}(?:/[A-Za-z0-9._-]{1,40})?(?: v?[0-9][0-9A-Za-z.+-]{0,20})?")
"""A product and its version, and no more: a user agent can hold anything else, an address or a customer's name among it."""

PLAIN = ("user_agent", "tls", "egress")
"""Kinds of indicators that other tools can look for by themselves."""

UNDER_NAMES = "Accounts, exchanges and groups stand under pseudonyms that hold for this recipient alone."
IN_HOUSE = "Accounts stand under their own identifiers: for use within the house, not to be passed on."
CONTEXT = (
    "An observation by statistics over traffic, with its ordinary explanations beside it. It names no person and no organisation, and by "
    "itself it is no reason to act against anybody."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A finding as the recipient may see it.

    Attributes:
        finding: with the recipient's names, and no text of prompts.
        indicators: kind of PLAIN to values, sorted.
    """

    finding: Finding
    indicators: Mapping[str, tuple[str, ...]]

    @property
    def harvest(self) -> bool:
        """Whether harvest is claimed, which makes it a campaign."""
        return self.finding.harvest is Verdict.YES

    @property
    def pooling(self) -> bool:
        """Whether its accounts are said to act as one."""
        return self.finding.pooling is Verdict.YES


def plain_indicators(rows: Sequence[Mapping[str, Any]], entity_id: str, secret: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """An entity's indicators of PLAIN kinds from rows of `indicators.CARRIED`.

    User agents that are more than a product and a version are left out, and so is whatever holds one of the `secret` identifiers.
    """
    found: dict[str, set[str]] = {kind: set() for kind in PLAIN}
    for row in rows:
        kind = row["kind"]
        if row["entity_id"] != entity_id or kind not in found:
            continue
        value = plain_value(kind, row["value"])
        if value is None or (kind == "user_agent" and _AGENT.fullmatch(value) is None):
            continue
        if not any(identifier and identifier in value for identifier in secret):
            found[kind].add(value)
    return {kind: tuple(sorted(values)) for kind, values in found.items()}


def confidence(finding: Finding) -> int | None:
    """100 (1 - q), rounded down; None where there is no q-value."""
    return None if finding.q_value is None else max(0, min(100, int(100 * (1 - finding.q_value))))
