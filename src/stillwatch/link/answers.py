"""What one aspect answers, and what several answer together: p-values against random sets, with a fitted tail beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.stats.conformal import tail_p_values

FLOOR = 1e-6
"""Smallest p-value, of one aspect and of all: a tail fitted to some hundred sets is not believed further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one aspect says: the candidate's p-value, those of random sets [draws], and the candidate's level beside the usual one."""

    p_value: float
    null: npt.NDArray[np.float64]
    levels: tuple[float, float]


def answered(statistics: npt.NDArray[np.float64]) -> Answer:
    """The answer of a candidate's statistic, the first, among random sets', the others."""
    value, null = float(statistics[0]), statistics[1:]
    return Answer(p_value=_beyond(value, null), null=_leave_one_out(null), levels=(value, float(np.median(null))))


def together(answers: Sequence[Answer], strongest: int) -> float:
    """P-value of the `strongest` smallest of the answers' p-values: their logs are summed, as those of every random set are."""
    observed = _summed(-np.log([[answer.p_value] for answer in answers]), strongest)
    null = _summed(-np.log([answer.null for answer in answers]), strongest)
    return max(FLOOR, float(tail_p_values(observed, null).p[0]))


def _summed(nats: npt.NDArray[np.float64], strongest: int) -> npt.NDArray[np.float64]:
    """[draws] the sum of the `strongest` largest of [aspects, draws]."""
    return np.sort(nats, axis=0)[-strongest:].sum(axis=0)


def _beyond(value: float, null: npt.NDArray[np.float64]) -> float:
    """P-value of a set's statistic; above every random set by the fitted tail, but never below FLOOR."""
    return max(FLOOR, float(tail_p_values(np.array([value]), null).p[0]))


def _leave_one_out(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """P-value of each random set's statistic against the others, the largest by the same tail as a candidate's."""
    ordered = np.sort(values)
    p_values = (len(values) - np.searchsorted(ordered, values, side="left")) / len(values)
    top = int(values.argmax())
    p_values[top] = _beyond(float(values[top]), np.delete(values, top))
    return p_values
