"""Honest customers of every kind that could be mistaken for a campaign."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np

from campaigns.composing import DAYS, RELEASE_AT, Composer, IntRows, before
from campaigns.corpora import Split
from campaigns.identities import DAY, HOUR, Identity, behind_one_nat, draw_identity, on_one_network
from campaigns.wording import COT_SUFFIXES, FRAMEWORK, STARTER_KIT, wrapper

KINDS: dict[str, str] = {
    "chat": "people with a key of their own, half of them with an instruction of their own",
    "framework": "several hundred customers of one framework, with its system prompt",
    "caching_client": "customers whose client derives the session id from the text, as a caching proxy does",
    "product": "one template, or a few of one product, over many inputs",
    "pipeline": "translation and summarisation of whole corpora",
    "evaluator": "whole test sets, the popular ones sent by several, half of them asking for a chain of thought",
    "suite": "parts of several test sets by one evaluator, as harnesses send them, half of them asking for a chain of thought",
    "company": "a company behind one address",
    "class": "a class that works on one exercise sheet within two hours",
    "hackathon": "fresh accounts in one hall on one day, with one starter kit",
    "trial": "a free-trial rush after an article",
    "release_day": "customers who try a new model on its first day, many with the same favourite questions",
    "reseller": "a genuine reseller with many end users",
    "licensed": "a team that makes synthetic data under licence",
    "migration": "customers who move to another key: one account stops, the next goes on",
    "late_workload": "products that appear on the last two days only",
}
# three in ten use the model every day; what a person sends is lognormal: median, sigma
_REGULAR, _REGULARS, _CASUAL = 0.3, (65.0, 0.55), (8.0, 0.7)
_MOST_OF_A_PERSON = 250
_SUITES, _SETS_OF_A_SUITE = 30, 3
_ITEMS_OF_A_SET = (100, 200, 500, 1_000)
_LEAST_TO_MOVE = 20
_SESSIONS_OF_TEXT = 0.04
_POPULAR = 1_400


def compose_honest(composer: Composer) -> None:
    """All honest accounts of a log; the same for every campaign that is put beside them."""
    for add in (
        _machines,
        _late,
        _evaluators,
        _suites,
        _migrations,
        _company,
        _class,
        _hackathon,
        _trial,
        _release,
        _reseller,
        _licensed,
        _everyone,
    ):
        add(composer)


def _everyone(composer: Composer) -> None:
    """People with a key of their own, and customers of a framework, until all that people wrote is dealt out."""
    framework = FRAMEWORK[composer.corpora.split.name]
    while any(deck.left for deck in composer.stock.people.values()):
        rows = composer.people(_size(composer))
        seconds = composer.times(len(rows))
        own = before(wrapper(composer.draw)) if composer.draw.random() < 0.5 else None
        kind = composer.draw.random()
        if kind < 0.45:
            composer.add("framework", rows, seconds, word=own, system=framework)
        elif kind < 0.45 + _SESSIONS_OF_TEXT:
            parcel = composer.add("caching_client", rows, seconds, word=own)
            parcel.sessions = [sha256(prompt.encode()).hexdigest()[:32] for prompt in parcel.prompts]
        else:
            composer.add("chat", rows, seconds, word=own, system=wrapper(composer.draw) if composer.draw.random() < 0.2 else None)


def _size(composer: Composer) -> int:
    median, sigma = _REGULARS if composer.draw.random() < _REGULAR else _CASUAL
    return max(2, min(_MOST_OF_A_PERSON, round(median * composer.draw.lognormal(0.0, sigma))))


def _machines(composer: Composer) -> None:
    for rows in composer.stock.products:
        name = str(composer.corpora.corpus[rows[0]])
        kind = "pipeline" if any(word in name for word in ("summar", "gigaword", "xsum", "samsum")) else "product"
        kept = rows[: int(composer.draw.integers(min(60, len(rows)), len(rows) + 1))]
        composer.add(kind, kept, composer.times(len(kept), even=True))
    for name in composer.corpora.split.pipelines:
        rows = composer.corpora.rows([name])
        for part in np.array_split(rows, max(1, len(rows) // 700)) if len(rows) else []:
            composer.add("pipeline", part, composer.times(len(part), even=True), system=wrapper(composer.draw))


def _late(composer: Composer) -> None:
    for rows in composer.stock.late:
        composer.add("late_workload", rows, composer.times(len(rows), first=DAYS - 2.0, even=True))


def _evaluators(composer: Composer) -> None:
    split: Split = composer.corpora.split
    names = [name for name in np.unique(composer.corpora.corpus).tolist() if name.split(":")[0] in split.evaluation]
    boards = composer.draw.permutation([name for name in names if ":" in name])[:6].tolist()
    for name in [name for name in names if ":" not in name] + boards:
        rows = composer.corpora.rows([name])
        copies = 3 if ":" not in name and len(rows) <= _POPULAR else 1
        for copy in range(copies):
            asked = COT_SUFFIXES[int(composer.draw.integers(len(COT_SUFFIXES)))]
            word = (lambda prompt, _, suffix=asked: f"{prompt}\n{suffix}") if copy % 2 else None
            first = float(composer.draw.integers(DAYS - 1))
            sent = composer.draw.permutation(rows)
            parcel = composer.add("evaluator", sent, composer.times(len(rows), first=first, last=first + 1.5), word=word)
            parcel.turns = np.ones(len(rows), np.int64)


def _suites(composer: Composer) -> None:
    """Evaluators who send the first so many items of each of a few test sets, one set after the other."""
    names = np.unique(composer.corpora.corpus[composer.corpora.rows(composer.corpora.split.evaluation)]).tolist()
    sets = [composer.corpora.rows([name]) for name in names if ":" not in name]
    for place in range(_SUITES if sets else 0):
        chosen = composer.draw.permutation(len(sets))[: int(composer.draw.integers(1, _SETS_OF_A_SUITE + 1))].tolist()
        rows = np.concatenate([sets[one][: _ITEMS_OF_A_SET[int(composer.draw.integers(len(_ITEMS_OF_A_SET)))]] for one in chosen])
        asked = COT_SUFFIXES[int(composer.draw.integers(len(COT_SUFFIXES)))]
        word = (lambda prompt, _, suffix=asked: f"{prompt}\n{suffix}") if place % 2 else None
        first = float(composer.draw.integers(DAYS - 2))
        parcel = composer.add("suite", rows, composer.times(len(rows), first=first, last=first + 3.0), word=word)
        parcel.turns = np.ones(len(rows), np.int64)


def _migrations(composer: Composer) -> None:
    """Four customers whose second account goes on where the first stopped, with the same template."""
    moving = [place for place, rows in enumerate(composer.stock.cover) if len(rows) >= _LEAST_TO_MOVE][:4]
    for rows in [composer.stock.cover.pop(place) for place in reversed(moving)]:
        owner = draw_identity(composer.identities)
        day = float(composer.draw.integers(2, DAYS - 1))
        half = len(rows) // 2
        for part, first, last in ((rows[:half], 0.0, day), (rows[half:], day, float(DAYS))):
            composer.add("migration", part, composer.times(len(part), first=first, last=last, even=True), dress=_successor(owner))


def _successor(owner: Identity):
    def dress(own: Identity) -> Identity:
        return replace(owner, created=own.created, host=own.host, org=f"org-{owner.payment[:8]}")

    return dress


def _company(composer: Composer) -> None:
    dress = behind_one_nat(draw_identity(composer.identities))
    for _ in range(40):
        rows = composer.people(int(composer.draw.integers(4, 14)))
        composer.add("company", rows, composer.times(len(rows)), dress=dress)


def _class(composer: Composer) -> None:
    """Thirty pupils, one sheet of twelve items, two hours; each skips some and asks a few things of their own."""
    dress = behind_one_nat(draw_identity(composer.identities))
    evaluation = composer.corpora.rows(composer.corpora.split.evaluation[:1])
    if not len(evaluation):
        return
    sheet = composer.draw.choice(evaluation, min(12, len(evaluation)), replace=False)
    start = 2 * DAY + 9 * HOUR
    for _ in range(30):
        items = composer.draw.permutation(sheet)[: int(composer.draw.integers(4, len(sheet) + 1)) if len(sheet) > 4 else None]
        rows = np.concatenate([items, composer.people(3)])
        parcel = composer.add("class", rows, np.sort(start + composer.draw.uniform(0, 2 * HOUR, len(rows))), dress=dress)
        parcel.turns = np.ones(len(rows), np.int64)


def _hackathon(composer: Composer) -> None:
    hall = on_one_network(draw_identity(composer.identities))
    start = 4 * DAY + 8 * HOUR

    def dress(own: Identity) -> Identity:
        return replace(hall(own), created=60.0 + own.host * 20.0)

    for _ in range(40):
        rows = composer.people(int(composer.draw.integers(5, 14)))
        seconds = np.sort(start + composer.draw.uniform(0, 10 * HOUR, len(rows)))
        composer.add("hackathon", rows, seconds, dress=dress, system=STARTER_KIT)


def _trial(composer: Composer) -> None:
    start = 1 * DAY + 14 * HOUR
    for _ in range(60):
        rows = composer.people(int(composer.draw.integers(2, 8)))
        seconds = start + np.sort(composer.draw.uniform(0, 3 * HOUR, len(rows)))
        composer.add("trial", rows, seconds, dress=lambda own: replace(own, plan="free", created=60.0 + own.host * 10.0))


def _release(composer: Composer) -> None:
    """Forty who use the new model at once; half of them try some of the same thirty questions."""
    evaluation = composer.corpora.rows(composer.corpora.split.evaluation[-1:])
    favourites = composer.draw.permutation(evaluation)[:30]
    for place in range(40):
        own: IntRows = composer.people(5)
        tried = composer.draw.permutation(favourites)[:6] if place % 2 else favourites[:0]
        rows = np.concatenate([own, tried])
        seconds = np.sort(RELEASE_AT + composer.draw.uniform(0, 14 * HOUR, len(rows)))
        composer.add("release_day", rows, seconds, dress=lambda identity: replace(identity, takes_new_model=True))


def _reseller(composer: Composer) -> None:
    parts = [composer.people(int(composer.draw.integers(3, 10))) for _ in range(70)]
    rows = np.concatenate(parts)
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    seconds = np.concatenate([composer.times(len(part)) for part in parts])
    order = np.argsort(seconds, kind="stable")
    parcel = composer.add("reseller", rows[order], seconds[order])
    parcel.end_users = [f"customer-{owner}" for owner in owners[order].tolist()]
    parcel.sessions = [f"s-{owner}-{int(day)}" for owner, day in zip(owners[order].tolist(), seconds[order] // DAY, strict=True)]


def _licensed(composer: Composer) -> None:
    """Three accounts of one organisation, one generation template, a licence in the accounts table."""
    office = behind_one_nat(draw_identity(composer.identities))

    def dress(own: Identity) -> Identity:
        return replace(office(own), plan="enterprise", declared_use="synthetic data under licence", verification="contract")

    word = before(wrapper(composer.draw))
    payload = set(composer.corpora.split.payload)
    decks = [deck for key, deck in composer.stock.people.items() if key[0] in payload and not key[1]]
    for _ in range(3):
        rows = np.concatenate([deck.take(min(deck.left, 240 // max(1, len(decks)))) for deck in decks] or [np.zeros(0, np.int64)])
        if len(rows):
            composer.add("licensed", rows, composer.times(len(rows), even=True), dress=dress, word=word)
