"""The plan of a proof: what is tested, in which order, under which keys, at what price of error; and the seal that fixes it beforehand."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast, get_args

from stillwatch.errors import StillwatchError

Kind: TypeAlias = Literal["twins", "canaries", "radioactivity_open", "radioactivity_closed", "similarity"]
Combination: TypeAlias = Literal["holm", "e_product", "e_mean"]
SuspectKind: TypeAlias = Literal["measured", "folder", "endpoint"]

LARGEST_PLAN = 1_000_000
"""Bytes of a plan file; a larger one is another file."""
_MOST = 10_000


class PlanError(StillwatchError):
    """A plan cannot be used: not well formed, not sealed, changed after its seal, or its keys or prompts are not those that it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedKey:
    """A key by its commitment.

    Attributes:
        name: the account or group that the key belongs to, as the verdict will call it.
        commitment: `sha256:…` of `marks.keys.commitment`, published before the key was used.
        file: the key's file, relative to the plan; empty: derived from the master secret given to the command.
        purpose, account, period: what it is derived for; an empty account is the key of all accounts.
    """

    name: str
    commitment: str
    file: str = ""
    purpose: str = ""
    account: str = ""
    period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTest:
    """One test, with everything that could be chosen after the fact.

    Attributes:
        name: of the test in this plan.
        kind: `twins`, `canaries`, `radioactivity_open`, `radioactivity_closed` or `similarity`.
        keys: names of the keys that are tried; each counts in the correction. Empty for `similarity`.
        sample: units that are measured: pairs, questions, rows of windows, documents, models.
        measured: file of the suspect's measures, relative to the plan; made after the seal.
        prompts: file of what the suspect is asked, relative to the plan; may be empty where measures come from elsewhere.
        prompts_sha256: of that file.
        score: of twins: `difference` or `sign`.
        mark: of radioactivity: `green` or `gumbel`.
        gamma: of a green list.
        width: tokens of a context window.
        exponent: of the window weight of open radioactivity.
        references: names of the references of open radioactivity, in the measured file as `reference_NAME`.
        reference_folders: model folder of each reference, relative to the plan, where the suspect is a folder.
        random_keys: keys of the rank of open radioactivity.
        tokenizer: folder of the marked model's tokenizer, for text of a suspect.
        tokenizer_sha256: of its tokenizer.json.
        families: files of canary families besides the shipped ones, relative to the plan.
        most_tokens: of an answer.
        measure: of `similarity`, in words.
    """

    name: str
    kind: Kind
    sample: int
    measured: str
    keys: tuple[str, ...] = ()
    prompts: str = ""
    prompts_sha256: str = ""
    score: Literal["difference", "sign"] = "difference"
    mark: Literal["green", "gumbel"] = "green"
    gamma: float = 0.25
    width: int = 1
    exponent: float = 0.5
    references: tuple[str, ...] = ("teacher",)
    reference_folders: tuple[str, ...] = ()
    random_keys: int = 9_999
    tokenizer: str = ""
    tokenizer_sha256: str = ""
    families: tuple[str, ...] = ()
    most_tokens: int = 256
    measure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSuspect:
    """The suspect, and how it is asked.

    Attributes:
        name: as the verdict will call it.
        kind: `measured` (files of arrays), `folder` (Hugging Face model on disk) or `endpoint` (OpenAI-compatible).
        folder: of the model, relative to the plan.
        url: of the endpoint, up to and with `/v1`.
        model: that the endpoint is asked for.
        logprobs: whether the endpoint gives log-probabilities of a prompt's tokens.
    """

    name: str
    kind: SuspectKind = "measured"
    folder: str = ""
    url: str = ""
    model: str = ""
    logprobs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan.

    Attributes:
        title: of the verdict.
        suspect: who is tested.
        level: error budget of the whole plan.
        combination: `holm`, or `e_product` or `e_mean` over e-values.
        seed: of every drawn flip and key.
        keys, tests: in order.
        sha256: of the canonical form of all of it.
    """

    title: str
    suspect: PlannedSuspect
    level: float
    keys: tuple[PlannedKey, ...]
    tests: tuple[PlannedTest, ...]
    combination: Combination = "holm"
    seed: int = 20_260_101
    sha256: str = field(default="", compare=False)

    @property
    def hypotheses(self) -> int:
        """How many (test, key) pairs are tried."""
        return sum(len(test.keys) for test in self.tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What was fixed, and when.

    Attributes:
        plan_sha256: of the canonical plan.
        sealed_at: UTC.
        seal_sha256: over both; publish it, for a file's own date proves nothing to others.
    """

    plan_sha256: str
    sealed_at: datetime
    seal_sha256: str


