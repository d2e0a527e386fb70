"""A case as it is sealed: claims, numbers with the rule that gives them, exhibits, custody, what was decided."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from stillwatch.cases.columns import escaped
from stillwatch.cases.evidence import Shown, exhibits_of
from stillwatch.cases.numbers import numbers_of
from stillwatch.cases.reading import case_row, check_chain
from stillwatch.cases.refusals import CaseStoreError
from stillwatch.cases.store import CaseStore, family
from stillwatch.cases.tables import ActRow, CaseRow, ClaimRow, ContentRow, ExhibitRow, MemberRow, SourceRow, TieRow
from stillwatch.records.cases import (
    CaseContent,
    CaseExhibit,
    CaseInput,
    CaseMember,
    CaseNumber,
    Claim,
    CustodyEvent,
    Disposition,
    Identifies,
    Named,
    OrdinaryExplanation,
)

Digest = Callable[[bytes, Sequence[CaseExhibit]], str]
"""The keyed hash of exhibits that custody is told in: `stillwatch.sealing.commitments.evidence_digest`."""

_ACTIONS = {
    "claim_added": "collected with a claim",
    "exhibit_added": "exhibit added",
    "text_opened": "text of exchanges opened for the case, and kept in it",
    "exhibit_read": "looked at",
    "exhibit_erased": "content erased",
    "contents_erased": "contents erased",
    "account_erased": "what named an account erased",
    "took_in": "taken in from another case",
    "sealed": "sealed for a recipient",
    "disclosed": "cells disclosed to a recipient",
    "closed": "case closed",
}
_ADDS = ("claim_added", "exhibit_added", "text_opened")
LIMITS = (
    "The evidence says what traffic looks like. It does not say who is behind an account or what was done with the answers.",
    "Numbers that are merely stated rest on the logs of whoever ran the scan; with the same files, settings and seed it gives them again.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What the store holds of a case, read in one transaction."""

    case: CaseRow
    key: bytes
    acts: Sequence[ActRow]
    words: dict[int, str]
    shown: dict[int, Shown]
    claims: Sequence[ClaimRow]
    sources: dict[int, SourceRow]


def content_of(store: CaseStore, number: int, digest: Digest) -> CaseContent:
    """All that is sealed of a case and of those that were merged into it. Erased contents are left out; custody says when they went.

    Raises UnknownCaseError, and CaseStoreError where the timeline or a content is not what was written.
    """
    with store.reading() as session:
        held = _held(store, session, number)
        exhibits, custody = _evidence(held, digest)
        places = {claim.exhibit_id: [one.uid for one in exhibits.get(claim.exhibit_id, [])] for claim in held.claims}
        flat = [one for group in exhibits.values() for one in group]
        numbers = list(_numbers(held, exhibits))
        return CaseContent(
            case_id=held.case.uid,
            title=escaped(held.case.title),
            summary=_summary(held),
            opened_at=held.case.created_at,
            claims=tuple(_claim(place, claim, numbers, places[claim.exhibit_id]) for place, claim in enumerate(held.claims, 1)),
            numbers=tuple(one for _, one in numbers),
            exhibits=tuple(flat),
            ordinary=tuple(_ordinary(held)),
            limits=tuple(dict.fromkeys((*LIMITS, *_silences(held)))),
            members=tuple(_members(held)),
            identifiers=tuple(_identifiers(held, flat)),
            versions=tuple(_named(held, "versions", "version", "engine")),
            settings=tuple(_named(held, "settings", "level")),
            seeds=tuple(_named(held, "seed")),
            inputs=tuple(_inputs(held)),
            custody=tuple(custody),
            dispositions=tuple(_dispositions(held)),
            salt_key=held.key,
        )


def _held(store: CaseStore, session: Session, number: int) -> _Held:
    case, mine = case_row(session, number), family(session, number)
    acts = list(session.scalars(select(ActRow).where(ActRow.case_number.in_(mine)).order_by(ActRow.id)))
    for member in mine:
        check_chain([act for act in acts if act.case_number == member], case_row(session, member))
    claims = list(session.scalars(select(ClaimRow).where(ClaimRow.case_number.in_(mine)).order_by(ClaimRow.id)))
    sources = session.scalars(select(SourceRow).where(SourceRow.case_number.in_(mine)))
    key = store.content(session, case.key_id)
    if key is None:
        raise CaseStoreError(f"the salts of case-{number} were erased, so nothing of it can be sealed any longer")
    return _Held(
        case=case,
        key=key,
        acts=acts,
        words={act.id: store.words(session, act.words_id) or "" for act in acts if act.act in ("closed", "reopened", "exhibit_erased")},
        shown=_shown(store, session, mine, {claim.exhibit_id: claim for claim in claims}, acts),
        claims=claims,
        sources={source.id: source for source in sources},
    )


