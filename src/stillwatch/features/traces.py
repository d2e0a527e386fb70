"""Traces: everything that two accounts can share, as expressions giving the rows of TRACES. Nothing is executed here.

A trace that a single account holds says nothing about anybody else and is left out, so that what reaches memory grows with
accounts and not with exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stillwatch.features.feature import ACCOUNT_COLUMN, DAY_MICROSECONDS, micros
from stillwatch.features.release import model_releases
from stillwatch.features.repetition import wording_counts
from stillwatch.features.takings import alone

if TYPE_CHECKING:
    import ibis.expr.types as ir

WORDING = "wording"
LEAST_CARRIERS = 3
"""A fingerprint of wording is a trace of an account that carries it in this many exchanges with as many different prompts."""

MOST_ROWS = 500_000
"""Rows of one kind that are given. Prompts and sessions that two accounts happen to share can be as many as the exchanges; the traces that
the most accounts hold are kept, for a group has three accounts at least and what only two hold cannot nominate one."""

LONGEST_TRACE = 200
"""Characters kept of a text that the caller chose."""

MINUTE_MICROSECONDS = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceKind:
    """One thing that accounts can share.

    Attributes:
        name: the value of the column `kind`.
        family: content, infrastructure, identity or behaviour.
        columns: needed columns of SKETCHED, and of ACCOUNTS with the prefix `accounts.`; all must be available.
        any_of: at least one of these must be available as well; empty: no such demand.
        label: in plain words, after "these accounts share".
        ordinary: the honest explanation of sharing it.
        express: gives the rows of TRACES from the exchanges and the accounts (None unless `columns` names one of theirs).
    """

    name: str
    family: str
    label: str
    ordinary: str
    express: Callable[[Any, Any], Any]
    columns: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()

    def possible(self, available: frozenset[str]) -> bool:
        """Whether a source that fills the `available` columns can give this kind."""
        return available.issuperset(self.columns) and (not self.any_of or not available.isdisjoint(self.any_of))


def traces(exchanges: ir.Table, accounts: ir.Table | None, available: frozenset[str]) -> ir.Table | None:
    """The rows of TRACES, of every kind that the `available` columns allow; None when they allow none.

    Every (kind, trace) is held by at least two accounts. `exchanges` has the columns of SKETCHED.
    """
    import ibis

    tables = list(trace_tables(exchanges, accounts, available))
    return ibis.union(*tables) if len(tables) > 1 else (tables[0] if tables else None)


def trace_tables(
    exchanges: ir.Table, accounts: ir.Table | None, available: frozenset[str], wording: ir.Table | None = None
) -> Iterator[Any]:
    """The same rows, an expression per kind, for an engine to run one after the other.

    `wording` are the rows of `repetition.wording_counts` by account, where they are counted already.
    """
    if accounts is not None:
        available |= {f"{ACCOUNT_COLUMN}{name}" for name in accounts.columns}
    kinds = (kind for kind in TRACE_KINDS if kind.possible(available))
    return (
        kind.express(exchanges, accounts) if wording is None or kind.name != WORDING else _wording_of(exchanges, wording) for kind in kinds
    )


def activity(exchanges: ir.Table, bucket_minutes: int) -> ir.Table:
    """How many exchanges each account made in each bucket of time: account_id, bucket (from 1970 UTC), count."""
    table: Any = exchanges
    width = bucket_minutes * MINUTE_MICROSECONDS
    rows = table.select("account_id", bucket=micros(table.started_at) // width)
    return rows.group_by(["account_id", "bucket"]).aggregate(count=rows.count())


def subjects(exchanges: ir.Table) -> ir.Table:
    """How many exchanges each account made on each subject: account_id, subject, count."""
    table: Any = exchanges
    rows = table.select("account_id", "subject")
    rows = rows.filter(rows.subject.notnull())
    return rows.group_by(["account_id", "subject"]).aggregate(count=rows.count())


def _shared(held: Any, kind: str) -> Any:
    """The rows of TRACES out of one row per account and trace: those that another account holds too, at most MOST_ROWS."""
    import ibis

    owners = held.group_by("trace").aggregate(owners=held.count())
    shared = owners.filter(owners.owners >= 2)
    # whole traces are kept or left out, in an order in which no two are equal, so that every engine keeps the same
    by_owners = ibis.cumulative_window(order_by=[shared.owners.desc(), shared["trace"]])
    counted = shared.mutate(rows=shared.owners.sum().over(by_owners))
    kept = held.semi_join(counted.filter(counted.rows <= MOST_ROWS), "trace")
    return kept.select(
        "account_id",
        kind=ibis.literal(kind),
        trace=kept["trace"].cast("string"),
        count=kept["count"].cast("int64"),
        first_at=kept.first_at,
        last_at=kept.last_at,
    )


def _held(rows: Any) -> Any:
    """One row per account and trace out of one per exchange (account_id, trace, started_at)."""
    known = rows.filter(rows["trace"].notnull())
    return known.group_by(["account_id", "trace"]).aggregate(
        count=known.count(), first_at=known.started_at.min(), last_at=known.started_at.max()
    )


def _by_exchange(kind: str, value: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A kind whose trace is a value of each exchange; null where it has none."""

    def express(exchanges: Any, _accounts: Any) -> Any:
        return _shared(_held(exchanges.select("account_id", "started_at", trace=value(exchanges))), kind)

    return express


