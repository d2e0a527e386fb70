"""One exchange as it passes the provider, and the turns of a conversation before they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from stillwatch.simulate.chance import Chance
from stillwatch.simulate.infrastructure import Account
from stillwatch.simulate.language import Library, Shape, Subject, explained, follow_up, natural_shape, request

NEW_MODEL = "m-next"
_FAILURES = (
    (429, "rate_limit_exceeded"),
    (429, "rate_limit_exceeded"),
    (500, "server_error"),
    (503, "overloaded"),
    (400, "invalid_request"),
)
_FAILURE_SHARE = 0.012
_FILTERED_SHARE = 0.006
_REFUSALS = ("I cannot help with that.", "That is something I have to leave out.", "I am not able to share this.")
_SCATTER = 0.35


class Turn(NamedTuple):
    """What is asked and answered, before anyone sends it.

    Attributes:
        history: the messages before the prompt, user and assistant in turn.
        history_bytes: their length.
        session: of the conversation; None: the request is a session of its own.
    """

    prompt: str
    response: str
    system: str | None = None
    history: tuple[str, ...] = ()
    history_bytes: int = 0
    session: str | None = None
    end_user: str | None = None
    tools: int | None = None


class Exchange(NamedTuple):
    """A request and its outcome on the wire; `response` None: it failed. A tuple, because there are hundreds of thousands."""

    account: Account
    started_us: int
    ended_us: int
    address: str
    agent: str
    tls: str
    key: str
    session: str | None
    trace: str | None
    end_user: str | None
    model: str
    tools: int | None
    system: str | None
    history: tuple[str, ...]
    prompt: str
    response: str | None
    input_tokens: int
    cached_tokens: int
    output_tokens: int | None
    reasoning_tokens: int | None
    status: int
    finish: str | None
    error: str | None

    @property
    def turns(self) -> int:
        """Messages before the response."""
        return len(self.history) + 1 + (self.system is not None)


class Actor(Protocol):
    """A customer, an organisation or a campaign: some accounts and what they send on a day."""

    @property
    def accounts(self) -> Sequence[Account]:
        """Every account that may ever send for it."""
        ...

    def day(self, day_us: int, chance: Chance) -> list[Exchange]:
        """What it sends in sessions that begin on the day at `day_us`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every actor of a world knows.

    Attributes:
        seed: of the world.
        start_us, stop_us: of the log.
        release_us: when the new model appears.
        library: the tongues.
    """

    seed: int
    start_us: int
    stop_us: int
    release_us: int
    library: Library

    def subject(self, account: Account, chance: Chance) -> Subject:
        """A subject in the account's language and among its interests."""
        return self.library.subject(chance, account.language, chance.weighted(account.interests))

    def emit(
        self, account: Account, started_us: int, turn: Turn, chance: Chance, *, model: str | None = None, blocked: float = 0.0
    ) -> Exchange:
        """The turn as sent by the account; `blocked` is the chance that a filter stops it, beside ordinary failures."""
        failure, finish, answer = _outcome(turn, chance, blocked)
        agent = chance.below(len(account.agents))
        served = model or self._model(account, started_us)
        written = None if answer is None else len(answer.encode()) // 4 + 1
        hidden = int(chance.lognormal(400, 0.7)) if served == "m-reason" and written else None
        asked = (turn.history_bytes + len((turn.system or "").encode()) + len(turn.prompt.encode())) // 4 + 1
        seconds = 0.4 + ((written or 0) + (hidden or 0)) / (40 + 50 * chance.uniform())
        return Exchange(
            account=account,
            started_us=started_us,
            ended_us=started_us + int(seconds * 1_000_000),
            address=chance.pick(account.addresses),
            agent=account.agents[agent],
            tls=account.tls[agent],
            key=account.key_change[1] if account.key_change and started_us >= account.key_change[0] else chance.pick(account.keys),
            session=(turn.session or chance.hexadecimal(32)) if account.logs_sessions else None,
            trace=chance.hexadecimal(32) if account.logs_traces else None,
            end_user=turn.end_user or (f"u{chance.below(400)}" if account.marks_users else None),
            model=served,
            tools=turn.tools if turn.tools is not None else account.sampling.tools_count,
            system=turn.system,
            history=turn.history,
            prompt=turn.prompt,
            response=answer,
            input_tokens=asked,
            cached_tokens=turn.history_bytes // 4 if turn.history_bytes > 4096 else 0,
            output_tokens=None if written is None else written + (hidden or 0),
            reasoning_tokens=hidden,
            status=failure[0] if failure else 200,
            finish=finish,
            error=failure[1] if failure else None,
        )

    def _model(self, account: Account, started_us: int) -> str:
        if account.adopts_after_us is not None and started_us >= self.release_us + account.adopts_after_us:
            return NEW_MODEL
        return account.model


