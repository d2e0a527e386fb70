"""Keeps what linking and judging concluded in the work folder, so that an interrupted run need not conclude it again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from stillwatch.app.state import write_text
from stillwatch.errors import naming
from stillwatch.link.group import Group
from stillwatch.link.linking import Linked
from stillwatch.link.nominate import Candidate
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.link.validate import Tested
from stillwatch.records.findings import Finding, Power, Silent
from stillwatch.report.codec import from_plain, to_plain

LINKED, PROFILES, OUTCOME = "linked.json", "profiles.npz", "outcome.json"
_MOMENTS = tuple(field.name for field in fields(Moments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run concluded, besides the tables.

    Attributes:
        findings: most severe first.
        entities, judged, groups: how many there are; `judged` have a p-value.
        silent: signals that could not speak in the whole run.
        power: the smallest campaign that the run could have seen.
        notes: what linking tested, and what it left untested.
        suppressions: what became of the suppressions that the run was given, as run.json says it; empty: none were.
    """

    findings: tuple[Finding, ...]
    entities: int
    judged: int
    groups: int
    silent: tuple[Silent, ...]
    power: Power
    notes: tuple[str, ...]
    suppressions: dict[str, object] = field(default_factory=dict)


def keep_outcome(work: Path, outcome: Outcome) -> None:
    """Write the outcome; it holds exhibits, so it goes when the run is finished."""
    write_text(work / OUTCOME, orjson.dumps(to_plain(outcome)).decode())


def kept_outcome(work: Path) -> Outcome:
    """What `keep_outcome` wrote."""
    return from_plain(Outcome, orjson.loads((work / OUTCOME).read_bytes()))


def keep_linked(work: Path, linked: Linked, profiles: Profiles) -> None:
    """Write groups, tested candidates and the accounts' profiles."""
    arrays: dict[str, npt.NDArray[Any]] = {"ids": profiles.ids, "start_us": np.array(profiles.start_us)}
    arrays |= {"carrier_trace": profiles.carrier_trace, "carrier_account": profiles.carrier_account, "suspects": linked.suspects}
    for name in _MOMENTS:
        arrays[f"accounts_{name}"] = getattr(profiles.accounts, name)
        arrays[f"carriers_{name}"] = getattr(profiles.carriers, name)
    partial = work / f".{PROFILES}.partial"
    with naming(work / PROFILES), partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    partial.replace(work / PROFILES)
    groups = [_group_to_plain(group) for group in linked.groups]
    tested = [[_tested_to_plain(test), q_value] for test, q_value in linked.tested]
    plain = {"groups": groups, "tested": tested, "untested": linked.untested}
    write_text(work / LINKED, orjson.dumps(plain, option=orjson.OPT_SERIALIZE_NUMPY).decode())


def kept_linked(work: Path) -> tuple[Linked, Profiles]:
    """What `keep_linked` wrote."""
    plain = orjson.loads((work / LINKED).read_bytes())
    with np.load(work / PROFILES, allow_pickle=False) as arrays:
        profiles = Profiles(
            ids=arrays["ids"],
            accounts=Moments(**{name: arrays[f"accounts_{name}"] for name in _MOMENTS}),
            carriers=Moments(**{name: arrays[f"carriers_{name}"] for name in _MOMENTS}),
            carrier_trace=arrays["carrier_trace"],
            carrier_account=arrays["carrier_account"],
            start_us=int(arrays["start_us"]),
        )
        suspects = arrays["suspects"]
    linked = Linked(
        groups=tuple(_group(group) for group in plain["groups"]),
        tested=tuple((_tested(test), q_value) for test, q_value in plain["tested"]),
        suspects=suspects,
        untested=plain["untested"],
    )
    return linked, profiles


def _group_to_plain(group: Group) -> dict[str, Any]:
    tested = [_tested_to_plain(test) for test in group.tested]
    return {
        "entity_id": group.entity_id,
        "members": group.members,
        "membership": group.membership,
        "tested": tested,
        "p_value": group.p_value,
        "q_value": group.q_value,
    }


def _group(plain: dict[str, Any]) -> Group:
    return Group(
        entity_id=plain["entity_id"],
        members=np.array(plain["members"], np.int64),
        membership=np.array(plain["membership"], np.float64),
        tested=tuple(_tested(test) for test in plain["tested"]),
        p_value=plain["p_value"],
        q_value=plain["q_value"],
    )


def _tested_to_plain(test: Tested) -> dict[str, Any]:
    candidate = test.candidate
    return {
        "kind": candidate.kind,
        "traces": candidate.traces,
        "members": candidate.members,
        "counts": np.asarray(candidate.counts),
        "explained": sorted(candidate.explained),
        "worth": candidate.worth,
        "p_values": test.p_values,
        "p_value": test.p_value,
        "silent": test.silent,
        "levels": test.levels,
    }


def _tested(plain: dict[str, Any]) -> Tested:
    candidate = Candidate(
        kind=plain["kind"],
        traces=tuple(plain["traces"]),
        members=np.array(plain["members"], np.int64),
        counts=np.array(plain["counts"], np.int64),
        explained=frozenset(plain["explained"]),
        worth=plain["worth"],
    )
    levels = {aspect: (value, ordinary) for aspect, (value, ordinary) in plain["levels"].items()}
    return Tested(candidate=candidate, p_values=plain["p_values"], p_value=plain["p_value"], silent=plain["silent"], levels=levels)
