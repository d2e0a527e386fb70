"""Harvest: how far each entity's signals stand out from entities of like volume, with p-values and false discovery rates.

The baseline is the provider's own traffic: accounts that no group claims, or, for a group, random pools of them. Each signal becomes a
conformal p-value, the families' strongest add up, and the sum is compared with the same sum of the baseline, so that the dependence
between signals stands in the null. Accounts are judged by cross-conformal folds (Vovk 2015): none stands in its own baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detect.settings import DetectSettings
from stillwatch.detect.signal import Signal
from stillwatch.stats.combine import combined_p_values
from stillwatch.stats.conformal import conformal_p_values
from stillwatch.stats.multiplicity import benjamini_hochberg, split_families

FLOOR = 1e-6
"""Smallest p-value: a tail fitted to some hundred baseline entities is not believed further."""

LIKE_VOLUME = 4.0
LEAST_NEAR = 60
"""A baseline takes in accounts with between a quarter and four times the exchanges, and the nearest sixty where those are fewer."""

SHARED_SPAN = 10
"""Accounts share a baseline when they lie within a tenth of it by order of volume: each then stands near its middle."""

LEAST_REFERENCE = 20
"""Baseline entities below which a signal, or the whole judgement, keeps silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the harvest signals say of E entities.

    Attributes:
        values: [E, K] raw signal values; NaN: missing.
        p_signals: [E, K] conformal p-values; NaN: silent.
        contributions: [E, K] nats.
        totals: [E] nats; NaN: not judged.
        p_values, q_values: [E]; NaN: not judged, too few exchanges or too small a baseline.
        as_strangers: [E] a group's p-value against random pools alone, whatever else it was held against; NaN for accounts.
        unmatched: [E] whether a group stands openly together and too few single customers are as large to say what is usual for one.
        extrapolated: [E] whether p rests on a fitted tail, beyond every baseline entity.
        medians, highs, sizes: [E, K] median, 95th percentile (5th where low is suspicious) and number of baseline values.
    """

    values: npt.NDArray[np.float64]
    p_signals: npt.NDArray[np.float64]
    contributions: npt.NDArray[np.float64]
    totals: npt.NDArray[np.float64]
    p_values: npt.NDArray[np.float64]
    q_values: npt.NDArray[np.float64]
    as_strangers: npt.NDArray[np.float64]
    unmatched: npt.NDArray[np.bool_]
    extrapolated: npt.NDArray[np.bool_]
    medians: npt.NDArray[np.float64]
    highs: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.int64]


def judge(
    values: npt.NDArray[np.float64],
    volumes: npt.NDArray[np.float64],
    groups: npt.NDArray[np.bool_],
    claimed: npt.NDArray[np.bool_],
    unfit: npt.NDArray[np.bool_],
    signals: Sequence[Signal],
    settings: DetectSettings,
    generator: np.random.Generator,
) -> Judgement:
    """Judge the accounts among E entities by K signals; groups are judged by `judge_group`, and `with_q_values` ends it.

    Args:
        values: [E, K] signal values of accounts and groups; NaN: missing.
        volumes: [E] exchanges.
        groups: [E] whether the entity is a group.
        claimed: [E] whether the entity is an account that a group claims; it is neither judged by itself nor part of the baseline.
        unfit: [E] whether the entity is an account that is judged, but is no baseline for others: suspected by linking, or licensed.
        signals: the K signals.
        settings: bounds and level.
        generator: deals accounts into folds.
    """
    judgement = _blank(values)
    reference = np.flatnonzero(~groups & ~claimed & ~unfit & (volumes >= settings.reference_least))
    reference = reference[np.argsort(volumes[reference], kind="stable")]
    tested = np.flatnonzero(~groups & ~claimed & (volumes >= settings.least_account_exchanges))
    fold = np.full(len(volumes), -1)
    fold[reference] = generator.permutation(len(reference)) % settings.folds
    # accounts outside the baseline need no fold: nothing of theirs stands in it
    for part in range(-1, settings.folds):
        rows = tested[fold[tested] == part]
        others = reference[fold[reference] != part]
        for near, window in _windows(volumes[rows], volumes[others], settings.reference_size):
            _judge_rows(judgement, rows[near], judgement.values[others[window]], signals)
    return judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Singles:
    """Single customers of a group's size.

    Attributes:
        values: [R, K] signal values of the ordinary accounts that stand around its volume.
        matched: whether enough of them are as large; else none can say what is usual for one.
    """

    values: npt.NDArray[np.float64]
    matched: bool


def single_customers(values: npt.NDArray[np.float64], volumes: npt.NDArray[np.float64], volume: float, size: int) -> Singles:
    """Those of the ordinary accounts (values [R, K], volumes [R]) that a group of `volume` exchanges is held against."""
    order = np.argsort(volumes, kind="stable")
    around = order[_around(np.log(np.maximum(volumes[order], 1)), float(np.log(max(volume, 1.0))), size)]
    as_large = (volumes >= volume / LIKE_VOLUME) & (volumes <= volume * LIKE_VOLUME)
    return Singles(values=values[around], matched=int(as_large.sum()) >= LEAST_REFERENCE)


def judge_group(
    judgement: Judgement, entity: int, pools: npt.NDArray[np.float64], singles: Singles | None, signals: Sequence[Signal]
) -> None:
    """Judge one group against random pools [draws, K]; fills its row.

    `singles` are given for a group that is openly one customer: it must then stand out among single customers as well, and the larger of
    the two p-values counts (intersection-union test, Berger 1982).
    """
    as_customer = 0.0
    if singles is not None:
        judgement.unmatched[entity] = not singles.matched
        # on a blank of its own, so that what is told of the group comes from the pools alone
        customer = _blank(judgement.values[[entity]])
        _judge_rows(customer, np.array([0]), singles.values, signals)
        as_customer = float(np.nan_to_num(customer.p_values[0], nan=1.0))
    _judge_rows(judgement, np.array([entity]), pools, signals)
    judgement.as_strangers[entity] = judgement.p_values[entity]
    judgement.p_values[entity] = np.maximum(judgement.p_values[entity], as_customer)


def _blank(values: npt.NDArray[np.float64]) -> Judgement:
    shape, rows = values.shape, len(values)
    return Judgement(
        values=values,
        p_signals=np.full(shape, np.nan),
        contributions=np.zeros(shape),
        totals=np.full(rows, np.nan),
        p_values=np.full(rows, np.nan),
        q_values=np.full(rows, np.nan),
        as_strangers=np.full(rows, np.nan),
        unmatched=np.zeros(rows, np.bool_),
        extrapolated=np.zeros(rows, np.bool_),
        medians=np.full(shape, np.nan),
        highs=np.full(shape, np.nan),
        sizes=np.zeros(shape, np.int64),
    )


def _windows(tested: npt.NDArray[np.float64], reference: npt.NDArray[np.float64], size: int) -> list[tuple[npt.NDArray[np.intp], slice]]:
    """Tested entities in lots of like volume, and for each lot the piece of `reference` (volumes, ascending) that stands around it.

    As many lighter accounts as heavier ones: many signals change with volume, and an account at the heavy end of its baseline would look
    unusual for its volume alone. A lot is narrow against its baseline for the same reason, however many accounts the log has.
    """
    if len(tested) == 0 or len(reference) == 0:
        return []
    lots = np.searchsorted(reference, tested) // max(1, size // SHARED_SPAN)
    logs = np.log(np.maximum(reference, 1))
    found: list[tuple[npt.NDArray[np.intp], slice]] = []
    for lot in np.unique(lots):
        rows = np.flatnonzero(lots == lot)
        found.append((rows, _around(logs, float(np.median(np.log(np.maximum(tested[rows], 1)))), size)))
    return found


def _around(logs: npt.NDArray[np.float64], middle: float, size: int) -> slice:
    """The `size` values of `logs` (ascending) around `middle`, half of them on each side where there are as many.

    Those within LIKE_VOLUME, and no fewer than the nearest LEAST_NEAR: more would let light accounts, whose volume-bound signals are low
    by nature, make every heavy one look unusual.
    """
    place = int(np.searchsorted(logs, middle))
    low = max(0, min(place - size // 2, len(logs) - size))
    high = min(len(logs), low + size)
    reach = np.log(LIKE_VOLUME)
    low = max(low, int(np.searchsorted(logs, middle - reach, side="left")))
    high = min(high, int(np.searchsorted(logs, middle + reach, side="right")))
    while high - low < min(LEAST_NEAR, len(logs)):
        below = middle - logs[low - 1] if low > 0 else np.inf
        above = logs[high] - middle if high < len(logs) else np.inf
        low, high = (low - 1, high) if below <= above else (low, high + 1)
    return slice(low, high)


def _judge_rows(judgement: Judgement, rows: npt.NDArray[np.integer], reference: npt.NDArray[np.float64], signals: Sequence[Signal]) -> None:
    """Fill the judgement's rows from one baseline [R, K]."""
    known = (~np.isnan(reference)).sum(axis=0)
    spoken = np.flatnonzero(known >= LEAST_REFERENCE)
    weighing = spoken[[signals[column].weighs for column in spoken.tolist()]] if len(spoken) else spoken
    if len(weighing) == 0 or len(rows) == 0:
        return
    directions = np.array([signal.direction for signal in signals])
    combined = combined_p_values(
        judgement.values[np.ix_(rows, weighing)],
        reference[:, weighing],
        [signals[column].family for column in weighing.tolist()],
        directions=directions[weighing].tolist(),
    )
    cells = np.ix_(rows, weighing)
    judgement.p_signals[cells] = combined.rank_per_signal
    judgement.contributions[cells] = combined.contributions
    judgement.totals[rows] = combined.contributions.sum(axis=1)
    judgement.p_values[rows] = np.maximum(combined.p, FLOOR)
    judgement.extrapolated[rows] = combined.extrapolated
    for column in spoken[~np.isin(spoken, weighing)].tolist():
        _ask(judgement, rows, column, reference[:, column], signals[column].direction)
    told = np.ix_(rows, spoken)
    judgement.medians[told] = np.nanmedian(reference[:, spoken], axis=0)[None, :]
    quantiles = np.nanquantile(reference[:, spoken], [0.05, 0.95], axis=0)
    judgement.highs[told] = np.where(directions[spoken] > 0, quantiles[1], quantiles[0])[None, :]
    judgement.sizes[told] = known[spoken][None, :]


