"""What was taken: exchanges, tokens, list price, models and capabilities, beside the sizes of known distillation sets."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from stillwatch.errors import UsageError
from stillwatch.records.findings import Tally

PER = 1_000_000
"""Tokens that a price is for."""

USUAL_CURRENCY = "USD"
"""Of a price table that names none."""

_CURRENCY_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """A price table in one currency: model name prefix to (price per million input tokens, price per million output tokens)."""

    currency: str
    models: Mapping[str, tuple[float, float]]

    def of(self, model: str) -> tuple[float, float] | None:
        """The price of the longest matching prefix; None if the table knows none."""
        known = [name for name in self.models if model.startswith(name)]
        return self.models[max(known, key=len)] if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """An entity's use of one model; tokens are None where the source does not count them."""

    model: str
    exchanges: int
    input_tokens: int | None
    output_tokens: int | None


def parse_prices(text: str, name: str) -> Prices:
    """The price table in a TOML text; UsageError names the entry that is wrong."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"{name}: the price table is not TOML ({error}); see the shipped prices.toml for its shape"
        raise UsageError(message) from None
    entries = document.get("models", {})
    if not isinstance(entries, dict):
        message = f"{name}: `models` must be a table of models, got {entries!r}; see the shipped prices.toml for its shape"
        raise UsageError(message)
    models: dict[str, tuple[float, float]] = {}
    for model, entry in entries.items():
        prices = _price_pair(entry)
        if prices is None:
            message = f"{name}: model {model!r} needs finite numbers `input` and `output` of at least 0, got {entry!r}"
            raise UsageError(message)
        models[model] = prices
    return Prices(currency=_currency(document.get("currency", USUAL_CURRENCY), name), models=models)


def _currency(value: Any, name: str) -> str:
    if isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= _CURRENCY_CHARS:
        return value.strip()
    message = (
        f"{name}: `currency` must be a short text such as {USUAL_CURRENCY!r}, got {value!r}; see the shipped prices.toml for its shape"
    )
    raise UsageError(message)


def _price_pair(entry: Any) -> tuple[float, float] | None:
    pair: list[float] = []
    for side in ("input", "output"):
        value: Any = entry.get(side) if isinstance(entry, dict) else None
        # TOML has true, inf and nan, and Python takes true for 1
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            return None
        pair.append(float(value))
    return pair[0], pair[1]


def shipped_prices() -> Prices:
    """The price table that comes with the package."""
    return parse_prices(resources.files("stillwatch.detect").joinpath("library/prices.toml").read_text("utf-8"), "prices.toml")


def known_sets() -> tuple[tuple[str, int], ...]:
    """Names and sizes of published distillation sets, smallest first."""
    text = resources.files("stillwatch.detect").joinpath("library/distillation_sets.toml").read_text("utf-8")
    sets = [(str(entry["name"]), int(entry["exchanges"])) for entry in tomllib.loads(text)["sets"]]
    return tuple(sorted(sets, key=lambda entry: entry[1]))


def tally(uses: Sequence[ModelUse], capabilities: Sequence[tuple[str, int]], prices: Prices, sets: Sequence[tuple[str, int]]) -> Tally:
    """The harvest tally of one entity; a price is a lower bound where some model has none."""
    ordered = sorted(uses, key=lambda use: (-use.exchanges, use.model))
    exchanges = sum(use.exchanges for use in ordered)
    priced = [(use, prices.of(use.model)) for use in ordered]
    costs = [_cost(use, price) for use, price in priced if price is not None]
    return Tally(
        exchanges=exchanges,
        input_tokens=_sum([use.input_tokens for use in ordered]),
        output_tokens=_sum([use.output_tokens for use in ordered]),
        list_price=round(sum(costs), 2) if costs else None,
        currency=prices.currency,
        unpriced_models=tuple(use.model for use, price in priced if price is None),
        models=tuple((use.model, use.exchanges) for use in ordered),
        capabilities=tuple(sorted(capabilities, key=lambda entry: (-entry[1], entry[0]))),
        comparisons=tuple((name, size, exchanges / size) for name, size in sets),
    )


def _cost(use: ModelUse, price: tuple[float, float]) -> float:
    return ((use.input_tokens or 0) * price[0] + (use.output_tokens or 0) * price[1]) / PER


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