def _outcome(turn: Turn, chance: Chance, blocked: float) -> tuple[tuple[int, str] | None, str | None, str | None]:
    """Failure (status and code), finish reason and answer of a request."""
    draw = chance.uniform()
    if blocked and chance.happens(blocked):
        if draw < 0.5:
            return (400 if draw < 0.3 else 403, "content_policy"), None, None
        return None, "content_filter", chance.pick(_REFUSALS)
    if draw < _FAILURE_SHARE:
        return chance.pick(_FAILURES), None, None
    if draw < _FAILURE_SHARE + _FILTERED_SHARE:
        return None, "content_filter", chance.pick(_REFUSALS)
    return None, "length" if draw > 0.985 else "stop", turn.response


def prompt_size(account: Account, chance: Chance) -> float:
    """How long one of the account's prompts is to be, bytes."""
    return chance.lognormal(account.prompt_bytes, _SCATTER)


def answer_size(account: Account, chance: Chance) -> float:
    """How long one of its answers is to be, bytes."""
    return chance.lognormal(account.answer_bytes, _SCATTER)


def single_turn(
    scene: Scene,
    account: Account,
    chance: Chance,
    *,
    subject: Subject | None = None,
    before: str = "",
    after: str = "",
    shape: Shape | None = None,
) -> Turn:
    """One question without history, between fixed texts if any."""
    about = subject or scene.subject(account, chance)
    prompt = request(about, chance, prompt_size(account, chance), before=before, after=after)
    answer = (shape or natural_shape(about, chance))(about, chance, answer_size(account, chance))
    return Turn(prompt=prompt, response=answer)


def chat_turns(
    scene: Scene, speaker: Account, chance: Chance, turns: int, *, subject: Subject | None = None, session: str | None = None
) -> list[Turn]:
    """A conversation of `turns` turns that keeps to one subject; later turns are shorter and repeat its words."""
    about = subject or scene.subject(speaker, chance)
    name = session or chance.hexadecimal(32)
    history: tuple[str, ...] = ()
    size = 0
    made: list[Turn] = []
    for position in range(turns):
        if position == 0:
            prompt = request(about, chance, 1.15 * prompt_size(speaker, chance))
        elif chance.happens(0.03):
            prompt = made[-1].prompt
        else:
            prompt = follow_up(about, chance, 0.8 * prompt_size(speaker, chance))
        shape = natural_shape(about, chance) if position == 0 else explained
        answer = shape(about, chance, answer_size(speaker, chance))
        made.append(Turn(prompt=prompt, response=answer, history=history, history_bytes=size, session=name))
        history = (*history, prompt, answer)
        size += len(prompt.encode()) + len(answer.encode())
    return made


def chat_length(chance: Chance, left: int) -> int:
    """How many turns a conversation has: geometric, at most `left`."""
    turns = 1
    while turns < left and chance.happens(0.62):
        turns += 1
    return turns


def pause_us(chance: Chance) -> int:
    """Time between two turns of a conversation."""
    return int(min(chance.lognormal(70, 0.9), 3000) * 1_000_000)
