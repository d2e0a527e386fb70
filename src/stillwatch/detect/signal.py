"""What a signal is: one number about an entity, and all that a reader must know before trusting it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.records.findings import Axis


class Scope(StrEnum):
    """Where a signal's baseline comes from."""

    ENTITY = "entity"
    """Compared with other entities of the same log."""
    GROUP = "group"
    """A likeness of a group's members, compared with random sets of independent accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal of the catalogue.

    Attributes:
        id: stable; appears in findings.
        axis: the question it speaks to, pooling or harvest.
        scope: what its baseline is.
        family: signals of one family say nearly the same, and the strongest of them counts.
        source: the feature (ENTITY), or the aspect or trace kind (GROUP), that carries its value.
        columns: columns of exchanges or accounts it cannot do without; `a|b` means either.
        unit: of the value.
        direction: +1 where high is suspicious, -1 where low is.
        floor: values below it count as 0, so that a handful of exchanges is no signal where others have none.
        of_groups: whether it speaks to the harvest of a group. The steady rhythm and the volume of pooled accounts are what pooling looks
            like, so they say nothing more of a group.
        of_accounts: whether it speaks to the harvest of a single account.
        weighs: whether it adds to the strength of the evidence. One that does not is only asked for beside others.
        when_null: what a missing value says.
        says: sentence with {value}, {median} and {high}.
        ordinary: the honest explanation.
        blind_spot: what it cannot see.
        references: where it comes from.
        techniques: MITRE ATLAS ids.
    """

    id: str
    axis: Axis
    scope: Scope
    family: str
    source: str
    columns: tuple[str, ...]
    unit: str
    direction: int
    when_null: str
    says: str
    ordinary: str
    blind_spot: str
    references: tuple[str, ...]
    techniques: tuple[str, ...] = ("AML.T0024.002",)
    floor: float = 0.0
    of_groups: bool = True
    of_accounts: bool = True
    weighs: bool = True

    def sentence(self, value: float, median: float | None, high: float | None) -> str:
        """The signal in words; baselines that are not known are said to be."""
        share = self.unit.startswith("share of")
        return self.says.format(value=shown(value, share=share), median=shown(median, share=share), high=shown(high, share=share))


def shown(value: float | None, *, share: bool = False) -> str:
    """A number with as many digits as a reader needs; shares as percentages."""
    if value is None:
        return "unknown"
    if share:
        return f"{100 * value:.3g} %"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


TECHNIQUES = {
    "AML.T0024.002": "Extract AI Model",
    "AML.T0008.005": "AI Service Proxies",
    "AML.T0021": "Establish Accounts",
    "AML.T0065": "LLM Prompt Crafting",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0048.004": "AI Intellectual Property Theft",
    "AML.T0054": "LLM Jailbreak",
    "AML.T0034.000": "Excessive Queries",
}
"""Names of the MITRE ATLAS 5.6.1 techniques that the signals cite."""


def missing_columns(signal: Signal, available: frozenset[str]) -> tuple[str, ...]:
    """The columns that keep the signal silent; empty when it can speak."""
    return tuple(need for need in signal.columns if not available.intersection(need.split("|")))
