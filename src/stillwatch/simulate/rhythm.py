"""When accounts work: human days with weekends, machines by night or round the clock, and lockstep where a campaign has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stillwatch.simulate.chance import Chance, cumulative
from stillwatch.simulate.world import DAY_US, HOUR_US

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """The habits of one account.

    Attributes:
        hours: [24] cumulative shares of the hours of a day, UTC.
        weekend: how much of a weekday's traffic a Saturday or Sunday has.
        spread: sigma of the day-to-day changes of volume.
    """

    hours: tuple[float, ...]
    weekend: float
    spread: float


def human_rhythm(chance: Chance, *, office: bool = False, shift_hours: int | None = None) -> Rhythm:
    """Waking hours around two peaks; `shift_hours` is the time zone, drawn evenly when not given."""
    shift = chance.below(24) if shift_hours is None else shift_hours
    first, second = (10 + chance.normal() * 0.8, 15 + chance.normal()) if office else (11 + chance.normal() * 2, 20 + chance.normal() * 2)
    balance, width = 0.2 + 0.6 * chance.uniform(), 1.6 + 1.6 * chance.uniform()
    weights = [0.0] * 24
    for hour in range(24):
        weight = balance * _bump(hour - first, width) + (1 - balance) * _bump(hour - second, width)
        weights[(hour + shift) % 24] = weight + 0.004
    weekend = 0.05 + 0.2 * chance.uniform() if office else 0.4 + 1.2 * chance.uniform()
    return Rhythm(hours=cumulative(weights), weekend=weekend, spread=0.7)


def machine_rhythm(chance: Chance, *, nightly: bool = False) -> Rhythm:
    """One hour a night, or round the clock with a mild swing that follows the users behind it."""
    peak = chance.below(24)
    if nightly:
        return Rhythm(hours=cumulative([1.0 if hour == peak else 0.0 for hour in range(24)]), weekend=1.0, spread=0.1)
    depth = 0.9 * chance.uniform()
    weights = [1 + depth * math.cos((hour - peak) * math.pi / 12) for hour in range(24)]
    return Rhythm(hours=cumulative(weights), weekend=0.5 + 0.6 * chance.uniform(), spread=0.4)


def any_rhythm(chance: Chance) -> Rhythm:
    """A rhythm as an account of the provider has it, whatever it does."""
    draw = chance.uniform()
    if draw < 0.66:
        return human_rhythm(chance, office=draw < 0.15)
    return machine_rhythm(chance)


def _bump(distance: float, width: float) -> float:
    wrapped = (distance + 12) % 24 - 12
    return math.exp(-0.5 * (wrapped / width) ** 2)


def moment(rhythm: Rhythm, day_us: int, chance: Chance) -> int:
    """A time of the day that begins at `day_us`, microseconds."""
    hour = chance.weighted(rhythm.hours)
    return day_us + hour * HOUR_US + int(chance.uniform() * HOUR_US)


def is_weekend(day_us: int) -> bool:
    """Whether the day that begins at `day_us` is a Saturday or a Sunday, UTC; 1970 began on a Thursday."""
    return (day_us // DAY_US + 3) % 7 >= 5


def day_count(rate: float, rhythm: Rhythm, day_us: int, chance: Chance) -> int:
    """How many requests an honest account makes on a day: its mean rate, weekends, and good and bad days."""
    mood = math.exp(rhythm.spread * chance.normal() - rhythm.spread**2 / 2)
    weekend = rhythm.weekend if is_weekend(day_us) else 1.0
    return chance.poisson(min(rate * weekend * mood, 5000.0))


def lockstep_times(count: int, day_us: int, chance: Chance) -> list[int]:
    """A campaign's timetable of one day: `count` instants that every account in lockstep works through."""
    return [day_us + int(chance.uniform() * DAY_US) for _ in range(count)]


def near(instant_us: int, chance: Chance) -> int:
    """A few seconds after an instant: what is left of lockstep on the wire."""
    return instant_us + int(chance.uniform() * 4 * _SECOND_US)
