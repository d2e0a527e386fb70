"""What a test of a suspect concludes: results with their null, reach and words, corroboration, and the verdict over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What a verdict says; there is no outcome that clears a suspect."""

    SHOWN = "shown"
    NOT_SHOWN = "not_shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a test of this size would have seen.

    Attributes:
        effect: what is measured, in words.
        log10_level: the p-value that had to be reached, as log10.
        power: probability with which an effect of `smallest` is seen.
        smallest: smallest effect seen with that power; None: no effect would have been.
        curve: (effect, power) points, for the picture.
        exact: whether the power is exact under the stated effect, or a normal approximation that serves for planning.
    """

    effect: str
    log10_level: float
    power: float
    smallest: float | None
    curve: tuple[tuple[float, float], ...]
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Another p-value of the same data, shown beside the one of record and used for nothing.

    Attributes:
        name: of the method.
        log10_p: as log10.
        log10_floor: smallest that the method can give; None: no floor.
        meaning: what it is good for.
    """

    name: str
    log10_p: float
    log10_floor: float | None
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a test's p-value stands on, and what a small one means.

    Attributes:
        null: the hypothesis that the p-value is computed under.
        assumption: what has to hold besides.
        source: papers, with places.
        shows: what a small p-value shows.
        does_not_show: what it does not, whatever its size.
    """

    null: str
    assumption: str
    source: str
    shows: str
    does_not_show: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceResult:
    """One test of one suspect under one key.

    Attributes:
        test: kind of test, such as `twins`.
        statistic: name of what is measured.
        value: of the statistic.
        log10_p: THE p-value, as log10; it may be far below what a double holds.
        method: how that p-value is computed, in words.
        sample: independent units that it rests on.
        dropped: (reason, count) of units that were left out, each reason blind to the key.
        words: null, assumption, source, and what is shown.
        reach: what would have been seen.
        beside: other p-values of the same data.
        elsewhere: the statistic under other keys or coin flips, for the picture; may be empty.
        details: numbers behind the picture, such as the twins' differences; may be empty.
    """

    test: str
    statistic: str
    value: float
    log10_p: float
    method: str
    sample: int
    dropped: tuple[tuple[str, int], ...]
    words: Words
    reach: Reach
    beside: tuple[Beside, ...] = ()
    elsewhere: tuple[float, ...] = ()
    details: tuple[float, ...] = ()

    @property
    def p(self) -> float:
        """The p-value as a double; 0 where it is below what a double holds, so show `log10_p`."""
        return 10.0**self.log10_p


@dataclass(frozen=True, slots=True, kw_only=True)
class Corroboration:
    """How a suspect ranks among declared controls. It has no p-value: the controls are no random draw of innocent models.

    Attributes:
        test: kind of comparison.
        measure: what is compared, in words.
        score: of the suspect.
        controls: (name, score) of the declared controls.
        rank: 1 for the most similar of suspect and controls; a control with an equal score stands before the suspect.
        says: the rank in words.
        does_not_show: why this is no proof.
    """

    test: str
    measure: str
    score: float
    controls: tuple[tuple[str, float], ...]
    rank: int
    says: str
    does_not_show: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedResult:
    """A result in its place among all that the plan names.

    Attributes:
        name: of the test in the plan.
        key: name of the key, which is the account or group that it belongs to.
        result: the test's result.
        log10_adjusted: Holm-adjusted p over all tests and keys of the plan, as log10.
        log10_e: e-value of the p, as log10.
        reaches: whether the adjusted p is at most the plan's level.
    """

    name: str
    key: str
    result: ProvenanceResult
    log10_adjusted: float
    log10_e: float
    reaches: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A test and key of the plan for which the suspect's answers were too few. It counts as p = 1.

    Attributes:
        name: of the test in the plan.
        key: name of the key.
        lacked: what there was too little of, in words.
        needed, got: of that.
    """

    name: str
    key: str
    lacked: str
    needed: int
    got: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All that a sealed plan's tests say of a suspect.

    Attributes:
        title, suspect: as the plan names them.
        plan_sha256, seal_sha256, sealed_at: of the seal that was checked before the tests; `seal_sha256` is what was published.
        made_at: when the tests ran, UTC.
        level: error budget of the whole plan: probability of a wrong SHOWN is at most this.
        combination: the rule that the plan froze, `holm`, `e_product` or `e_mean`.
        outcome: by that rule.
        log10_e: combined e-value, as log10; 1 / e is a valid p.
        points_to: names of the keys whose own results reach the level after correction for all keys and tests.
        headline, sentences: the outcome in words.
        results: one for each test and key that could be judged, in the plan's order.
        unjudged: the others, which count as p = 1 in every correction.
        corroborations: ranks, which enter nothing.
        inputs: (file, sha256) of every measured file that was read, and of all that plan and seal fix: prompts, tokenizers, every file of
            the models, canary families.
        version: of the program.
    """

    title: str
    suspect: str
    plan_sha256: str
    seal_sha256: str
    sealed_at: datetime
    made_at: datetime
    level: float
    combination: str
    outcome: Outcome
    log10_e: float
    points_to: tuple[str, ...]
    headline: str
    sentences: tuple[str, ...]
    results: tuple[JudgedResult, ...]
    unjudged: tuple[Unjudged, ...]
    corroborations: tuple[Corroboration, ...]
    inputs: tuple[tuple[str, str], ...]
    version: str