def _ask(judgement: Judgement, rows: npt.NDArray[np.integer], column: int, reference: npt.NDArray[np.float64], direction: int) -> None:
    """The p-value of one signal that does not weigh, by rank."""
    given = rows[~np.isnan(judgement.values[rows, column])]
    if len(given):
        values = direction * reference[~np.isnan(reference)]
        judgement.p_signals[given, column] = conformal_p_values(direction * judgement.values[given, column], values)


def with_q_values(judgement: Judgement, groups: npt.NDArray[np.bool_], asked: npt.NDArray[np.bool_] | None = None) -> Judgement:
    """The judgement with its q-values filled: Benjamini-Hochberg within groups and within accounts, each at half the level.

    `asked` [E]: entities that may be found at all; the others get no q-value. None: all.
    """
    judged = ~np.isnan(judgement.p_values) & (True if asked is None else asked)
    kinds = {"groups": np.flatnonzero(judged & groups), "accounts": np.flatnonzero(judged & ~groups)}
    # a kind of which there is none still takes its half: the split must not depend on what was found
    families: dict[str, npt.NDArray[np.float64]] = {
        name: benjamini_hochberg(judgement.p_values[rows]) if len(rows) else np.zeros(0) for name, rows in kinds.items()
    }
    for name, q_values in split_families(families).items():
        judgement.q_values[kinds[name]] = q_values
    return judgement
