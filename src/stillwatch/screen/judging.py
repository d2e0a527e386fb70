"""Judges a batch of documents: match with the served log, watermark tests, leads. What it gives is a row of the documents table each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.screening import DOCUMENTS
from stillwatch.screen.documents import Documents, Integers
from stillwatch.screen.leads import Lead, find_leads
from stillwatch.screen.marked import Mark, MarkScores, attained, watermark_scores
from stillwatch.screen.reference import Matches, Reference, match
from stillwatch.screen.settings import ScreenSettings
from stillwatch.screen.wording import Wording
from stillwatch.sketch.tokens import mix
from stillwatch.stats.samples import FloatArray

Encode: TypeAlias = Callable[[list[str]], Sequence[Sequence[int]]]

EXACT, NEAR, NONE = "exact", "near", "none"
FRESH_P, CHANCE = "fresh_p", "chance"
"""Columns of a judged batch that the documents table leaves out: the p of what no earlier document had, on which the estimate of a share
rests because it is independent between documents, and how likely it was to count there by chance."""

_KEPT = [field for field in arrow_schema(DOCUMENTS) if field.name != "q_value"]
JUDGED = pa.schema([*_KEPT, pa.field(FRESH_P, pa.float64()), pa.field(CHANCE, pa.float64())])
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What documents are compared with.

    Attributes:
        settings: thresholds.
        leads: kinds of residue.
        reference: of the served log; None: there is none.
        responses: exchange_id and account_id of each response of the reference.
        marks: watermarks to test for.
        seen: for each mark the record of the pairs of earlier documents; it is added to. Empty: nothing is said of fresh pairs.
        encode: texts to token ids, for documents without any; None: those are not tested.
    """

    settings: ScreenSettings
    leads: tuple[Lead, ...]
    reference: Reference | None = None
    responses: pa.Table | None = None
    marks: tuple[Mark, ...] = ()
    seen: tuple[npt.NDArray[np.uint64], ...] = ()
    encode: Encode | None = None

    def judge(self, documents: Documents, *, source: str, file: str) -> pa.RecordBatch:
        """The rows of JUDGED, one per document."""
        found = Wording(documents.texts)
        tokens, offsets = self._tokens(documents)
        texts = documents.texts.is_valid().to_numpy(zero_copy_only=False)
        key = np.where(texts, found.whole, key_tokens(documents.tokens, documents.offsets))
        rows = len(documents)
        sizes = np.diff(offsets)
        columns: dict[str, pa.Array] = {
            "source": pa.repeat(pa.scalar(source), rows),
            "file": pa.repeat(pa.scalar(file), rows),
            "row": pa.array(documents.numbers),
            "document_id": documents.ids,
            "words": pa.array(found.words, mask=~texts),
            "tokens": pa.array(sizes, mask=sizes == 0),
            "content_key": pa.array(key.view(np.int64)),
            "leads": self._lead_lists(documents.texts),
            **self._match(found),
            **self._test(tokens, offsets),
        }
        arrays = [columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type) for field in JUDGED]
        return pa.RecordBatch.from_arrays(arrays, schema=JUDGED)

    def _tokens(self, documents: Documents) -> tuple[npt.NDArray[np.uint32], Integers]:
        """The documents' own token ids, or those that the tokenizer makes of their text where they have none."""
        without = np.flatnonzero((np.diff(documents.offsets) == 0) & documents.texts.is_valid().to_numpy(zero_copy_only=False))
        if self.encode is None or not self.marks or not without.size:
            return documents.tokens, documents.offsets
        made = self.encode(documents.texts.take(pa.array(without)).to_pylist())
        lists = [documents.tokens[low:high] for low, high in pairwise(documents.offsets)]
        for row, ids in zip(without.tolist(), made, strict=True):
            lists[row] = np.asarray(ids, np.uint32)
        offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in lists])]).astype(np.int64)
        return np.concatenate(lists), offsets

    def _lead_lists(self, texts: pa.Array) -> pa.Array:
        held = find_leads(texts, self.leads)
        names = np.array([lead.name for lead in self.leads])
        offsets = np.concatenate([[0], np.cumsum(held.sum(axis=1))]).astype(np.int32)
        flat = np.broadcast_to(names, held.shape)[held]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, pa.string()))

    def _match(self, found: Wording) -> dict[str, pa.Array]:
        if self.reference is None or self.responses is None:
            return {}
        matches = match(found, self.reference, least_words=self.settings.least_words)
        exact, near = matches.exact >= 0, is_near(matches, self.settings)
        comparable = exact | (matches.sampled >= self.settings.least_shared) | (found.words >= self.settings.least_words)
        row = np.where(exact, matches.exact, matches.best)
        named = pa.array(row, mask=~(exact | near))
        words = np.where(exact, EXACT, np.where(near, NEAR, NONE))
        unknown = ~comparable
        return {
            "match": pa.array(words, pa.string(), mask=unknown),
            "match_exchange": self.responses.column("exchange_id").combine_chunks().take(named),
            "match_account": self.responses.column("account_id").combine_chunks().take(named),
            "shared": pa.array(matches.shared, mask=unknown),
            "of_document": pa.array(matches.of_document, mask=unknown),
            "of_response": pa.array(matches.of_response, mask=unknown),
        }

    def _test(self, tokens: npt.NDArray[np.uint32], offsets: Integers) -> dict[str, pa.Array]:
        if not self.marks or not tokens.size:
            return {}
        records = self.seen or (None,) * len(self.marks)
        least = self.settings.least_scored
        scores = [
            watermark_scores(tokens, offsets, mark, least_scored=least, seen=seen) for mark, seen in zip(self.marks, records, strict=True)
        ]
        best, p = _smallest(np.array([score.p for score in scores]))
        _, fresh_p = _smallest(np.array([score.fresh_p for score in scores]))
        untold, stale = np.isnan(p), np.isnan(fresh_p)
        picked = np.arange(best.size)
        names = np.array([mark_name(mark) for mark in self.marks])
        return {
            "mark": pa.array(names[best], pa.string(), mask=untold),
            "scored": pa.array(np.array([score.scored for score in scores])[best, picked], mask=untold),
            "score": pa.array(np.array([score.score for score in scores])[best, picked], mask=untold),
            "p_value": pa.array(p, mask=untold),
            FRESH_P: pa.array(fresh_p, mask=stale),
            CHANCE: pa.array(self._chances(scores), mask=stale),
        }

    def _chances(self, scores: list[MarkScores]) -> FloatArray:
        """How likely each document's corrected fresh p is to be at most the level of the estimate, keys being independent."""
        told = ~np.isnan(np.array([score.fresh_p for score in scores]))
        tries = told.sum(axis=0)
        missed = np.ones(tries.size)
        for count in np.unique(tries[tries > 0]).tolist():
            level = -math.expm1(math.log1p(-self.settings.mixture_level) / count)
            for place, mark in enumerate(self.marks):
                where = (tries == count) & told[place]
                missed[where] *= 1.0 - attained(level, scores[place].fresh_scored[where], mark)
        return 1.0 - missed


