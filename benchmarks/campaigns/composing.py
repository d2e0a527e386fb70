"""Deals rows of the corpora out to accounts, each row once, and gives each account a clock and an identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from campaigns.corpora import Corpora, IntRows
from campaigns.errors import UnfillableCellError
from campaigns.identities import DAY, Identity, draw_identity
from stillwatch.stats.seeds import generator

DAYS = 6
RELEASE_DAY = 3
RELEASE_AT = RELEASE_DAY * DAY + 9 * 3600
RESERVE_SHARE = 0.4
COVER_TEMPLATES, LATE_TEMPLATES = 40, 16
MOST_TEMPLATES_OF_A_PRODUCT = 6
MAIN_CORPUS = 0.8
CLOCK_BLUR_SECONDS = 600.0
Floats = NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Parcel:
    """What one account sends, exchange by exchange, in order of time.

    Attributes:
        rows: [n] positions in the corpora.
        seconds: [n] since the log's start.
        prompts: [n] as sent, instructions included.
        payload: [n] whether the exchange harvests.
        system: the system text of all its exchanges.
        turns: [n] messages before the response.
        sessions, end_users: [n] ids, or None.
        failed: [n] whether the provider refused the request, or None: none was.
    """

    account_id: str
    kind: str
    identity: Identity
    rows: IntRows
    seconds: Floats
    prompts: list[str]
    payload: NDArray[np.bool_]
    system: str | None
    turns: IntRows
    campaign: str | None = None
    tactic: str | None = None
    sessions: list[str] | None = None
    end_users: list[str] | None = None
    failed: NDArray[np.bool_] | None = None


class Deck:
    """Chunks of rows that are dealt out once; a chunk stays whole where it can."""

    def __init__(self, name: str, chunks: Sequence[IntRows], draw: np.random.Generator) -> None:
        self._name = name
        order = draw.permutation(len(chunks)).tolist()
        self._chunks = [chunks[place] for place in order]
        self.left = sum(len(chunk) for chunk in chunks)

    def take(self, count: int) -> IntRows:
        """`count` rows that nobody had; raises UnfillableCellError when there are fewer."""
        chunks = self.take_chunks(count)
        return np.concatenate(chunks) if chunks else np.zeros(0, np.int64)

    def take_chunks(self, count: int) -> list[IntRows]:
        """The same, chunk by chunk."""
        if count > self.left:
            raise UnfillableCellError(f"{self._name} has {self.left} rows left of the {count} that are wanted; nothing is dealt twice")
        taken: list[IntRows] = []
        missing = count
        while missing > 0:
            chunk = self._chunks.pop()
            taken.append(chunk[:missing])
            if len(chunk) > missing:
                self._chunks.append(chunk[missing:])
            missing -= len(taken[-1])
        self.left -= count
        return taken


Decks = dict[tuple[str, bool], Deck]
"""By corpus, and Chinese or not."""


@dataclass(slots=True, kw_only=True)
class Stock:
    """The decks of one log.

    Attributes:
        people: what people write, a part of each payload corpus included.
        reserve: what campaigns send, as their list, as their cover, or to pass it on; as large a part of every corpus.
        products, late: the templates' rows of a product each; `late` appears at the end of the log only.
        cover: a template's rows each; they hide campaigns.
    """

    people: Decks
    reserve: Decks
    products: list[IntRows]
    late: list[IntRows]
    cover: list[IntRows]


def left(decks: Decks, *, chinese: bool) -> int:
    """Rows of one language that nobody has yet."""
    return sum(deck.left for key, deck in decks.items() if key[1] == chinese)


def as_one_person(decks: Decks, count: int, draw: np.random.Generator, *, chinese: bool | None = None) -> IntRows:
    """`count` rows as one person writes: mostly of one corpus, in one language (any, unless given); fewer when all of it is dealt."""
    keys = [key for key, deck in decks.items() if deck.left and chinese in (None, key[1])]
    if not keys:
        raise UnfillableCellError("all that people wrote is dealt out")
    sizes = np.array([decks[key].left for key in keys], dtype=float)
    main = keys[int(draw.choice(len(keys), p=sizes / sizes.sum()))]
    parts = [decks[main].take(min(decks[main].left, max(1, round(count * MAIN_CORPUS))))]
    others = [key for key in keys if key != main and key[1] == main[1]]
    for place in draw.permutation(len(others)).tolist():
        missing = count - sum(len(part) for part in parts)
        parts.append(decks[others[place]].take(min(decks[others[place]].left, missing)))
    missing = count - sum(len(part) for part in parts)
    parts.append(decks[main].take(min(decks[main].left, missing)))
    return np.concatenate(parts)


def as_a_list(decks: Decks, count: int, draw: np.random.Generator, *, chinese: bool) -> IntRows:
    """`count` rows of one language over all corpora, conversation after conversation in random order."""
    keys = [key for key in decks if key[1] == chinese]
    if count > left(decks, chinese=chinese):
        raise UnfillableCellError(
            f"the payload has {left(decks, chinese=chinese)} rows left of the {count} that are wanted; nothing is dealt twice"
        )
    counts = draw.multivariate_hypergeometric([decks[key].left for key in keys], count) if keys else []
    chunks = [chunk for key, wanted in zip(keys, counts, strict=True) for chunk in decks[key].take_chunks(int(wanted))]
    return np.concatenate([chunks[place] for place in draw.permutation(len(chunks)).tolist()]) if chunks else np.zeros(0, np.int64)


def conversations(corpora: Corpora, rows: IntRows) -> list[IntRows]:
    """Rows of one conversation together, in the order of its turns."""
    names = np.char.add(np.char.add(corpora.corpus[rows], "/"), corpora.conversation[rows])
    order = np.lexsort((corpora.turn[rows], names))
    ordered, sorted_names = rows[order], names[order]
    return np.split(ordered, np.flatnonzero(sorted_names[1:] != sorted_names[:-1]) + 1) if len(rows) else []


def stock(corpora: Corpora, seed: int) -> Stock:
    """The decks of one log: people, campaigns, products and cover share no row."""
    draw = generator(seed, "stock")
    sides: list[dict[tuple[str, bool], list[IntRows]]] = [{}, {}]
    # both have a part of every corpus: otherwise the corpus alone would give a campaign away
    for chunk in _chunks(corpora):
        key = (str(corpora.corpus[chunk[0]]), bool(corpora.chinese[chunk[0]]))
        sides[int(draw.random() < RESERVE_SHARE)].setdefault(key, []).append(chunk)
    people, reserve = ({key: Deck(key[0], chunks, draw) for key, chunks in sorted(side.items())} for side in sides)
    templates = [corpora.rows([name]) for name in draw.permutation(corpora.templates()).tolist()]
    cover, late = templates[:COVER_TEMPLATES], templates[COVER_TEMPLATES : COVER_TEMPLATES + LATE_TEMPLATES]
    return Stock(
        people=people,
        reserve=reserve,
        products=_products(templates[COVER_TEMPLATES + LATE_TEMPLATES :], draw),
        late=_products(late, draw),
        cover=cover,
    )


def _chunks(corpora: Corpora) -> list[IntRows]:
    """What is dealt out together: single tasks, and conversations as a whole."""
    tasks = [chunk for name in corpora.split.payload for chunk in corpora.rows([name])[:, None]]
    return [*tasks, *conversations(corpora, corpora.rows(corpora.split.organic))]


def _products(templates: list[IntRows], draw: np.random.Generator) -> list[IntRows]:
    """The templates dealt to products that have one to a few of them each."""
    products: list[IntRows] = []
    while templates:
        size = int(draw.integers(1, MOST_TEMPLATES_OF_A_PRODUCT + 1))
        products.append(np.concatenate(templates[:size]))
        templates = templates[size:]
    return products


@dataclass(slots=True, kw_only=True)
class Composer:
    """Builds the accounts of one log.

    Attributes:
        parcels: the accounts so far.
        draw: of contents and kinds; identities and clocks have streams of their own.
    """

    corpora: Corpora
    stock: Stock
    draw: np.random.Generator
    identities: np.random.Generator
    parcels: list[Parcel] = field(default_factory=list)

    def people(self, count: int) -> IntRows:
        """`count` rows as one person writes; fewer when all is dealt."""
        return as_one_person(self.stock.people, count, self.draw)

    def times(self, count: int, *, first: float = 0.0, last: float = float(DAYS), even: bool = False) -> Floats:
        """Sorted seconds at which one account sends `count` requests between two days, at one real user's hours.

        Not `even`: on that user's days too, so that some days are full and others empty.
        """
        clock = self.corpora.clocks[int(self.draw.integers(len(self.corpora.clocks)))]
        picked = self.draw.choice(clock, count) + self.draw.normal(0, CLOCK_BLUR_SECONDS, count)
        span = max(1, int(np.ceil(last - first)))
        days = self.draw.integers(0, span, count) if even else (np.floor(picked / DAY).astype(int) + int(self.draw.integers(span))) % span
        seconds = (np.floor(first) + days) * DAY + picked % DAY
        inside = np.where((seconds < first * DAY) | (seconds >= last * DAY), self.draw.uniform(first * DAY, last * DAY, count), seconds)
        return np.sort(inside)

    def add(
        self,
        kind: str,
        rows: IntRows,
        seconds: Floats,
        *,
        dress: Callable[[Identity], Identity] | None = None,
        word: Callable[[str, int], str] | None = None,
        system: str | None = None,
    ) -> Parcel:
        """One account that sends these rows; `dress` changes what was drawn for it, `word` what each prompt says."""
        own = draw_identity(self.identities)
        texts = [str(text) for text in self.corpora.prompts[rows]]
        prompts = [word(text, place) for place, text in enumerate(texts)] if word else texts
        parcel = Parcel(
            account_id=f"acct-{self.identities.bytes(6).hex()}",
            kind=kind,
            identity=dress(own) if dress else own,
            rows=rows,
            seconds=seconds,
            prompts=prompts,
            payload=np.zeros(len(rows), bool),
            system=system,
            turns=self.corpora.turn[rows] * 2 + 1,
        )
        self.parcels.append(parcel)
        return parcel


def composer(corpora: Corpora, seed: int) -> Composer:
    """A composer with full decks."""
    return Composer(
        corpora=corpora,
        stock=stock(corpora, seed),
        draw=generator(seed, f"contents/{corpora.split.name}"),
        identities=generator(seed, f"identities/{corpora.split.name}"),
    )


def before(text: str) -> Callable[[str, int], str]:
    """Puts `text` before every prompt."""
    return lambda prompt, _: f"{text}\n{prompt}"


def chinese_share(corpora: Corpora, parcels: Iterable[Parcel]) -> float:
    """Share of the accounts that write mostly Chinese."""
    flags = [bool(corpora.chinese[parcel.rows].mean() > 0.5) for parcel in parcels]
    return sum(flags) / max(1, len(flags))
