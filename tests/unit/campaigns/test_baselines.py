"""Each baseline scores what it is made for above ordinary accounts, and says nothing where it cannot know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from campaigns.baselines import BASELINES
from campaigns.baselines.coactivity import coactivity
from campaigns.baselines.components import components
from campaigns.baselines.discrepancy import mmd_account_matched, mmd_account_own, mmd_window
from campaigns.baselines.fraudar import densest_block, fraudar
from campaigns.baselines.prada import prada
from campaigns.baselines.seat import seat
from campaigns.baselines.traffic import Traffic, prompt_vectors
from campaigns.baselines.volume import volume
from stillwatch.stats.seeds import generator

ACCOUNTS, EACH = 30, 40
ODD = 3  # the first accounts are what is looked for


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _traffic(**changes: Any) -> Traffic:
    draw = generator(2, "ordinary traffic")
    owners = draw.permutation(np.repeat(np.arange(ACCOUNTS), EACH))
    size = len(owners)
    given: dict[str, Any] = {
        "accounts": [f"account {number}" for number in range(ACCOUNTS)],
        "owners": owners,
        "seconds": np.sort(draw.uniform(0, 5 * 86_400, size)),
        "vectors": _unit(draw.normal(size=(size, 8))),
        "fingerprints": [draw.integers(1 << 40, size=2) for _ in range(size)],
        "attributes": {"payment": [f"card {number}" for number in range(ACCOUNTS)], "organisation": [None] * ACCOUNTS},
    }
    return Traffic(**(given | changes))


def _odd_first(scores: np.ndarray) -> bool:
    return bool(scores[:ODD].min() > scores[ODD:].max())


def test_volume_counts_requests() -> None:
    owners = np.concatenate([np.repeat(np.arange(ODD), 200), np.repeat(np.arange(ODD, ACCOUNTS), 5)])
    assert _odd_first(volume(_traffic(owners=owners)))


def test_shared_attributes_find_those_who_share_and_no_popular_value_joins_all() -> None:
    shared = ["one card"] * ODD + [f"card {number}" for number in range(ODD, ACCOUNTS)]
    scores = components(_traffic(attributes={"payment": shared, "domain": ["everybody's"] * ACCOUNTS}))
    assert scores[:ODD].tolist() == [3.0] * ODD
    assert set(scores[ODD:].tolist()) == {1.0}


def test_coactivity_finds_those_who_send_the_same_at_the_same_time() -> None:
    traffic = _traffic()
    lockstep = np.where(traffic.owners < ODD, (np.arange(len(traffic.owners)) % 20) * 7_200.0, traffic.seconds)
    prints = [np.array([7]) if owner < ODD else own for owner, own in zip(traffic.owners.tolist(), traffic.fingerprints, strict=True)]
    assert _odd_first(coactivity(_traffic(seconds=lockstep, fingerprints=prints)))


def test_fraudar_finds_the_block_that_shares_fingerprints() -> None:
    traffic = _traffic()
    prints = [np.array([7, 8, 9]) if owner < ODD else own for owner, own in zip(traffic.owners.tolist(), traffic.fingerprints, strict=True)]
    assert _odd_first(fraudar(_traffic(fingerprints=prints)))


def test_the_densest_block_is_the_dense_one() -> None:
    dense = [(account, column) for account in range(4) for column in range(4)]
    thin = [(10 + number, 10 + number) for number in range(10)]
    accounts, columns, density = densest_block(np.array(dense + thin))
    assert accounts.tolist() == columns.tolist() == [0, 1, 2, 3]
    assert density == pytest.approx(16 / np.log(9) / 8)


def test_prada_scores_an_account_whose_distances_fall_in_two_heaps() -> None:
    traffic = _traffic()
    vectors = traffic.vectors.copy()
    for account in range(ODD):
        rows = np.flatnonzero(traffic.owners == account)
        vectors[rows[EACH // 2 :]] = vectors[rows[: EACH - EACH // 2]]
    assert _odd_first(prada(_traffic(vectors=vectors)))


def test_seat_scores_an_account_that_repeats_itself() -> None:
    traffic = _traffic()
    vectors = traffic.vectors.copy()
    for account in range(ODD):
        rows = np.flatnonzero(traffic.owners == account)
        vectors[rows[1:]] = vectors[rows[0]]
    assert _odd_first(seat(_traffic(vectors=vectors)))


@pytest.mark.parametrize("score", [mmd_account_own, mmd_account_matched])
def test_discrepancy_scores_an_account_on_a_subject_of_its_own(score: Any) -> None:
    traffic = _traffic()
    far = np.where((traffic.owners < ODD)[:, None], np.eye(8)[0] + 0.05 * traffic.vectors, traffic.vectors)
    assert _odd_first(score(_traffic(vectors=_unit(far))))


def test_a_window_that_drifts_scores_those_who_sent_in_it() -> None:
    owners = np.concatenate([np.repeat(np.arange(ODD), 100), np.repeat(np.arange(ODD, ACCOUNTS), EACH)])
    draw = generator(3, "drift")
    vectors = draw.normal(size=(len(owners), 8))
    vectors[: ODD * 100] = np.eye(8)[0] + 0.05 * vectors[: ODD * 100]
    scores = mmd_window(_traffic(owners=owners, vectors=_unit(vectors), seconds=np.arange(len(owners), dtype=float)))
    assert scores[:ODD].min() > np.median(scores[ODD:])


@pytest.mark.slow
def test_accounts_of_few_queries_are_not_judged_by_tests_that_need_many() -> None:
    owners = np.repeat(np.arange(ACCOUNTS), [3] * ODD + [EACH] * (ACCOUNTS - ODD))
    draw = generator(4, "few")
    traffic = _traffic(owners=owners, vectors=_unit(draw.normal(size=(len(owners), 8))))
    for score in (prada, mmd_account_own, mmd_account_matched):
        assert np.isneginf(score(traffic)[:ODD]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_baseline_scores_every_account(name: str) -> None:
    traffic = _traffic()
    traffic = _traffic(seconds=traffic.seconds)
    scores = BASELINES[name](traffic)
    assert scores.shape == (ACCOUNTS,)
    assert not np.isnan(scores).any()


def test_texts_of_one_subject_lie_closer_than_texts_of_two() -> None:
    letters = "bcdfghklmnprstvz"
    first, second = ([f"{one}{vowel}{two}ing" for one in letters for two in letters] for vowel in "ao")
    draw = generator(5, "texts")
    texts = [" ".join(draw.choice(words, 12)) for words in (first, second) for _ in range(40)]
    vectors = prompt_vectors(texts)
    assert (vectors[:40] @ vectors[:40].T).mean() > (vectors[:40] @ vectors[40:].T).mean() + 0.05
