"""From a TOML text to a plan: unknown fields, and a plan that could never give a verdict, are refused."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias, cast, get_args

from stillwatch.provenance.plan import (
    ASKED_SUFFIX,
    SUFFIXES,
    Combination,
    Kind,
    Plan,
    PlanError,
    PlannedKey,
    PlannedSuspect,
    PlannedTest,
    SuspectKind,
)
from stillwatch.provenance.suspects.transport import address_fault

_MOST = 10_000
_LARGEST_SEED = 2**63 - 1
_WIDEST = 64
_MOST_TOKENS = 1_000_000
_COMMITMENT = re.compile(r"sha256:[0-9a-f]{64}")
Demands: TypeAlias = list[tuple[bool, str]]
"""(whether it holds, what to say where it does not)."""


def parse_plan(text: str, *, place: str) -> Plan:
    """The plan that a TOML text holds. Unknown fields are refused: a misspelt one would quietly be a default.

    Raises PlanError, with `place` and the field.
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{place}: not TOML ({str(error)[:300]}); mend the plan") from None
    given = dict(raw)
    try:
        sha256 = digest(raw)
    except ValueError:
        raise PlanError(f"{place}: a number is nan or infinite; write a finite one") from None
    suspect = _record(PlannedSuspect, given.pop("suspect", None), f"{place}, [suspect]")
    keys = tuple(_record(PlannedKey, each, f"{place}, [[keys]] {number}") for number, each in enumerate(_list(given, "keys", place), 1))
    tests = tuple(_record(PlannedTest, each, f"{place}, [[tests]] {number}") for number, each in enumerate(_list(given, "tests", place), 1))
    plan = _record(Plan, given | {"suspect": suspect, "keys": keys, "tests": tests, "sha256": sha256}, place)
    _check(plan, place)
    return plan


def digest(raw: Mapping[str, Any]) -> str:
    """sha256 of the canonical form of a parsed plan: keys in order, no blanks, UTF-8; comments and layout do not count."""
    canonical = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)
    return hashlib.sha256(b"stillwatch plan v1\n" + canonical.encode()).hexdigest()


def _list(given: dict[str, Any], name: str, place: str) -> list[Any]:
    value = given.pop(name, [])
    if not isinstance(value, list) or len(cast("list[Any]", value)) > _MOST:
        raise PlanError(f"{place}: {name} must be a list of at most {_MOST:,} tables, written as [[{name}]]")
    return cast("list[Any]", value)


def _record(kind: type[Any], given: Any, place: str) -> Any:
    if not isinstance(given, dict):
        raise PlanError(f"{place}: missing; a table was expected")
    table = cast("dict[str, Any]", given)
    known = {each.name: each for each in fields(kind)}
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise PlanError(f"{place}: unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
    values = {name: _value(str(known[name].type), value, f"{place}, {name}") for name, value in table.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise PlanError(f"{place}: {str(error).split('__init__() ')[-1]}") from None


_TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def _value(declared: str, value: Any, place: str) -> Any:
    if declared == "tuple[str, ...]":
        if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[Any]", value)):
            raise PlanError(f"{place}: a list of texts was expected")
        return tuple(cast("list[str]", value))
    wanted = _TYPES.get(declared)
    if wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and declared != "bool")):
        raise PlanError(f"{place}: {declared} was expected, got {type(value).__name__}")
    choices = _CHOICES.get(declared, ())
    if choices and value not in choices:
        raise PlanError(f"{place}: one of {', '.join(choices)} was expected, got {value!r}")
    return float(value) if declared == "float" else value


_CHOICES: dict[str, tuple[str, ...]] = {
    "Kind": get_args(Kind),
    "Combination": get_args(Combination),
    "SuspectKind": get_args(SuspectKind),
    'Literal["difference", "sign"]': ("difference", "sign"),
    'Literal["green", "gumbel"]': ("green", "gumbel"),
}


def _check(plan: Plan, place: str) -> None:
    names = [key.name for key in plan.keys]
    tests = [test.name for test in plan.tests]
    demands = [
        (0.0 < plan.level < 1.0, f"level is {plan.level}, it must lie strictly between 0 and 1"),
        (0 <= plan.seed <= _LARGEST_SEED, f"seed is {str(plan.seed)[:40]}, it must lie in [0, {_LARGEST_SEED}]"),
        (len(set(names)) == len(names), "two keys have one name"),
        (bool(tests) and len(set(tests)) == len(tests), "tests are needed, each with a name of its own"),
        (plan.combination != "e_product" or _secrets_apart(plan), "e_product needs a secret of its own for each test; a key stands in two"),
        (plan.hypotheses > 0, "no test names a key, so nothing could be shown; a similarity rank alone proves nothing"),
        *(demand for key in plan.keys for demand in _key_demands(key)),
        *_suspect_demands(plan.suspect),
        *(demand for test in plan.tests for demand in _test_demands(test, names)),
        *(demand for test in plan.tests if plan.asks(test) for demand in _asking_demands(plan.suspect, test)),
        *(demand for test in plan.tests for demand in _file_demands(plan, test)),
    ]
    for holds, words in demands:
        if not holds:
            raise PlanError(f"{place}: {words}")


