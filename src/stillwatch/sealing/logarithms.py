"""P-values and e-values that are given as log10, in decimal arithmetic of 60 digits, so that all get the same digits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction

_DIGITS = Context(prec=60)
_FURTHEST = 100_000
"""Of an exponent of ten; what tests give is far within."""


def holm(log10_p: Sequence[Fraction]) -> Fraction | None:
    """log10 of the smallest p-value after Holm's correction, at most 0; None where a value is no log10 of a p-value.

    Args:
        log10_p: [m], m >= 1, of all tests that were tried.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure": the smallest is multiplied by m.
    """
    if max(log10_p) > 0:
        return None
    return min(Fraction(0), min(log10_p) + Fraction(Decimal(len(log10_p)).log10(_DIGITS)))


def log_mean(log10_e: Sequence[Fraction]) -> Fraction | None:
    """log10 of the mean of e-values; None where an exponent is beyond all reason.

    Args:
        log10_e: [m], m >= 1.

    Source: Vovk, Wang 2021, section 3: the mean is an e-value whatever their dependence.
    """
    if max(map(abs, log10_e)) > _FURTHEST:
        return None
    total = Decimal(0)
    for value in log10_e:
        exponent = _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))
        total = _DIGITS.add(total, _DIGITS.power(Decimal(10), exponent))
    return Fraction(_DIGITS.divide(total, Decimal(len(log10_e))).log10(_DIGITS))
