"""What the members of an entity carry and hardly anybody else does, as expressions giving the rows of CARRIED. Nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stillwatch.features.traces import LEAST_CARRIERS, LONGEST_TRACE, address_block

if TYPE_CHECKING:
    import ibis.expr.types as ir

CARRIED = ("entity_id", "kind", "value", "accounts", "exchanges")

MOST_OTHERS = 0.01
"""An indicator that a larger share of the other accounts carries is common, and is not given."""

LEAST_MEMBERS = 3
"""Members of a group that carry an indicator, but for single prompts; the smallest group has as many."""

LEAST_PROMPT_BYTES = 80
"""Shorter prompts are everyday questions, and can be guessed."""

EGRESS = "egress"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorKind:
    """One kind of indicator.

    Attributes:
        name: as it stands in a profile.
        columns: of SKETCHED, needed.
        value: text of the indicator, from the exchanges; null where an exchange has none.
        most: how many of an entity are given; what the most members carry comes first.
        least_share: share of a group's members that carry it at least. Turns of phrase that a few members happen to use are no wording of
            the group's, and meet others by chance.
        hashed: whether it leaves as a digest: what stands for text, or is text that a caller chose.
        least_prompts: different prompts that have to carry it, so that it is fixed wording and no single prompt.
        sampled: whether it is a sample of what one member is enough for and nobody else may carry. The lowest values are given, so that
            what is in the sample depends neither on order nor on counts; of other kinds, those of the most members.
        ordinary: the honest explanation of carrying it.
    """

    name: str
    columns: tuple[str, ...]
    value: Callable[[Any], Any]
    most: int
    least_share: float
    hashed: bool
    ordinary: str
    least_prompts: int = 1
    sampled: bool = False


KINDS = (
    IndicatorKind(
        name="wording",
        columns=("wording", "prompt_key"),
        value=lambda t: t.wording.unnest().cast("string"),
        most=512,
        least_share=0.25,
        hashed=True,
        least_prompts=LEAST_CARRIERS,
        ordinary="A public prompt template or a framework brings the passage along.",
    ),
    IndicatorKind(
        name="system",
        columns=("system_key", "prompt_key"),
        value=lambda t: t.system_key.cast("string"),
        most=64,
        least_share=0.25,
        hashed=True,
        least_prompts=LEAST_CARRIERS,
        ordinary="A product or a framework ships the system prompt.",
    ),
    IndicatorKind(
        name="prompt",
        columns=("prompt_key", "prompt_chars"),
        value=lambda t: (t.prompt_chars >= LEAST_PROMPT_BYTES).ifelse(t.prompt_key, None).cast("string"),
        most=4096,
        least_share=0.0,
        hashed=True,
        sampled=True,
        ordinary="Public benchmarks and exercises are asked by many.",
    ),
    IndicatorKind(
        name="user_agent",
        columns=("user_agent",),
        value=lambda t: t.user_agent.substr(0, LONGEST_TRACE).nullif(""),
        most=32,
        least_share=0.1,
        hashed=True,
        ordinary="Every user of the same client library sends it.",
    ),
    IndicatorKind(
        name="tls",
        columns=("tls_fingerprint",),
        value=lambda t: t.tls_fingerprint.substr(0, LONGEST_TRACE).nullif(""),
        most=32,
        least_share=0.1,
        hashed=False,
        ordinary="Every user of the same client library has it.",
    ),
    IndicatorKind(
        name=EGRESS,
        columns=("client_ip",),
        value=address_block,
        most=256,
        least_share=0.1,
        hashed=False,
        ordinary="A company, a campus, a cloud or a carrier puts many customers behind one block.",
    ),
)
"""Every kind of indicator, in the order of a profile."""

KIND_NAMES = tuple(kind.name for kind in KINDS)


def carried(exchanges: ir.Table, members: ir.Table, accounts: int) -> Iterator[ir.Table]:
    """The rows of CARRIED, an expression per kind whose columns are there.

    Args:
        exchanges: with the columns of SKETCHED.
        members: entity_id, account_id; an account stands in one entity at most.
        accounts: of the whole log.

    At most `most` rows per entity and kind come out, so that what reaches memory grows with entities.
    """
    for kind in KINDS:
        if set(kind.columns) <= set(exchanges.columns):
            yield _of_kind(exchanges, members, accounts, kind)


def _of_kind(exchanges: Any, members: Any, accounts: int, kind: IndicatorKind) -> Any:
    import ibis

    prompt = exchanges.prompt_key if kind.least_prompts > 1 else ibis.literal(0)
    rows = exchanges.select("account_id", prompt=prompt, value=kind.value(exchanges))
    rows = rows.filter(rows.value.notnull())
    held = rows.group_by(["account_id", "value"]).aggregate(exchanges=rows.count())
    theirs = rows.join(members, "account_id")
    own = theirs.group_by(["entity_id", "value"]).aggregate(
        exchanges=theirs.count(), accounts=theirs.account_id.nunique(), prompts=theirs.prompt.nunique()
    )
    own = own.filter(own.prompts >= kind.least_prompts)
    known = held.semi_join(own, "value")
    holders = known.group_by("value").aggregate(holders=known.account_id.nunique())
    sizes = members.group_by("entity_id").aggregate(size=members.count())
    all_of = own.join(holders, "value").join(sizes, "entity_id")
    others = all_of.holders - all_of.accounts
    rare = (others == 0) if kind.sampled else (others <= MOST_OTHERS * (accounts - all_of["size"]))
    kept = all_of.filter(rare & (all_of.accounts >= _least(all_of, kind)))
    order = [kept.value] if kind.sampled else [kept.accounts.desc(), kept.exchanges.desc(), kept.value]
    placed = kept.mutate(place=ibis.row_number().over(group_by=kept.entity_id, order_by=order))
    first = placed.filter(placed.place < kind.most)
    return first.select("entity_id", kind=ibis.literal(kind.name), value=first.value, accounts=first.accounts, exchanges=first.exchanges)


def _least(rows: Any, kind: IndicatorKind) -> Any:
    """Members that have to carry it. A single account has one, and gives no address blocks: its own would tell where one customer is."""
    import ibis

    if kind.sampled:
        return 1
    several = ibis.greatest(LEAST_MEMBERS, (rows["size"] * kind.least_share).ceil().cast("int64"))
    return several if kind.name == EGRESS else (rows["size"] == 1).ifelse(1, several)
