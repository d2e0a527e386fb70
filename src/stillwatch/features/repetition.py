"""What an entity repeats and how widely it spreads: wording, prompts, subjects, tasks, addresses, agents, sessions."""

from __future__ import annotations

from typing import Any

from stillwatch.features.feature import (
    FEW_EXCHANGES,
    Feature,
    Inputs,
    Part,
    collision,
    counted,
    effective,
    ratio,
    spread,
    spread_names,
)


def wording_counts(exchanges: Any) -> Any:
    """How many exchanges of each entity carry each fingerprint, where more than one does: entity_id, fingerprint, c.

    A fingerprint counts once per exchange, however often it stands in it. Grouping by integers takes half the time of grouping by names.
    """
    import ibis

    entities = exchanges.select("entity_id").distinct()
    codes = entities.mutate(code=ibis.row_number().over(order_by="entity_id").cast("int32"))
    told = exchanges.filter(exchanges.prompt_key.notnull()).select("entity_id", "wording").join(codes, "entity_id")
    carried = told.select("code", fingerprint=told.wording.unnest())
    groups = carried.group_by(["code", "fingerprint"]).aggregate(c=carried.count())
    return groups.filter(groups.c >= 2).join(codes, "code").select("entity_id", "fingerprint", "c")


def _wording(inputs: Inputs) -> Any:
    """The most carried fingerprint."""
    groups = wording_counts(inputs.exchanges) if inputs.wording is None else inputs.wording
    return groups.group_by("entity_id").aggregate(wording_top=groups.c.max())


def _system(inputs: Inputs) -> Any:
    told = inputs.exchanges.filter(inputs.exchanges.prompt_key.notnull())
    groups = counted(told, "system_key")
    return groups.group_by("entity_id").aggregate(system_top=groups.c.max())


def _keys(inputs: Inputs) -> Any:
    """The largest number of addresses that one API key is used from."""
    pairs_seen = counted(inputs.exchanges, "key_id", "client_ip")
    per_key = pairs_seen.group_by(["entity_id", "key_id"]).aggregate(addresses=pairs_seen.count())
    return per_key.group_by("entity_id").aggregate(key_addresses_top=per_key.addresses.max())


def _distinct(name: str, column: str) -> Part:
    """A part that counts the different values of one column."""

    def build(inputs: Inputs) -> Any:
        groups = counted(inputs.exchanges, column)
        return groups.group_by("entity_id").aggregate(**{f"{name}_distinct": groups.count(), f"{name}_known": groups.c.sum()})

    return Part(name=name, build=build, gives=(f"{name}_distinct", f"{name}_known"), many=True)


def _spread(name: str, column: str) -> Part:
    return Part(name=name, build=lambda inputs: spread(inputs.exchanges, column, name), gives=spread_names(name), many=True)


REPETITION_PARTS = (
    Part(name="wording", build=_wording, gives=("wording_top",)),
    Part(name="system", build=_system, gives=("system_top",)),
    Part(name="keys", build=_keys, gives=("key_addresses_top",), many=True),
    _spread("bucket", "prompt_bucket"),
    _spread("subject", "subject"),
    _spread("task", "task"),
    _spread("address", "client_ip"),
    _distinct("prompt", "prompt_key"),
    _distinct("agent", "user_agent"),
    _distinct("session", "session_id"),
)


def _feature(name: str, family: str, unit: str, when_null: str, **rest: Any) -> Feature:
    return Feature(name=name, family=family, version=1, unit=unit, when_null=when_null, **rest)


def _subject_effective(row: Any) -> Any:
    return (row.text_count >= FEW_EXCHANGES).ifelse(effective(row.subject_same, row.subject_known), None)


WORDING = (
    _feature(
        "fixed_wording_share",
        "wording",
        "share of exchanges with text",
        "no text",
        parts=("plain", "wording"),
        # the counts begin at two
        express=lambda row: ratio(row.wording_top.fill_null((row.with_wording > 0).ifelse(1, 0)), row.text_count),
        columns=("wording", "prompt_key"),
    ),
    _feature(
        "fixed_system_share",
        "wording",
        "share of exchanges with text",
        "no text",
        parts=("plain", "system"),
        express=lambda row: ratio(row.system_top.fill_null(0), row.text_count),
        columns=("system_key", "prompt_key"),
    ),
)

NOVELTY = (
    _feature(
        "prompt_repeat_probability",
        "novelty",
        "chance that two prompts are near-duplicates",
        "fewer than two exchanges with text",
        parts=("bucket",),
        express=lambda row: collision(row.bucket_same, row.bucket_known),
        columns=("prompt_bucket",),
    ),
    _feature(
        "distinct_prompt_share",
        "novelty",
        "share of exchanges with text",
        "no text",
        parts=("prompt",),
        express=lambda row: ratio(row.prompt_distinct, row.prompt_known),
        columns=("prompt_key",),
    ),
)

COVERAGE = (
    _feature(
        "subject_effective",
        "coverage",
        "equally used subjects",
        f"fewer than {FEW_EXCHANGES} exchanges with text",
        parts=("plain", "subject"),
        express=_subject_effective,
        columns=("subject", "prompt_key"),
    ),
    _feature(
        "subject_top_share",
        "coverage",
        "share of exchanges with a subject",
        "no text",
        parts=("subject",),
        express=lambda row: ratio(row.subject_top, row.subject_known),
        columns=("subject",),
    ),
)

TASK_SPREAD = (
    _feature(
        "task_top_share",
        "tasks",
        "share of exchanges with a task",
        "no text",
        parts=("task",),
        express=lambda row: ratio(row.task_top, row.task_known),
        columns=("task",),
    ),
)

ADDRESSES = (
    _feature(
        "addresses_effective",
        "addresses",
        "equally used addresses",
        "fewer than two exchanges with an address",
        parts=("address",),
        express=lambda row: effective(row.address_same, row.address_known),
        columns=("client_ip",),
    ),
    _feature(
        "addresses_per_active_day",
        "addresses",
        "different addresses per day with exchanges",
        "no exchange says",
        parts=("address", "days"),
        express=lambda row: ratio(row.address_distinct, row.active_day_count),
        columns=("client_ip", "started_at"),
    ),
    _feature(
        "agents_distinct",
        "addresses",
        "different user agents",
        "no exchange says",
        parts=("agent",),
        express=lambda row: row.agent_distinct,
        columns=("user_agent",),
    ),
    _feature(
        "key_addresses",
        "addresses",
        "different addresses of the widest-used key",
        "no exchange says both",
        parts=("keys",),
        express=lambda row: row.key_addresses_top,
        columns=("key_id", "client_ip"),
    ),
)

SESSION_SIZES = (
    _feature(
        "session_exchanges_mean",
        "sessions",
        "exchanges per session",
        "no exchange has a session",
        parts=("session",),
        express=lambda row: ratio(row.session_known, row.session_distinct),
        columns=("session_id",),
    ),
)
