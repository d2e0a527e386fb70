"""What an account does in a day, for the rules of an event manager: the amounts as an expression, and where ordinary days end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stillwatch.errors import TooFewSamplesError
from stillwatch.features.feature import DAY_MICROSECONDS, micros

if TYPE_CHECKING:
    import ibis.expr.types as ir

ABOVE = 0.01
"""Share of ordinary account-days that a threshold lets lie above it, at most."""

FEWEST_DAYS = 500
"""Account-days that a threshold rests on at least: with fewer, five of them or less decide where it lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A signal that can be told as an amount per account and day.

    Attributes:
        name: of the rule.
        title: of the rule.
        signal: of the catalogue, that it stands in for; None: plain volume.
        columns: of EXCHANGES, needed.
        selection: what counts, as Sigma's detection says it: alternatives, each of fields that must all hold.
        amount: what each exchange adds.
        summed: column whose values are summed; None: exchanges are counted.
        floor: smallest threshold, so that where nearly nobody does it a single request is no alarm.
        ordinary: the honest explanation.
    """

    name: str
    title: str
    signal: str | None
    columns: tuple[str, ...]
    selection: tuple[dict[str, object], ...]
    amount: Callable[[Any], Any]
    ordinary: str
    summed: str | None = None
    floor: int = 20


def _where(condition: Any) -> Any:
    """1 where a condition holds, 0 where it does not or is unknown."""
    return condition.ifelse(1, 0)


THRESHOLDS = (
    Threshold(
        name="requests",
        title="Many requests of one account in a day",
        signal=None,
        columns=(),
        selection=({"account_id": "*"},),
        amount=lambda t: t.account_id.notnull().cast("int64"),
        ordinary="Large customers and nightly jobs send many.",
        floor=100,
    ),
    Threshold(
        name="output_tokens",
        title="Many output tokens of one account in a day",
        signal="output_yield",
        columns=("output_tokens",),
        selection=({"account_id": "*"},),
        amount=lambda t: t.output_tokens.fill_null(0),
        ordinary="Writers of long texts draw much.",
        summed="output_tokens",
        floor=10_000,
    ),
    Threshold(
        name="several_samples",
        title="Requests for several samples at once",
        signal="multiple_samples_share",
        columns=("n",),
        selection=({"n|gt": 1},),
        amount=lambda t: _where(t.n > 1),
        ordinary="Self-consistency, and products that offer alternatives.",
    ),
    Threshold(
        name="log_probabilities",
        title="Requests for log-probabilities",
        signal="logprobs_share",
        columns=("top_logprobs",),
        selection=({"top_logprobs|gt": 0},),
        amount=lambda t: _where(t.top_logprobs > 0),
        ordinary="Classifiers and calibration work need them.",
    ),
    Threshold(
        name="logit_bias",
        title="Requests with a logit bias",
        signal="logit_bias_share",
        columns=("logit_bias_size",),
        selection=({"logit_bias_size|gt": 0},),
        amount=lambda t: _where(t.logit_bias_size > 0),
        ordinary="Forced choices in classifiers.",
    ),
    Threshold(
        name="refused",
        title="Many refused requests of one account in a day",
        signal="probe_then_scale",
        columns=("status",),
        selection=({"status|gte": 400},),
        amount=lambda t: _where(t.status >= 400),
        ordinary="Developers who run into a limit or a filter while they build.",
    ),
)
"""Every rule, in the order of the file."""


def amounts(exchanges: ir.Table, found: ir.Table, rules: Sequence[Threshold]) -> ir.Table:
    """A row per ordinary account and day with a column per rule. `found`: account_id of the accounts of findings, which are left out."""
    table: Any = exchanges
    rows = table.anti_join(found, "account_id")
    rows = rows.select("account_id", day=micros(rows.started_at) // DAY_MICROSECONDS, **{rule.name: rule.amount(rows) for rule in rules})
    return rows.group_by(["account_id", "day"]).aggregate(**{rule.name: rows[rule.name].sum() for rule in rules})


def threshold(rule: Threshold, days: npt.NDArray[np.int64]) -> int:
    """The amount that at most ABOVE of the ordinary account-days [d] exceed, and the rule's floor at least.

    It assumes that the next days are like these. Raises TooFewSamplesError for fewer than FEWEST_DAYS.
    """
    if len(days) < FEWEST_DAYS:
        raise TooFewSamplesError(f"the threshold of {rule.name}, in days of ordinary accounts,", needed=FEWEST_DAYS, got=len(days))
    above = int(ABOVE * len(days))
    return max(rule.floor, int(np.sort(days)[len(days) - 1 - above]))
