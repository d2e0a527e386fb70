"""Large made-up logs for measuring speed: native Parquet of any number of exchanges, a few million rows a minute.

The text has the statistics that cost a scan its time (lengths with a heavy tail, a hundred thousand words, subjects that differ between
accounts, prompts that never repeat) and no meaning. What campaigns look like is the business of `stillwatch simulate`, not of this file.
Every file of a log is drawn from a seed of its own, so that files are made side by side and come out the same in any order.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import EXCHANGES, TEXT_COLUMNS
from stillwatch.stats.seeds import generator

START_US = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
DAYS = 14
HOUR_US = 3_600_000_000
FILE_ROWS = 1_000_000
GROUP_ROWS = 100_000
PROMPT_CHARS, RESPONSE_CHARS = 300, 600
COMMON_WORDS, TOPICS, TOPIC_WORDS = 2_048, 512, 256
TEMPLATE_WORDS = 16
FRAMEWORKS = 24
GROUP_BLOCKS, GROUP_TOPICS = 60, 40
SCHEMA = arrow_schema(EXCHANGES)
MADE = "made.json"
_UNTOLD = ("exchange_id", "session_id", *TEXT_COLUMNS)
"""Columns that hardly repeat: a dictionary of their values would only cost time."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a log looks like.

    Attributes:
        rows: exchanges.
        accounts: independent customers; the volumes are log-normal, a twentieth of the accounts sends about half of the traffic.
        group: further accounts that act as one: the same fixed prompt, one list of subjects dealt out, a few address blocks, about the
            same volume. They send as much as all the others together.
        seed: of everything drawn.
    """

    rows: int
    accounts: int
    group: int = 0
    seed: int = 20260302


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What stays the same over a log: words, and what each account is like ([A] arrays, the group's accounts last)."""

    words: pa.Array
    word_chars: float
    ids: pa.Array
    keys: pa.Array
    rates: npt.NDArray[np.float64]
    phase: Ints
    topics: Ints
    template: Ints
    templates: Ints
    framework: Ints
    system_texts: pa.Array
    blocks: Ints
    spread: Ints
    agent: Ints
    settings: Ints
    sessions: npt.NDArray[np.bool_]


