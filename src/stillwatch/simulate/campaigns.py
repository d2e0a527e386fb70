"""What campaigns send, tactic by tactic, from accounts drawn as any other account is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.crews import Crew
from stillwatch.simulate.infrastructure import Account, draw_account
from stillwatch.simulate.language import Subject, explained, paragraph, question, reasoned, recorded, scored
from stillwatch.simulate.people import FRAMEWORK_SYSTEM, chatting
from stillwatch.simulate.phrasing import CLEAN, ELICIT, EXTRACT, GRADE, PROBE, Wording, clauses_of, wording
from stillwatch.simulate.rhythm import lockstep_times, moment, near
from stillwatch.simulate.traffic import Exchange, Scene, Turn, answer_size, chat_length, chat_turns, pause_us, prompt_size, single_turn
from stillwatch.simulate.words import CODE_TOPICS, REASONED_TOPICS, TOPICS
from stillwatch.simulate.world import DAY_US, CampaignSettings, Paraphrase, Tactic

_HARVESTED = tuple(sorted(REASONED_TOPICS | CODE_TOPICS))
_PROBE_DAYS = 3
_PROBES_REFUSED = 0.8
_END_USERS_PER_ACCOUNT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a tactic needs to make one request.

    Attributes:
        wordings: the instructions that the campaign settled on.
        end_users: whose conversations a relay passes on.
        synonyms: per account and wording, how the account words it under light paraphrase; filled as they send.
    """

    scene: Scene
    settings: CampaignSettings
    wordings: tuple[Wording, ...]
    end_users: tuple[Account, ...]
    synonyms: dict[tuple[str, str], str]


class Campaign:
    """One campaign: its crew, its timetable, and its tactic's requests mixed with ordinary chat."""

    def __init__(self, scene: Scene, settings: CampaignSettings) -> None:
        chance = Chance(scene.seed, f"campaign/{settings.campaign_id}")
        self._settings = settings
        self._scene = scene
        self._crew = Crew(scene, settings, chance)
        banks = _BANKS.get(settings.tactic, ())
        wordings = tuple(wording(clauses_of(bank), chance) for bank, count in banks for _ in range(count))
        users = _END_USERS_PER_ACCOUNT * settings.accounts if settings.tactic is Tactic.RELAY else 0
        self._sending = Sending(
            scene=scene,
            settings=settings,
            wordings=wordings,
            end_users=tuple(draw_account(chance, "end user", scene.start_us) for _ in range(users)),
            synonyms={},
        )

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account of the crew, replacements included."""
        return self._crew.accounts

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """The campaign's requests of one day, none outside its days."""
        settings = self._settings
        day = (day_us - self._scene.start_us) // DAY_US
        if not settings.start_day <= day < settings.end_day:
            return []
        slots = lockstep_times(max(4, round(settings.requests_per_account_per_day * 2)), day_us, chance)
        sent: list[Exchange] = []
        jobs: list[tuple[int, Account]] = []
        for account in self._crew.working(day_us):
            honest, own = self._counts(chance)
            sent.extend(chatting(self._scene, account, day_us, honest, chance))
            jobs.extend((self._instant(account, slots, position, day_us, chance), account) for position in range(own))
        jobs.sort(key=lambda job: (job[0], job[1].account_id))
        make = _relayed if settings.tactic is Tactic.RELAY else _one_by_one
        sent.extend(make(self._sending, jobs, day - settings.start_day, chance))
        return sent

    def _counts(self, chance: Chance) -> tuple[int, int]:
        """An account's ordinary and harvesting requests of one day."""
        rate, dilution = self._settings.requests_per_account_per_day, self._settings.dilution
        return chance.poisson(rate * dilution), chance.poisson(rate * (1 - dilution))

    def _instant(self, account: Account, slots: list[int], position: int, day_us: int, chance: Chance) -> int:
        if chance.happens(self._settings.jitter):
            return moment(account.rhythm, day_us, chance)
        return near(slots[position % len(slots)], chance)


Job = tuple[int, Account]


def _one_by_one(sending: Sending, jobs: list[Job], day: int, chance: Chance) -> list[Exchange]:
    """Independent requests, one per job."""
    make = _TURNS[sending.settings.tactic]
    probing = sending.settings.tactic is Tactic.PROBE_THEN_SCALE and day < _PROBE_DAYS
    blocked = _PROBES_REFUSED if probing else 0.0
    return [sending.scene.emit(account, instant, make(sending, account, day, chance), chance, blocked=blocked) for instant, account in jobs]


def _relayed(sending: Sending, jobs: list[Job], day: int, chance: Chance) -> list[Exchange]:
    """Conversations of end users, each turn through the account whose job comes next; the relay names a session by its first message."""
    del day
    sent: list[Exchange] = []
    position = 0
    while position < len(jobs):
        user = chance.pick(sending.end_users)
        turns = chat_turns(sending.scene, user, chance, chat_length(chance, len(jobs) - position))
        session = sha256(turns[0].prompt.encode()).hexdigest()[:32]
        system = FRAMEWORK_SYSTEM if chance.happens(0.25) else None
        instant = jobs[position][0]
        for turn in turns:
            placed = turn._replace(session=session, system=system, tools=6 if system else None)
            sent.append(sending.scene.emit(jobs[position][1], instant, placed, chance))
            instant = sent[-1].ended_us + pause_us(chance)
            position += 1
    return sent


