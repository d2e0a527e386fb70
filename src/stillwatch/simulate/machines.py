"""Honest machines: products, evaluators, nightly checks, pipelines, a reseller, release-day trials, a licensed data team."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.infrastructure import Account, Sampling, address, draw_account, draw_prefix
from stillwatch.simulate.language import (
    Shape,
    Subject,
    coded,
    explained,
    labelled,
    natural_shape,
    paragraph,
    reasoned,
    recorded,
    request,
    scored,
)
from stillwatch.simulate.phrasing import CLEAN, ELICIT, GRADE, PRODUCT, clauses_of, wording
from stillwatch.simulate.rhythm import day_count, machine_rhythm, moment
from stillwatch.simulate.traffic import (
    NEW_MODEL,
    Exchange,
    Scene,
    Turn,
    answer_size,
    chat_length,
    chat_turns,
    pause_us,
    prompt_size,
    single_turn,
)
from stillwatch.simulate.words import CODE_TOPICS, REASONED_TOPICS, TOPICS
from stillwatch.simulate.world import DAY_US, HOUR_US, Kind

_ITEMS = 320
_MODELS = ("m-large", "m-small", "m-reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product with one template and a narrow subject; its traffic follows its users in bursts.

    Attributes:
        before: the template as it stands in front of the user's text; in the system prompt when `in_system`.
        topic: the subject.
        document: the user's text is a document and not a question.
        shape: of the answers.
    """

    scene: Scene
    account: Account
    rate: float
    before: str
    in_system: bool
    topic: int
    document: bool
    shape: Shape

    @property
    def accounts(self) -> Sequence[Account]:
        """The one account."""
        return (self.account,)

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """Requests in bursts of one to six."""
        left = day_count(self.rate, self.account.rhythm, day_us, chance)
        sent: list[Exchange] = []
        while left > 0:
            burst = min(left, 1 + chance.below(6))
            instant = moment(self.account.rhythm, day_us, chance)
            for _ in range(burst):
                sent.append(self.scene.emit(self.account, instant, self._turn(chance), chance))
                instant += int(chance.lognormal(8, 1.0) * 1_000_000)
            left -= burst
        return sent

    def _turn(self, chance: Chance) -> Turn:
        about = self.scene.library.subject(chance, self.account.language, self.topic)
        before = "" if self.in_system else self.before
        size = prompt_size(self.account, chance)
        gap = about.tongue.grammar.gap or "\n"
        if self.document:
            text = paragraph(about, chance, size - len(before))
            asked = f"{before}{gap}{text}" if before else text
        else:
            asked = request(about, chance, size, before=before)
        return Turn(
            prompt=asked,
            response=self.shape(about, chance, answer_size(self.account, chance)),
            system=self.before if self.in_system else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One public benchmark item: everybody sends the same words."""

    prompt: str
    subject: Subject
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Sends whole benchmark test sets, again and again, on different models; `instruction` follows each item."""

    scene: Scene
    account: Account
    benchmarks: tuple[tuple[Item, ...], ...]
    run_chance: float
    instruction: str
    limit: int

    @property
    def accounts(self) -> Sequence[Account]:
        """The one account."""
        return (self.account,)

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """On some days one run over part of a test set, one item every few seconds."""
        if not chance.happens(self.run_chance):
            return []
        items = chance.pick(self.benchmarks)
        instant = moment(self.account.rhythm, day_us, chance)
        model = NEW_MODEL if instant > self.scene.release_us and chance.happens(0.4) else chance.pick(_MODELS)
        sent: list[Exchange] = []
        for item in items[: self.limit]:
            prompt = f"{item.prompt}\n{self.instruction}" if self.instruction else item.prompt
            turn = Turn(prompt=prompt, response=item.shape(item.subject, chance, answer_size(self.account, chance)))
            sent.append(self.scene.emit(self.account, instant, turn, chance, model=model))
            instant += int(chance.lognormal(3, 0.5) * 1_000_000)
        return sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeater:
    """A nightly check, or a trial of the new model: the same few prompts each time."""

    scene: Scene
    account: Account
    prompts: tuple[Item, ...]
    only_release: bool

    @property
    def accounts(self) -> Sequence[Account]:
        """The one account."""
        return (self.account,)

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """One round over the prompts; who waits for the new model sends little before and after its release, and then two rounds on it."""
        release = self.scene.release_us
        instant = moment(self.account.rhythm, day_us, chance)
        if not self.only_release:
            return self._round(self.prompts, instant, None, chance)
        if 0 <= release - day_us < DAY_US:
            return self._round(self.prompts * 2, release + int(chance.uniform() * 20 * HOUR_US), NEW_MODEL, chance)
        return self._round(self.prompts, instant, None, chance) if chance.happens(0.2) else []

    def _round(self, items: Sequence[Item], instant_us: int, model: str | None, chance: Chance) -> list[Exchange]:
        sent: list[Exchange] = []
        for item in items:
            turn = Turn(prompt=item.prompt, response=item.shape(item.subject, chance, answer_size(self.account, chance)))
            sent.append(self.scene.emit(self.account, instant_us, turn, chance, model=model))
            instant_us += int(chance.lognormal(4, 0.6) * 1_000_000)
        return sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reseller:
    """One honest account in front of many people, each with their own address, language and interests."""

    scene: Scene
    account: Account
    customers: tuple[Account, ...]
    rate: float

    @property
    def accounts(self) -> Sequence[Account]:
        """The one account that is billed."""
        return (self.account,)

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """Conversations of its customers, marked with an end user each."""
        left = day_count(self.rate, self.account.rhythm, day_us, chance)
        sent: list[Exchange] = []
        while left > 0:
            customer = chance.pick(self.customers)
            instant = moment(customer.rhythm, day_us, chance)
            turns = chat_turns(self.scene, customer, chance, chat_length(chance, left))
            for turn in turns:
                placed = turn._replace(end_user=customer.account_id[5:15])
                sent.append(self.scene.emit(self.account, instant, placed, chance)._replace(address=customer.addresses[0]))
                instant = sent[-1].ended_us + pause_us(chance)
            left -= len(turns)
        return sent


def products(scene: Scene, count: int, chance: Chance) -> list[Product]:
    """Integrations with a template each; one in ten grades or cleans its own data."""
    return [_product(scene, draw_account(chance, Kind.PRODUCT, scene.start_us), chance) for _ in range(count)]


def _product(scene: Scene, account: Account, chance: Chance) -> Product:
    draw = chance.uniform()
    topic = chance.below(len(TOPICS))
    ring = scene.library.ring("en", topic)
    if draw < 0.1:
        bank, document, shape = (GRADE, True, scored) if draw < 0.05 else (CLEAN, True, recorded)
    else:
        bank, document = PRODUCT, chance.happens(0.4)
        shape = chance.pick((explained, explained, labelled, recorded, natural_shape_of(topic)))
    text = wording(clauses_of(bank), chance).text
    while "%s" in text:
        text = text.replace("%s", chance.pick(ring), 1)
    return Product(
        scene=scene,
        account=replace(account, rhythm=account.rhythm if chance.happens(0.5) else machine_rhythm(chance), marks_users=chance.happens(0.3)),
        rate=min(chance.lognormal(5, 1.2), 400.0),
        before=f"{text} {chance.hexadecimal(4)}:" if chance.happens(0.2) else text,
        in_system=chance.happens(0.4),
        topic=topic,
        document=document,
        shape=shape,
    )


def natural_shape_of(topic: int) -> Shape:
    """Code for a code topic, worked steps for a mathematical one, prose otherwise."""
    if topic in CODE_TOPICS:
        return coded
    return reasoned if topic in REASONED_TOPICS else explained


def pipelines(scene: Scene, count: int, chance: Chance) -> list[Product]:
    """Translation and summarisation over documents, steadily."""
    made: list[Product] = []
    for product in products(scene, count, chance):
        verb = chance.pick(("Translate the text below for our readers.", "Summarise the text below.", "Give the main points of this text."))
        account = replace(product.account, role=Kind.PIPELINE, rhythm=machine_rhythm(chance))
        made.append(replace(product, account=account, before=verb, document=True, shape=explained, rate=min(product.rate * 2, 400.0)))
    return made


def licensed_teams(scene: Scene, count: int, chance: Chance) -> list[Product]:
    """Teams that make synthetic data with the provider's leave, and say so."""
    made: list[Product] = []
    for product in products(scene, count, chance):
        account = replace(product.account, role=Kind.LICENSED, declared_use="synthetic data under licence", verification="contract")
        text = wording(clauses_of(ELICIT["en"]), chance).text
        made.append(replace(product, account=account, before=text, document=False, shape=reasoned, rate=80.0, in_system=False))
    return made


def benchmarks(scene: Scene, chance: Chance) -> tuple[tuple[Item, ...], ...]:
    """Public test sets, the same for everyone in this world."""
    kinds = ((0, 4, 5, 6), (1, 2, 3), tuple(range(24)), (8, 9, 10, 7))
    return tuple(tuple(_item(scene, chance.pick(topics), chance) for _ in range(_ITEMS)) for topics in kinds)


def _item(scene: Scene, topic: int, chance: Chance, language: str = "en") -> Item:
    subject = scene.library.subject(chance, language, topic)
    prompt = request(subject, chance, chance.lognormal(230, 0.4))
    return Item(prompt=prompt, subject=subject, shape=natural_shape(subject, chance))


def evaluators(scene: Scene, count: int, chance: Chance) -> list[Evaluator]:
    """Accounts that evaluate; six in ten ask for the reasoning, and answers are then worked out."""
    sets = benchmarks(scene, chance)
    made: list[Evaluator] = []
    for _ in range(count):
        account = replace(draw_account(chance, Kind.EVALUATOR, scene.start_us), rhythm=machine_rhythm(chance))
        asks = chance.happens(0.6)
        chosen = tuple(chance.pick(sets) for _ in range(1 + chance.below(2)))
        if asks:
            chosen = tuple(tuple(replace(item, shape=reasoned) for item in items) for items in chosen)
        made.append(
            Evaluator(
                scene=scene,
                account=account,
                benchmarks=chosen,
                run_chance=0.1 + 0.25 * chance.uniform(),
                instruction=wording(clauses_of(ELICIT["en"]), chance).text if asks else "",
                limit=40 + chance.below(_ITEMS // 2),
            )
        )
    return made


def repeaters(scene: Scene, count: int, chance: Chance, *, kind: Kind) -> list[Repeater]:
    """Nightly checks (`Kind.CI`), or accounts that wait for a new model (`Kind.RELEASE_DAY`)."""
    release = kind is Kind.RELEASE_DAY
    made: list[Repeater] = []
    for _ in range(count):
        drawn = draw_account(chance, kind, scene.start_us)
        account = replace(drawn, rhythm=machine_rhythm(chance, nightly=not release))
        size = 15 + chance.below(40) if release else 2 + chance.below(6)
        turns = [
            (subject, single_turn(scene, account, chance, subject=subject))
            for subject in (scene.subject(account, chance) for _ in range(size))
        ]
        prompts = tuple(Item(prompt=turn.prompt, subject=subject, shape=natural_shape(subject, chance)) for subject, turn in turns)
        made.append(Repeater(scene=scene, account=account, prompts=prompts, only_release=release))
    return made


def resellers(scene: Scene, count: int, chance: Chance) -> list[Reseller]:
    """Genuine resellers with fifty to two hundred customers each."""
    made: list[Reseller] = []
    for _ in range(count):
        account = replace(draw_account(chance, Kind.RESELLER, scene.start_us), plan="enterprise", quota=1_000_000_000, sampling=Sampling())
        customers = tuple(_customer(scene, chance) for _ in range(50 + chance.below(150)))
        made.append(Reseller(scene=scene, account=account, customers=customers, rate=40 + 160 * chance.uniform()))
    return made


def _customer(scene: Scene, chance: Chance) -> Account:
    account = draw_account(chance, Kind.CHAT, scene.start_us)
    return replace(account, addresses=(address(draw_prefix(chance)[0], chance),))
