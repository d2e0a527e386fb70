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
PAYLOAD_SHARE = 0.65
ORGANIC_PAYLOAD_SHARE = 0.3
COVER_SHARE = 0.4
PRODUCT_TEMPLATES, LATE_TEMPLATES = 30, 8
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
        return np.concatenate(taken) if taken else np.zeros(0, np.int64)


@dataclass(slots=True, kw_only=True)
class Stock:
    """The decks of one log.

    Attributes:
        people: by (corpus, Chinese or not), what people write, a part of each payload corpus included.
        payload: by Chinese or not, what campaigns send.
        products, late, cover: a template's rows each; `late` appears at the end of the log only, `cover` hides campaigns.
        chat_cover: by Chinese or not, conversations that hide campaigns or that a relay passes on.
    """

    people: dict[tuple[str, bool], Deck]
    payload: dict[bool, Deck]
    products: list[IntRows]
    late: list[IntRows]
    cover: list[IntRows]
    chat_cover: dict[bool, Deck]


def conversations(corpora: Corpora, rows: IntRows) -> list[IntRows]:
    """Rows of one conversation together, in the order of its turns."""
    names = np.char.add(np.char.add(corpora.corpus[rows], "/"), corpora.conversation[rows])
    order = np.lexsort((corpora.turn[rows], names))
    ordered, sorted_names = rows[order], names[order]
    return np.split(ordered, np.flatnonzero(sorted_names[1:] != sorted_names[:-1]) + 1) if len(rows) else []


def stock(corpora: Corpora, seed: int) -> Stock:
    """The decks of one log: payload, people and cover share no row."""
    draw = generator(seed, "stock")
    chats, payload = _parted(corpora, draw)
    order = draw.permutation(len(chats)).tolist()
    cut = int(len(chats) * COVER_SHARE)
    cover, people = [chats[place] for place in order[:cut]], [chats[place] for place in order[cut:]]
    decks: dict[tuple[str, bool], list[IntRows]] = {}
    for chunk in people:
        decks.setdefault((str(corpora.corpus[chunk[0]]), bool(corpora.chinese[chunk[0]])), []).append(chunk)
    templates = [corpora.rows([name]) for name in draw.permutation(corpora.templates()).tolist()]
    first, second = PRODUCT_TEMPLATES, PRODUCT_TEMPLATES + LATE_TEMPLATES
    return Stock(
        people={key: Deck(f"people/{key[0]}", chunks, draw) for key, chunks in sorted(decks.items())},
        payload={flag: Deck("payload", [payload[corpora.chinese[payload] == flag]], draw) for flag in (False, True)},
        products=templates[:first],
        late=templates[first:second],
        cover=templates[second:],
        chat_cover={
            flag: Deck("chat cover", [chunk for chunk in cover if bool(corpora.chinese[chunk[0]]) == flag], draw) for flag in (False, True)
        },
    )


def _parted(corpora: Corpora, draw: np.random.Generator) -> tuple[list[IntRows], IntRows]:
    """Chunks for honest people, and shuffled rows for campaigns; both have a part of every corpus that either has.

    Otherwise the corpus alone would give a campaign away: lists that are distilled do mix made tasks with what people asked.
    """
    chats: list[IntRows] = []
    payload: list[IntRows] = []
    for name in corpora.split.payload:
        rows = draw.permutation(corpora.rows([name]))
        cut = int(len(rows) * PAYLOAD_SHARE)
        payload.append(rows[:cut])
        chats.extend(rows[cut:, None])
    for chunk in conversations(corpora, corpora.rows(corpora.split.organic)):
        if draw.random() < ORGANIC_PAYLOAD_SHARE:
            payload.append(chunk)
        else:
            chats.append(chunk)
    return chats, draw.permutation(np.concatenate(payload)) if payload else np.zeros(0, np.int64)


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
        """At least `count` rows as one person writes: mostly of one corpus, in one language; fewer when all is dealt."""
        open_decks = {key: deck for key, deck in self.stock.people.items() if deck.left}
        if not open_decks:
            raise UnfillableCellError("all that people wrote is dealt out")
        keys = list(open_decks)
        sizes = np.array([open_decks[key].left for key in keys], dtype=float)
        main = keys[int(self.draw.choice(len(keys), p=sizes / sizes.sum()))]
        parts = [open_decks[main].take(min(open_decks[main].left, max(1, round(count * MAIN_CORPUS))))]
        others = [key for key in keys if key != main and key[1] == main[1]]
        missing = count - len(parts[0])
        if others and missing > 0:
            deck = open_decks[others[int(self.draw.integers(len(others)))]]
            parts.append(deck.take(min(deck.left, missing)))
        return np.concatenate(parts)

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