def parse_plan(text: str, *, place: str) -> Plan:
    """The plan that a TOML text holds. Unknown fields are refused: a misspelt one would quietly be a default.

    Raises PlanError, with `place` and the field.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{place}: not TOML ({error}); mend the plan") from None
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


def seal(plan: Plan, *, at: datetime) -> Seal:
    """The seal of a plan at a moment that the caller gives."""
    return Seal(plan_sha256=plan.sha256, sealed_at=at, seal_sha256=_seal_digest(plan.sha256, at))


def check_seal(plan: Plan, sealed: Seal, *, place: str) -> None:
    """Nothing where the plan is the sealed one; else PlanError."""
    if _seal_digest(sealed.plan_sha256, sealed.sealed_at) != sealed.seal_sha256:
        raise PlanError(
            f"{place}.seal: its own digest does not fit its content, so it was changed; restore it, or make a new plan and seal that"
        )
    if sealed.plan_sha256 != plan.sha256:
        message = (
            f"{place}: the plan was changed after its seal of {sealed.sealed_at:%Y-%m-%d %H:%M} UTC (sealed {sealed.plan_sha256[:16]}…, "
            f"now {plan.sha256[:16]}…); restore the sealed text, or seal the new plan under another name and measure anew"
        )
        raise PlanError(message)


def _seal_digest(plan_sha256: str, at: datetime) -> str:
    return hashlib.sha256(f"stillwatch seal v1\n{plan_sha256}\n{at.isoformat()}".encode()).hexdigest()


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
        (len(set(names)) == len(names), "two keys have one name"),
        (bool(tests) and len(set(tests)) == len(tests), "tests are needed, each with a name of its own"),
        (plan.combination != "e_product" or _secrets_apart(plan), "e_product needs a secret of its own for each test; a key stands in two"),
        (plan.hypotheses > 0, "no test names a key, so nothing could be shown; a similarity rank alone proves nothing"),
        *(
            (bool(key.file) != bool(key.purpose and key.period), f"key {key.name!r}: give either file, or purpose and period")
            for key in plan.keys
        ),
        *(demand for test in plan.tests for demand in _test_demands(test, names)),
    ]
    for holds, words in demands:
        if not holds:
            raise PlanError(f"{place}: {words}")


def _secrets_apart(plan: Plan) -> bool:
    """No secret, by its commitment, is tried by two tests."""
    commitments = {key.name: key.commitment for key in plan.keys}
    used = [{commitments.get(name) for name in test.keys} for test in plan.tests]
    return len(set().union(*used)) == sum(len(each) for each in used)


def _test_demands(test: PlannedTest, names: list[str]) -> list[tuple[bool, str]]:
    ranks = test.kind == "similarity"
    return [
        (test.sample > 0, f"test {test.name!r}: sample is {test.sample}, it must be above 0"),
        (set(test.keys) <= set(names), f"test {test.name!r}: a key that is not among [[keys]]"),
        (len(set(test.keys)) == len(test.keys), f"test {test.name!r}: a key stands twice"),
        (bool(test.keys) != ranks, f"test {test.name!r}: {'a similarity rank takes no key' if ranks else 'at least one key is needed'}"),
        (bool(test.prompts) == bool(test.prompts_sha256), f"test {test.name!r}: prompts and prompts_sha256 go together"),
        (bool(test.tokenizer) == bool(test.tokenizer_sha256), f"test {test.name!r}: tokenizer and tokenizer_sha256 go together"),
        (0.0 < test.gamma < 1.0, f"test {test.name!r}: gamma must lie strictly between 0 and 1"),
        (0.0 <= test.exponent <= 1.0, f"test {test.name!r}: exponent must lie in [0, 1]"),
        (test.width > 0 and test.most_tokens > 0, f"test {test.name!r}: width and most_tokens must be above 0"),
        (test.random_keys >= 9_999 or test.kind != "radioactivity_open", f"test {test.name!r}: random_keys must be at least 9,999"),
        (bool(test.references) or test.kind != "radioactivity_open", f"test {test.name!r}: at least one reference is needed"),
    ]
