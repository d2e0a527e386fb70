"""The numbers behind a finding's pictures: aggregates of the profiles, no new reading of the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from stillwatch.detect.entities import Entities
from stillwatch.link.group import Group, group_traces
from stillwatch.link.nominate import TraceRows
from stillwatch.link.profiles import HOUR_US
from stillwatch.records.findings import LinkEdge, Pictures

SHOWN_MEMBERS = 24
SHOWN_TRACES = 8
SHOWN_SUBJECTS = 16
_LABELS = {
    "wording": "same fixed wording",
    "system": "same system text",
    "prompt": "same prompts",
    "network": "same network",
    "payment": "same payment",
    "email_domain": "same e-mail domain",
    "tls": "same TLS fingerprint",
    "signup": "signed up in the same hour",
    "session": "same session",
    "session_rule": "sessions named by the same rule",
    "parameters": "same request parameters",
    "user_agent": "same user agent",
    "asn": "same network operator",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """What every finding's pictures are set against; computed once.

    Attributes:
        provider_daily: exchanges of the whole log per day.
        benign_week: 168 shares of the accounts that no group claims.
        subjects: exchanges of the whole log per subject cell.
    """

    provider_daily: tuple[int, ...]
    benign_week: tuple[float, ...]
    subjects: npt.NDArray[np.int64]


def backdrop(entities: Entities) -> Backdrop:
    """The provider's own activity, rhythm and subjects."""
    moments, start_us = entities.profiles.accounts, entities.profiles.start_us
    benign = moments.hours[~entities.claimed[: entities.accounts]].sum(axis=0, dtype=np.int64)
    _, daily = _daily(moments.hours.sum(axis=0, dtype=np.int64), start_us)
    return Backdrop(
        provider_daily=tuple(daily.tolist()),
        benign_week=week_shares(benign, start_us),
        subjects=moments.subjects.sum(axis=0, dtype=np.int64),
    )


def pictures(entities: Entities, entity: int, labels: tuple[str, ...], edges: tuple[LinkEdge, ...], behind: Backdrop) -> Pictures:
    """Activity, rhythm, subjects and links of one entity, beside the provider's."""
    moments, start_us = entities.profiles.accounts, entities.profiles.start_us
    members = entities.members(entity)
    own = moments.hours[members].sum(axis=0, dtype=np.int64)
    days, daily = _daily(own, start_us)
    return Pictures(
        days=tuple(days),
        entity_daily=tuple(daily.tolist()),
        provider_daily=behind.provider_daily,
        entity_week=week_shares(own, start_us),
        benign_week=behind.benign_week,
        subjects=_subjects(moments.subjects[members].sum(axis=0, dtype=np.int64), behind.subjects, labels),
        edges=edges,
    )


def link_edges(group: Group, rows: TraceRows, ids: npt.NDArray[np.str_]) -> tuple[LinkEdge, ...]:
    """The strongest members' ties to the group's most telling traces."""
    members = group.members[:SHOWN_MEMBERS]
    traces = group_traces(group, rows)
    inside = np.isin(rows.account, members) & np.isin(rows.trace, traces)
    sharing, worth = rows.sharing, rows.worth()
    carried = np.bincount(rows.trace[inside], minlength=len(rows.values)).astype(np.float64)
    weight = carried * np.maximum(worth, 0.01)
    chosen = _one_per_kind(np.argsort(-weight, kind="stable")[: 4 * SHOWN_TRACES], weight, rows)
    edges = [
        LinkEdge(
            account_id=str(ids[account]),
            kind=str(rows.kinds[trace]),
            trace=str(rows.values[trace]),
            label=_LABELS.get(str(rows.kinds[trace]), str(rows.kinds[trace])),
            sharing=int(sharing[trace]),
            weight=float(worth[trace]),
        )
        for account, trace in zip(rows.account[inside].tolist(), rows.trace[inside].tolist(), strict=True)
        if trace in chosen
    ]
    return tuple(sorted(edges, key=lambda edge: (-edge.weight, edge.trace, edge.account_id)))


def _one_per_kind(order: npt.NDArray[np.intp], weight: npt.NDArray[np.float64], rows: TraceRows) -> set[int]:
    """The most telling traces, two of a kind at most: ten fingerprints of one prompt say what one says."""
    kept: dict[str, list[int]] = {}
    for trace in order.tolist():
        kind = str(rows.kinds[trace])
        if weight[trace] > 0 and len(kept.setdefault(kind, [])) < 2:
            kept[kind].append(trace)
    return set(sorted((trace for traces in kept.values() for trace in traces), key=lambda trace: -weight[trace])[:SHOWN_TRACES])


def _daily(hours: npt.NDArray[np.int64], start_us: int) -> tuple[list[datetime], npt.NDArray[np.int64]]:
    first = start_us // HOUR_US
    day = (np.arange(len(hours)) + first % 24) // 24
    start = datetime.fromtimestamp((first - first % 24) * 3600, UTC)
    counts = np.bincount(day, weights=hours).astype(np.int64)
    return [start + timedelta(days=index) for index in range(len(counts))], counts


def week_shares(hours: npt.NDArray[np.int64], start_us: int) -> tuple[float, ...]:
    """168 shares of a typical week: a weekday that the entity's days hold twice counts by its mean, or it would look like a habit.

    1970-01-01 was a Thursday, so hour 0 of the epoch is hour 72 of a week that begins on Monday.
    """
    slot = (np.arange(len(hours)) + start_us // HOUR_US + 72) % 168
    day = (np.arange(len(hours)) + start_us // HOUR_US) // 24
    active = np.flatnonzero(hours)
    lived = (day >= day[active[0]]) & (day <= day[active[-1]]) if len(active) else np.zeros(len(hours), np.bool_)
    times = np.bincount(slot, weights=lived, minlength=168)
    means = np.bincount(slot, weights=hours, minlength=168) / np.maximum(times, 1)
    return tuple((means / max(1e-12, float(means.sum()))).tolist())


def _subjects(own: npt.NDArray[np.int64], everyone: npt.NDArray[np.int64], labels: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    order = np.argsort(-own, kind="stable")[:SHOWN_SUBJECTS].tolist()
    return tuple((labels[cell], int(own[cell]), int(everyone[cell] - own[cell])) for cell in order if own[cell] > 0 and cell < len(labels))
