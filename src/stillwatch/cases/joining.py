"""Cases that share members, traces or infrastructure: found, linked, merged."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from stillwatch.cases.making import severest
from stillwatch.cases.refusals import CaseStateError
from stillwatch.cases.store import WORDS, Acting, CaseStore, Change, check_state, family, locked, put_content
from stillwatch.cases.tables import CaseRow, ClaimRow, LinkRow, MemberRow, TieRow
from stillwatch.cases.words import Status, bounded, case_name
from stillwatch.errors import UsageError

LEAST_NATS = 3.0
"""A trace whose sharing is worth less in either case, as that of software that one account in twenty uses, relates nothing."""
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A case that shares something with another.

    Attributes:
        number, title, status: of the case.
        accounts: accounts that are members in both; `named` are the first of them.
        traces, infrastructure: shared traces that weigh LEAST_NATS or more in both, as (kind, trace), most telling first.
        nats: what sharing those is worth: the sum over traces of the smaller of the two weights. It orders the list and is no probability.
        linked: whether somebody linked the two.
    """

    number: int
    title: str
    status: str
    accounts: int
    named: tuple[str, ...]
    traces: tuple[tuple[str, str], ...]
    infrastructure: tuple[tuple[str, str], ...]
    nats: float
    linked: bool

    def shared(self) -> dict[str, Any]:
        """What is shared, as counts."""
        return {
            "accounts": self.accounts,
            "traces": len(self.traces),
            "infrastructure": len(self.infrastructure),
            "nats": round(self.nats, 3),
        }


def related(session: Session, number: int) -> list[Related]:
    """Cases that share accounts or telling traces with this one and what was merged into it, those with most accounts and nats first."""
    mine = family(session, number)
    heads = heads_of(session)
    accounts = _shared_accounts(session, mine, heads)
    ties = _shared_ties(session, mine, heads)
    linked = {other for pair in session.execute(_links(mine)) for other in pair}
    found = [
        _related(session.get_one(CaseRow, other), accounts.get(other, []), ties.get(other, []), linked=other in linked)
        for other in accounts.keys() | ties.keys()
    ]
    return sorted(found, key=lambda other: (-other.accounts, -other.nats, other.number))


def link(store: CaseStore, number: int, other: int, acting: Acting, why: str) -> int:
    """Note that two cases belong together, open or closed; the number of the act in the first. Both timelines say so."""
    words = bounded(why, "--why")
    with _two(store, number, other, acting, states=(Status.OPEN, Status.CLOSED)) as (change, second):
        first_number, second_number = sorted((number, other))
        if change.session.get(LinkRow, (first_number, second_number)) is not None:
            raise CaseStateError(f"{case_name(number)} and {case_name(other)} are linked already")
        shared = next((found.shared() for found in related(change.session, number) if found.number == other), {})
        said = put_content(change.session, store.box, words.encode("utf-8", "surrogatepass"), WORDS)
        change.session.add(LinkRow(first=first_number, second=second_number, shared=shared, words_id=said.id, at=acting.at, by=acting.by))
        second.act("linked", {"with": case_name(number), "shared": shared}, words=words)
        return change.act("linked", {"with": case_name(other), "shared": shared}, words=words).number


def merge(store: CaseStore, number: int, into: int, acting: Acting, why: str) -> int:
    """Put a case into another: it keeps all it has, points there, and is read with it. The number of the act in the one that goes on."""
    words = bounded(why, "--why")
    with _two(store, number, into, acting) as (change, target):
        shared = next((found.shared() for found in related(change.session, number) if found.number == into), {})
        change.act("merged", {"into": case_name(into), "shared": shared}, words=words)
        change.case.status, change.case.merged_into = Status.MERGED, into
        target.case.severity = severest(target.case.severity, change.case.severity)
        return target.act("took_in", {"case": case_name(number), "uid": change.case.uid, "shared": shared}, words=words).number


@contextmanager
def _two(
    store: CaseStore, number: int, other: int, acting: Acting, *, states: Sequence[Status] = (Status.OPEN,)
) -> Generator[tuple[Change, Change]]:
    """Two cases within one transaction, locked in the order of their numbers so that two people cannot wait for each other."""
    if number == other:
        raise UsageError(f"{case_name(number)} is named twice; name two cases")
    with store.writing() as session:
        cases = {wanted: locked(session, wanted) for wanted in sorted((number, other))}
        check_state(cases[number], acting, states)
        check_state(cases[other], replace(acting, expected=None), states)
        yield Change(session, cases[number], acting, store.box), Change(session, cases[other], acting, store.box)


def heads_of(session: Session) -> dict[int, int]:
    """Each case's number to that of the case that it is read with."""
    into = dict(session.execute(select(CaseRow.number, CaseRow.merged_into)).all())
    heads: dict[int, int] = {}
    for number in into:
        head = number
        while (further := into[head]) is not None:
            head = further
        heads[number] = head
    return heads


def _links(mine: list[int]) -> Any:
    return select(LinkRow.first, LinkRow.second).where(LinkRow.first.in_(mine) | LinkRow.second.in_(mine))


def _shared_accounts(session: Session, mine: list[int], heads: dict[int, int]) -> dict[int, list[str]]:
    own, their, claim, owner = aliased(MemberRow), aliased(MemberRow), aliased(ClaimRow), aliased(ClaimRow)
    rows = session.execute(
        select(claim.case_number, their.account_id)
        .join(own, own.key == their.key)
        .join(claim, claim.id == their.claim_id)
        .join(owner, owner.id == own.claim_id)
        .where(owner.case_number.in_(mine), claim.case_number.not_in(mine))
        .distinct()
        .order_by(their.account_id)
    )
    found: dict[int, dict[str, None]] = {}
    for number, account in rows:
        found.setdefault(heads[number], {})[account] = None
    return {number: list(accounts) for number, accounts in found.items()}


def _shared_ties(session: Session, mine: list[int], heads: dict[int, int]) -> dict[int, list[tuple[float, TieRow]]]:
    own, their, claim, owner = aliased(TieRow), aliased(TieRow), aliased(ClaimRow), aliased(ClaimRow)
    rows = session.execute(
        select(claim.case_number, their, own.weight)
        .join(own, own.key == their.key)
        .join(claim, claim.id == their.claim_id)
        .join(owner, owner.id == own.claim_id)
        .where(owner.case_number.in_(mine), claim.case_number.not_in(mine), own.weight >= LEAST_NATS, their.weight >= LEAST_NATS)
    )
    best: dict[int, dict[str, tuple[float, TieRow]]] = {}
    for number, tie, weight in rows:
        kept = best.setdefault(heads[number], {})
        worth = min(weight, tie.weight)
        if tie.key not in kept or kept[tie.key][0] < worth:
            kept[tie.key] = (worth, tie)
    return {number: sorted(kept.values(), key=lambda pair: (-pair[0], pair[1].key)) for number, kept in best.items()}


def _related(case: CaseRow, accounts: list[str], ties: list[tuple[float, TieRow]], *, linked: bool) -> Related:
    kept = [(tie.infrastructure, (tie.kind, tie.trace)) for _, tie in ties]
    return Related(
        number=case.number,
        title=case.title,
        status=case.status,
        accounts=len(accounts),
        named=tuple(accounts[:_SHOWN]),
        traces=tuple(tie for infrastructure, tie in kept if not infrastructure),
        infrastructure=tuple(tie for infrastructure, tie in kept if infrastructure),
        nats=sum(worth for worth, _ in ties),
        linked=linked,
    )