def _by_setting(kind: str, value: Callable[[Any], Any], **settings: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A kind whose trace is spelled out from a few settings that repeat: it is spelled once per combination, not per exchange."""

    def express(exchanges: Any, _accounts: Any) -> Any:
        rows = exchanges.select("account_id", "started_at", **{name: give(exchanges) for name, give in settings.items()})
        seen = rows.group_by(["account_id", *settings]).aggregate(
            count=rows.count(), first_at=rows.started_at.min(), last_at=rows.started_at.max()
        )
        spelled = seen.select("account_id", "count", "first_at", "last_at", trace=value(seen))
        known = spelled.filter(spelled["trace"].notnull())
        held = known.group_by(["account_id", "trace"]).aggregate(
            count=known["count"].sum(), first_at=known.first_at.min(), last_at=known.last_at.max()
        )
        return _shared(held, kind)

    return express


def _by_account(kind: str, value: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A kind whose trace is a value of the accounts table; it counts all exchanges of the account."""

    def express(exchanges: Any, accounts: Any) -> Any:
        named = accounts.select("account_id", trace=value(accounts)).distinct()
        seen = exchanges.group_by("account_id").aggregate(
            count=exchanges.count(), first_at=exchanges.started_at.min(), last_at=exchanges.started_at.max()
        )
        return _shared(seen.join(named.filter(named["trace"].notnull()), "account_id"), kind)

    return express


def _wording(exchanges: Any, _accounts: Any) -> Any:
    """Fingerprints that several exchanges of an account carry, in different prompts."""
    return _wording_of(exchanges, wording_counts(alone(exchanges)))


def _wording_of(exchanges: Any, counts: Any) -> Any:
    """The same, from how often each account carries which fingerprint.

    Only the few fingerprints that are carried often enough, by several accounts, are read again to count their prompts.
    """
    often = counts.filter(counts.c >= LEAST_CARRIERS).select(account_id="entity_id", trace="fingerprint")
    owners = often.group_by("trace").aggregate(owners=often.count())
    often = often.semi_join(owners.filter(owners.owners >= 2), "trace")
    carried = exchanges.select("account_id", "prompt_key", "started_at", trace=exchanges.wording.unnest())
    again = carried.semi_join(often, ["account_id", "trace"])
    held = again.group_by(["account_id", "trace"]).aggregate(
        count=again.count(),
        prompts=again.prompt_key.nunique(),
        first_at=again.started_at.min(),
        last_at=again.started_at.max(),
    )
    return _shared(held.filter(held.prompts >= LEAST_CARRIERS).drop("prompts"), WORDING)


def _release(exchanges: Any, _accounts: Any) -> Any:
    """Models of the log that an account used within 24 hours of their first appearance."""
    rows = exchanges.select(
        "account_id",
        "started_at",
        model=exchanges.model_served.coalesce(exchanges.model_requested),
        at=micros(exchanges.started_at),
    )
    models = model_releases(exchanges)
    joined = rows.join(models.filter(models.is_new), "model")
    fresh = joined.filter(joined["at"] < joined.released + DAY_MICROSECONDS)
    return _shared(_held(fresh.select("account_id", "started_at", trace=fresh.model)), "release")


def _thousandths(value: Any) -> Any:
    """A number with three decimals: engines write doubles differently."""
    whole = (value * 1000).round().cast("int64")
    return (whole // 1000).cast("string") + "." + (whole % 1000).cast("string").lpad(3, "0")


def _parameters(t: Any) -> Any:
    """The request's parameters as one string; null when it sets none."""
    settings: list[tuple[str, Any]] = [
        ("temperature=", _thousandths(t.temperature)),
        ("top_p=", _thousandths(t.top_p)),
        ("n=", t.n.cast("string")),
        ("max_tokens=", t.max_tokens.cast("string")),
        ("seed", t.seeded.ifelse("", None)),
        ("top_logprobs=", t.top_logprobs.cast("string")),
        ("logprobs", t.logprobs.ifelse("=true", t.logprobs.isnull().ifelse(None, "=false"))),
        ("response_format=", t.response_format),
        ("tools", t.tooled.ifelse("", None)),
    ]
    text = _labelled(*settings[0])
    for name, value in settings[1:]:
        text += _labelled(name, value)
    return text.rstrip().nullif("")


def _labelled(name: str, value: Any) -> Any:
    return (name + value.cast("string") + " ").fill_null("")


def address_block(t: Any) -> Any:
    """The /24 of an IPv4 address, the first three hextets (/48) of an IPv6 one; null for anything else."""
    address = t.client_ip.lower()
    four = address.re_extract(r"^(?:::ffff:)?([0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3})[.][0-9]{1,3}$", 1).nullif("")
    six = address.replace("::", ":0:0:0:").re_extract("^([0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}):[0-9a-f:]*$", 1)
    return (four + ".0/24").coalesce(six.nullif("") + "::/48")


_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "temperature": lambda t: t.temperature,
    "top_p": lambda t: t.top_p,
    "n": lambda t: t.n,
    "max_tokens": lambda t: t.max_tokens,
    "seeded": lambda t: t.seed.notnull(),
    "top_logprobs": lambda t: t.top_logprobs,
    "logprobs": lambda t: t.logprobs,
    "response_format": lambda t: t.response_format.substr(0, LONGEST_TRACE),
    "tooled": lambda t: t.tools_count > 0,
}

_SAMPLING = ("temperature", "top_p", "n", "max_tokens", "seed", "top_logprobs", "logprobs", "response_format", "tools_count")

TRACE_KINDS: tuple[TraceKind, ...] = (
    TraceKind(
        name=WORDING,
        family="content",
        columns=("wording", "prompt_key"),
        label="the same passage of wording, in different prompts",
        ordinary="A public prompt template or a popular framework brings the passage along.",
        express=_wording,
    ),
    TraceKind(
        name="system",
        family="content",
        columns=("system_key",),
        label="the same system prompt",
        ordinary="A product or a framework ships the system prompt.",
        express=_by_exchange("system", lambda t: t.system_key),
    ),
    TraceKind(
        name="prompt",
        family="content",
        columns=("prompt_bucket",),
        label="nearly the same prompt",
        ordinary="Everyday questions and public benchmarks are asked by many.",
        express=_by_exchange("prompt", lambda t: t.prompt_bucket),
    ),
    TraceKind(
        name="parameters",
        family="behaviour",
        any_of=_SAMPLING,
        label="the same request parameters",
        ordinary="A client library's defaults set them.",
        express=_by_setting("parameters", _parameters, **_SETTINGS),
    ),
    TraceKind(
        name="network",
        family="infrastructure",
        columns=("client_ip",),
        label="the same address block (/24 or /48)",
        ordinary="A company, a campus, a cloud or a carrier puts many customers behind one block.",
        express=_by_setting("network", address_block, client_ip=lambda t: t.client_ip),
    ),
    TraceKind(
        name="asn",
        family="infrastructure",
        columns=("asn",),
        label="the same network operator",
        ordinary="Operators have millions of customers.",
        express=_by_exchange("asn", lambda t: t.asn),
    ),
    TraceKind(
        name="tls",
        family="infrastructure",
        columns=("tls_fingerprint",),
        label="the same TLS client fingerprint",
        ordinary="Every user of the same client library has it.",
        express=_by_exchange("tls", lambda t: t.tls_fingerprint.substr(0, LONGEST_TRACE)),
    ),
    TraceKind(
        name="user_agent",
        family="infrastructure",
        columns=("user_agent",),
        label="the same user agent",
        ordinary="Every user of the same client library sends it.",
        express=_by_exchange("user_agent", lambda t: t.user_agent.substr(0, LONGEST_TRACE)),
    ),
    TraceKind(
        name="session",
        family="behaviour",
        columns=("session_id",),
        label="the same session id",
        ordinary="A client library numbers its sessions from a fixed start.",
        express=_by_exchange("session", lambda t: t.session_id.substr(0, LONGEST_TRACE)),
    ),
    TraceKind(
        name="session_rule",
        family="behaviour",
        columns=("session_rule",),
        label="the same rule by which session ids follow from the text",
        ordinary="A caching proxy derives session ids from the text.",
        express=_by_exchange("session_rule", lambda t: t.session_rule.nullif("none")),
    ),
    TraceKind(
        name="payment",
        family="identity",
        columns=("accounts.payment_fingerprint",),
        label="the same means of payment",
        ordinary="A company or a household pays for several accounts.",
        express=_by_account("payment", lambda t: t.payment_fingerprint),
    ),
    TraceKind(
        name="email_domain",
        family="identity",
        columns=("accounts.email_domain",),
        label="the same e-mail domain",
        ordinary="It is a public mail service, or one employer.",
        express=_by_account("email_domain", lambda t: t.email_domain.lower().substr(0, LONGEST_TRACE)),
    ),
    TraceKind(
        name="signup",
        family="identity",
        columns=("accounts.created_at",),
        label="the hour of signing up",
        ordinary="A launch, an article or a course brings many customers in the same hour.",
        express=_by_account("signup", lambda t: t.created_at.strftime("%Y-%m-%d %H:00")),
    ),
    TraceKind(
        name="org",
        family="identity",
        columns=("org_id",),
        label="the same organisation",
        ordinary="An organisation may have as many accounts as it likes.",
        express=_by_exchange("org", lambda t: t.org_id),
    ),
    TraceKind(
        name="release",
        family="behaviour",
        columns=("started_at",),
        any_of=("model_served", "model_requested"),
        label="turning to a new model within a day of its appearance",
        ordinary="Many customers try a new model on its first day.",
        express=_release,
    ),
)
"""Every kind of trace, in the order in which reasons are told."""