def _shown(store: CaseStore, session: Session, mine: list[int], claims: dict[int, ClaimRow], acts: Sequence[ActRow]) -> dict[int, Shown]:
    """Exhibits that still have a content, each seen to be the one whose commitment the timeline names."""
    said = {act.detail["exhibit"]: act.detail["commitment"] for act in acts if act.act in _ADDS}
    rows = session.execute(
        select(ExhibitRow, ContentRow)
        .join(ContentRow, ContentRow.id == ExhibitRow.content_id)
        .where(ExhibitRow.case_number.in_(mine))
        .order_by(ExhibitRow.id)
    )
    found: dict[int, Shown] = {}
    for row, content in rows.all():
        if said.get(row.id) != content.commitment:
            raise CaseStoreError(f"exhibit {row.id} is not the one that the timeline names; restore the store from a copy")
        data = store.content(session, content.id)
        if data is not None:
            found[row.id] = _whole(session, row, content, data, claims.get(row.id))
    return found


def _whole(session: Session, row: ExhibitRow, content: ContentRow, data: bytes, claim: ClaimRow | None) -> Shown:
    if claim is None:
        return Shown(row=row, content=content, data=data)
    members = select(MemberRow).where(MemberRow.claim_id == claim.id).order_by(MemberRow.membership.desc(), MemberRow.key)
    ties = select(TieRow).where(TieRow.claim_id == claim.id).order_by((TieRow.weight * TieRow.accounts).desc(), TieRow.key)
    held, tied = session.scalars(members).all(), session.scalars(ties).all()
    return Shown(row=row, content=content, data=data, members=held, ties=tied, numbers=claim.numbers)


def _evidence(held: _Held, digest: Digest) -> tuple[dict[int, list[CaseExhibit]], list[CustodyEvent]]:
    """Exhibits in the order in which they came, and who did what with them."""
    groups: dict[int, list[CaseExhibit]] = {}
    flat: list[CaseExhibit] = []
    events: list[CustodyEvent] = []
    latest, after = held.case.created_at, None
    for act in held.acts:
        if act.act not in _ACTIONS:
            continue
        exhibit: int = act.detail.get("exhibit", 0)
        changes = act.act in _ADDS and exhibit in held.shown
        if changes:
            groups[exhibit] = [replace(one, uid=f"E{len(flat) + place}") for place, one in enumerate(exhibits_of(held.shown[exhibit]), 1)]
            flat += groups[exhibit]
        before, latest = after, max(latest, act.at)  # clocks of two people may differ, and custody goes forward
        after = digest(held.key, flat) if changes or after is None else after
        why = _why(act, held)
        events.append(CustodyEvent(at=latest, who=act.by, action=_ACTIONS[act.act], why=why, before=before, after=after))
    return groups, events


def _why(act: ActRow, held: _Held) -> str:
    """Why something was done with the evidence. Reasons of who looked at what stay in the house."""
    exhibit = f"exhibit {act.detail['exhibit']}" if "exhibit" in act.detail else "the case"
    words = held.words.get(act.id)
    return escaped(f"{exhibit}: {words}") if words and act.act != "exhibit_read" else exhibit


def _claim(place: int, claim: ClaimRow, numbers: Sequence[tuple[int, CaseNumber]], exhibits: list[str]) -> Claim:
    kinds = {"group": Identifies.GROUP, "account": Identifies.ACCOUNT}
    return Claim(
        uid=f"C{place}",
        text=escaped(f"{claim.title}. {claim.statement}"),
        about=escaped(claim.entity_id),
        about_kind=kinds.get(claim.kind),
        certainty=_certainty(claim),
        source=escaped(claim.uid),
        numbers=tuple(one.uid for owner, one in numbers if owner == claim.id),
        exhibits=tuple(exhibits),
    )


def _certainty(claim: ClaimRow) -> str:
    numbers = claim.numbers
    if claim.kind == "verdict":
        level = numbers["level"]
        return f"The verdict is {numbers['outcome']} at a level of {level} for the whole plan, whose tests assume our own secret alone."
    said = f"Pooling is answered {numbers['pooling']}, harvest {numbers['harvest']}, severity {claim.severity}."
    if numbers.get("q_value") is None:
        return f"{said} There were too few exchanges for an error rate."
    return f"{said} The false discovery rate at which it stands out is {numbers['q_value']:.2g}."


