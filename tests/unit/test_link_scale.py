"""A hub stays a node: 25,000 accounts with one wording give 25,000 links, in bounded time and memory."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from stillwatch.app.writing import link_columns
from stillwatch.engines.schema import arrow_schema
from stillwatch.link.linking import link_accounts, nominations, watch
from stillwatch.link.nominate import trace_rows
from stillwatch.link.profiles import Moments, Profiles
from stillwatch.link.settings import LinkSettings
from stillwatch.link.validate import Sides
from stillwatch.records.tables import TRACES
from stillwatch.sketch.codebook import DIMENSIONS
from stillwatch.stats.seeds import generator

SHARING, OTHERS, EACH, CELLS, HOURS = 25_000, 5_000, 40, 64, 24 * 7
ACCOUNTS = SHARING + OTHERS
LIMIT_BYTES = 2_000_000_000
WORDING = "-4611686018427387904"


def _moments(rng: np.random.Generator) -> Moments:
    """30,000 accounts of 40 exchanges; the first 25,000 deal out one list, hour by hour together."""
    own = rng.dirichlet(np.full(CELLS, 0.4), ACCOUNTS)
    own[:SHARING] = own[0]
    rates = rng.gamma(0.5, 1.0, (ACCOUNTS, HOURS))
    rates[:SHARING] += 2 * rates[0]
    subjects = rng.multinomial(EACH, own)
    hours = rng.multinomial(EACH, rates / rates.sum(axis=1, keepdims=True))
    centres = rng.normal(size=(CELLS, DIMENSIONS))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    languages = np.zeros((ACCOUNTS, 16), np.int32)
    languages[:, 1] = EACH
    return Moments(
        counts=np.full(ACCOUNTS, EACH),
        sums=subjects @ centres,
        hours=hours.astype(np.uint32),
        subjects=subjects.astype(np.int32),
        languages=languages,
    )


def _traces(ids: Any) -> pa.Table:
    return pa.table(
        {
            "account_id": ids[:SHARING].tolist(),
            "kind": ["wording"] * SHARING,
            "trace": [WORDING] * SHARING,
            "count": np.full(SHARING, EACH),
            "first_at": pa.nulls(SHARING, pa.timestamp("us", "UTC")),
            "last_at": pa.nulls(SHARING, pa.timestamp("us", "UTC")),
        },
        schema=arrow_schema(TRACES),
    )


@pytest.mark.slow
def test_a_wording_of_25000_accounts_gives_25000_links_in_two_gigabytes() -> None:
    moments = _moments(generator(1, "many accounts"))
    ids = np.array([f"account-{number:05d}" for number in range(ACCOUNTS)], np.str_)
    traces = _traces(ids)
    first = np.arange(SHARING)
    carriers = Moments(**{name: getattr(moments, name)[:SHARING] for name in ("counts", "sums", "hours", "subjects", "languages")})
    profiles = Profiles(
        ids=ids, accounts=moments, carriers=carriers, carrier_trace=np.zeros(SHARING, np.int64), carrier_account=first, start_us=0
    )
    sides = Sides(
        follows=sparse.csr_array((ACCOUNTS, ACCOUNTS), dtype=np.float32),
        chance=np.zeros((ACCOUNTS, 2)),
        manner=np.full((ACCOUNTS, 0), np.nan),
    )
    settings = LinkSettings()
    tracemalloc.start()
    rows = trace_rows(traces, ids)
    candidates, untested = nominations(rows, moments.counts, settings)
    _, places = watch(candidates)
    linked = link_accounts(rows, candidates, places, profiles, sides, settings, generator(2, "link"), untested=untested)
    evidence: Any = SimpleNamespace(rows=rows, entities=SimpleNamespace(profiles=profiles))
    links = link_columns(linked.groups, evidence, traces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(candidates) == 1
    (group,) = linked.groups
    assert len(group.members) >= 0.95 * SHARING
    assert group.members.max() < SHARING
    assert len(links["account_id"]) == len(group.members) <= SHARING
    assert set(links["sharing"]) == {SHARING}
    assert peak < LIMIT_BYTES
