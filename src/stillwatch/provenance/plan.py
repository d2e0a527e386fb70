"""The plan of a proof: what is tested, in which order, under which keys, at what price of error; and the seal that fixes it beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from stillwatch.errors import StillwatchError

Kind: TypeAlias = Literal["twins", "canaries", "radioactivity_open", "radioactivity_closed", "similarity"]
Combination: TypeAlias = Literal["holm", "e_product", "e_mean"]
SuspectKind: TypeAlias = Literal["measured", "folder", "endpoint"]

LARGEST_PLAN = 1_000_000
"""Bytes of a plan file; a larger one is another file."""
SUFFIXES: dict[str, tuple[str, ...]] = {
    "twins": (".jsonl", ".parquet", ".npz"),
    "canaries": (".jsonl", ".parquet", ".npz"),
    "radioactivity_open": (".npz",),
    "radioactivity_closed": (".jsonl", ".parquet", ".npz"),
    "similarity": (".jsonl", ".parquet", ".npz"),
}
"""Files of arrays that each kind of test takes."""
ASKED_SUFFIX: dict[str, str] = {"twins": ".jsonl", "canaries": ".jsonl", "radioactivity_open": ".npz", "radioactivity_closed": ".jsonl"}
"""What a test is measured into where the suspect is asked; a kind that is not there cannot be asked."""


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

    def asks(self, test: PlannedTest) -> bool:
        """Whether the suspect is asked a test's prompts; else its measures come as a file that is made elsewhere after the seal."""
        return bool(test.prompts) and self.suspect.kind != "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What was fixed, and when.

    Attributes:
        plan_sha256: of the canonical plan.
        sealed_at: UTC.
        seal_sha256: over all of it; publish it, for a file's own date proves nothing to others.
        pinned: (file, sha256) of every file of the model folders and canary families that the plan names and the suspect is asked with.
    """

    plan_sha256: str
    sealed_at: datetime
    seal_sha256: str
    pinned: tuple[tuple[str, str], ...] = ()


def seal(plan: Plan, *, at: datetime, pinned: Sequence[tuple[str, str]] = ()) -> Seal:
    """The seal of a plan, and of files by their sha256, at a moment that the caller gives."""
    files = tuple(pinned)
    return Seal(plan_sha256=plan.sha256, sealed_at=at, seal_sha256=_seal_digest(plan.sha256, at, files), pinned=files)


def check_seal(plan: Plan, sealed: Seal, *, place: str) -> None:
    """Nothing where the plan is the sealed one; else PlanError."""
    if _seal_digest(sealed.plan_sha256, sealed.sealed_at, sealed.pinned) != sealed.seal_sha256:
        raise PlanError(
            f"{place}.seal: its own digest does not fit its content, so it was changed; restore it, or make a new plan and seal that"
        )
    if sealed.plan_sha256 != plan.sha256:
        message = (
            f"{place}: the plan was changed after its seal of {sealed.sealed_at:%Y-%m-%d %H:%M} UTC (sealed {sealed.plan_sha256[:16]}…, "
            f"now {plan.sha256[:16]}…); restore the sealed text, or seal the new plan under another name and measure anew"
        )
        raise PlanError(message)


def _seal_digest(plan_sha256: str, at: datetime, pinned: tuple[tuple[str, str], ...]) -> str:
    files = f"\n{json.dumps(pinned, separators=(',', ':'))}" if pinned else ""
    return hashlib.sha256(f"stillwatch seal v1\n{plan_sha256}\n{at.isoformat()}{files}".encode()).hexdigest()