def _numbers(held: _Held, exhibits: dict[int, list[CaseExhibit]]) -> Iterator[tuple[int, CaseNumber]]:
    """(claim, number): by a rule over the claim's rows where those give it, else stated with how to get it again."""
    uid = 1
    for claim in held.claims:
        for given in numbers_of(claim, exhibits.get(claim.exhibit_id, []), _how(held.sources[claim.source_id]), uid):
            uid += 1
            yield claim.id, given


def _how(source: SourceRow) -> str:
    command = "stillwatch scan" if source.kind == "scan" else "stillwatch prove"
    return escaped(
        f"{command} {source.facts.get('version', '')} of {_iso(source.made_at)} over the inputs listed, with the settings and seed listed; "
        f"{'run.json' if source.kind == 'scan' else 'verdict.json'} has sha256 {source.sha256}"
    )


def _ordinary(held: _Held) -> Iterator[OrdinaryExplanation]:
    weighed = "The case is open, and it is not ruled out."
    if held.case.disposition is not None:
        weighed = f"Weighed when the case was closed as {held.case.disposition.replace('_', ' ')} ({held.case.reason})."
    sentences = [escaped(sentence) for claim in held.claims for sentence in claim.ordinary]
    for sentence in dict.fromkeys(sentences or ["The same could come about in a way that nobody thought of."]):
        yield OrdinaryExplanation(text=sentence, weighed=weighed)


def _silences(held: _Held) -> Iterator[str]:
    for claim in held.claims:
        shown = held.shown.get(claim.exhibit_id)
        if claim.kind != "verdict" and shown is not None:
            for silent in json.loads(shown.data).get("silent", []):
                yield escaped(f"The signal {silent['signal']} could not speak: {silent['reason']}.")


def _members(held: _Held) -> Iterator[CaseMember]:
    seen: set[str] = set()
    for claim in held.claims:
        shown = held.shown.get(claim.exhibit_id)
        for member in shown.members if shown else ():
            account = escaped(member.account_id)
            if account not in seen:
                seen.add(account)
                yield CaseMember(account_id=account, group_id=escaped(claim.entity_id) if claim.kind == "group" else None)


def _identifiers(held: _Held, exhibits: Sequence[CaseExhibit]) -> Iterator[tuple[Identifies, str]]:
    """Identifiers besides members that may stand within texts: findings, and what identifying cells name."""
    found: dict[tuple[Identifies, str], None] = {
        (Identifies.FINDING, escaped(claim.uid)): None for claim in held.claims if claim.kind != "verdict"
    }
    for exhibit in exhibits:
        for place, column in enumerate(exhibit.columns):
            kind = column.identifies
            if kind in (Identifies.EXCHANGE, Identifies.GROUP):
                found |= {(Identifies(kind), str(row[place])): None for row in exhibit.rows if row[place] is not None}
    yield from found


def _named(held: _Held, *names: str) -> Iterator[Named]:
    """Facts of every source under these names; objects become one entry for each of their values."""
    for place, source in enumerate(held.sources.values(), 1):
        for name in names:
            yield from _flat(f"source {place} {name}", source.facts.get(name))


def _flat(name: str, value: Any) -> Iterator[Named]:
    if isinstance(value, dict):
        for inner, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _flat(f"{name} {inner}", item)
    elif value is not None:
        yield Named(name=escaped(name), value=escaped(value if isinstance(value, str) else json.dumps(value)))


def _inputs(held: _Held) -> Iterator[CaseInput]:
    for source in held.sources.values():
        yield CaseInput(name=escaped(source.name), sha256=source.sha256)
        for kind in ("inputs", "results"):
            for name, sha256 in source.facts.get(kind, {}).items():
                yield CaseInput(name=escaped(name), sha256=sha256)


def _dispositions(held: _Held) -> Iterator[Disposition]:
    for act in held.acts:
        if act.act == "closed":
            words = escaped(held.words[act.id])
            yield Disposition(outcome=act.detail["disposition"], reason=act.detail["reason"], words=words, by=act.by, at=act.at)


def _summary(held: _Held) -> str:
    kinds = [claim.kind for claim in held.claims]
    findings, verdicts = len(kinds) - kinds.count("verdict"), kinds.count("verdict")
    told = [
        _counted_as(findings, "finding of a scan", "findings of scans"),
        _counted_as(verdicts, "verdict of a proof", "verdicts of proofs"),
    ]
    state = f"closed as {held.case.disposition.replace('_', ' ')}" if held.case.disposition else "open"
    shown = _counted_as(len(held.shown), "exhibit", "exhibits") or "no exhibit"
    return f"A case about {' and '.join(said for said in told if said) or 'nothing yet'}, with {shown}. It is {state}."


def _counted_as(count: int, one: str, many: str) -> str:
    """`1 exhibit`, `3 exhibits`; empty for none."""
    return f"{count} {one if count == 1 else many}" if count else ""


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