def _smallest(every: FloatArray) -> tuple[Integers, FloatArray]:
    """Of p-values [marks, n], which mark has the smallest, and that one corrected for those that are there; NaN where none is."""
    told = ~np.isnan(every)
    best = np.argmin(np.where(told, every, np.inf), axis=0)
    # keys are independent, so that the smallest of k p-values is corrected exactly (Sidak 1967)
    with np.errstate(divide="ignore"):
        p = -np.expm1(told.sum(axis=0) * np.log1p(-every[best, np.arange(best.size)]))
    return best, np.where(told.any(axis=0), np.minimum(p, 1.0), np.nan)


def mark_name(mark: Mark) -> str:
    """Kind, account and period."""
    return " ".join(part for part in (mark.kind, mark.account, mark.period) if part)


def is_near(matches: Matches, settings: ScreenSettings) -> npt.NDArray[np.bool_]:
    """[n] whether a text shares enough with one response: half of its own wording, or half of the response's."""
    share = np.maximum(matches.of_document, matches.of_response)
    return (matches.shared >= settings.least_shared) & (share >= settings.near_share)


def key_tokens(tokens: npt.NDArray[np.uint32], offsets: Integers) -> npt.NDArray[np.uint64]:
    """[n] a hash of each document's token ids in order."""
    keys = np.zeros(offsets.size - 1, np.uint64)
    hash_tokens(tokens, offsets, keys)
    return keys


@numba.njit(nogil=True, cache=True)
def hash_tokens(tokens: Any, offsets: Any, keys: Any) -> None:
    """Fill `keys`."""
    for row in range(keys.shape[0]):
        value = np.uint64(offsets[row + 1] - offsets[row])
        for place in range(offsets[row], offsets[row + 1]):
            value = mix(value * _GOLDEN + np.uint64(tokens[place]))
        keys[row] = value
