"""The harvest tally: prices by the longest prefix, lower bounds that say so, and sums that reconcile."""

from __future__ import annotations

import pytest

from stillwatch.detect.tally import ModelUse, Prices, known_sets, parse_prices, shipped_prices, tally
from stillwatch.errors import UsageError

PRICES = Prices(currency="USD", models={"m": (1.0, 2.0), "m-large": (10.0, 20.0), "m-large-2": (100.0, 200.0)})


def _use(model: str, exchanges: int, tokens: tuple[int | None, int | None] = (1_000_000, 2_000_000)) -> ModelUse:
    return ModelUse(model=model, exchanges=exchanges, input_tokens=tokens[0], output_tokens=tokens[1])


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("m", (1.0, 2.0)),
        ("m-small", (1.0, 2.0)),
        ("m-large", (10.0, 20.0)),
        ("m-large-1", (10.0, 20.0)),
        ("m-large-2-2026", (100.0, 200.0)),
        ("other", None),
        ("", None),
        ("M", None),
    ],
)
def test_the_longest_matching_prefix_gives_the_price(model: str, price: tuple[float, float] | None) -> None:
    assert PRICES.of(model) == price


def test_the_order_of_the_table_does_not_matter() -> None:
    turned = Prices(currency="USD", models=dict(reversed(PRICES.models.items())))
    assert turned.of("m-large-2") == PRICES.of("m-large-2")


def test_a_tally_by_hand() -> None:
    found = tally([_use("m", 10), _use("m-large", 30)], [("law", 5), ("code", 35), ("art", 5)], PRICES, [("set", 160), ("small", 20)])
    assert found.exchanges == 40
    assert (found.input_tokens, found.output_tokens) == (2_000_000, 4_000_000)
    assert found.list_price == 1 + 4 + 10 + 40
    assert found.unpriced_models == ()
    assert found.models == (("m-large", 30), ("m", 10))
    assert found.capabilities == (("code", 35), ("art", 5), ("law", 5))
    assert found.comparisons == (("set", 160, 0.25), ("small", 20, 2.0))


def test_a_model_without_a_price_makes_the_price_a_lower_bound_and_is_named() -> None:
    found = tally([_use("m", 10), _use("unheard-of", 3)], [], PRICES, [])
    assert found.list_price == tally([_use("m", 10)], [], PRICES, []).list_price
    assert found.unpriced_models == ("unheard-of",)
    assert found.exchanges == 13


def test_without_any_price_there_is_no_price_and_not_zero() -> None:
    found = tally([_use("unheard-of", 3)], [], PRICES, [])
    assert found.list_price is None
    assert found.unpriced_models == ("unheard-of",)


def test_tokens_that_nobody_counted_are_unknown_and_not_zero() -> None:
    nothing = tally([_use("m", 3, (None, None))], [], PRICES, [])
    assert (nothing.input_tokens, nothing.output_tokens) == (None, None)
    some = tally([_use("m", 3, (None, 50)), _use("m-large", 2, (7, None))], [], PRICES, [])
    assert (some.input_tokens, some.output_tokens) == (7, 50)


def test_models_reconcile_with_the_exchanges_in_any_order() -> None:
    uses = [_use("m", 4), _use("unheard-of", 9), _use("m-large", 4)]
    found = tally(uses, [], PRICES, [])
    assert sum(count for _, count in found.models) == found.exchanges
    assert found == tally(uses[::-1], [], PRICES, [])


def test_an_entity_without_exchanges_took_nothing() -> None:
    found = tally([], [], PRICES, [("set", 10)])
    assert (found.exchanges, found.list_price, found.models) == (0, None, ())
    assert found.comparisons == (("set", 10, 0.0),)


@pytest.mark.parametrize(
    "entry",
    [
        'input = "3"\noutput = 1',
        "input = 3",
        "output = 3",
        "input = -1\noutput = 1",
        "input = true\noutput = 1",
        "input = nan\noutput = 1",
        "input = 1\noutput = inf",
    ],
)
def test_a_wrong_price_is_named(entry: str) -> None:
    with pytest.raises(UsageError, match=r"mine\.toml.*wrong-model"):
        parse_prices(f'[models."fine"]\ninput = 1\noutput = 2\n[models."wrong-model"]\n{entry}', "mine.toml")


@pytest.mark.parametrize("text", ["[models]\nwrong-model = 3", '[models]\nwrong-model = "free"', "[models]\nwrong-model = [1, 2]"])
def test_an_entry_that_is_no_table_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="wrong-model"):
        parse_prices(text, "mine.toml")


@pytest.mark.parametrize("text", ["models = 3", "models = [1]", 'models = "x"', "[models\n", "\x00"])
def test_a_text_that_is_no_price_table_is_a_usage_error_that_names_the_file(text: str) -> None:
    with pytest.raises(UsageError, match=r"mine\.toml"):
        parse_prices(text, "mine.toml")


def test_a_table_without_models_knows_no_price() -> None:
    assert parse_prices("", "mine.toml") == Prices(currency="USD", models={})
    assert parse_prices('currency = "EUR"\n[models."x"]\ninput = 0\noutput = 1.5', "mine.toml") == Prices(
        currency="EUR", models={"x": (0.0, 1.5)}
    )


def test_the_shipped_tables_can_be_read() -> None:
    prices = shipped_prices()
    assert prices.models
    assert all(0 <= price < 10_000 for pair in prices.models.values() for price in pair)
    sizes = [size for _, size in known_sets()]
    assert sizes == sorted(sizes)
    assert min(sizes) > 0


def test_the_currency_of_the_table_stands_beside_the_price() -> None:
    assert tally([_use("m", 10)], [], PRICES, []).currency == "USD"
    assert tally([_use("m", 10)], [], Prices(currency="EUR", models=PRICES.models), []).currency == "EUR"


@pytest.mark.parametrize("given", ["3", "[1]", '""', '"\\u001b[31m"', '"a currency of very many words"'])
def test_a_currency_that_is_no_short_text_is_refused_by_name(given: str) -> None:
    with pytest.raises(UsageError, match=r"mine\.toml: `currency`"):
        parse_prices(f"currency = {given}", "mine.toml")
