"""Twins: for a keyed share of requests two answers are sampled, a keyed coin decides which is served, and the other is withheld.

Given both answers, the coin is independent of every model that was not trained on the served ones. So any statistic that prefers the served
answers can be tested exactly by flipping coins (Steinke, Nasr, Jagielski 2023, "Privacy auditing with one training run", have the design).
The served answer is an ordinary sample: nothing about it is distorted. Whether a pair exists depends on both answers, never on the coin.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stillwatch.errors import StillwatchError
from stillwatch.marks.keys import MarkKey, commitment, keyed_choice, keyed_digest
from stillwatch.records.pairs import TwinPair
from stillwatch.stats.samples import require

PURPOSE = "twins"
DEFAULT_PATIENCE_S = 10.0

Response = TypeVar("Response")
Sampled = TypeVar("Sampled")


class ForeignPairError(StillwatchError):
    """A pair was not made with the key that it is to be read with, or its record contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What the key decided about one request before any answer was there.

    Attributes:
        twinned: two answers are sampled.
        second_is_served: the coin.
    """

    twinned: bool
    second_is_served: bool = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is noted of a request; meanings as in `TwinPair`."""

    request_id: str
    prompt: str = field(repr=False)
    at: str
    account_id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinKey:
    """The key of a period and the share of requests that it pairs.

    Attributes:
        key: derived for the purpose `twins`.
        period: that it was derived for.
        share: of requests, in [0, 1].
    """

    key: MarkKey
    period: str
    share: float

    def __post_init__(self) -> None:
        require(0.0 <= self.share <= 1.0, f"share is {self.share}; it takes a share of requests in [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(Generic[Response]):
    """The answer for the customer, and the pair for the sealed file. Send `response` and nothing else.

    Attributes:
        response: what is served.
        pair: to be appended to the pairs file; None: there is none.
        reason: why there is no pair; empty where there is one.
    """

    response: Response = field(repr=False)
    pair: TwinPair | None = field(default=None, repr=False)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblinded:
    """All pairs that can tell something, with the coin applied.

    Attributes:
        pairs: as they were given, without ties and repeated requests.
        served, withheld: [n] texts, in the order of `pairs`.
        ties: pairs left out because both answers are the same.
        repeats: pairs left out because their request has an earlier pair, whose coin they share.
    """

    pairs: tuple[TwinPair, ...]
    served: tuple[str, ...] = field(repr=False)
    withheld: tuple[str, ...] = field(repr=False)
    ties: int
    repeats: int


def assign(key: MarkKey, request_id: str, share: float) -> Assignment:
    """Whether a request is twinned, and which answer is served: functions of the key and the request's id alone.

    Over random keys, a request is twinned with probability `share` (to 2 ** -64); the coin is fair and independent of that.

    Args:
        key: derived for the purpose `twins`.
        request_id: of the provider's own making, never one that a customer can choose or repeat.
        share: of requests that are twinned, in [0, 1].

    Raises UnusableValuesError for another share, KeyMaterialError for an empty or overlong id.
    """
    require(0.0 <= share <= 1.0, f"share is {share}; it takes a share of requests in [0, 1]")
    drawn = int.from_bytes(keyed_digest(key, "share", request_id)[:8], "big")
    return Assignment(twinned=drawn < int(math.ldexp(share, 64)), second_is_served=keyed_choice(key, 2, "coin", request_id) == 1)


def serve(sample: Callable[[], Response], *, text: Callable[[Response], str | None], twin_key: TwinKey, asked: Asked) -> Served[Response]:
    """The answer to serve, from one or two calls of `sample`.

    A first call that fails, fails as it would without twins. Whatever goes wrong with the second costs the pair, and never the answer.

    Args:
        sample: draws one answer; both calls must use the same settings and no cache of answers.
        text: the answer's text; None where it has none that can be compared, such as a tool call.
        twin_key: see there.
        asked: what is noted of the request.
    """
    assignment = assign(twin_key.key, asked.request_id, twin_key.share)
    first = sample()
    if not assignment.twinned:
        return Served(response=first, reason="the key does not pair this request")
    try:
        second = sample()
    except Exception as error:  # noqa: BLE001 - whatever fails in the second sample must not reach the customer
        return Served(response=first, reason=f"the second sample failed ({type(error).__name__})")
    return _chosen(first, second, text, assignment, twin_key, asked)


async def serve_async(
    sample: Callable[[], Awaitable[Response]],
    *,
    text: Callable[[Response], str | None],
    twin_key: TwinKey,
    asked: Asked,
    patience_s: float = DEFAULT_PATIENCE_S,
) -> Served[Response]:
    """As `serve`, with both answers sampled at the same time.

    Args:
        sample, text, twin_key, asked: as for `serve`.
        patience_s: seconds to wait for the second answer once the first is there; after that the first is served and there is no pair.
    """
    assignment = assign(twin_key.key, asked.request_id, twin_key.share)
    if not assignment.twinned:
        return Served(response=await sample(), reason="the key does not pair this request")
    second = asyncio.ensure_future(_awaited(sample))
    # an error that nobody asks for would be written to the log, with what the endpoint said
    second.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        first = await sample()
        await asyncio.wait({second}, timeout=patience_s)
        if not second.done():
            return Served(response=first, reason=f"the second sample took more than {patience_s:g} seconds longer")
        if second.cancelled():
            return Served(response=first, reason="the second sample was cancelled")
        error = second.exception()
        if error is not None:
            return Served(response=first, reason=f"the second sample failed ({type(error).__name__})")
        return _chosen(first, second.result(), text, assignment, twin_key, asked)
    finally:
        second.cancel()


async def _awaited(sample: Callable[[], Awaitable[Sampled]]) -> Sampled:
    return await sample()


def _chosen(
    first: Response,
    second: Response,
    text: Callable[[Response], str | None],
    assignment: Assignment,
    twin_key: TwinKey,
    asked: Asked,
) -> Served[Response]:
    """The served answer of two; the first, without a pair, unless both have a text: that does not depend on the coin."""
    try:
        texts = text(first), text(second)
    except Exception as error:  # noqa: BLE001 - an answer of unknown form is still the customer's
        return Served(response=first, reason=f"an answer has no readable text ({type(error).__name__})")
    if not texts[0] or not texts[1]:
        return Served(response=first, reason="an answer has no text to compare")
    pair = TwinPair(
        request_id=asked.request_id,
        account_id=asked.account_id,
        model=asked.model,
        at=asked.at,
        period=twin_key.period,
        key_commitment=commitment(twin_key.key),
        share=twin_key.share,
        prompt=asked.prompt,
        first=texts[0],
        second=texts[1],
        tie=texts[0] == texts[1],
    )
    return Served(response=second if assignment.second_is_served else first, pair=pair)


def unblind(key: MarkKey, pairs: Sequence[TwinPair]) -> Unblinded:
    """Apply the coin to every pair; ties, and later pairs of a request, are left out by rules that do not look at it.

    Raises ForeignPairError where a pair names another key, the key does not pair its request, or its tie is noted wrongly.
    """
    ours = commitment(key)
    kept: list[TwinPair] = []
    seen: set[str] = set()
    ties = repeats = 0
    for place, pair in enumerate(pairs, 1):
        _check(key, ours, pair, place)
        if pair.request_id in seen:
            repeats += 1
            continue
        seen.add(pair.request_id)
        if pair.tie:
            ties += 1
        else:
            kept.append(pair)
    coins = [assign(key, pair.request_id, pair.share).second_is_served for pair in kept]
    served = tuple(pair.second if coin else pair.first for pair, coin in zip(kept, coins, strict=True))
    withheld = tuple(pair.first if coin else pair.second for pair, coin in zip(kept, coins, strict=True))
    return Unblinded(pairs=tuple(kept), served=served, withheld=withheld, ties=ties, repeats=repeats)


def check_pairs(key: MarkKey, pairs: Sequence[TwinPair]) -> None:
    """Nothing when every pair is the key's own; ForeignPairError otherwise. The coin is not looked at."""
    ours = commitment(key)
    for place, pair in enumerate(pairs, 1):
        _check(key, ours, pair, place)


def _check(key: MarkKey, ours: str, pair: TwinPair, place: int) -> None:
    if pair.key_commitment != ours:
        raise ForeignPairError(f"pair {place} names the key {pair.key_commitment}, the key given is {ours}; give the key of its period")
    if not assign(key, pair.request_id, pair.share).twinned:
        raise ForeignPairError(f"pair {place} is of a request that its key does not pair; find out who wrote it before using the file")
    if pair.tie != (pair.first == pair.second):
        raise ForeignPairError(
            f"pair {place} notes tie = {pair.tie}, its answers say otherwise; find out who changed it before using the file"
        )
