"""Signals of pooling: are these accounts one operation? Most resale is not distillation, so this is a question of its own."""

from __future__ import annotations

from stillwatch.detect.signal import Scope, Signal
from stillwatch.records.findings import Axis

_PROXIES = ("AML.T0008.005", "AML.T0021")


def _signal(
    id: str,  # noqa: A002 - the catalogue's word
    family: str,
    columns: str,
    unit: str,
    says: str,
    ordinary: str,
    blind_spot: str,
    *references: str,
    scope: Scope = Scope.GROUP,
    direction: int = 1,
    source: str | None = None,
) -> Signal:
    return Signal(
        id=id,
        axis=Axis.POOLING,
        scope=scope,
        family=family,
        source=source or id,
        columns=tuple(columns.split()),
        unit=unit,
        direction=direction,
        when_null="too few members or comparable accounts, or the columns are not logged",
        says=says,
        ordinary=ordinary,
        blind_spot=blind_spot,
        references=references,
        techniques=_PROXIES,
    )


POOLING_SIGNALS: tuple[Signal, ...] = (
    _signal(
        "shared_wording", "content", "prompt_text", "accounts",
        "{value} of its accounts send the same fixed wording.",
        "Customers of one framework or tutorial share its wording; the other likenesses below tell them from one operation.",
        "Lists without fixed wording, and heavy paraphrase.",
        "Schleimer, Wilkerson, Aiken 2003, Winnowing", source="wording",
    ),
    _signal(
        "shared_prompts", "content", "prompt_text", "accounts",
        "{value} of its accounts send near-duplicates of the same prompts.",
        "Public test sets, and a class with one assignment.",
        "Lists in which every prompt is sent once.",
        "Chowdhury et al. 2002, Collection statistics for fast duplicate document detection", source="prompt",
    ),
    _signal(
        "one_list", "content", "prompt_text|response_text|reasoning_text", "squared distance",
        "A typical account's subjects lie {value} from the group's mean (squared distance); those of random accounts {median}.",
        "Customers of one specialised product ask about the same things.",
        "Lists that are split by subject before they are dealt out.",
        "Anderson 2001, PERMANOVA", source="subjects", direction=-1,
    ),
    _signal(
        "like_volume", "behaviour", "account_id", "natural log of volume",
        "Half of its accounts' volumes lie within {value} of one middle (natural log); of random accounts' within {median}.",
        "A quota that everybody uses up.",
        "Campaigns that vary their accounts' load.",
        "Stringhini et al. 2015, EvilCohort", source="volume", direction=-1,
    ),
    _signal(
        "like_manner", "behaviour", "prompt_text|response_text|input_tokens|turns", "squared distance of ranks",
        "A typical account's use of the model (lengths, turns, yield) lies {value} from the middle; among random accounts {median}.",
        "Customers of one kind of product use the model alike.",
        "Campaigns that imitate many kinds of customers.",
        "Luceri et al. 2024, Unmasking the web of deceit", source="manner", direction=-1,
    ),
    _signal(
        "lockstep", "behaviour", "started_at", "standard deviations",
        "Hour by hour a typical account moves with the others, {value} standard deviations beyond chance; random accounts: {median}.",
        "A deadline, a class, an outage of another provider.",
        "Jitter of more than a day, and accounts that take turns.",
        "Cao et al. 2014, SynchroTrap; Beutel et al. 2013, CopyCatch",
    ),
    _signal(
        "shared_infrastructure", "infrastructure",
        "client_ip|tls_fingerprint|user_agent|asn|payment_fingerprint|email_domain|created_at|session_id",
        "nats per other member",
        "A typical account shares addresses, payment, sign-up or sessions worth {value} nats with each other; random accounts: {median}.",
        "Colleagues behind one address, a company's card, an office network.",
        "Residential proxies and one card per account: cheap to cut.",
        "Stringhini et al. 2015, EvilCohort; Pacheco et al. 2021", source="infrastructure",
    ),
    _signal(
        "parameter_lockstep", "behaviour", "temperature|top_p|n|max_tokens|seed|logprobs|top_logprobs|response_format|tools_count",
        "nats per other member",
        "A typical account shares request parameters worth {value} nats with each other; random accounts: {median}.",
        "One library's defaults.",
        "Default parameters.",
        "Anthropic 2026, Detecting and preventing distillation attacks", source="parameters",
    ),
    _signal(
        "failover", "infrastructure", "status_changed_at", "pairs of accounts",
        "In {value} cases an account began within the hour after another was stopped, against {median} for random accounts.",
        "Coincidence in a busy service, and a customer who opens a new account after a mistaken block.",
        "Replacements that wait, and account tables without status.",
        "CISA, NSA, FBI 2026, joint advisory AA26-251A",
    ),
    _signal(
        "session_determinism", "infrastructure", "session_id prompt_text", "share of checked sessions",
        "{value} of its session ids are a digest of the prompt (median {median}).",
        "A cache or gateway that names sessions by content.",
        "Sessions with random names.",
        "Public issue threads of relay software, 2026", scope=Scope.ENTITY, source="derived_session_share",
    ),
    _signal(
        "shared_credential", "infrastructure", "key_id client_ip", "addresses",
        "One of its keys was used from {value} addresses (median {median}, 95th percentile {high}).",
        "Build servers on changing addresses, a team key, mobile users.",
        "Requests that all leave through one proxy.",
        "CISA, NSA, FBI 2026, joint advisory AA26-251A", scope=Scope.ENTITY, source="key_addresses",
    ),
)  # fmt: skip
"""`source` of a GROUP signal is an aspect of stillwatch.link.validate or a kind of trace."""
