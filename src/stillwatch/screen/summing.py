"""From judged documents to q-values, counts, estimates and the strongest documents; arrays of one number per document are all it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.records.screening import ShareEstimate, SourceScreened
from stillwatch.screen.judging import CHANCE, EXACT, FRESH_P, NEAR
from stillwatch.screen.mixture import excess_share
from stillwatch.screen.settings import ScreenSettings
from stillwatch.stats.multiplicity import benjamini_hochberg
from stillwatch.stats.samples import FloatArray

COLUMNS = ("source", "content_key", "match", "of_document", "shared", "p_value", FRESH_P, CHANCE, "leads")
_TENTHS, _TWENTIETHS = 10, 20

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One number of each kind per document, [n], in the order of the documents.

    Attributes:
        source: number of its source.
        first: whether it is the first with its content in the corpus, and in its source.
        exact, near, comparable: see the documents table.
        p, q: NaN where not tested.
        fresh_p, chance: see `judging.FRESH_P`; NaN where too few pairs are fresh.
        of_document: NaN where nothing is shared.
        leads: [n, kinds].
    """

    source: npt.NDArray[np.int32]
    first: Flags
    first_in_source: Flags
    exact: Flags
    near: Flags
    comparable: Flags
    p: FloatArray
    q: FloatArray
    fresh_p: FloatArray
    chance: FloatArray
    of_document: FloatArray
    leads: Flags


def gather(batches: Iterable[pa.RecordBatch], sources: Sequence[str], leads: Sequence[str]) -> Judged:
    """The numbers of every judged batch, and q-values over all documents with a p-value.

    Assumption of the q-values: those of documents without the mark are independent or positively dependent; documents that share text share
    (context, token) pairs, which makes them positively dependent.
    """
    numbers = {name: place for place, name in enumerate(sources)}
    parts = [_part(batch, numbers, leads) for batch in batches]
    names = ("source", "key", "exact", "near", "comparable", "p", "fresh_p", "chance", "of_document")
    if not parts:
        parts = [{name: np.empty(0) for name in names} | {"leads": np.empty((0, len(leads)), np.bool_)}]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in (*names, "leads")}
    p = joined["p"].astype(np.float64)
    q = np.full(p.size, np.nan)
    told = ~np.isnan(p)
    if told.any():
        q[told] = benjamini_hochberg(p[told])
    source, key = joined["source"].astype(np.int32), joined["key"].astype(np.int64)
    return Judged(
        source=source,
        first=_firsts(key),
        first_in_source=_firsts(key, source),
        exact=joined["exact"].astype(np.bool_),
        near=joined["near"].astype(np.bool_),
        comparable=joined["comparable"].astype(np.bool_),
        p=p,
        q=q,
        fresh_p=joined["fresh_p"].astype(np.float64),
        chance=joined["chance"].astype(np.float64),
        of_document=joined["of_document"].astype(np.float64),
        leads=joined["leads"].astype(np.bool_),
    )


def _part(batch: pa.RecordBatch, sources: dict[str, int], leads: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    def numbers(name: str) -> FloatArray:
        return pc.fill_null(batch.column(name), float("nan")).to_numpy(zero_copy_only=False).astype(np.float64)

    def equals(name: str, value: str) -> Flags:
        return pc.fill_null(pc.equal(batch.column(name), value), fill_value=False).to_numpy(zero_copy_only=False)

    lists = batch.column("leads")
    owners = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy(zero_copy_only=False))
    held = np.zeros((len(lists), len(leads)), np.bool_)
    kinds = pc.index_in(pc.list_flatten(lists), pa.array(leads, pa.string())).to_numpy(zero_copy_only=False)
    held[owners, kinds.astype(np.int64)] = True
    shared = pc.fill_null(batch.column("shared"), 0).to_numpy(zero_copy_only=False)
    return {
        "source": np.full(batch.num_rows, sources[batch.column("source")[0].as_py()], np.int32),
        "key": batch.column("content_key").to_numpy(zero_copy_only=False),
        "exact": equals("match", EXACT),
        "near": equals("match", NEAR),
        "comparable": batch.column("match").is_valid().to_numpy(zero_copy_only=False),
        "p": numbers("p_value"),
        "fresh_p": numbers(FRESH_P),
        "chance": numbers(CHANCE),
        "of_document": np.where(shared > 0, numbers("of_document"), np.nan),
        "leads": held,
    }


def _firsts(*keys: npt.NDArray[Any]) -> Flags:
    """Whether each row is the first with its values."""
    order = np.lexsort([np.arange(keys[0].size), *keys])
    changed = np.ones(order.size, np.bool_)
    if order.size:
        changed[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    first = np.zeros(order.size, np.bool_)
    first[order[changed]] = True
    return first


def summed(judged: Judged, name: str, leads: Sequence[str], settings: ScreenSettings, source: int | None = None) -> SourceScreened:
    """Counts and estimates of a source, or of all where `source` is None."""
    inside = np.ones(judged.p.size, np.bool_) if source is None else judged.source == source
    distinct = inside & (judged.first if source is None else judged.first_in_source)
    tested = ~np.isnan(judged.p)
    hits = judged.exact | judged.near
    return SourceScreened(
        name=name,
        documents=int(inside.sum()),
        distinct=int(distinct.sum()),
        comparable=int((inside & judged.comparable).sum()),
        exact=int((inside & judged.exact).sum()),
        near=int((inside & judged.near).sum()),
        tested=int((inside & tested).sum()),
        marked=int((inside & (judged.q <= settings.level)).sum()),
        with_leads=int((inside & judged.leads.any(axis=1)).sum()),
        leads={lead: int((inside & judged.leads[:, place]).sum()) for place, lead in enumerate(leads)},
        matched_share=_share(distinct & judged.comparable, hits, np.zeros(hits.size), settings),
        marked_share=_share(inside & ~np.isnan(judged.fresh_p), judged.fresh_p <= settings.mixture_level, judged.chance, settings),
    )


def _share(among: Flags, hits: Flags, chances: FloatArray, settings: ScreenSettings) -> ShareEstimate | None:
    return excess_share(hits[among], chances[among], confidence=settings.confidence) if among.any() else None


def strongest(judged: Judged, most: int, level: float) -> npt.NDArray[np.int64]:
    """Documents with a match (exact ones, then near ones by share), then those with q at or below the level by p; half of `most` each."""
    match_rank = np.where(judged.exact, 2.0, np.where(judged.near, np.nan_to_num(judged.of_document), -1.0))
    strength = np.nan_to_num(judged.p, nan=1.0)
    hits, found = np.flatnonzero(match_rank >= 0), np.flatnonzero(judged.q <= level)
    matched = hits[np.lexsort([hits, -match_rank[hits]])]
    marked = found[np.lexsort([found, strength[found]])]
    half = most // 2
    picked = dict.fromkeys([*matched[:half].tolist(), *marked[:half].tolist()])
    return np.array(list(picked), np.int64)


def histograms(judged: Judged) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Documents by tenth of `of_document` where anything is shared, and by twentieth of p where they were tested."""
    shares = np.histogram(judged.of_document[~np.isnan(judged.of_document)], _TENTHS, (0.0, 1.0))[0]
    p_counts = np.histogram(judged.p[~np.isnan(judged.p)], _TWENTIETHS, (0.0, 1.0))[0]
    return tuple(shares.tolist()), tuple(p_counts.tolist())
