"""Facts that others publish and that every consumer knows by their ids: TLP 2.0 markings and MITRE ATLAS techniques in STIX."""

from __future__ import annotations

import uuid
from typing import Any

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "stillwatch")
"""Of every id that an export makes (UUIDv5), so that the same input gives the same ids."""

TLP_LEVELS = ("clear", "green", "amber", "amber+strict", "red")
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
_TLP_IDS = {
    "clear": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "e828b379-4e03-4974-9ac4-e53a884c97c1",
}

ATLAS_SOURCE = "mitre-atlas"
_ATLAS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "AML.T0008.005": ("647ac4ac-b2bc-53f7-ab83-81f421a1f0b5", "2026-03-30", "2026-03-30", ("resource-development",)),
    "AML.T0021": ("d3d7763a-58e1-5e38-84fd-3abea967cb08", "2022-01-24", "2023-01-18", ("resource-development",)),
    "AML.T0024.002": ("3f567912-629a-5e0b-ab0c-0102977c2d6c", "2021-05-13", "2025-12-23", ("exfiltration",)),
    "AML.T0034.000": ("4929e22c-64a1-59cf-a25e-543f88840889", "2026-03-30", "2026-03-30", ("impact",)),
    "AML.T0040": ("5ac1f849-523e-51bf-a1e9-1a97ab91cc91", "2021-05-13", "2025-03-12", ("ai-model-access",)),
    "AML.T0048.004": ("73772ced-edba-578c-bacd-703e082a9c57", "2021-05-13", "2025-04-09", ("impact",)),
    "AML.T0054": ("9bf148ad-b901-5aeb-a029-6c0a8ce0a564", "2023-10-25", "2026-04-30", ("privilege-escalation", "defense-evasion")),
    "AML.T0065": ("6e148299-0460-5d0b-9741-467437464d3d", "2025-03-12", "2025-03-12", ("resource-development",)),
}
"""ATLAS id to the id, days and phases of its attack-pattern in MITRE's own STIX bundle (ATLAS 5.6.1)."""


def stable_id(kind: str, *parts: str) -> str:
    """A UUIDv5 that depends on the kind and the parts alone."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join((kind, *parts)).encode("utf-8", "replace").decode()))


def stix_id(kind: str, *parts: str) -> str:
    """The STIX id of an object of type `kind`."""
    return f"{kind}--{stable_id(kind, *parts)}"


def tlp_id(level: str) -> str:
    """The id of a TLP 2.0 marking definition, as OASIS published it."""
    return f"marking-definition--{_TLP_IDS[level]}"


def tlp_marking(level: str) -> dict[str, Any]:
    """The TLP 2.0 marking definition, as OASIS published it."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": tlp_id(level),
        "created": _TLP_CREATED,
        "name": f"TLP:{level.upper()}",
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level}},
    }


def atlas_url(technique: str) -> str:
    """The technique's page."""
    return f"https://atlas.mitre.org/techniques/{technique}"


def atlas_pattern(technique: str, name: str) -> dict[str, Any] | None:
    """The attack-pattern under its official id, without MITRE's description; None for a technique that is not among those known here."""
    if technique not in _ATLAS:
        return None
    identity, created, modified, phases = _ATLAS[technique]
    return {
        "type": "attack-pattern",
        "spec_version": "2.1",
        "id": f"attack-pattern--{identity}",
        "created": f"{created}T00:00:00.000Z",
        "modified": f"{modified}T00:00:00.000Z",
        "name": name,
        "kill_chain_phases": [{"kill_chain_name": ATLAS_SOURCE, "phase_name": phase} for phase in phases],
        "external_references": [{"source_name": ATLAS_SOURCE, "external_id": technique, "url": atlas_url(technique)}],
    }
