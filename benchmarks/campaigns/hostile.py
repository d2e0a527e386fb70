"""Campaigns, tactic by tactic, with the knobs of `stillwatch simulate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from campaigns.composing import DAYS, Composer, Floats, IntRows, Parcel, as_a_list, as_one_person, chinese_share, left
from campaigns.errors import UnfillableCellError
from campaigns.identities import DAY, Identity, draw_identity, housed
from campaigns.wording import ELICIT, EXTRACT, GRADE, PROBE, Bank, Instructions, instructions
from stillwatch.simulate.world import Paraphrase, Tactic

CAMPAIGN = "hidden"
LOCKSTEP_SPREAD_SECONDS = 20.0
LENGTH_BLUR = 0.4
WORDINGS = {
    Tactic.FIXED_PROMPT: 1,
    Tactic.REASONING_ELICITATION: 8,
    Tactic.GRADING_AND_CLEANING: 3,
    Tactic.HEAVY_ACCOUNT: 4,
    Tactic.PROBE_THEN_SCALE: 3,
}
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
        first: days after the log's start at which it begins.
        days: how long it lasts in this log.
        planned: days that it would last if it were not found, of which the log holds the first; None: as long as in this log.
    """

    tactic: Tactic
    accounts: int
    requests_per_day: float
    dilution: float = 0.0
    infrastructure: float = 0.0
    paraphrase: Paraphrase = Paraphrase.NONE
    jitter: float = 1.0
    first: float = 1.0
    days: float = 4.0
    planned: float | None = None

    @property
    def requests(self) -> int:
        """Requests of one account in this log."""
        return max(1, round(self.requests_per_day * (self.last - self.first)))

    @property
    def last(self) -> float:
        """Day of the log at which the campaign, or the log, ends."""
        return min(float(DAYS), self.first + self.days)

    @property
    def harvest(self) -> float:
        """Exchanges that the whole campaign would harvest."""
        return self.accounts * self.requests_per_day * (1 - self.dilution) * (self.planned or self.last - self.first)


def compose_hostile(composer: Composer, scheme: Scheme, seed: int) -> None:
    """The campaign's accounts; raises UnfillableCellError, before any is made, where the rows do not suffice."""
    own = round(scheme.requests * (1 - scheme.dilution))
    covered = scheme.requests - own
    chinese = _languages(composer, scheme, own, covered)
    passed_on = scheme.tactic in PASSED_ON
    payload = _passed_on(composer, scheme, own, chinese) if passed_on else _payload(composer, own, chinese)
    covers = _covers(composer, covered, chinese)
    dress = _dressing(composer, scheme)
    slots = np.sort(composer.draw.uniform(0, DAY, max(4, round(scheme.requests_per_day * 2))))
    bank = BANKS.get(scheme.tactic, {}).get(composer.corpora.split.name)
    say = instructions(bank, WORDINGS[scheme.tactic], scheme.paraphrase, seed) if bank else None
    for place, (rows, cover) in enumerate(zip(payload, covers, strict=True)):
        if len(rows) + len(cover):  # a Poisson count may be nought
            _account(composer, scheme, rows, cover, dress=dress[place], slots=slots, say=say)
    if scheme.tactic is Tactic.RELAY:
        _name_sessions(composer)


