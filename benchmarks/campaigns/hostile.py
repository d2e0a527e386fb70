"""Campaigns, tactic by tactic, with the knobs of `stillwatch simulate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from campaigns.composing import DAYS, Composer, Floats, IntRows, Parcel, chinese_share
from campaigns.errors import UnfillableCellError
from campaigns.identities import DAY, Identity, draw_identity, housed
from campaigns.wording import ELICIT, EXTRACT, GRADE, PROBE, Bank, Instructions, instructions
from stillwatch.simulate.world import Paraphrase, Tactic

CAMPAIGN = "hidden"
FIRST_DAY = 1
LOCKSTEP_SPREAD_SECONDS = 20.0
WORDINGS = {Tactic.FIXED_PROMPT: 1, Tactic.REASONING_ELICITATION: 8, Tactic.GRADING_AND_CLEANING: 3, Tactic.HEAVY_ACCOUNT: 4, Tactic.PROBE_THEN_SCALE: 3}
BANKS: dict[Tactic, dict[str, Bank]] = {
    Tactic.FIXED_PROMPT: EXTRACT,
    Tactic.REASONING_ELICITATION: ELICIT,
    Tactic.GRADING_AND_CLEANING: GRADE,
    Tactic.HEAVY_ACCOUNT: ELICIT,
    Tactic.PROBE_THEN_SCALE: PROBE,
}
PASSED_ON = frozenset({Tactic.RELAY, Tactic.STORE_AND_REPLAY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One campaign and how it hides.

    Attributes:
        requests_per_day: of each account, honest ones included.
        dilution: share of the requests that are honest traffic, 0 to 1.
        infrastructure: share of the accounts with one block, payment, sign-up burst and TLS print, 0 to 1.
        jitter: 0 sends in lockstep, 1 gives each account the hours of a real user.
        days: how long it lasts, from the second day of the log on.
    """

    tactic: Tactic
    accounts: int
    requests_per_day: float
    dilution: float = 0.0
    infrastructure: float = 0.0
    paraphrase: Paraphrase = Paraphrase.NONE
    jitter: float = 1.0
    days: int = 4

    @property
    def requests(self) -> int:
        """Requests of one account over the campaign."""
        return max(1, round(self.requests_per_day * min(self.days, DAYS - FIRST_DAY)))


def compose_hostile(composer: Composer, scheme: Scheme, seed: int) -> None:
    """The campaign's accounts; raises UnfillableCellError, before any is made, where the rows do not suffice."""
    own = round(scheme.requests * (1 - scheme.dilution))
    payload = _payload(composer, scheme, own)
    covers = _covers(composer, scheme.accounts, scheme.requests - own)
    dress = _dressing(composer, scheme)
    slots = np.sort(composer.draw.uniform(0, DAY, max(4, round(scheme.requests_per_day * 2))))
    bank = BANKS.get(scheme.tactic, {}).get(composer.corpora.split.name)
    say = instructions(bank, WORDINGS[scheme.tactic], scheme.paraphrase, seed) if bank else None
    for place, (rows, cover) in enumerate(zip(payload, covers, strict=True)):
        _account(composer, scheme, rows, cover, dress=dress[place], slots=slots, say=say)
    if scheme.tactic is Tactic.RELAY:
        _name_sessions(composer)


