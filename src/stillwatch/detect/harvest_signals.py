"""Signals of harvest: is this traffic being turned into training data? Each is read on the pooled traffic of one entity."""

from __future__ import annotations

from stillwatch.detect.signal import Scope, Signal
from stillwatch.records.findings import Axis

_ANTHROPIC = "Anthropic 2026, Detecting and preventing distillation attacks"
_ADVISORY = "CISA, NSA, FBI 2026, joint advisory AA26-251A"
_GOOGLE = "Google Threat Intelligence Group 2026, AI Threat Tracker Q4 2025"


LEAST_SHARE = 0.02
"""A share below one in fifty is counted as none."""

OF_ANY_PRODUCT = frozenset({"shape", "yield", "novelty", "shift", "rhythm", "quota"})
"""Families that a plain single-turn product shows by being one: ordinary customers of such a product, pooled, stand out in all of them."""

TEMPLATE = frozenset({"wording", "coverage"})
"""Families that a template for whatever comes shows by being one: one wording, broad subjects. Both together count as one that tells."""

DEALT, NO_REPEATS = ("account_breadth", "shape"), 0.5
"""A signal and a family that a list shows which is dealt out to accounts, where both stand out: each account ranges over many subjects and
holds no conversation. The p-value of novelty must not say, besides, that it repeats itself more than pools do: users of a gateway ask what
others ask. A relay's users hold conversations, and a product has its subject. This counts as one that tells, the same as a template: a list
under one wording is both."""

OF_ACCOUNTS = ("rhythm", "quota")
"""Families that speak of single accounts only: load spread over many accounts is steady by itself."""


def _signal(
    id: str,  # noqa: A002 - the catalogue's word
    family: str,
    columns: str,
    direction: int,
    unit: str,
    says: str,
    ordinary: str,
    blind_spot: str,
    *references: str,
    source: str | None = None,
    techniques: tuple[str, ...] = ("AML.T0024.002",),
    of_accounts: bool = True,
    weighs: bool = True,
) -> Signal:
    return Signal(
        id=id,
        axis=Axis.HARVEST,
        scope=Scope.ENTITY,
        family=family,
        source=source or id,
        columns=tuple(columns.split()),
        unit=unit,
        direction=direction,
        when_null="the columns it needs are not logged, or the entity has too few exchanges",
        says=says,
        ordinary=ordinary,
        blind_spot=blind_spot,
        references=references,
        techniques=techniques,
        floor=LEAST_SHARE if unit.startswith("share of") else 0.0,
        of_groups=family not in OF_ACCOUNTS and id not in ("distinct_prompts", "temperature_spread"),
        of_accounts=of_accounts,
        weighs=weighs,
    )


