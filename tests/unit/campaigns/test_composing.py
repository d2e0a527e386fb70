"""Rows are dealt once, and the knobs do what they say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from campaigns.composing import Composer, Deck, Parcel, composer, stock
from campaigns.corpora import Corpora
from campaigns.errors import UnfillableCellError
from campaigns.honest import KINDS, compose_honest
from campaigns.hostile import Scheme, compose_hostile
from campaigns.identities import DAY
from campaigns.writing import exchanges_table, write
from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import EXCHANGES
from stillwatch.simulate.world import Paraphrase, Tactic
from stillwatch.stats.seeds import generator

pytestmark = pytest.mark.slow

REPEATED = {
    "evaluator",
    "suite",
    "class",
    "release_day",
}  # test sets, the sheet of the class and favourite questions are repeated on purpose


def _campaign(made: Composer, **knobs: object) -> list[Parcel]:
    settings = {"tactic": Tactic.FIXED_PROMPT, "accounts": 6, "requests_per_day": 5.0, **knobs}
    compose_hostile(made, Scheme(**settings), 3)  # type: ignore[arg-type]
    return [parcel for parcel in made.parcels if parcel.campaign]


def test_a_deck_deals_every_row_once_and_says_when_it_is_empty() -> None:
    deck = Deck("numbers", [np.arange(4), np.arange(4, 9)], generator(1, "deck"))
    taken = np.concatenate([deck.take(3), deck.take(6)])
    assert sorted(taken.tolist()) == list(range(9))
    with pytest.raises(UnfillableCellError, match="0 rows left"):
        deck.take(1)


def test_campaigns_people_and_products_share_no_row(corpora: Corpora) -> None:
    decks = stock(corpora, 3)
    parts = [*decks.people.values(), *decks.reserve.values()]
    rows = np.concatenate([deck.take(deck.left) for deck in parts] + [*decks.products, *decks.late, *decks.cover])
    assert len(rows) == len(set(rows.tolist()))


@pytest.mark.parametrize("dilution", [0.0, 0.5])
def test_no_prompt_is_dealt_twice_but_where_the_kind_repeats_it(honest: Composer, dilution: float) -> None:
    _campaign(honest, dilution=dilution)
    rows = Counter(row for parcel in honest.parcels if parcel.kind not in REPEATED for row in parcel.rows.tolist())
    assert max(rows.values()) == 1


def test_every_honest_kind_but_those_without_a_corpus_is_there(honest: Composer) -> None:
    kinds = {parcel.kind for parcel in honest.parcels}
    assert kinds >= set(KINDS) - {"caching_client", "pipeline"}
    assert kinds <= set(KINDS)


def test_honest_accounts_are_the_same_beside_any_campaign(corpora: Corpora) -> None:
    logs: list[list[Parcel]] = []
    for tactic in (Tactic.FIXED_PROMPT, Tactic.RELAY):
        made = composer(corpora, 4)
        compose_honest(made)
        _campaign(made, tactic=tactic)
        logs.append([parcel for parcel in made.parcels if not parcel.campaign])
    for first, second in zip(*logs, strict=True):
        assert (first.account_id, first.prompts) == (second.account_id, second.prompts)


def test_a_late_workload_appears_on_the_last_two_days_only(honest: Composer) -> None:
    late = [parcel for parcel in honest.parcels if parcel.kind == "late_workload"]
    assert late
    assert min(parcel.seconds.min() for parcel in late) >= 4 * DAY


def test_accounts_and_requests_are_as_many_as_the_scheme_says(honest: Composer) -> None:
    parcels = _campaign(honest, accounts=7, requests_per_day=3.0, days=2)
    assert len(parcels) == 7
    assert sum(len(parcel.rows) for parcel in parcels) == 7 * 6
    assert all((parcel.seconds >= DAY).all() and (parcel.seconds < 3 * DAY).all() for parcel in parcels)


def test_dilution_is_the_share_of_requests_without_payload(honest: Composer) -> None:
    parcels = _campaign(honest, requests_per_day=5.0, dilution=0.8)
    assert sum(int(parcel.payload.sum()) for parcel in parcels) == 6 * 4
    assert sum(len(parcel.rows) for parcel in parcels) == 6 * 20
    for parcel in parcels:
        assert all(("----" in prompt) == harvests for prompt, harvests in zip(parcel.prompts, parcel.payload.tolist(), strict=True))


@pytest.mark.parametrize(("share", "together"), [(0.0, 0), (0.5, 3), (1.0, 6)])
def test_infrastructure_is_shared_by_the_share_that_is_asked_for(honest: Composer, share: float, together: int) -> None:
    parcels = _campaign(honest, infrastructure=share)
    payments = Counter(parcel.identity.payment for parcel in parcels)
    assert max(payments.values()) == max(1, together)


def test_paraphrase_rewords_by_account_or_by_request(corpora: Corpora) -> None:
    heads: dict[Paraphrase, list[set[str]]] = {}
    for level in Paraphrase:
        made = composer(corpora, 3)
        parcels = _campaign(made, paraphrase=level)
        heads[level] = [{prompt.split("----")[0] for prompt in parcel.prompts} for parcel in parcels]
    assert len(set.union(*heads[Paraphrase.NONE])) == 1
    assert all(len(own) == 1 for own in heads[Paraphrase.LIGHT])
    assert len(set.union(*heads[Paraphrase.LIGHT])) > 3
    assert all(len(own) > 10 for own in heads[Paraphrase.HEAVY])


def test_without_jitter_accounts_send_at_the_same_times(corpora: Corpora) -> None:
    gaps: list[float] = []
    for jitter in (0.0, 1.0):
        made = composer(corpora, 3)
        parcels = _campaign(made, jitter=jitter, requests_per_day=8.0)
        other = np.sort(np.concatenate([parcel.seconds for parcel in parcels[1:]]))
        gaps.append(float(np.median([np.abs(other - second).min() for second in parcels[0].seconds])))
    assert gaps[0] < 60 < gaps[1]


def test_each_campaign_account_keeps_to_one_language(corpora: Corpora, honest: Composer) -> None:
    for parcel in _campaign(honest, dilution=0.5, accounts=8):
        assert corpora.chinese[parcel.rows].mean() in (0.0, 1.0)


def test_a_cell_that_the_rows_cannot_fill_says_so(honest: Composer) -> None:
    with pytest.raises(UnfillableCellError, match="payload"):
        _campaign(honest, accounts=1_000, requests_per_day=26)


def test_a_relay_names_sessions_by_the_text_and_shares_them_over_accounts(honest: Composer) -> None:
    parcels = _campaign(honest, tactic=Tactic.RELAY)
    assert all(parcel.sessions and len(parcel.sessions[0]) == 32 for parcel in parcels)


def test_probes_fail_at_first_and_not_later(honest: Composer) -> None:
    parcels = _campaign(honest, tactic=Tactic.PROBE_THEN_SCALE)
    early = np.concatenate([parcel.failed[parcel.seconds < 2 * DAY] for parcel in parcels if parcel.failed is not None])
    late = np.concatenate([parcel.failed[parcel.seconds >= 2 * DAY] for parcel in parcels if parcel.failed is not None])
    assert early.mean() > 0.5
    assert not late.any()


def test_a_log_has_the_columns_of_the_exchanges_table_in_order_of_time(corpora: Corpora, honest: Composer, tmp_path: Path) -> None:
    _campaign(honest)
    table = exchanges_table(corpora, honest.parcels)
    assert table.schema.equals(arrow_schema(EXCHANGES))
    assert (np.diff(table["started_at"].cast("int64").to_numpy()) >= 0).all()
    written = write(corpora, honest.parcels, tmp_path)
    hostile = {row["account_id"] for row in pq.read_table(written.truth).to_pylist() if row["campaign_id"]}
    payload = pq.read_table(written.payload)
    sent = pq.read_table(written.log).filter(payload["payload"])
    assert set(sent["account_id"].to_pylist()) == hostile
    assert len(pq.read_table(written.accounts)) == len(honest.parcels)
