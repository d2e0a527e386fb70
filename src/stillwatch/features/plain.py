"""The first pass: everything that one group-by over the exchanges gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stillwatch.features.feature import Feature, Inputs, Part, larger, micros, ratio, total
from stillwatch.sketch.phrases import Elicits

_MILLIONTHS = 1_000_000
"""Fractions are summed as whole millionths: sums of doubles would depend on the order in which threads add them."""


def _millionths(value: Any) -> Any:
    return (value.cast("float64") * _MILLIONTHS).round().cast("int64")


def _single_turn(t: Any) -> Any:
    return (t.turns <= 1) | ((t.turns == 2) & t.system_key.notnull())


def _temperature(t: Any) -> Any:
    return (t.temperature * 10_000).round().cast("int64")


_AGGREGATES: dict[str, Callable[[Any], Any]] = {
    "row_count": lambda t: t.count(),
    "row_millionths": lambda t: _millionths(1 / t.sampling_rate.nullif(0.0).fill_null(1.0)).sum(),
    "first_micros": lambda t: micros(t.started_at).min(),
    "last_micros": lambda t: micros(t.started_at).max(),
    "input_sum": lambda t: t.input_tokens.sum(),
    "output_sum": lambda t: t.output_tokens.sum(),
    "reasoning_sum": lambda t: t.reasoning_tokens.sum(),
    "output_with_input": lambda t: t.input_tokens.notnull().ifelse(t.output_tokens, None).sum(),
    "input_with_output": lambda t: t.output_tokens.notnull().ifelse(t.input_tokens, None).sum(),
    "output_with_reasoning": lambda t: t.reasoning_tokens.notnull().ifelse(t.output_tokens, None).sum(),
    "reasoning_with_output": lambda t: t.output_tokens.notnull().ifelse(t.reasoning_tokens, None).sum(),
    "prompt_chars_sum": lambda t: t.prompt_chars.sum(),
    "prompt_chars_known": lambda t: t.prompt_chars.count(),
    "response_chars_sum": lambda t: t.response_chars.sum(),
    "response_chars_known": lambda t: t.response_chars.count(),
    "response_chars_with_prompt": lambda t: t.prompt_chars.notnull().ifelse(t.response_chars, None).sum(),
    "prompt_chars_with_response": lambda t: t.response_chars.notnull().ifelse(t.prompt_chars, None).sum(),
    "text_count": lambda t: t.prompt_key.count(),
    "with_wording": lambda t: total(t.prompt_key.notnull() & (t.wording.length() > 0)),
    "turns_sum": lambda t: t.turns.sum(),
    "turns_known": lambda t: t.turns.count(),
    "single_turns": lambda t: total(_single_turn(t)),
    "with_tools": lambda t: total(t.tools_count > 0),
    "elicits_known": lambda t: t.elicits.count(),
    "eliciting": lambda t: total((t.elicits & int(Elicits.REASONING)) > 0),
    "grading": lambda t: total((t.elicits & int(Elicits.GRADING)) > 0),
    "cleaning": lambda t: total((t.elicits & int(Elicits.CLEANING)) > 0),
    "evading": lambda t: total((t.elicits & int(Elicits.EVASION)) > 0),
    "reasoning_millionths": lambda t: _millionths(t.reasoning_share).sum(),
    "reasoning_known": lambda t: t.reasoning_share.count(),
    "many_samples": lambda t: total(t.n > 1),
    "with_logprobs": lambda t: total(t.logprobs | (t.top_logprobs > 0)),
    "with_bias": lambda t: total(t.logit_bias_size > 0),
    "with_seed": lambda t: t.seed.count(),
    "temperature_known": lambda t: t.temperature.count(),
    "temperature_sum": lambda t: _temperature(t).sum(),
    "temperature_squares": lambda t: (_temperature(t) * _temperature(t)).sum(),
    "rule_known": lambda t: t.session_rule.count(),
    "rule_derived": lambda t: total(t.session_rule != "none"),
}


def _build(inputs: Inputs) -> Any:
    exchanges = inputs.exchanges
    return exchanges.group_by("entity_id").aggregate(**{name: aggregate(exchanges) for name, aggregate in _AGGREGATES.items()})


PLAIN = Part(name="plain", build=_build, gives=tuple(_AGGREGATES))


def _temperature_spread(row: Any) -> Any:
    size = row.temperature_known.cast("float64").nullif(0.0)
    mean = row.temperature_sum.cast("float64") / size
    return larger(row.temperature_squares.cast("float64") / size - mean * mean, 0.0).sqrt() / 10_000.0


def _plain(name: str, family: str, unit: str, when_null: str, express: Callable[[Any], Any], *columns: str) -> Feature:
    return Feature(
        name=name,
        family=family,
        version=1,
        unit=unit,
        when_null=when_null,
        parts=("plain",),
        express=express,
        columns=columns,
    )


def _share(name: str, family: str, part: str, whole: str, *columns: str) -> Feature:
    when = "never" if whole == "row_count" else "no exchange says"
    return _plain(name, family, "share of exchanges", when, lambda row: ratio(row[part], row[whole]), *columns)


VOLUME = (
    _plain("exchanges", "volume", "exchanges", "never", lambda row: row.row_count),
    _plain("scaled_exchanges", "volume", "exchanges", "never", lambda row: row.row_millionths.cast("float64") / float(_MILLIONTHS)),
    _plain("first_at", "volume", "seconds since 1970 UTC", "never", lambda row: row.first_micros.cast("float64") / 1e6, "started_at"),
    _plain("last_at", "volume", "seconds since 1970 UTC", "never", lambda row: row.last_micros.cast("float64") / 1e6, "started_at"),
    _plain("input_tokens", "volume", "tokens", "no exchange says", lambda row: row.input_sum, "input_tokens"),
    _plain("output_tokens", "volume", "tokens", "no exchange says", lambda row: row.output_sum, "output_tokens"),
    _plain("reasoning_tokens", "volume", "tokens", "no exchange says", lambda row: row.reasoning_sum, "reasoning_tokens"),
    _plain(
        "mean_prompt_chars",
        "volume",
        "bytes",
        "no text",
        lambda row: ratio(row.prompt_chars_sum, row.prompt_chars_known),
        "prompt_chars",
    ),
    _plain(
        "mean_response_chars",
        "volume",
        "bytes",
        "no text",
        lambda row: ratio(row.response_chars_sum, row.response_chars_known),
        "response_chars",
    ),
    _plain("text_exchanges", "volume", "exchanges", "never", lambda row: row.text_count, "prompt_key"),
)

SHAPE = (
    _plain(
        "output_yield",
        "shape",
        "output tokens per input token",
        "no exchange says both",
        lambda row: ratio(row.output_with_input, row.input_with_output),
        "input_tokens",
        "output_tokens",
    ),
    _plain(
        "response_chars_ratio",
        "shape",
        "response bytes per prompt byte",
        "no exchange has both texts",
        lambda row: ratio(row.response_chars_with_prompt, row.prompt_chars_with_response),
        "prompt_chars",
        "response_chars",
    ),
    _share("single_turn_share", "shape", "single_turns", "turns_known", "turns"),
    _share("tools_share", "shape", "with_tools", "row_count", "tools_count"),
)

REASONING = (
    _share("reasoning_elicitation_share", "reasoning", "eliciting", "elicits_known", "elicits"),
    _plain(
        "reasoning_response_share",
        "reasoning",
        "mean share of a response",
        "no text",
        lambda row: ratio(row.reasoning_millionths, row.reasoning_known) / float(_MILLIONTHS),
        "reasoning_share",
    ),
    _plain(
        "reasoning_token_share",
        "reasoning",
        "share of output tokens",
        "no exchange says both",
        lambda row: ratio(row.reasoning_with_output, row.output_with_reasoning),
        "reasoning_tokens",
        "output_tokens",
    ),
    _share("evasion_share", "reasoning", "evading", "elicits_known", "elicits"),
)

TASKS = (
    _share("grading_share", "tasks", "grading", "elicits_known", "elicits"),
    _share("cleaning_share", "tasks", "cleaning", "elicits_known", "elicits"),
)

SAMPLING = (
    _share("multiple_samples_share", "sampling", "many_samples", "row_count", "n"),
    Feature(
        name="logprobs_share",
        family="sampling",
        version=1,
        unit="share of exchanges",
        when_null="never",
        parts=("plain",),
        express=lambda row: ratio(row.with_logprobs, row.row_count),
        any_of=("logprobs", "top_logprobs"),
    ),
    _share("logit_bias_share", "sampling", "with_bias", "row_count", "logit_bias_size"),
    _share("seeded_share", "sampling", "with_seed", "row_count", "seed"),
    _plain("temperature_spread", "sampling", "temperature", "no exchange sets it", _temperature_spread, "temperature"),
)

SESSIONS = (
    _plain(
        "turns_mean",
        "sessions",
        "messages before the response",
        "no exchange says",
        lambda row: ratio(row.turns_sum, row.turns_known),
        "turns",
    ),
    _share("derived_session_share", "sessions", "rule_derived", "rule_known", "session_rule"),
)

PLAIN_FEATURES = (*VOLUME, *SHAPE, *REASONING, *TASKS, *SAMPLING, *SESSIONS)