HARVEST_SIGNALS: tuple[Signal, ...] = (
    _signal(
        "reasoning_elicitation_share", "reasoning", "prompt_text", 1, "share of exchanges",
        "{value} of its prompts ask for written-out reasoning; comparable entities: median {median}, 95th percentile {high}.",
        "Teachers, evaluators and careful users ask for step-by-step answers too.",
        "Phrases outside the built-in list, and prompts reworded one by one.",
        _GOOGLE, _ANTHROPIC, techniques=("AML.T0024.002", "AML.T0065"),
    ),
    _signal(
        "reasoning_response_share", "reasoning", "response_text|reasoning_text", 1, "share of response text",
        "{value} of what it received has the shape of worked reasoning (median {median}, 95th percentile {high}).",
        "Mathematics and planning products receive such answers all day.",
        "Reasoning written as plain prose, without steps, equations or tags.",
        _GOOGLE,
    ),
    _signal(
        "reasoning_token_share", "reasoning", "reasoning_tokens output_tokens", 1, "share of output tokens",
        "{value} of its output tokens are reasoning (median {median}, 95th percentile {high}).",
        "Hard questions make a reasoning model think longer.",
        "Sources that do not count reasoning apart.",
        _ANTHROPIC,
    ),
    _signal(
        "grading_share", "tasks", "prompt_text", 1, "share of exchanges",
        "{value} of its prompts ask for answers to be scored or compared (median {median}, 95th percentile {high}).",
        "Evaluation teams use a model as a judge.",
        "Rubrics without the usual phrases.",
        _ANTHROPIC,
    ),
    _signal(
        "cleaning_share", "tasks", "prompt_text", 1, "share of exchanges",
        "{value} of its prompts ask for records to be cleaned or turned into training examples (median {median}, 95th percentile {high}).",
        "Data teams normalise their own records.",
        "Cleaning asked for in unusual words.",
        "OpenAI 2026, memorandum to the House Select Committee",
    ),
    _signal(
        "evasion_share", "evasion", "prompt_text", 1, "share of exchanges",
        "{value} of its prompts try to talk the provider's safeguards away (median {median}, 95th percentile {high}).",
        "Red teams under agreement, and the curious.",
        "Evasion that does not use known phrases.",
        "Anthropic 2026, threat report September", techniques=("AML.T0054", "AML.T0024.002"),
    ),
    _signal(
        "output_yield", "yield", "input_tokens output_tokens", 1, "output tokens per input token",
        "It drew {value} output tokens per input token (median {median}, 95th percentile {high}).",
        "Writers of long texts draw much from little.",
        "Long few-shot prompts bring the ratio down.",
        _ANTHROPIC, techniques=("AML.T0024.002", "AML.T0034.000"),
    ),
    _signal(
        "single_turn_share", "shape", "turns", 1, "share of exchanges",
        "{value} of its exchanges are single questions without a conversation (median {median}, 95th percentile {high}).",
        "Most products and pipelines call the model this way.",
        "Harvests of conversations, and replayed sessions.",
        _ANTHROPIC,
    ),
    _signal(
        "subject_effective", "coverage", "prompt_text", 1, "effective number of subjects",
        "Its exchanges spread over {value} subjects, counted by evenness (median {median}, 95th percentile {high}).",
        "A general assistant with many users spreads as widely; so does a reseller.",
        "Harvests of one narrow capability.",
        "Simpson 1949, Measurement of diversity", _ANTHROPIC,
    ),
    _signal(
        "broad_template", "coverage", "prompt_text", 1, "effective number of subjects",
        "Under one fixed wording it covers {value} subjects, counted by evenness (median {median}, 95th percentile {high}).",
        "A product whose template serves many kinds of users.",
        "Harvests without a fixed wording, or of one narrow capability.",
        _ANTHROPIC, techniques=("AML.T0024.002", "AML.T0065"),
    ),
    _signal(
        "account_breadth", "breadth", "prompt_text", 1, "effective number of subjects",
        "Its accounts each spread over {value} subjects, counted by evenness (median {median}, 95th percentile {high}).",
        "A relay or a gateway deals the requests of many users out over its accounts; so does a product with several keys.",
        "Lists of one narrow capability, and accounts that each get a part of the list by subject.",
        "Simpson 1949, Measurement of diversity", _ANTHROPIC, of_accounts=False, weighs=False,
    ),
    _signal(
        "distinct_prompts", "novelty", "prompt_text", 1, "prompts",
        "It sent {value} different prompts (median {median}, 95th percentile {high}).",
        "Large customers send many.",
        "Harvests that are small, or spread over groups that were not linked.",
        _ANTHROPIC,
    ),
    _signal(
        "prompt_repeat_probability", "novelty", "prompt_text", -1, "probability",
        "Two of its prompts are near-duplicates with probability {value} (median {median}); data collection hardly ever asks twice.",
        "A busy product with varied inputs repeats little as well.",
        "Campaigns that sample one prompt many times.",
        "Chowdhury et al. 2002, Collection statistics for fast duplicate document detection",
    ),
    _signal(
        "fixed_wording_share", "wording", "prompt_text", 1, "share of exchanges",
        "One fixed wording stands in {value} of its prompts (median {median}, 95th percentile {high}).",
        "Every product with a prompt template looks like this.",
        "Prompts that are reworded each time.",
        "Schleimer, Wilkerson, Aiken 2003, Winnowing", techniques=("AML.T0024.002", "AML.T0065"),
    ),
    _signal(
        "multiple_samples_share", "sampling", "n", 1, "share of exchanges",
        "{value} of its requests ask for several samples at once (median {median}, 95th percentile {high}).",
        "Self-consistency, and products that offer alternatives.",
        "The same request sent several times instead.",
        "MITRE ATLAS AML.T0024",
    ),
    _signal(
        "logprobs_share", "sampling", "logprobs|top_logprobs", 1, "share of exchanges",
        "{value} of its requests ask for log-probabilities (median {median}, 95th percentile {high}).",
        "Classifiers and calibration work need them.",
        "Sources that do not log the parameter (OpenTelemetry has no attribute for it).",
        "Carlini et al. 2024, Stealing part of a production language model",
    ),
    _signal(
        "logit_bias_share", "sampling", "logit_bias_size", 1, "share of exchanges",
        "{value} of its requests set a logit bias (median {median}, 95th percentile {high}).",
        "Forced choices in classifiers.",
        "Sources that do not log the parameter.",
        "Carlini et al. 2024, Stealing part of a production language model",
    ),
    _signal(
        "temperature_spread", "sampling", "temperature", 1, "standard deviation",
        "Its sampling temperature varies with standard deviation {value} (median {median}, 95th percentile {high}).",
        "People who try settings out.",
        "Sweeps spread over accounts that each keep one setting.",
        _ANTHROPIC,
    ),
    _signal(
        "hour_effective", "rhythm", "started_at", 1, "effective hours of the day",
        "It is active in {value} hours of the day, counted by evenness (median {median}, 95th percentile {high}).",
        "Products with users around the world, and nightly jobs.",
        "Harvests that keep office hours on purpose.",
        _ADVISORY,
    ),
    _signal(
        "cadence_variation", "rhythm", "started_at", -1, "standard deviation over mean of the gaps",
        "Its requests come at a steady pace: the gaps vary by {value} of their mean (median {median}).",
        "Scheduled jobs and queues are as steady.",
        "Jittered schedules.",
        _ADVISORY,
    ),
    _signal(
        "daily_variation", "rhythm", "started_at", -1, "standard deviation over mean of daily counts",
        "Its daily volume varies by {value} of its mean (median {median}): no weekends, no idle days.",
        "A pipeline with a steady inflow.",
        "Bursty harvests.",
        _ADVISORY,
    ),
    _signal(
        "ramp", "rhythm", "started_at", 1, "first day against an average day",
        "Its first day carried {value} times an average day (median {median}, 95th percentile {high}): full use at once, no ramp-up.",
        "A migration from another key or provider, or a log that begins in the middle of a customer's life.",
        "Campaigns that grow slowly.",
        _ADVISORY,
    ),
    _signal(
        "plan_to_usage", "quota", "monthly_quota_tokens input_tokens output_tokens", 1, "tokens per token of quota",
        "It uses {value} of what its plan includes (median {median}, 95th percentile {high}).",
        "Customers who outgrew their plan.",
        "Campaigns that buy the plan they need.",
        _ADVISORY, techniques=("AML.T0034.000", "AML.T0024.002"),
    ),
    _signal(
        "probe_then_scale", "probing", "status|finish_reason", 1, "score",
        "Early requests were refused, then the accepted ones were scaled up: score {value} (median {median}, 95th percentile {high}).",
        "Developers who run into a content filter while they build.",
        "Probing from other accounts.",
        "Anthropic 2026, threat report September", techniques=("AML.T0065", "AML.T0024.002"),
    ),
    _signal(
        "new_model_share", "release", "model_served|model_requested", 1, "share of exchanges",
        "{value} of its exchanges fell on a model within a day of its release (median {median}, 95th percentile {high}).",
        "Release-day benchmarking.",
        "A log in which no new model appears.",
        _ANTHROPIC, techniques=("AML.T0040", "AML.T0024.002"),
    ),
    _signal(
        "subject_shift", "shift", "prompt_text|response_text|reasoning_text", 1, "squared maximum mean discrepancy",
        "What it asks lies {value} away from the provider's other traffic (median {median}, 95th percentile {high}).",
        "Any new or specialised customer lies far from the rest.",
        "Relayed traffic of ordinary users, which lies right within the rest.",
        "Gretton et al. 2012, A kernel two-sample test; Liu, Guo, Dong 2026, arXiv 2606.05725",
    ),
)  # fmt: skip
