"""Results to verdict: correction for everything that was tried, the outcome by the plan's rule, and the words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from stillwatch.provenance.combine import attributed, e_mean, e_product, e_values, holm
from stillwatch.provenance.plan import Plan, Seal
from stillwatch.records.verdicts import Corroboration, JudgedResult, Outcome, ProvenanceResult, Unjudged, Verdict

NEVER_EXONERATES = (
    "A result that is not shown clears nobody: training after distillation, paraphrase, few marked answers or a smaller share of them than "
    "the reach that each test states would all look like this."
)
INDEPENDENT = (
    "Every p-value here is the chance, over our own secret coin, that a suspect who had nothing to do with the coin would score as high. "
    "It is not the chance that the suspect is innocent."
)


def verdict(
    plan: Plan,
    sealed: Seal,
    results: Sequence[tuple[str, str, ProvenanceResult]],
    corroborations: Sequence[Corroboration],
    *,
    unjudged: Sequence[Unjudged] = (),
    made_at: datetime,
    inputs: Sequence[tuple[str, str]],
    version: str,
) -> Verdict:
    """The verdict over all (test name, key name, result) of a plan, in the plan's order, at least one of them.

    What is `unjudged` counts as p = 1, which is valid whatever made it so: nobody stops a test, or gains, by answering another badly.
    """
    judged = _judged(plan, results, len(unjudged))
    log10_e = _combined(plan, judged, unjudged)
    points_to = attributed([each.key for each in judged], [each.log10_adjusted for each in judged], level=plan.level)
    shown = bool(points_to) if plan.combination == "holm" else log10_e >= -math.log10(plan.level)
    outcome = Outcome.SHOWN if shown else Outcome.NOT_SHOWN
    return Verdict(
        title=plan.title,
        suspect=plan.suspect.name,
        plan_sha256=plan.sha256,
        seal_sha256=sealed.seal_sha256,
        sealed_at=sealed.sealed_at,
        made_at=made_at,
        level=plan.level,
        combination=plan.combination,
        outcome=outcome,
        log10_e=log10_e,
        points_to=points_to,
        headline=_headline(plan, outcome),
        sentences=_sentences(plan, judged, unjudged, outcome, log10_e, points_to),
        results=judged,
        unjudged=tuple(unjudged),
        corroborations=tuple(corroborations),
        inputs=tuple(inputs),
        version=version,
    )


def _judged(plan: Plan, results: Sequence[tuple[str, str, ProvenanceResult]], unjudged: int) -> tuple[JudgedResult, ...]:
    logs = [found.log10_p for _, _, found in results]
    adjusted, e = holm([*logs, *[0.0] * unjudged]).tolist(), e_values(logs).tolist()
    line = math.log10(plan.level)
    return tuple(
        JudgedResult(name=name, key=key, result=found, log10_adjusted=adjusted[place], log10_e=e[place], reaches=adjusted[place] <= line)
        for place, (name, key, found) in enumerate(results)
    )


def _combined(plan: Plan, judged: Sequence[JudgedResult], unjudged: Sequence[Unjudged]) -> float:
    """The plan's e-value: a mean over keys and tests, or a product over tests of means over keys.

    Keys of one test share the suspect's measures, so their e-values are averaged, which holds under any dependence. A product over tests
    needs a secret of its own for each.
    """
    of_nothing = e_values([0.0]).item()
    found = [*((each.name, each.log10_e) for each in judged), *((each.name, of_nothing) for each in unjudged)]
    if plan.combination != "e_product":
        return e_mean([e for _, e in found])
    names = dict.fromkeys(name for name, _ in found)
    return e_product([e_mean([e for whose, e in found if whose == name]) for name in names])


def _headline(plan: Plan, outcome: Outcome) -> str:
    if outcome is Outcome.SHOWN:
        return f"Shown: {plan.suspect.name} depends on our marked outputs"
    return f"Not shown: the tests of {plan.suspect.name} did not reach the level; this clears nobody"


def _sentences(
    plan: Plan,
    judged: Sequence[JudgedResult],
    unjudged: Sequence[Unjudged],
    outcome: Outcome,
    log10_e: float,
    points_to: tuple[str, ...],
) -> tuple[str, ...]:
    best = min(judged, key=lambda each: each.log10_adjusted)
    rule = {"holm": "Holm's correction", "e_product": "the product of e-values", "e_mean": "the mean of e-values"}[plan.combination]
    number = len(judged) + len(unjudged)
    many = "s" if number != 1 else ""
    tried = (
        f"{number} combination{many} of a test and a key {'were' if many else 'was'} tried; the error budget of all together is "
        f"{plan.level:g}, by {rule}."
    )
    strongest = (
        f"The strongest is {best.name} with key {best.key}: p = {power_of_ten(best.result.log10_p)}, "
        f"{power_of_ten(best.log10_adjusted)} after Holm's correction. The combined e-value is {power_of_ten(log10_e)}."
    )
    if points_to:
        whose = f"Results point to {', '.join(points_to)}, after correction for every key tried."
    else:
        whose = "No key is pointed to: no result reaches the level by itself after correction for every key tried."
    lost = [
        f"{each.name} with key {each.key} could not be judged: {each.lacked} needs {each.needed:,}, there were {each.got:,}. "
        "It counts as p = 1."
        for each in unjudged
    ]
    return (tried, *lost, strongest, whose, INDEPENDENT, *([NEVER_EXONERATES] if outcome is Outcome.NOT_SHOWN else []))


def power_of_ten(log10: float) -> str:
    """A number that may lie beyond doubles, in words: `3.1e-412`, `0.04`."""
    if math.isinf(log10):
        return "0" if log10 < 0 else "infinite"
    if -3.0 <= log10 <= 6.0:
        return f"{10.0**log10:.3g}"
    power = math.floor(log10)
    return f"{10.0 ** (log10 - power):.1f}e{power:+d}"