def _languages(composer: Composer, scheme: Scheme, own: int, covered: int) -> NDArray[np.bool_]:
    """Which accounts write Chinese: as many as among honest ones, as far as the rows go; an account keeps to one language."""
    chinese, others = (left(composer.stock.reserve, chinese=flag) for flag in (True, False))
    wanted = round(chinese_share(composer.corpora, composer.parcels) * scheme.accounts)
    if own:
        wanted = max(wanted, scheme.accounts - others // own)
    # sizes of covers scatter: three standard deviations of the sum are held back
    room = chinese - 3 * chinese**0.5 if covered else chinese
    wanted = min(wanted, int(max(0.0, room) // (own + covered)))
    return composer.draw.permutation(np.arange(scheme.accounts) < wanted)


def _payload(composer: Composer, own: int, chinese: NDArray[np.bool_]) -> list[IntRows]:
    """The rows that each account harvests with: one list over all subjects, dealt out in batches of loosely like length.

    As honest accounts do, one account then sends shorter prompts than another: a list dealt out blindly gives all the same mean. Every
    batch has as much of each corpus, since length is ranked within a corpus.
    """
    parts: list[IntRows] = [np.zeros(0, np.int64)] * len(chinese)
    for flag in (False, True):
        places = composer.draw.permutation(np.flatnonzero(chinese == flag))
        rows = as_a_list(composer.stock.reserve, own * len(places), composer.draw, chinese=flag)
        ranked = rows[np.argsort(_length_ranks(composer, rows), kind="stable")]
        for place, batch in zip(places.tolist(), _cut(composer, ranked, len(places)), strict=True):
            parts[place] = composer.draw.permutation(batch)
    return parts


def _cut(composer: Composer, rows: IntRows, parts: int) -> list[IntRows]:
    """Consecutive parts whose sizes scatter as Poisson counts with this total do."""
    return np.split(rows, np.cumsum(_sizes(composer, len(rows), parts))[:-1]) if parts else []


def _sizes(composer: Composer, total: int, parts: int) -> IntRows:
    return composer.draw.multinomial(total, np.full(parts, 1 / parts)) if parts else np.zeros(0, np.int64)


def _length_ranks(composer: Composer, rows: IntRows) -> Floats:
    """[n] 0 to 1: place of each row within its corpus by blurred length."""
    ranks = np.zeros(len(rows))
    corpus = composer.corpora.corpus[rows]
    for name in np.unique(corpus):
        inside = np.flatnonzero(corpus == name)
        lengths = np.log([len(text) + 1.0 for text in composer.corpora.prompts[rows[inside]]])
        blurred = lengths + composer.draw.normal(0, LENGTH_BLUR * max(float(lengths.std()), 1e-9), len(inside))
        ranks[inside] = (np.argsort(np.argsort(blurred, kind="stable"), kind="stable") + 0.5) / len(inside)
    return ranks


def _passed_on(composer: Composer, scheme: Scheme, own: int, chinese: NDArray[np.bool_]) -> list[IntRows]:
    """Conversations of many end users: turn by turn through whichever account is next (relay), or dealt out (replay)."""
    parts: list[IntRows] = [np.zeros(0, np.int64)] * len(chinese)
    for flag in (False, True):
        places = np.flatnonzero(chinese == flag).tolist()
        rows = as_a_list(composer.stock.reserve, own * len(places), composer.draw, chinese=flag)
        rows = rows if scheme.tactic is Tactic.RELAY else composer.draw.permutation(rows)
        for turn, place in enumerate(places):
            parts[place] = rows[turn :: len(places)]
    return parts


def _covers(composer: Composer, rows: int, chinese: NDArray[np.bool_]) -> list[IntRows]:
    """Honest traffic for each account, in its language: one person's, or products' that no other account has."""
    covers: list[IntRows] = [np.zeros(0, np.int64)] * len(chinese)
    if rows == 0:
        return covers
    sizes = _sizes(composer, rows * len(chinese), len(chinese))
    reserve, templates = composer.stock.reserve, list(composer.stock.cover)
    for place in composer.draw.permutation(np.arange(len(chinese))).tolist():
        size, flag = int(sizes[place]), bool(chinese[place])
        if size <= left(reserve, chinese=flag):
            covers[place] = as_one_person(reserve, size, composer.draw, chinese=flag) if size else covers[place]
        elif flag:
            raise UnfillableCellError(f"an account needs {size} rows of cover in Chinese, and all of them are dealt out")
        else:
            covers[place] = _products(templates, size)
    return covers


def _products(templates: list[IntRows], size: int) -> IntRows:
    """Rows of as many whole products as it takes; what is left of the last stays out, so that no other account has it."""
    taken: list[IntRows] = [np.zeros(0, np.int64)]
    while sum(len(part) for part in taken) < size:
        if not templates:
            raise UnfillableCellError(f"an account needs {size} rows of cover, and all that people and products sent is dealt out")
        taken.append(templates.pop())
    return np.concatenate(taken)[:size]


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
        early = payload & (seconds < (scheme.first + 1) * DAY)
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
    own = composer.times(count, first=scheme.first, last=scheme.last, even=True)
    held = composer.draw.random(count) >= scheme.jitter
    if not held.any():
        return own
    day = np.floor(own / DAY)
    turn = np.concatenate([np.arange(size) for size in np.unique(day, return_counts=True)[1].tolist()])
    common = day * DAY + slots[turn % len(slots)] + composer.draw.normal(0, LOCKSTEP_SPREAD_SECONDS, count)
    return np.sort(np.clip(np.where(held, common, own), scheme.first * DAY, scheme.last * DAY - 1))


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