def _payload(composer: Composer, scheme: Scheme, own: int) -> list[IntRows]:
    """The rows that each account harvests with; each account keeps to one language, as often as honest ones do."""
    if scheme.tactic in PASSED_ON:
        return _passed_on(composer, scheme, own)
    decks = composer.stock.payload
    needed, left = own * scheme.accounts, {flag: decks[flag].left if flag in decks else 0 for flag in (True, False)}
    if needed > sum(left.values()):
        raise UnfillableCellError(f"the campaign needs {needed:,} payload rows, the corpora of this split have {sum(left.values()):,}")
    chinese = round(chinese_share(composer.corpora, composer.parcels) * scheme.accounts)
    if own:
        chinese = min(max(chinese, scheme.accounts - left[False] // own), left[True] // own)
    flags = composer.draw.permutation(np.arange(scheme.accounts) < chinese).tolist()
    return [decks[flag].take(own) for flag in flags]


def _passed_on(composer: Composer, scheme: Scheme, own: int) -> list[IntRows]:
    """Conversations of many end users: turn by turn through whichever account is next (relay), or dealt out (replay)."""
    rows = composer.stock.chat_cover.take(own * scheme.accounts)
    if scheme.tactic is Tactic.RELAY:
        return [rows[place :: scheme.accounts] for place in range(scheme.accounts)]
    return list(composer.draw.permutation(rows).reshape(scheme.accounts, own))


def _covers(composer: Composer, accounts: int, rows: int) -> list[IntRows]:
    """Honest traffic for each account: one person's, or one product's that no other account has."""
    if rows == 0:
        return [np.zeros(0, np.int64)] * accounts
    whole = [template for template in composer.stock.cover if len(template) >= rows]
    people = composer.stock.chat_cover
    able = people.left // rows
    if able + len(whole) < accounts:
        raise UnfillableCellError(f"{accounts} accounts need {rows} rows of cover each; it is there for {able + len(whole)}")
    talkers = min(able, max(accounts - len(whole), accounts // 2))
    covers = [people.take(rows) for _ in range(talkers)] + [template[:rows] for template in whole[: accounts - talkers]]
    return [covers[place] for place in composer.draw.permutation(accounts).tolist()]


def _dressing(composer: Composer, scheme: Scheme) -> list[Callable[[Identity], Identity] | None]:
    together = round(scheme.infrastructure * scheme.accounts)
    house = housed(draw_identity(composer.identities), composer.identities)
    chosen = composer.draw.permutation(np.arange(scheme.accounts) < together).tolist()
    return [house if inside else None for inside in chosen]


def _account(
    composer: Composer,
    scheme: Scheme,
    own: IntRows,
    cover: IntRows,
    *,
    dress: Callable[[Identity], Identity] | None,
    slots: Floats,
    say: Instructions | None,
) -> Parcel:
    """One account: payload and cover interleaved at random, at the times that the jitter says."""
    rows = np.concatenate([own, cover])
    order = composer.draw.permutation(len(rows)) if len(cover) else np.arange(len(rows))
    payload = order < len(own)
    seconds = _times(composer, scheme, len(rows), slots)
    parcel = composer.add("campaign", rows[order], seconds, dress=dress)
    parcel.campaign, parcel.tactic, parcel.payload = CAMPAIGN, scheme.tactic.value, payload
    if scheme.tactic not in PASSED_ON:
        parcel.turns = np.where(payload, 1, parcel.turns)
    if say is not None:
        _instruct(composer, parcel, scheme.tactic, say)
    if scheme.tactic is Tactic.PROBE_THEN_SCALE:
        early = payload & (seconds < (FIRST_DAY + 1) * DAY)
        parcel.failed = early & (composer.draw.random(len(rows)) < 0.8)
    return parcel


def _instruct(composer: Composer, parcel: Parcel, tactic: Tactic, say: Instructions) -> None:
    for place in np.flatnonzero(parcel.payload).tolist():
        said, prompt = say.word(parcel.account_id, place), parcel.prompts[place]
        if tactic in (Tactic.REASONING_ELICITATION, Tactic.HEAVY_ACCOUNT):
            parcel.prompts[place] = f"{prompt}\n{said}"
        elif tactic is Tactic.GRADING_AND_CLEANING:
            parcel.prompts[place] = f"{said}\nQuestion: {prompt}\nReply: {composer.corpora.responses[parcel.rows[place]] or ''}"
        else:
            parcel.prompts[place] = f"{said}\n----\n{prompt}"


def _times(composer: Composer, scheme: Scheme, count: int, slots: Floats) -> Floats:
    last = float(min(DAYS, FIRST_DAY + scheme.days))
    own = composer.times(count, first=float(FIRST_DAY), last=last, even=True)
    held = composer.draw.random(count) >= scheme.jitter
    if not held.any():
        return own
    day = np.floor(own / DAY)
    turn = np.concatenate([np.arange(size) for size in np.unique(day, return_counts=True)[1].tolist()])
    common = day * DAY + slots[turn % len(slots)] + composer.draw.normal(0, LOCKSTEP_SPREAD_SECONDS, count)
    return np.sort(np.clip(np.where(held, common, own), FIRST_DAY * DAY, last * DAY - 1))


def _name_sessions(composer: Composer) -> None:
    """A relay names each session after the first message of the conversation."""
    corpora = composer.corpora
    first = {
        (str(corpora.corpus[row]), str(corpora.conversation[row])): str(corpora.prompts[row])
        for row in np.flatnonzero(corpora.turn == corpora.turn.min()).tolist()
    }
    for parcel in composer.parcels:
        if parcel.campaign:
            keys = [(str(corpora.corpus[row]), str(corpora.conversation[row])) for row in parcel.rows.tolist()]
            openings = [first.get(key, prompt) for key, prompt in zip(keys, parcel.prompts, strict=True)]
            parcel.sessions = [sha256(text.encode()).hexdigest()[:32] for text in openings]
