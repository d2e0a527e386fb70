"""Picks a few exchanges per finding and shows them, masked and cut. The only place where text is read a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.app.sketching import BATCH_ROWS, part_path
from stillwatch.ingest import Shard
from stillwatch.ingest.secrets import mask
from stillwatch.records.findings import Exhibit

PER_FINDING = 4
SEARCHED_SHARDS = 4
"""Shards whose text is read again: enough to show examples, few enough to cost little."""

EXCERPT_CHARS = 600
_MASKED_CHARS = 8 * EXCERPT_CHARS
_READ = ["exchange_id", "account_id", "wording", "system_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to show of one finding: exchanges of these accounts, first of all those that carry these fingerprints."""

    entity: int
    accounts: frozenset[str]
    traces: frozenset[int]


def exhibits(shards: Sequence[Shard], folder: Path, wanted: Sequence[Wanted]) -> dict[int, tuple[Exhibit, ...]]:
    """Entity to exhibits, from up to SEARCHED_SHARDS shards spread over the input."""
    found: dict[int, list[Exhibit]] = {want.entity: [] for want in wanted}
    if not wanted or not shards:
        return {}
    for place in np.unique(np.linspace(0, len(shards) - 1, min(SEARCHED_SHARDS, len(shards))).astype(int))[::-1].tolist():
        missing = [want for want in wanted if len(found[want.entity]) < PER_FINDING]
        if not missing:
            break
        for entity, exhibit in _from_shard(shards[place], part_path(folder, place), missing):
            if len(found[entity]) < PER_FINDING:
                found[entity].append(exhibit)
    return {entity: tuple(shown) for entity, shown in found.items()}


def _from_shard(shard: Shard, part: Path, wanted: Sequence[Wanted]) -> list[tuple[int, Exhibit]]:
    table = pq.read_table(part, columns=_READ)
    picked: dict[int, list[tuple[int, str]]] = {}
    for want in wanted:
        for row, shows in _pick(table, want):
            picked.setdefault(row, []).append((want.entity, shows))
    if not picked:
        return []
    rows = np.array(sorted(picked), np.int64)
    texts = _rows(shard, rows)
    return [(entity, _exhibit(texts[row], shows)) for row in rows.tolist() if row in texts for entity, shows in picked[row]]


def _pick(table: pa.Table, want: Wanted) -> list[tuple[int, str]]:
    """Row numbers to show, of different accounts where possible, and what each shows."""
    mine = pc.is_in(table["account_id"], value_set=pa.array(sorted(want.accounts), pa.string()))
    rows = np.flatnonzero(mine.to_numpy())
    carries = np.zeros(len(table), bool)
    if want.traces:
        carries[_carriers(table, want.traces)] = True
    carrying = rows[carries[rows]]
    shows = "carries the shared wording" if len(carrying) else "one of its exchanges"
    chosen = carrying if len(carrying) else rows
    accounts = table["account_id"].take(pa.array(chosen)).to_pylist()
    first: dict[str, int] = {}
    for account, row in zip(accounts, chosen.tolist(), strict=True):
        first.setdefault(account, row)
        if len(first) >= PER_FINDING:
            break
    spread = list(dict.fromkeys([*first.values(), *chosen[:PER_FINDING].tolist()]))
    return [(row, shows) for row in spread[:PER_FINDING]]


def _carriers(table: pa.Table, traces: frozenset[int]) -> npt.NDArray[np.int64]:
    """Row numbers of the exchanges that carry one of the fingerprints."""
    keys = pa.array(sorted(traces), pa.int64())
    wording = table["wording"].combine_chunks()
    flat = pc.list_flatten(wording)
    parents = pc.list_parent_indices(wording)
    by_wording = parents.filter(pc.is_in(flat, value_set=keys)).to_numpy()
    by_system = np.flatnonzero(pc.is_in(table["system_key"], value_set=keys).to_numpy())
    return np.unique(np.concatenate([by_wording, by_system]).astype(np.int64))


def _rows(shard: Shard, rows: npt.NDArray[np.int64]) -> dict[int, Mapping[str, object]]:
    """The wanted rows of a shard, text included."""
    found: dict[int, Mapping[str, object]] = {}
    at = 0
    for batch in shard.batches(BATCH_ROWS):
        inside = rows[(rows >= at) & (rows < at + batch.num_rows)]
        if len(inside):
            names = ["exchange_id", "account_id", "started_at", "prompt_text", "response_text"]
            taken = batch.select(names).take(pa.array(inside - at)).to_pylist()
            found.update(zip(inside.tolist(), taken, strict=True))
        at += batch.num_rows
        if len(found) == len(rows):
            break
    return found


def _exhibit(values: Mapping[str, object], shows: str) -> Exhibit:
    return Exhibit(
        exchange_id=str(values["exchange_id"]),
        account_id=str(values["account_id"]),
        started_at=values["started_at"],  # pyright: ignore[reportArgumentType] - Arrow gives datetime for this type
        shows=shows,
        prompt=_excerpt(values["prompt_text"]),
        response=_excerpt(values["response_text"]),
    )


def _excerpt(text: object) -> str:
    """Masked first and cut afterwards, so that no secret is cut in two and shown in part."""
    if text is None:
        return ""
    whole = str(text)
    window = whole[:_MASKED_CHARS]
    if len(window) < len(whole):
        # the last word may be the first half of a secret
        window = window.rpartition(" ")[0] or window
    shown = mask(window)
    return shown if len(shown) <= EXCERPT_CHARS and len(window) == len(whole) else shown[:EXCERPT_CHARS] + " …"
