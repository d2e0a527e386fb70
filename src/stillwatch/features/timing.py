"""When an entity works: days, hours of the day, gaps, a probing phase and what follows it."""

from __future__ import annotations

from typing import Any

from stillwatch.features.feature import (
    DAY_MICROSECONDS,
    FEW_EXCHANGES,
    HOUR_MICROSECONDS,
    Feature,
    Inputs,
    Part,
    collision,
    counted,
    deviation_over_mean,
    effective,
    larger,
    micros,
    ratio,
    smaller,
    spread,
    spread_names,
    total,
)

EARLY_PERCENT = 15
EARLY_LEAST = 10
"""The early phase: the first 15% of the exchanges in time order, at least 10; exchanges of one instant stay together."""

_CENTISECOND = 10_000
"""Microseconds. Gaps are summed in whole centiseconds, cut off at a day: the sum of squares then fits 64 bits for 340 years."""


def _instants(exchanges: Any, *others: str) -> Any:
    return exchanges.select("entity_id", *others, at=micros(exchanges.started_at))


def _days(inputs: Inputs) -> Any:
    instants = _instants(inputs.exchanges)
    days = counted(instants.select("entity_id", day=instants.at // DAY_MICROSECONDS), "day")
    return days.group_by("entity_id").aggregate(
        active_day_count=days.count(),
        day_first=days.day.min(),
        day_last=days.day.max(),
        day_sum=days.c.sum(),
        day_squares=(days.c * days.c).sum(),
    )


def _hours(inputs: Inputs) -> Any:
    instants = _instants(inputs.exchanges)
    return spread(instants.select("entity_id", hour=(instants.at // HOUR_MICROSECONDS) % 24), "hour", "hour")


def _order(inputs: Inputs) -> Any:
    """Gaps between consecutive exchanges, and the instant at which the early phase ends."""
    import ibis

    instants = _instants(inputs.exchanges)
    sizes = instants.group_by("entity_id").aggregate(size=instants.count())
    by_time = ibis.window(group_by="entity_id", order_by="at")
    placed = instants.select("entity_id", "at", place=ibis.rank().over(by_time), gap=instants.at - instants.at.lag().over(by_time))
    sized = placed.join(sizes, "entity_id")
    early = sized.place < larger((sized["size"] * EARLY_PERCENT + 99) // 100, EARLY_LEAST)
    short = smaller(sized.gap, DAY_MICROSECONDS) // _CENTISECOND
    return sized.group_by("entity_id").aggregate(
        order_first=sized["at"].min(),
        order_last=sized["at"].max(),
        order_size=sized.count(),
        early_end=early.ifelse(sized["at"], None).max(),
        gap_longest=sized.gap.max(),
        gap_count=sized.gap.count(),
        gap_sum=short.sum(),
        gap_squares=(short * short).sum(),
    )


def _ends(inputs: Inputs) -> Any:
    """Where each entity's early phase ends; the order of all exchanges is worked out once where parts are kept."""
    ends = _order(inputs) if inputs.phases is None else inputs.phases
    return ends.select("entity_id", "early_end", "order_first")


def _phases(inputs: Inputs) -> Any:
    """Exchanges and refusals of the early and of the late phase."""
    exchanges = inputs.exchanges
    refused = (exchanges.status >= 400) | (exchanges.finish_reason == "content_filter")
    rows = exchanges.select("entity_id", at=micros(exchanges.started_at), refused=refused)
    joined = rows.join(_ends(inputs), "entity_id")
    early = joined["at"] <= joined.early_end
    return joined.group_by("entity_id").aggregate(
        early_count=total(early),
        late_count=total(~early),
        early_refused=total(early & joined.refused),
        late_refused=total(~early & joined.refused),
        opening_count=total(joined["at"] < joined.order_first + DAY_MICROSECONDS),
    )


def _prints(inputs: Inputs) -> Any:
    """How often two exchanges of a phase share their smallest fingerprint of wording."""
    exchanges = inputs.exchanges
    rows = exchanges.select("entity_id", at=micros(exchanges.started_at), fingerprint=exchanges.wording.mins())
    joined = rows.filter(rows.fingerprint.notnull()).join(_ends(inputs), "entity_id")
    groups = counted(joined.select("entity_id", "fingerprint", early=joined["at"] <= joined.early_end), "early", "fingerprint")
    same = groups.c * (groups.c - 1)
    return groups.group_by("entity_id").aggregate(
        early_print_known=groups.early.ifelse(groups.c, 0).sum(),
        early_print_same=groups.early.ifelse(same, 0).sum(),
        late_print_known=groups.early.ifelse(0, groups.c).sum(),
        late_print_same=groups.early.ifelse(0, same).sum(),
    )


ORDER = "order"
TIMING_PARTS = (
    Part(name="days", build=_days, gives=("active_day_count", "day_first", "day_last", "day_sum", "day_squares")),
    Part(name="hours", build=_hours, gives=spread_names("hour")),
    Part(
        name=ORDER,
        build=_order,
        gives=(
            "order_first",
            "order_last",
            "order_size",
            "early_end",
            "gap_longest",
            "gap_count",
            "gap_sum",
            "gap_squares",
        ),
        many=True,
    ),
    Part(
        name="phases",
        build=_phases,
        gives=("early_count", "late_count", "early_refused", "late_refused", "opening_count"),
        many=True,
    ),
    Part(
        name="prints",
        build=_prints,
        gives=("early_print_known", "early_print_same", "late_print_known", "late_print_same"),
        many=True,
    ),
)


def _span_days(row: Any) -> Any:
    return (row.order_last - row.order_first).cast("float64") / float(DAY_MICROSECONDS)


def _daily_variation(row: Any) -> Any:
    span = row.day_last - row.day_first + 1
    return (span >= 2).ifelse(deviation_over_mean(row.day_sum, row.day_squares, span), None)


def _hour_effective(row: Any) -> Any:
    return (row.hour_known >= FEW_EXCHANGES).ifelse(effective(row.hour_same, row.hour_known, cap=24.0), None)


def _ramp(row: Any) -> Any:
    span = _span_days(row)
    return (span >= 2.0).ifelse(ratio(row.opening_count, row.order_size) * span, None)


def _enough(row: Any, value: Any) -> Any:
    """`value`, or null where there are no two phases to compare."""
    return ((row.order_size >= FEW_EXCHANGES) & (row.late_count > 0)).ifelse(value, None)


def _probe_then_scale(row: Any) -> Any:
    """The fall of the refused share times the rise of the rate, each 0 to 1.

    The fall is the early refused share less the late one, at least 0. The rise is 1 - (early rate / late rate), at least 0, a rate
    being exchanges per hour of the phase. So it is 0 where refusals did not fall or the volume did not grow, and near 1
    where nearly every probe was refused, nearly nothing later, and the volume multiplied.
    """
    fall = larger(ratio(row.early_refused, row.early_count) - ratio(row.late_refused, row.late_count), 0.0)
    late_micros = (row.order_last - row.early_end).cast("float64")
    early_micros = (row.early_end - row.order_first).cast("float64")
    slower = ratio(row.early_count * late_micros, row.late_count * early_micros)
    rise = larger(1.0 - slower.fill_null(1.0), 0.0)
    return _enough(row, fall * rise)


def _feature(name: str, family: str, unit: str, when_null: str, **rest: Any) -> Feature:
    return Feature(name=name, family=family, version=1, unit=unit, when_null=when_null, **rest)


_FEW = f"fewer than {FEW_EXCHANGES} exchanges"

_REFUSAL = ("status", "finish_reason")


def _refused(name: str, phase: str) -> Feature:
    return _feature(
        name,
        "probing",
        f"share of the {phase} exchanges",
        _FEW,
        parts=("order", "phases"),
        express=lambda row: _enough(row, ratio(row[f"{phase}_refused"], row[f"{phase}_count"])),
        columns=("started_at",),
        any_of=_REFUSAL,
    )


def _repeats(name: str, phase: str) -> Feature:
    return _feature(
        name,
        "probing",
        f"chance that two {phase} exchanges share their smallest fingerprint",
        f"{_FEW}, or fewer than two of the phase with wording",
        parts=("order", "phases", "prints"),
        express=lambda row: _enough(row, collision(row[f"{phase}_print_same"], row[f"{phase}_print_known"])),
        columns=("started_at", "wording"),
    )


def _rhythm(name: str, unit: str, when_null: str, part: str, express: Any) -> Feature:
    return _feature(name, "rhythm", unit, when_null, parts=tuple(part.split()), express=express, columns=("started_at",))


def _day_feature(name: str, unit: str, express: Any) -> Feature:
    return _feature(name, "volume", unit, "never", parts=("days",), express=express, columns=("started_at",))


VOLUME_OVER_TIME = (
    _day_feature("active_days", "UTC days with exchanges", lambda row: row.active_day_count),
    _day_feature("exchanges_per_active_day", "exchanges per day", lambda row: ratio(row.day_sum, row.active_day_count)),
)

RHYTHM = (
    _rhythm("hour_effective", "equally used hours of the day, 1 to 24", _FEW, "hours", _hour_effective),
    _rhythm(
        "longest_quiet_hours",
        "hours",
        "a single exchange",
        "order",
        lambda row: row.gap_longest.cast("float64") / float(HOUR_MICROSECONDS),
    ),
    _rhythm(
        "quiet_share",
        "longest gap as a share of first to last exchange",
        "all at one instant",
        "order",
        lambda row: ratio(row.gap_longest, row.order_last - row.order_first),
    ),
    _rhythm(
        "cadence_variation",
        "standard deviation over mean of the gaps, gaps cut off at a day",
        "all within a centisecond",
        "order",
        lambda row: deviation_over_mean(row.gap_sum, row.gap_squares, row.gap_count),
    ),
    _rhythm(
        "daily_variation",
        "standard deviation over mean of exchanges per UTC day, empty days included",
        "active on one day only",
        "days",
        _daily_variation,
    ),
    _rhythm(
        "ramp",
        "exchanges of the first 24 hours over those of an average day; 1 is flat, less ramps up",
        "active for less than two days",
        "order phases",
        _ramp,
    ),
)

PROBING = (
    _refused("early_refused_share", "early"),
    _refused("late_refused_share", "late"),
    _repeats("early_repeat_probability", "early"),
    _repeats("late_repeat_probability", "late"),
    _feature(
        "probe_then_scale",
        "probing",
        "fall of the refused share times rise of the rate, 0 to 1",
        _FEW,
        parts=("order", "phases"),
        express=_probe_then_scale,
        columns=("started_at",),
        any_of=_REFUSAL,
    ),
)
