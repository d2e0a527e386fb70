"""Innocent students over many keys that nobody used: a valid p-value is at most a with a chance of at most a."""

from __future__ import annotations

import functools
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator

import numpy as np
from scipy import optimize, stats

from proving import cast, proofs, published
from proving.settings import EXPONENT, GAMMA, LEVEL
from proving.work import Bench, Record
from stillwatch.app.measure_files import read_measures
from stillwatch.app.plan_files import read_plan
from stillwatch.marks.green_list import is_green
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.marks.twins import assign
from stillwatch.provenance.closed_radioactivity import distinct_pairs
from stillwatch.provenance.measures import result
from stillwatch.provenance.open_radioactivity import dense_coefficients, keyed_mass, random_keys
from stillwatch.provenance.plan import PlannedTest
from stillwatch.provenance.scoring import GreenListScoring
from stillwatch.stats.chernoff import WeightedSum
from stillwatch.stats.exact import log10_binomial_tail
from stillwatch.stats.seeds import generator

LEVELS = (0.05, 0.01, 0.001)


def over_keys(bench: Bench, student: cast.Student) -> Record:
    """For every test, how many of the keys gave a p-value at most each level; of the open test also the standardised masses."""
    draw = generator(bench.seed, f"prove/innocent-keys/{student.name}")
    keys = list(random_keys(draw, bench.size.innocent_keys))
    opened, masses = _open(bench, student, keys)
    found = {"radioactivity_open": opened, "radioactivity_closed": _counted(_closed(bench, student, keys))}
    for test in read_plan(bench.folder / f"{student.name}.plan.toml").tests:
        if test.kind == "twins":
            found[test.kind] = _twins(bench, test, keys)
        elif test.kind == "canaries":
            found[test.kind] = _counted(_canaries(bench, test, keys))
    for name, reading in proofs.readings(bench, student).items():
        found[f"naive_{name}"] = _counted(_argmax(published.naive, reading, keys))
        found[f"dedup_{name}"] = _counted(_argmax(published.deduplicated, reading, keys))
    return {"tests": found, "masses": masses}


def _counted(logs: Iterator[float]) -> Record:
    p = 10.0 ** np.array(list(logs))
    return {"keys": p.size, "at_most": {str(level): int(np.count_nonzero(p <= level)) for level in LEVELS}, "smallest": float(p.min())}


def _open(bench: Bench, student: cast.Student, keys: list[MarkKey]) -> tuple[Record, list[float]]:
    arrays = read_measures(bench.folder / f"{student.name}.measured.radioactivity_open.npz")
    scoring = GreenListScoring(GAMMA)
    parts = [
        dense_coefficients(arrays["seeds"], arrays["counts"], arrays["suspect"], arrays[name], exponent=EXPONENT)
        for name in arrays
        if name.startswith("reference_")
    ]
    bounds = [WeightedSum(part.values, scoring.law) for part in parts]
    masses = np.array(
        [[keyed_mass(key, part, scoring) / bound.deviation for key in keys] for part, bound in zip(parts, bounds, strict=True)]
    )
    # the p-value falls as the mass rises, so each level has one mass that reaches it; the largest p of all references counts
    needed = {str(level): [_mass_of(bound, level) for bound in bounds] for level in LEVELS}
    at_most = {level: int(np.all(masses >= np.array(least)[:, None], axis=0).sum()) for level, least in needed.items()}
    weakest = masses.min(axis=0)
    smallest = max(10.0 ** bound.log10_tail(float(weakest.max()) * bound.deviation) for bound in bounds)
    uniform = float(stats.kstest(masses[0], "norm").pvalue)
    return {"keys": len(keys), "at_most": at_most, "smallest": smallest, "uniform_p": uniform}, masses[0].tolist()


def _mass_of(bound: WeightedSum, level: float) -> float:
    """Standard deviations at which the bound reaches a level."""
    return float(optimize.brentq(lambda z: bound.log10_tail(z * bound.deviation) - math.log10(level), 0.01, 20.0))


def _closed(bench: Bench, student: cast.Student, keys: list[MarkKey]) -> Iterator[float]:
    arrays = read_measures(bench.folder / f"{student.name}.measured.radioactivity_closed.npz")
    count = int(arrays["documents"][0])
    tokens, prompts = arrays["tokens"].reshape(count, -1), arrays["prompt_tokens"].reshape(count, -1)
    seeds = np.concatenate([context_seeds(row, 1) for row in tokens])
    asked = np.concatenate([context_seeds(row, 1) for row in prompts])
    pairs = distinct_pairs(seeds, tokens[:, 1:].ravel(), asked)
    for key in keys:
        green = is_green(key, pairs.seeds, pairs.tokens, GAMMA)
        yield log10_binomial_tail(int(green.sum()), green.size, GAMMA)


def _twins(bench: Bench, test: PlannedTest, keys: list[MarkKey]) -> Record:
    """The exact law takes a good while for each key, but is one for all of them: p falls as the mean difference rises. So the keys are put
    in order of it, and those that reach a level are found by bisection."""
    arrays = read_measures(bench.folder / test.measured)
    gap = arrays["suspect_first"] - arrays["suspect_second"] - (arrays["teacher_first"] - arrays["teacher_second"])
    pairs = arrays["pair"].tolist()
    means = [np.nanmean(np.where([assign(key, pair, 1.0).second_is_served for pair in pairs], -gap, gap)) for key in keys]
    order = np.argsort(means)[::-1].tolist()
    draw = generator(bench.seed, "prove/flips")

    @functools.cache
    def log10_p(place: int) -> float:
        return result(test, arrays, keys[order[place]], level=LEVEL, generator=draw).log10_p

    places = range(len(keys))
    at_most = {str(level): bisect_right(places, math.log10(level), key=log10_p) for level in LEVELS}
    return {"keys": len(keys), "at_most": at_most, "smallest": 10.0 ** log10_p(0)}


def _canaries(bench: Bench, test: PlannedTest, keys: list[MarkKey]) -> Iterator[float]:
    arrays = read_measures(bench.folder / test.measured)
    for place, key in enumerate(keys):
        yield result(test, arrays, key, level=LEVEL, generator=generator(bench.seed, f"prove/flips/{place}")).log10_p


def _argmax(
    statistic: Callable[[MarkKey, published.Reading], tuple[float, int]], reading: published.Reading, keys: list[MarkKey]
) -> Iterator[float]:
    for key in keys:
        yield statistic(key, reading)[0]
