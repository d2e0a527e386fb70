"""Who an account is on the wire and on paper: addresses, agents, TLS prints, keys, payment, plan.

Honest customers and campaigns draw from the same distributions, so that none of it tells them apart unless a campaign shares it.
Addresses come from 240.0.0.0/4 (reserved, RFC 1112) and 2001:db8::/32 (documentation, RFC 3849): they belong to nobody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from stillwatch.simulate.chance import Chance, cumulative
from stillwatch.simulate.language import language_of
from stillwatch.simulate.rhythm import Rhythm, any_rhythm
from stillwatch.simulate.words import LANGUAGE_SHARES, TOPICS
from stillwatch.simulate.world import DAY_US, HOUR_US, Tactic

_AGENTS = (
    *("OpenAI/Python 1.99.9", "OpenAI/Python 1.82.0", "OpenAI/JS 5.12.2", "python-httpx/0.28.1", "python-requests/2.32.4", "axios/1.11.0"),
    *(
        "langchain-openai/0.3.30",
        "litellm/1.77.1",
        "Go-http-client/2.0",
        "okhttp/5.1.0",
        "node-fetch/3.3.2",
        "curl/8.14.1",
        "aiohttp/3.12.15",
    ),
)
_AGENT_SHARES = cumulative([34, 14, 14, 8, 7, 5, 5, 3, 3, 2, 2, 1.5, 1.5])
_NETWORKS = 48
_NETWORK_SHARES = cumulative([1 / (rank + 2) for rank in range(_NETWORKS)])
_PLANS = ("free", "pay-as-you-go", "team", "enterprise")
_PLAN_SHARES = cumulative([0.3, 0.5, 0.15, 0.05])
_QUOTAS = {"free": 2_000_000, "pay-as-you-go": 20_000_000, "team": 100_000_000, "enterprise": 1_000_000_000}
_MAIL = ("mailbox.example", "post.example", "inbox.example", "letters.example")
_MODELS = ("m-large", "m-small", "m-reason")
_MODEL_SHARES = cumulative([0.5, 0.35, 0.15])
_LANGUAGES = cumulative(LANGUAGE_SHARES)
_PROMPT_BYTES, _ANSWER_BYTES = 265.0, 520.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The parameters that an account sets on its requests; None is not set."""

    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias_size: int | None = None
    tools_count: int | None = None
    response_format: str | None = None
    stream: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One billing identity: what the provider knows, what the wire shows, and the habits behind it.

    Attributes:
        role: the kind of customer; `worker` or `replacement` in a campaign. Stands in the truth only.
        begin_us, stop_us: first and last instant at which it can send; stop_us None: no end.
        key_change: instant from which another key takes over, and that key.
        marks_users: whether it names an end user with each request.
        interests: cumulative shares of TOPICS.
        prompt_bytes, answer_bytes: the lengths that its texts scatter around.
        adopts_after_us: how long after its release the account takes up a new model; None: never.
    """

    account_id: str
    role: str
    campaign_id: str | None
    tactic: Tactic | None
    created_us: int
    begin_us: int
    stop_us: int | None = None
    plan: str
    org_id: str | None
    project_id: str | None
    email_domain: str
    payment: str | None
    verification: str
    declared_use: str | None = None
    quota: int
    status: str = "active"
    status_changed_us: int | None = None
    keys: tuple[str, ...]
    key_change: tuple[int, str] | None = None
    addresses: tuple[str, ...]
    asn: int
    agents: tuple[str, ...]
    tls: tuple[str, ...]
    logs_sessions: bool
    logs_traces: bool
    marks_users: bool
    language: str
    interests: tuple[float, ...]
    prompt_bytes: float
    answer_bytes: float
    rhythm: Rhythm
    model: str
    effort: str | None
    adopts_after_us: int | None
    sampling: Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What accounts of one owner share when they share infrastructure."""

    prefix: str
    asn: int
    payment: str
    email_domain: str
    org_id: str | None
    tls: str
    agent: str
    created_us: int


def draw_account(
    chance: Chance, role: str, start_us: int, *, campaign_id: str | None = None, tactic: Tactic | None = None, before_us: int | None = None
) -> Account:
    """A new account; `before_us` bounds its creation (by default some accounts are created during the first days of the log)."""
    created = _created(chance, start_us, before_us)
    plan = _PLANS[chance.weighted(_PLAN_SHARES)]
    (prefix, asn), agents = draw_prefix(chance), _agents(chance)
    model = _MODELS[chance.weighted(_MODEL_SHARES)]
    return Account(
        account_id=f"acct_{chance.hexadecimal(14)}",
        role=role,
        campaign_id=campaign_id,
        tactic=tactic,
        created_us=created,
        begin_us=created,
        plan=plan,
        org_id=f"org_{chance.hexadecimal(10)}" if chance.happens(0.7) else None,
        project_id=f"proj_{chance.hexadecimal(8)}" if chance.happens(0.3) else None,
        email_domain=f"{chance.hexadecimal(7)}.example" if chance.happens(0.5) else chance.pick(_MAIL),
        payment=None if plan == "free" else f"pay_{chance.hexadecimal(16)}",
        verification=chance.pick(("email", "email", "phone", "business")),
        quota=_QUOTAS[plan],
        keys=tuple(chance.hexadecimal(32) for _ in range(1 if chance.happens(0.7) else 2)),
        addresses=_addresses(chance, prefix),
        asn=asn,
        agents=agents,
        tls=tuple(tls_of(agent, chance) for agent in agents),
        logs_sessions=chance.happens(0.6),
        logs_traces=chance.happens(0.5),
        marks_users=chance.happens(0.08),
        language=language_of(chance, _LANGUAGES),
        interests=chance.dirichlet(len(TOPICS), 0.12),
        prompt_bytes=chance.lognormal(_PROMPT_BYTES, 0.45),
        answer_bytes=chance.lognormal(_ANSWER_BYTES, 0.4),
        rhythm=any_rhythm(chance),
        model=model,
        effort=chance.pick(("low", "medium", "high")) if model == "m-reason" and chance.happens(0.6) else None,
        adopts_after_us=_adoption(chance),
        sampling=draw_sampling(chance),
    )