def _instruction(sending: Sending, account: Account, bank: tuple[str, ...], chance: Chance) -> str:
    """The campaign's instruction as this account words it now."""
    settled = chance.pick(sending.wordings)
    paraphrase = sending.settings.paraphrase
    if paraphrase is Paraphrase.NONE:
        return settled.text
    if paraphrase is Paraphrase.LIGHT:
        known = (account.account_id, settled.text)
        if known not in sending.synonyms:
            own = Chance(sending.scene.seed, f"synonyms/{account.account_id}/{settled.text}")
            sending.synonyms[known] = wording(clauses_of(bank), own, choice=settled.choice).text
        return sending.synonyms[known]
    return wording(clauses_of(bank), chance).text


def _harvested(sending: Sending, account: Account, chance: Chance) -> Subject:
    """A subject that a student model is short of."""
    return sending.scene.library.subject(chance, account.language, chance.pick(_HARVESTED))


def _fixed(sending: Sending, account: Account, day: int, chance: Chance) -> Turn:
    del day
    before = _instruction(sending, account, EXTRACT, chance)
    return single_turn(sending.scene, account, chance, subject=_harvested(sending, account, chance), before=before, shape=reasoned)


def _dealt(sending: Sending, account: Account, day: int, chance: Chance) -> Turn:
    """The next task of one long list over all subjects and languages: no two accounts get the same one."""
    del day
    subject = sending.scene.library.subject(chance, account.language, chance.below(len(TOPICS)))
    return single_turn(sending.scene, account, chance, subject=subject)


def _elicited(sending: Sending, account: Account, day: int, chance: Chance) -> Turn:
    del day
    subject = _harvested(sending, account, chance)
    if account.language == "en":
        after = _instruction(sending, account, ELICIT["en"], chance)
    else:
        after = wording(clauses_of(ELICIT[account.language]), chance, gap=subject.tongue.grammar.gap).text
    return single_turn(sending.scene, account, chance, subject=subject, after=after, shape=reasoned)


def _replayed(sending: Sending, account: Account, day: int, chance: Chance) -> Turn:
    """A stored conversation of somebody's user, sent again whole for its last answer."""
    del day
    speaker = replace(account, interests=tuple((topic + 1) / len(TOPICS) for topic in range(len(TOPICS))))
    return chat_turns(sending.scene, speaker, chance, 3 + chance.below(6))[-1]._replace(session=None)


def _graded(sending: Sending, account: Account, day: int, chance: Chance) -> Turn:
    """Grading and cleaning of answers that came from elsewhere, half and half."""
    del day
    grading = chance.happens(0.5)
    bank, shape = (GRADE, scored) if grading else (CLEAN, recorded)
    half = len(sending.wordings) // 2
    own = replace(sending, wordings=sending.wordings[:half] if grading else sending.wordings[half:])
    subject = sending.scene.library.subject(chance, account.language, chance.below(len(TOPICS)))
    before = _instruction(own, account, bank, chance)
    gap = subject.tongue.grammar.gap or "\n"
    asked = f"{before}{gap}{question(subject, chance)}"
    text = paragraph(subject, chance, prompt_size(account, chance) - len(asked.encode()))
    return Turn(prompt=f"{asked}{gap}{text}", response=shape(subject, chance, answer_size(account, chance)))


def _probing(sending: Sending, account: Account, day: int, chance: Chance) -> Turn:
    """At first every extraction wording that comes to mind, then the first three at scale."""
    subject = _harvested(sending, account, chance)
    if day < _PROBE_DAYS:
        before, shape = wording(clauses_of(PROBE), chance).text, explained
    else:
        before, shape = _instruction(sending, account, PROBE, chance), reasoned
    return single_turn(sending.scene, account, chance, subject=subject, before=before, shape=shape)


_TURNS: dict[Tactic, Callable[[Sending, Account, int, Chance], Turn]] = {
    Tactic.FIXED_PROMPT: _fixed,
    Tactic.DEALT_LIST: _dealt,
    Tactic.REASONING_ELICITATION: _elicited,
    Tactic.STORE_AND_REPLAY: _replayed,
    Tactic.GRADING_AND_CLEANING: _graded,
    Tactic.HEAVY_ACCOUNT: _elicited,
    Tactic.PROBE_THEN_SCALE: _probing,
}
_BANKS: dict[Tactic, tuple[tuple[tuple[str, ...], int], ...]] = {
    Tactic.FIXED_PROMPT: ((EXTRACT, 1),),
    Tactic.REASONING_ELICITATION: ((ELICIT["en"], 8),),
    Tactic.GRADING_AND_CLEANING: ((GRADE, 3), (CLEAN, 3)),
    Tactic.HEAVY_ACCOUNT: ((ELICIT["en"], 4),),
    Tactic.PROBE_THEN_SCALE: ((PROBE, 3),),
}
"""The instructions of each tactic and how many wordings of each a campaign settles on."""
