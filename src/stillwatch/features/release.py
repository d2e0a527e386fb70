"""How fast an entity turns to a model that has just appeared, and how its use compares with its plan."""

from __future__ import annotations

from typing import Any

from stillwatch.features.feature import ACCOUNT_COLUMN, DAY_MICROSECONDS, Feature, Inputs, Part, larger, micros, ratio, total

_QUOTA_DAYS = 30


def model_releases(all_exchanges: Any) -> Any:
    """One row per model of the log: `model`, `released` (microseconds of its first exchange), `is_new`.

    A model is new when it first appears at least 24 hours after the first exchange of the log: before that, nobody can
    tell a release from the start of logging.
    """
    rows = all_exchanges.select(
        model=all_exchanges.model_served.coalesce(all_exchanges.model_requested), at=micros(all_exchanges.started_at)
    )
    models = rows.group_by("model").aggregate(released=rows["at"].min())
    dated = models.mutate(origin=models.released.min())
    is_new = dated.released >= dated.origin + DAY_MICROSECONDS
    return dated.filter(dated.model.notnull()).select("model", "released", is_new=is_new)


def _releases(inputs: Inputs) -> Any:
    exchanges = inputs.exchanges
    rows = exchanges.select("entity_id", model=exchanges.model_served.coalesce(exchanges.model_requested), at=micros(exchanges.started_at))
    models = model_releases(inputs.all_exchanges)
    models = models.mutate(new_models=total(models.is_new))
    joined = rows.join(models, "model")
    fresh = joined.is_new & (joined["at"] < joined.released + DAY_MICROSECONDS)
    return joined.group_by("entity_id").aggregate(model_known=joined.count(), model_fresh=total(fresh), new_models=joined.new_models.max())


def _quota(inputs: Inputs) -> Any:
    """Tokens and monthly quota of the member accounts whose quota is known, each account's quota once."""
    exchanges = inputs.exchanges
    tokens = exchanges.input_tokens.fill_null(0) + exchanges.output_tokens.fill_null(0)
    rows = exchanges.select("entity_id", "account_id", tokens=tokens, at=micros(exchanges.started_at))
    members = rows.group_by(["entity_id", "account_id"]).aggregate(tokens=rows.tokens.sum(), first=rows["at"].min(), last=rows["at"].max())
    quotas = inputs.accounts.select("account_id", quota=inputs.accounts.monthly_quota_tokens)
    limited = members.join(quotas.filter(quotas.quota > 0), "account_id")
    return limited.group_by("entity_id").aggregate(
        quota_sum=limited.quota.sum(),
        quota_tokens=limited.tokens.sum(),
        quota_micros=limited["last"].max() - limited["first"].min(),
    )


def _plan_to_usage(row: Any) -> Any:
    days = larger(row.quota_micros.cast("float64") / float(DAY_MICROSECONDS), 1.0)
    return ratio(row.quota_tokens, row.quota_sum) * float(_QUOTA_DAYS) / days


RELEASE_PARTS = (
    Part(name="releases", build=_releases, gives=("model_known", "model_fresh", "new_models")),
    Part(name="quota", build=_quota, gives=("quota_sum", "quota_tokens", "quota_micros")),
)

RELEASE = (
    Feature(
        name="new_model_share",
        family="release",
        version=1,
        unit="share of exchanges that name a model",
        when_null="no model appeared later than 24 hours after the log began",
        parts=("releases",),
        express=lambda row: (row.new_models > 0).ifelse(ratio(row.model_fresh, row.model_known), None),
        columns=("started_at",),
        any_of=("model_served", "model_requested"),
    ),
)

QUOTA = (
    Feature(
        name="plan_to_usage",
        family="quota",
        version=1,
        unit="tokens per 30 days over the monthly quota; a span below a day counts as a day",
        when_null="no member account has a known quota",
        parts=("quota",),
        express=_plan_to_usage,
        columns=("started_at", "input_tokens", "output_tokens", f"{ACCOUNT_COLUMN}monthly_quota_tokens"),
    ),
)