def _secrets_apart(plan: Plan) -> bool:
    """No secret, by its commitment, is tried by two tests."""
    commitments = {key.name: key.commitment for key in plan.keys}
    used = [{commitments.get(name) for name in test.keys} for test in plan.tests]
    return len(set().union(*used)) == sum(len(each) for each in used)


def _key_demands(key: PlannedKey) -> Demands:
    return [
        (bool(key.file) != bool(key.purpose and key.period), f"key {key.name!r}: give either file, or purpose and period"),
        (
            _COMMITMENT.fullmatch(key.commitment) is not None,
            f"key {key.name!r}: no key opens the commitment {key.commitment[:80]!r}; give sha256: and the 64 digits of `mark commit`",
        ),
    ]


def _suspect_demands(suspect: PlannedSuspect) -> Demands:
    where, fault = f"[suspect] of kind {suspect.kind}", address_fault(suspect.url) if suspect.kind == "endpoint" else ""
    return [
        (suspect.kind != "folder" or bool(suspect.folder), f"{where} names no folder; give `folder`, that of the model"),
        (
            not fault,
            f"{where}: url {fault}; give https:// or http://, the host, and the path up to and with /v1",
        ),
        (
            suspect.kind != "endpoint" or bool(suspect.model),
            f"{where} names no model; give `model`, the name that the endpoint is asked for",
        ),
    ]


def _test_demands(test: PlannedTest, names: list[str]) -> Demands:
    ranks, opened, where = test.kind == "similarity", test.kind == "radioactivity_open", f"test {test.name!r}"
    return [
        (test.sample > 0, f"{where}: sample is {test.sample}, it must be above 0"),
        (set(test.keys) <= set(names), f"{where}: a key that is not among [[keys]]"),
        (len(set(test.keys)) == len(test.keys), f"{where}: a key stands twice"),
        (bool(test.keys) != ranks, f"{where}: {'a similarity rank takes no key' if ranks else 'at least one key is needed'}"),
        (bool(test.prompts) == bool(test.prompts_sha256), f"{where}: prompts and prompts_sha256 go together"),
        (bool(test.tokenizer) == bool(test.tokenizer_sha256), f"{where}: tokenizer and tokenizer_sha256 go together"),
        (0.0 < test.gamma < 1.0, f"{where}: gamma must lie strictly between 0 and 1"),
        (0.0 <= test.exponent <= 1.0, f"{where}: exponent must lie in [0, 1]"),
        (0 < test.width <= _WIDEST, f"{where}: width is {test.width}, it must lie in [1, {_WIDEST}]"),
        (0 < test.most_tokens <= _MOST_TOKENS, f"{where}: most_tokens is {test.most_tokens}, it must lie in [1, {_MOST_TOKENS:,}]"),
        (not opened or 9_999 <= test.random_keys <= 10**7, f"{where}: random_keys must be at least 9,999, and at most 10,000,000"),
        (bool(test.references) or not opened, f"{where}: at least one reference is needed"),
        (len(set(test.references)) == len(test.references), f"{where}: a reference stands twice"),
    ]


def _file_demands(plan: Plan, test: PlannedTest) -> Demands:
    """Of the file that a test is measured into: one that this kind is read from, and no other test's, nor any that the plan reads."""
    takes = (ASKED_SUFFIX.get(test.kind, ""),) if plan.asks(test) else SUFFIXES[test.kind]
    where, ours = f"test {test.name!r}: measured is {test.measured!r}", _plain(test.measured)
    others = [other.name for other in plan.tests if other is not test and _plain(other.measured) == ours]
    read = [name for other in plan.tests for name in (other.prompts, *other.families) if name]
    wanted = " or ".join(filter(None, takes))
    return [
        (
            not wanted or test.measured.lower().endswith(takes),
            f"{where}, but {test.kind} is {'asked into' if plan.asks(test) else 'read from'} {wanted} files; name one of those",
        ),
        (not others, f"{where}, and so is that of test {(others or [''])[0]!r}; give each test a file of its own"),
        (ours not in {_plain(name) for name in read}, f"{where}, which the plan reads as prompts or families; name another file"),
    ]


def _plain(name: str) -> str:
    """A relative path without detours, as most file systems tell names apart: `./A.jsonl` and `a.jsonl` are one."""
    return posixpath.normpath(name.replace("\\", "/")).casefold()


def _asking_demands(suspect: PlannedSuspect, test: PlannedTest) -> Demands:
    """Of a test that the suspect is asked: that a suspect of this kind can answer it."""
    where, opened = f"test {test.name!r}", test.kind == "radioactivity_open"
    given = len(test.reference_folders)
    return [
        (
            test.kind in ASKED_SUFFIX,
            f"{where} has prompts, but {test.kind} is not asked; measure suspect and controls alike, and give the scores as a file",
        ),
        (
            not opened or suspect.kind == "folder",
            f"{where} asks for whole next-token distributions, which kind {suspect.kind} does not give; name a folder, or no prompts",
        ),
        (
            not opened or given == len(test.references),
            f"{where} has {len(test.references)} references and {given} reference_folders; name one folder for each reference",
        ),
        (
            test.kind != "radioactivity_closed" or suspect.kind == "folder" or bool(test.tokenizer),
            f"{where} reads text, and kind {suspect.kind} has no tokens; give `tokenizer`, the marked model's folder, and its sha256",
        ),
    ]