def _agents(chance: Chance) -> tuple[str, ...]:
    return tuple(_AGENTS[chance.weighted(_AGENT_SHARES)] for _ in range(1 if chance.happens(0.75) else 2))


def _adoption(chance: Chance) -> int | None:
    """Three in ten take up a new model within its first day, three in ten later, the rest never."""
    draw = chance.uniform()
    if draw < 0.3:
        return int(chance.uniform() * DAY_US)
    return int((1 + 10 * chance.uniform()) * DAY_US) if draw < 0.6 else None


def _created(chance: Chance, start_us: int, before_us: int | None) -> int:
    """Sign-ups grow over the years; one in twelve falls into the first six days of the log unless that is too late."""
    limit = start_us if before_us is None else before_us
    if chance.happens(1 / 12):
        return (
            min(start_us, limit) - DAY_US * 6 + int(chance.uniform() * DAY_US * 12)
            if before_us is None
            else limit - int(chance.uniform() * 6 * DAY_US)
        )
    age_days = min(-150.0 * math.log(1 - chance.uniform()), 1200.0)
    return min(start_us, limit) - int((age_days + 0.5) * DAY_US)


def draw_prefix(chance: Chance) -> tuple[str, int]:
    """A /24 (or, one time in eight, a /64 in a /48 of its own) and its AS number, from the private range of RFC 6996."""
    asn = 64_512 + chance.weighted(_NETWORK_SHARES)
    if chance.happens(0.125):
        return f"2001:db8:{chance.below(65_536):x}:{chance.below(16):x}:", asn
    return f"{240 + chance.below(15)}.{(asn - 64_512) * 5 + chance.below(5)}.{chance.below(256)}.", asn


def address(prefix: str, chance: Chance) -> str:
    """An address inside a prefix."""
    return f"{prefix}:{1 + chance.below(65_000):x}" if ":" in prefix else f"{prefix}{1 + chance.below(254)}"


def _addresses(chance: Chance, prefix: str) -> tuple[str, ...]:
    """One address for nearly half of the accounts, up to four for the others."""
    places = 1 if chance.happens(0.45) else 2 + chance.below(3)
    elsewhere = [address(draw_prefix(chance)[0] if chance.happens(0.5) else prefix, chance) for _ in range(places - 1)]
    return (address(prefix, chance), *elsewhere)


def tls_of(agent: str, chance: Chance) -> str:
    """The TLS print of an agent: the same for all who use it, but for one in eight who built it otherwise."""
    family = sum(map(ord, agent)) * 2_654_435_761 % 2**32
    build = chance.below(5) + 1 if chance.happens(0.125) else 0
    return f"t13d{1516 + family % 7}h2_{family:08x}_{(family * 31 + build * 7919) % 2**32:08x}"


def draw_sampling(chance: Chance) -> Sampling:
    """Parameters as customers set them: most set nothing."""
    logprobs = chance.happens(0.04)
    return Sampling(
        temperature=chance.pick((1.0, 0.7, 0.2, 0.0, 0.5)) if chance.happens(0.3) else None,
        top_p=chance.pick((0.9, 0.95, 1.0)) if chance.happens(0.08) else None,
        n=2 + chance.below(4) if chance.happens(0.04) else None,
        max_tokens=chance.pick((512, 1024, 2048, 4096)) if chance.happens(0.3) else None,
        seed=chance.below(1000) if chance.happens(0.05) else None,
        logprobs=True if logprobs else None,
        top_logprobs=5 if logprobs and chance.happens(0.5) else None,
        logit_bias_size=1 + chance.below(20) if chance.happens(0.01) else None,
        tools_count=1 + chance.below(12) if chance.happens(0.1) else None,
        response_format="json_object" if chance.happens(0.08) else None,
        stream=chance.happens(0.5) if chance.happens(0.8) else None,
    )


def draw_premises(chance: Chance, created_us: int, *, organisation: bool) -> Premises:
    """One owner's network, card and sign-up hour; with an organisation the accounts also share its id."""
    prefix, asn = draw_prefix(chance)
    agent = _AGENTS[chance.weighted(_AGENT_SHARES)]
    return Premises(
        prefix=prefix,
        asn=asn,
        payment=f"pay_{chance.hexadecimal(16)}",
        email_domain=f"{chance.hexadecimal(7)}.example",
        org_id=f"org_{chance.hexadecimal(10)}" if organisation else None,
        tls=f"t13d{1516 + chance.below(7)}h2_{chance.hexadecimal(8)}_{chance.hexadecimal(8)}",
        agent=agent,
        created_us=created_us,
    )


def housed(account: Account, premises: Premises, chance: Chance) -> Account:
    """The account with all of its owner's infrastructure: /24, payment, sign-up burst and TLS print."""
    created = premises.created_us + int(chance.uniform() * HOUR_US)
    return replace(
        account,
        addresses=tuple(address(premises.prefix, chance) for _ in range(2)),
        asn=premises.asn,
        payment=premises.payment,
        created_us=created,
        begin_us=max(created, account.begin_us) if account.campaign_id is None else account.begin_us,
        agents=(premises.agent,),
        tls=(premises.tls,),
    )
