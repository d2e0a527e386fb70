"""Acts on evidence: what the evidence log records of each, as frozen records with a JSON Schema.

Text of requests and answers is never in them: they point to it by ids and hashes.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from stillwatch.errors import SchemaError
from stillwatch.records.case_acts import CaseAct
from stillwatch.records.cases import CaseExhibitMade
from stillwatch.records.governance import GOVERNANCE_ACTS
from stillwatch.records.inputs import Ground, Input

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStart:
    """The first record of a log.

    Attributes:
        origin: the log's name, as checkpoints state it.
        vkeys: the log's first keys.
        version: of the program.
        purpose: what the log is kept for, in words.
    """

    origin: str
    vkeys: tuple[str, ...]
    version: str
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRun:
    """A scan that was made.

    Attributes:
        version, engine: of the program, and where tables were computed.
        created_at: when the scan was made, ISO 8601, UTC.
        seed: of every random draw.
        settings, versions, prices: as `run.json` holds them; prices by name and sha256.
        inputs: files that were read.
        rows_in, rows_out, quarantined: how the counts reconcile.
        findings: how many there are; each has a record of its own, after this one.
        results: sha256 of the files of the result folder.
    """

    version: str
    engine: str
    created_at: str
    seed: int
    settings: dict[str, object]
    versions: dict[str, object]
    prices: dict[str, object]
    inputs: tuple[Input, ...]
    rows_in: int
    rows_out: int
    quarantined: int
    findings: int
    results: tuple[Input, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingMade:
    """A finding of a scan, without the text of any exchange.

    Attributes:
        uid, entity_id, kind: of the finding.
        pooling, harvest, severity: what it says.
        strength, p_value, q_value: how sure it is.
        members: accounts, as the scan names them.
        exchange_ids: of the exchanges that it shows.
        ordinary: the ordinary explanations that it names.
        finding_sha256: of the finding's whole canonical JSON, exhibits included.
    """

    uid: str
    entity_id: str
    kind: str
    title: str
    pooling: str
    harvest: str
    severity: str
    strength: float
    p_value: float | None
    q_value: float | None
    members: tuple[str, ...]
    exchange_ids: tuple[str, ...]
    ordinary: tuple[str, ...]
    finding_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSealed:
    """A verdict's plan, recorded before the suspect is asked anything.

    Attributes:
        title, suspect, level: as the plan has them.
        plan_sha256, seal_sha256, sealed_at: of the seal; the time in ISO 8601, UTC.
        key_commitments: of the keys that the plan will open.
    """

    title: str
    suspect: str
    level: float
    plan_sha256: str
    seal_sha256: str
    sealed_at: str
    key_commitments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictReached:
    """A verdict on a suspect.

    Attributes:
        suspect, plan_sha256: of the plan that was followed.
        outcome: `shown` or `not_shown`, which clears nobody.
        log10_e: combined e-value.
        points_to: names of keys whose own results reach the level.
        inputs: measured files that were read.
        verdict_sha256: of `verdict.json`.
        version: of the program.
    """

    suspect: str
    plan_sha256: str
    outcome: str
    log10_e: float
    points_to: tuple[str, ...]
    inputs: tuple[Input, ...]
    verdict_sha256: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkKey:
    """A commitment to a secret that marks answers, recorded before it is used.

    Attributes:
        purpose: `master`, or what the key marks.
        account, period: that it is derived for; None: all accounts, or the master secret.
        commitment: `sha256:` and 64 hexadecimal digits.
    """

    purpose: str
    account: str | None
    period: str | None
    commitment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about an entity, by whom, and until when.

    Attributes:
        entity_id, finding_uid: whom it is about, and why.
        decision: what is done.
        reason: in words.
        decided_by, approved_by: people; approval of a second one where the house asks for it.
        until: when it ends or is looked at again, ISO 8601; None: no end.
    """

    entity_id: str
    decision: str
    reason: str
    decided_by: str
    finding_uid: str | None = None
    approved_by: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Private text or a record's content that somebody looked at.

    Attributes:
        by, why: who and for what.
        what: what was shown, in words or as a command.
        exchange_ids, account_ids: whose text it was.
        case: that opened it; None: no text of exchanges was shown.
    """

    by: str
    why: str
    what: str
    exchange_ids: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()
    case: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Evidence that left the house.

    Attributes:
        by, to, why: from whom, to whom, for what.
        files: what was handed over.
        form: such as `case`, `ocsf`, `proof`.
    """

    by: str
    to: str
    why: str
    form: str
    files: tuple[Input, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Contents that were erased; the entry names the records. Attributes: who, on which ground, and why in words."""

    by: str
    ground: Ground
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What may not be erased until the hold is released. The entry names records; where it names none, and no scope is given, it holds all.

    Attributes:
        by, why: who and for what.
        until: when it is to be looked at again; it ends only by a release.
        accounts: whatever is held about these is kept.
        classes: of data, as retention names them, that are kept.
    """

    by: str
    why: str
    until: str | None = None
    accounts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The end of a hold, whose record the entry names: by whom, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """A change of the log's keys; the entry names the new ones. By whom, and why."""

    by: str
    why: str


ACTS: Mapping[str, type[Any]] = {
    "log_start": LogStart,
    "scan_run": ScanRun,
    "finding": FindingMade,
    "plan": PlanSealed,
    "verdict": VerdictReached,
    "mark_key": MarkKey,
    "decision": Decision,
    "view": View,
    "export": Export,
    "case_act": CaseAct,
    "erasure": Erasure,
    "hold": Hold,
    "release": Release,
    "key_rotation": KeyRotation,
    "case_exhibit": CaseExhibitMade,
    **GOVERNANCE_ACTS,
}
"""Kind of an entry, and the record that its content holds."""

KIND_OF: Mapping[type[Any], str] = {record: kind for kind, record in ACTS.items()}


def content_of(record: object) -> dict[str, Any]:
    """The record as JSON values. Fields that are None stay, so that a record always has the same fields."""
    return {item.name: _plain(getattr(record, item.name)) for item in dataclasses.fields(cast("Any", record))}


def record_of(kind: type[Record], content: object, place: str) -> Record:
    """The record of a content.

    Raises SchemaError, naming `place` and the field, for missing, unknown or other fields than the record has.
    """
    return cast("Record", _record(kind, content, place))


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind's content. Raises SchemaError for an unknown kind."""
    if kind not in ACTS:
        raise SchemaError(f"{kind!r} is no kind of record; there are {', '.join(ACTS)}")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind}
    return head | _schema(ACTS[kind])


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return content_of(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value


def _schema(kind: Any) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(choice) for choice in get_args(kind)]}
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(kind)[0])}
    if origin is dict:
        return {"type": "object"}
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(cast("type", kind))
        return {
            "type": "object",
            "properties": {name: _schema(hint) for name, hint in hints.items()},
            "required": _required(kind),
            "additionalProperties": False,
        }
    if issubclass(kind, StrEnum):
        return {"enum": [choice.value for choice in kind]}
    return {"type": {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}[kind]}