def make(folder: Path, shape: Shape, *, threads: int = 2) -> list[Path]:
    """The log's Parquet files in `folder`; kept where the same shape was made there before, made anew otherwise."""
    described = json.dumps(asdict(shape) | {"file_rows": FILE_ROWS, "group_rows": GROUP_ROWS}, indent=1)
    if (folder / MADE).exists() and (folder / MADE).read_text("utf-8") == described:
        return sorted(folder.glob("*.parquet"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    world = draw_world(shape)
    firsts = range(0, shape.rows, FILE_ROWS)
    with ThreadPoolExecutor(threads) as pool:
        paths = list(pool.map(lambda first: _write_file(folder, world, shape, first), firsts))
    (folder / MADE).write_text(described, "utf-8")
    return paths


def _write_file(folder: Path, world: World, shape: Shape, first: int) -> Path:
    path = folder / f"log-{first // FILE_ROWS:04d}.parquet"
    told = [name for name in SCHEMA.names if name not in _UNTOLD]
    with pq.ParquetWriter(path, SCHEMA, compression="snappy", use_dictionary=told) as writer:
        for start in range(first, min(first + FILE_ROWS, shape.rows), GROUP_ROWS):
            writer.write_table(rows_of(world, shape, start, min(start + GROUP_ROWS, shape.rows)))
    return path


def draw_world(shape: Shape) -> World:
    """Everything that is not drawn anew per exchange."""
    draw = generator(shape.seed, "bench-world")
    total = shape.accounts + shape.group
    grouped = np.arange(total) >= shape.accounts
    rates = draw.lognormal(0, 1.6, total)
    if shape.group:
        rates[grouped] = rates[: shape.accounts].sum() / shape.group
    words = _draw_words(draw)
    systems = [" ".join(words.take(pa.array(draw.integers(0, len(words), 30))).to_pylist()) for _ in range(FRAMEWORKS)]
    phase = draw.integers(0, 24, total)
    own_template = draw.random(total) < 0.2
    templates = draw.integers(0, len(words), (total + 1, TEMPLATE_WORDS))
    return World(
        words=words,
        word_chars=float(np.mean(pc.binary_length(words.take(pa.array(_drawn(draw, np.zeros(200_000, np.int64))))).to_numpy())),
        ids=_named("acct-", np.arange(total) + 1, 6),
        keys=_named("key:", np.arange(total) + (1 << 32), 16),
        rates=rates,
        phase=np.where(grouped, 3, phase),
        topics=draw.integers(0, TOPICS, (total, 4)),
        template=np.where(grouped, 0, np.where(own_template, np.arange(total) + 1, -1)),
        templates=templates,
        framework=np.where(grouped | (draw.random(total) < 0.7), FRAMEWORKS, draw.geometric(0.15, total) % FRAMEWORKS),
        system_texts=pa.array([*systems, None], pa.string()),
        blocks=_draw_blocks(draw, grouped),
        spread=np.where(grouped, 200, draw.geometric(0.4, total)),
        agent=draw.geometric(0.2, total) % 30,
        settings=draw.geometric(0.25, total) % 20,
        sessions=~grouped & (draw.random(total) < 0.5),
    )


def _draw_words(draw: np.random.Generator) -> pa.Array:
    """Distinct words of 2 to 11 letters with the blank that follows; a few end a line, as steps and lists do."""
    letters = np.array(list("etaoinshrdlcumwfgypb"))
    size = COMMON_WORDS + TOPICS * TOPIC_WORDS
    drawn = letters[draw.integers(0, len(letters), (3 * size, 11))]
    lengths = np.clip(draw.poisson(5.2, 3 * size), 2, 11)
    words = list(dict.fromkeys("".join(row[:length]) for row, length in zip(drawn.tolist(), lengths.tolist(), strict=True)))[:size]
    ends = np.where(draw.random(len(words)) < 0.02, ".\n", " ").tolist()
    return pa.array([word + end for word, end in zip(words, ends, strict=True)], pa.string())


def _draw_blocks(draw: np.random.Generator, grouped: npt.NDArray[np.bool_]) -> Ints:
    """The /24 of each account as a number: 4 in 10 sit in one of 300 crowded blocks, the others where nearly nobody else does."""
    size = len(grouped)
    blocks = np.where(draw.random(size) < 0.4, draw.geometric(0.01, size) % 300, draw.integers(1 << 16, 1 << 23, size))
    return np.where(grouped, (1 << 23) + draw.integers(0, GROUP_BLOCKS, size), blocks)


def rows_of(world: World, shape: Shape, start: int, stop: int) -> pa.Table:
    """Exchanges number `start` to `stop` of the log; the log is in order of time."""
    draw = generator(shape.seed, f"bench-rows-{start}")
    size = stop - start
    span = DAYS * 24 * HOUR_US / shape.rows
    micros = START_US + np.sort((start + draw.random(size) * size) * span).astype(np.int64)
    account = _accounts(draw, world, micros)
    topic = world.topics[account, draw.integers(0, world.topics.shape[1], size)]
    topic = np.where(account < shape.accounts, topic, draw.integers(0, GROUP_TOPICS, size))
    prompt = _texts(draw, world, topic, PROMPT_CHARS, template=world.template[account])
    response = _texts(draw, world, topic, RESPONSE_CHARS, template=None)
    columns = {
        "exchange_id": _named("req-", np.arange(start, stop) ^ 0x5DEECE66D, 12),
        "source": _repeated("native", size),
        "started_at": pa.array(micros, pa.timestamp("us", tz="UTC")),
        "ended_at": pa.array(micros + draw.integers(200_000, 20_000_000, size), pa.timestamp("us", tz="UTC")),
        "account_id": world.ids.take(pa.array(account)),
        "key_id": world.keys.take(pa.array(account)),
        "session_id": _sessions(world, account, micros),
        "prompt_text": prompt,
        "response_text": response,
        "system_text": world.system_texts.take(pa.array(world.framework[account])),
        "input_tokens": pa.array(pc.binary_length(prompt).to_numpy() // 4 + 1, pa.int64()),
        "output_tokens": pa.array(pc.binary_length(response).to_numpy() // 4 + 1, pa.int64()),
        "turns": pa.array(np.minimum(draw.geometric(0.5, size) * 2 - 1, 41).astype(np.int32)),
        "text_state": _repeated("full", size),
        **_client(draw, world, account),
        **_settings(draw, world, account),
    }
    return pa.Table.from_arrays([columns.get(f.name, pa.nulls(size, f.type)).cast(f.type) for f in SCHEMA], schema=SCHEMA)


def _accounts(draw: np.random.Generator, world: World, micros: Ints) -> Ints:
    """Who sends at each of these sorted instants: by rate, three times as often by day as by night, each account's day its own."""
    hours = micros // HOUR_US
    found = np.empty(len(micros), np.int64)
    for hour in np.unique(hours).tolist():
        awake = np.where((hour + world.phase) % 24 < 14, 3.0, 1.0)
        bounds = np.cumsum(world.rates * awake)
        low, high = np.searchsorted(hours, [hour, hour + 1])
        found[low:high] = np.searchsorted(bounds, draw.random(high - low) * bounds[-1], side="right")
    return np.minimum(found, len(world.rates) - 1)


def _drawn(draw: np.random.Generator, topic: Ints) -> Ints:
    """A word per entry: half of them common ones, half of the entry's topic; low numbers more often than high ones."""
    bits = draw.integers(0, 1 << 32, len(topic), dtype=np.uint32)
    place = (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    place *= place
    scale = np.where(bits & np.uint32(1), np.float32(COMMON_WORDS), np.float32(TOPIC_WORDS))
    base = np.where(bits & np.uint32(1), 0, COMMON_WORDS + topic * TOPIC_WORDS)
    return base + (place * scale).astype(np.int64)


def _texts(draw: np.random.Generator, world: World, topic: Ints, chars: int, *, template: Ints | None) -> pa.Array:
    """A text per row: words put end to end, cut at the rows' bounds; the first words of a row with a template are the template's."""
    least = np.full(len(topic), 2) if template is None else np.where(template >= 0, TEMPLATE_WORDS + 2, 2)
    # the mean of a log-normal with deviation 0.8 is e^0.32 times its median
    middle = np.log(chars / world.word_chars - least) - 0.32
    counts = np.minimum(least + draw.lognormal(middle, 0.8).astype(np.int64), 3_000)
    ends = np.concatenate([[0], np.cumsum(counts)])
    words = _drawn(draw, np.repeat(topic, counts))
    if template is not None:
        rows = np.flatnonzero(template >= 0)
        words[(ends[rows, None] + np.arange(TEMPLATE_WORDS)).ravel()] = world.templates[template[rows]].ravel()
    flat = world.words.take(pa.array(words))
    offsets = np.frombuffer(flat.buffers()[1], np.int32)[ends]
    return pa.Array.from_buffers(pa.string(), len(topic), [None, pa.py_buffer(offsets.tobytes()), flat.buffers()[2]])


def _client(draw: np.random.Generator, world: World, account: Ints) -> dict[str, pa.Array]:
    """Addresses, agents and prints; an account has as many addresses as its spread, most of them in its own block."""
    size = len(account)
    host = (account * 7 + (draw.random(size) ** 2 * world.spread[account]).astype(np.int64)) % 254 + 1
    block = world.blocks[account]
    parts = [pa.array(part).cast(pa.string()) for part in (block >> 16 & 127 | 64, block >> 8 & 255, block & 255, host)]
    agents = pa.array([f"client-{number % 6}/{number // 6}.{number}.0" for number in range(30)])
    prints = pa.array([f"t13d{number:04d}h2_{number * 7919:012x}" for number in range(12)])
    return {
        "client_ip": pc.binary_join_element_wise(*parts, "."),
        "user_agent": agents.take(pa.array(world.agent[account])),
        "tls_fingerprint": prints.take(pa.array(world.agent[account] % 12)),
        "asn": pa.array(64_512 + block % 997),
    }


def _settings(draw: np.random.Generator, world: World, account: Ints) -> dict[str, pa.Array]:
    """Request parameters (an account keeps its own), models and outcomes."""
    size, setting = len(account), world.settings[account]
    warm, long = pa.array([None, 0.0, 0.2, 0.7, 1.0], pa.float64()), pa.array([None, 512, 1024, 4096], pa.int64())
    models = pa.array(["m-large", "m-small", "m-fast"])
    failed = draw.random(size) < 0.01
    return {
        "temperature": warm.take(pa.array(setting % 5)),
        "max_tokens": long.take(pa.array(setting % 4)),
        "top_p": pa.array([None, 0.9], pa.float64()).take(pa.array((setting == 7).astype(np.int64))),
        "stream": pa.array(draw.random(size) < 0.5),
        "model_served": models.take(pa.array(draw.geometric(0.6, size) % 3)),
        "model_requested": models.take(pa.array(draw.geometric(0.6, size) % 3)),
        "endpoint": _repeated("/v1/chat/completions", size),
        "status": pa.array(np.where(failed, 429, 200).astype(np.int32)),
        "finish_reason": pa.array(["stop", "length"]).take(pa.array((draw.random(size) < 0.05).astype(np.int64))),
    }


def _sessions(world: World, account: Ints, micros: Ints) -> pa.Array:
    """One session per account and half hour, for the accounts that use them."""
    slot = account * (DAYS * 48 + 1) + (micros - START_US) // (HOUR_US // 2)
    named = _named("", slot, 16)
    return pc.if_else(pa.array(world.sessions[account]), named, pa.scalar(None, pa.string()))


def _repeated(value: str, size: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), size)


def _named(prefix: str, numbers: npt.NDArray[Any], width_bytes: int) -> pa.Array:
    """A name per number: the prefix and `width_bytes` bytes in hex, by two rounds of a mixing function that never collides."""
    first = _mixed(numbers.astype(np.uint64))
    both = np.column_stack([first, _mixed(first + np.uint64(1))])
    digits = np.frombuffer(both.tobytes(), np.uint8).reshape(len(numbers), 16)[:, :width_bytes]
    signs = np.frombuffer(b"0123456789abcdef", np.uint8)
    head = np.broadcast_to(np.frombuffer(prefix.encode(), np.uint8), (len(numbers), len(prefix)))
    text = np.column_stack([head, np.stack([signs[digits >> 4], signs[digits & 15]], axis=2).reshape(len(numbers), -1)])
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * text.shape[1]
    return pa.Array.from_buffers(pa.string(), len(numbers), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())])


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The splitmix64 finaliser."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
