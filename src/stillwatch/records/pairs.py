"""Two answers to one request, of which the customer got one: what the twin test reads."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinPair:
    """Two answers that one sampler gave to one request. Which was served is not written here: the key's coin says it.

    Attributes:
        request_id: of the provider's own making, unique; the coin depends on it.
        account_id: who got the served answer.
        model: that answered.
        at: when it was served, ISO 8601.
        period: of the key.
        key_commitment: of the key that decided (`stillwatch mark commit --purpose twins`).
        share: of requests that the key was told to pair.
        prompt: what both answers answer: the messages as JSON text, or a plain prompt.
        first, second: the answers in the order in which they were asked for.
        tie: they are the same text, so that nothing can be told from them; noted before anybody looks at the coin.
    """

    request_id: str
    account_id: str | None
    model: str | None
    at: str
    period: str
    key_commitment: str
    share: float
    prompt: str = field(repr=False)
    first: str = field(repr=False)
    second: str = field(repr=False)
    tie: bool
