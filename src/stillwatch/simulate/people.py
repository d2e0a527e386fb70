"""Honest people: chatters, customers of a popular agent framework, colleagues behind one address, a class, a rush of free trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.infrastructure import Account, draw_account, draw_prefix, draw_premises
from stillwatch.simulate.language import Subject, request
from stillwatch.simulate.rhythm import day_count, human_rhythm, moment
from stillwatch.simulate.traffic import Exchange, Scene, chat_length, chat_turns, pause_us, prompt_size
from stillwatch.simulate.world import DAY_US, HOUR_US, Kind

_PEOPLE_RATE, _PEOPLE_SIGMA = 2.1, 1.3
FRAMEWORK_SYSTEM = (
    "You are a capable agent inside a workspace. Plan before you act, call one tool at a time, read its result, "
    "and go on until the task is done. Ask the user when something is missing. Keep answers short and cite the files that you changed."
)


def people_rate(chance: Chance) -> float:
    """Requests per day of a person: heavy-tailed over people."""
    return min(chance.lognormal(_PEOPLE_RATE, _PEOPLE_SIGMA), 300.0)


def chatting(
    scene: Scene, account: Account, day_us: int, count: int, chance: Chance, *, system: str | None = None, tools: int | None = None
) -> list[Exchange]:
    """`count` requests of a day in conversations, each at a time of the account's own."""
    sent: list[Exchange] = []
    while len(sent) < count:
        instant = moment(account.rhythm, day_us, chance)
        for turn in chat_turns(scene, account, chance, chat_length(chance, count - len(sent))):
            placed = turn._replace(system=system, tools=tools) if system else turn
            sent.append(scene.emit(account, instant, placed, chance))
            instant = sent[-1].ended_us + pause_us(chance)
    return sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Chatter:
    """One person with few interests and a heavy-tailed volume; agent frameworks add a system prompt and tools."""

    scene: Scene
    account: Account
    rate: float
    system: str | None = None
    tools: int | None = None

    @property
    def accounts(self) -> Sequence[Account]:
        """The one account."""
        return (self.account,)

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """Conversations at waking hours."""
        count = day_count(self.rate, self.account.rhythm, day_us, chance)
        return chatting(self.scene, self.account, day_us, count, chance, system=self.system, tools=self.tools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classroom:
    """Pupils with one assignment: nearly the same questions within a few days."""

    scene: Scene
    accounts: tuple[Account, ...]
    tasks: tuple[tuple[str, Subject], ...]
    first_day_us: int

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """On the three days of the assignment, short conversations that open with a task in the pupil's own words."""
        if not self.first_day_us <= day_us < self.first_day_us + 3 * DAY_US:
            return []
        sent: list[Exchange] = []
        for account in self.accounts:
            for _ in range(chance.poisson(1.6)):
                sent.extend(self._help(account, day_us, chance))
        return sent

    def _help(self, account: Account, day_us: int, chance: Chance) -> list[Exchange]:
        task, subject = chance.pick(self.tasks)
        prompt = request(subject, chance, prompt_size(account, chance) - len(task.encode()), before=task) if chance.happens(0.5) else task
        turns = chat_turns(self.scene, account, chance, 1 + chance.below(4), subject=subject)
        turns[0] = turns[0]._replace(prompt=prompt)
        sent: list[Exchange] = []
        history: tuple[str, ...] = ()
        instant = moment(account.rhythm, day_us, chance)
        for turn in turns:
            placed = turn._replace(history=history, history_bytes=sum(len(text.encode()) for text in history))
            sent.append(self.scene.emit(account, instant, placed, chance))
            history = (*history, turn.prompt, turn.response)
            instant = sent[-1].ended_us + pause_us(chance)
        return sent


def chatters(scene: Scene, count: int, chance: Chance, kind: Kind = Kind.CHAT) -> list[Chatter]:
    """Independent people."""
    return [Chatter(scene=scene, account=draw_account(chance, kind, scene.start_us), rate=people_rate(chance)) for _ in range(count)]


def framework_tools(chance: Chance) -> int:
    """How many tools a customer of the framework has set up."""
    return 4 + chance.below(9)


def framework_users(scene: Scene, count: int, chance: Chance) -> list[Chatter]:
    """Customers of one framework: one fixed system prompt and tools, each with a subject of its own."""
    return [
        replace(chatter, system=FRAMEWORK_SYSTEM, tools=framework_tools(chance), rate=chatter.rate * 1.3)
        for chatter in chatters(scene, count, chance, Kind.FRAMEWORK)
    ]


def companies(scene: Scene, count: int, chance: Chance) -> list[Chatter]:
    """Employees behind one address with one payment, forty to a company, in office hours and each with interests of their own."""
    made: list[Chatter] = []
    for first in range(0, count, 40):
        premises = draw_premises(chance, scene.start_us - int((20 + 300 * chance.uniform()) * DAY_US), organisation=True)
        shift = chance.below(24)
        outside = f"{premises.prefix}1" if ":" not in premises.prefix else f"{premises.prefix}:1"
        for chatter in chatters(scene, min(40, count - first), chance, Kind.COMPANY):
            own = chatter.account
            account = replace(
                own,
                addresses=(outside,),
                asn=premises.asn,
                payment=premises.payment,
                email_domain=premises.email_domain,
                org_id=premises.org_id,
                created_us=premises.created_us + int(chance.uniform() * 200 * DAY_US) % max(1, scene.start_us - premises.created_us),
                begin_us=premises.created_us,
                rhythm=human_rhythm(chance, office=True, shift_hours=shift),
            )
            made.append(replace(chatter, account=account))
    return made


def classrooms(scene: Scene, count: int, chance: Chance) -> list[Classroom]:
    """Classes of thirty; a class shares an e-mail domain and, in part, the school's address."""
    made: list[Classroom] = []
    for first in range(0, count, 30):
        lead = draw_account(chance, Kind.CLASS, scene.start_us)
        domain, (prefix, asn) = f"{chance.hexadecimal(7)}.example", draw_prefix(chance)
        school = f"{prefix}:7" if ":" in prefix else f"{prefix}7"
        shift = chance.below(24)
        pupils: list[Account] = []
        for _ in range(min(30, count - first)):
            own = draw_account(chance, Kind.CLASS, scene.start_us, before_us=scene.start_us)
            places = (school, *own.addresses) if chance.happens(0.5) else own.addresses
            pupils.append(
                replace(
                    own,
                    email_domain=domain,
                    asn=asn if len(places) > len(own.addresses) else own.asn,
                    addresses=places,
                    language=lead.language,
                    rhythm=human_rhythm(chance, shift_hours=shift),
                )
            )
        subjects = [scene.subject(lead, chance) for _ in range(5)]
        tasks = tuple((request(subject, chance, 260.0), subject) for subject in subjects)
        days = max(1, (scene.stop_us - scene.start_us) // DAY_US - 3)
        made.append(Classroom(scene=scene, accounts=tuple(pupils), tasks=tasks, first_day_us=scene.start_us + chance.below(days) * DAY_US))
    return made


def trial_rush(scene: Scene, count: int, chance: Chance) -> list[Chatter]:
    """People who sign up within hours of an announcement, on the free plan, and try a little."""
    announced = scene.start_us + int(0.35 * (scene.stop_us - scene.start_us))
    made: list[Chatter] = []
    for chatter in chatters(scene, count, chance, Kind.TRIAL):
        created = announced + int(min(chance.lognormal(3, 0.8), 40) * HOUR_US)
        account = replace(chatter.account, created_us=created, begin_us=created, plan="free", payment=None, quota=2_000_000)
        made.append(replace(chatter, account=account, rate=0.4 + 2 * chance.uniform()))
    return made


def migrating(scene: Scene, count: int, chance: Chance) -> list[Chatter]:
    """Customers who change over: one account from key A to key B, or one organisation from an old account to a new one."""
    made: list[Chatter] = []
    span = scene.stop_us - scene.start_us
    for position, chatter in enumerate(chatters(scene, count, chance, Kind.MIGRATION)):
        moved = scene.start_us + int(span * (0.3 + 0.4 * chance.uniform()))
        own = replace(chatter.account, keys=chatter.account.keys[:1])
        if position % 2 and made:
            before = made[-1].account
            own = replace(before, account_id=own.account_id, keys=own.keys, created_us=moved - HOUR_US, begin_us=moved, key_change=None)
            made[-1] = replace(made[-1], account=replace(before, stop_us=moved, key_change=None))
            made.append(replace(chatter, account=own, rate=made[-1].rate))
        else:
            other = chance.hexadecimal(32)
            made.append(
                replace(
                    chatter,
                    account=replace(own, org_id=own.org_id or f"org_{chance.hexadecimal(10)}", key_change=(moved, other)),
                    rate=max(chatter.rate, 4.0),
                )
            )
    return made