def _required(kind: Any) -> list[str]:
    missing = dataclasses.MISSING
    return [item.name for item in dataclasses.fields(kind) if item.default is missing and item.default_factory is missing]


def _record(kind: Any, value: object, place: str) -> Any:
    given = _object(value, place)
    hints = get_type_hints(cast("type", kind))
    unknown, missing = sorted(set(given) - set(hints)), [name for name in _required(kind) if name not in given]
    if unknown or missing:
        said = "; ".join(f"{what} {', '.join(names)}" for what, names in (("unknown are", unknown), ("missing are", missing)) if names)
        raise SchemaError(f"{place}: the fields of a record are {', '.join(hints)}; {said[:200]!a}")
    return kind(**{name: _value(hints[name], given[name], f"{place}: {name}") for name in hints if name in given})


def _value(kind: Any, value: object, place: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(choice for choice in get_args(kind) if choice is not type(None))
        return None if value is None else _value(inner, value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise SchemaError(f"{place} is {type(value).__name__}, a list was expected; see `stillwatch log schema`")
        return tuple(_value(get_args(kind)[0], item, f"{place}[{number}]") for number, item in enumerate(cast("list[object]", value)))
    if origin is dict:
        return _object(value, place)
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, place)
    return _scalar(kind, value, place)


def _scalar(kind: Any, value: object, place: str) -> Any:
    if issubclass(kind, StrEnum):
        if value not in set(kind):
            raise SchemaError(f"{place} is {ascii(value)[:80]}; it takes one of {', '.join(kind)}")
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise SchemaError(f"{place} is {type(value).__name__}, {kind.__name__} was expected; see `stillwatch log schema`")
    return value


def _object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in cast("dict[object, object]", value)):
        raise SchemaError(f"{place} is {type(value).__name__}, a JSON object was expected; see `stillwatch log schema`")
    return cast("dict[str, Any]", value)
