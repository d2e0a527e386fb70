"""What a test would have seen: the smallest effect, and the curve from effect to power."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from stillwatch.records.verdicts import Reach

POWER = 0.9
_POINTS = 41
_HALVINGS = 40


def reach(
    power_of: Callable[[float], float], *, effect: str, log10_level: float, largest: float, exact: bool, power: float = POWER
) -> Reach:
    """The reach of a test whose power grows with the effect.

    Args:
        power_of: from an effect in [0, largest] to the probability that the level is reached.
        effect: what is measured, in words.
        log10_level: the p-value to be reached, as log10.
        largest: largest effect that is possible or worth drawing.
        exact: whether power_of is exact or a normal approximation.
        power: the power that `smallest` has.

    Returns:
        `smallest` is None where even `largest` is not seen with that power. The curve ends where the power is nearly 1.
    """
    smallest: float | None = None
    if power_of(largest) >= power:
        low, high = 0.0, largest
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (low, middle) if power_of(middle) >= power else (middle, high)
        smallest = high
    end = largest if smallest is None else min(largest, 2.0 * smallest)
    curve = tuple((float(at), float(power_of(float(at)))) for at in np.linspace(0.0, end, _POINTS))
    return Reach(effect=effect, log10_level=log10_level, power=power, smallest=smallest, curve=curve, exact=exact)


def normal_power(shift: float, threshold: float) -> float:
    """P(Z + shift >= threshold), Z standard normal."""
    return float(special.ndtr(shift - threshold))


def first_reaching(log10_tail: Callable[[int], float], *, most: int, log10_level: float) -> int | None:
    """The smallest count in [0, most] whose tail is at most the level; None where not even `most` is. The tail falls with the count."""
    if log10_tail(most) > log10_level:
        return None
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if log10_tail(middle) <= log10_level else (middle, high)
    return high
