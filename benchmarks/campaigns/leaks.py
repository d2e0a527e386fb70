"""Can a trivial rule tell hostile accounts from honest ones? If so, the benchmark measures its own composition.

Each check sees one thing only. It learns on half of the accounts, with the truth at hand, and scores the other half, in turn: a naive
Bayes ratio over bins or words. What it reaches is the most that composition gives away; 0.5 is chance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from campaigns.composing import Parcel
from campaigns.corpora import Corpora
from campaigns.metrics import separation
from stillwatch.sketch.tokens import hash_words
from stillwatch.stats.seeds import generator

BINS = 10
WORDS = 1 << 15
PROMPTS_READ = 8
_OTHER_SCRIPT = 0.02

Codes = NDArray[np.int64]


def leak_checks(corpora: Corpora, parcels: list[Parcel], seed: int) -> dict[str, float]:
    """Held-out area under ROC per check; empty where one class is missing."""
    hostile = np.array([parcel.campaign is not None for parcel in parcels])
    if hostile.all() or hostile.sum() < 4:
        return {}
    halves = _halves(hostile, seed)
    sent = np.array([np.mean([len(text) for text in parcel.prompts]) for parcel in parcels])
    bare = np.array([np.mean([len(text) for text in corpora.prompts[parcel.rows]]) for parcel in parcels])
    categories = {
        "requests": _binned(np.array([float(len(parcel.rows)) for parcel in parcels])),
        "user agent": _coded([parcel.identity.agent for parcel in parcels]),
        "address": _coded([str(parcel.identity.asn) for parcel in parcels]),
        "length as sent": _binned(np.log(sent + 1)),
        "length of the corpus's prompt": _binned(np.log(bare + 1)),
        "language": _coded([_language(corpora, parcel) for parcel in parcels]),
    }
    found = {name: held_out(_category_scorer(codes), hostile, halves) for name, codes in categories.items()}
    found["prompt string of the corpus"] = held_out(
        _word_scorer([corpora.prompts[parcel.rows].tolist() for parcel in parcels]), hostile, halves
    )
    found["prompt string as sent"] = held_out(_word_scorer([parcel.prompts for parcel in parcels]), hostile, halves)
    return found


Scorer = Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.float64]]


def held_out(scorer: Scorer, hostile: NDArray[np.bool_], halves: NDArray[np.bool_]) -> float:
    """Area under ROC, mean of the two halves, each scored by what was learnt on the other."""
    areas = [separation(scorer(learn, hostile)[~learn], hostile[~learn]) for learn in (halves, ~halves)]
    return float(np.mean(areas))


def _halves(hostile: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    draw = generator(seed, "leaks")
    half = np.zeros(len(hostile), bool)
    for flag in (True, False):
        members = draw.permutation(np.flatnonzero(hostile == flag))
        half[members[: len(members) // 2]] = True
    return half


def _coded(values: list[str]) -> Codes:
    return np.unique(np.array(values), return_inverse=True)[1].reshape(-1)


def _binned(values: NDArray[np.float64]) -> Codes:
    return np.searchsorted(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]), values)


def _language(corpora: Corpora, parcel: Parcel) -> str:
    """Chinese, another script or accents, or plain: by the larger part of the account's prompts."""
    if corpora.chinese[parcel.rows].mean() > 0.5:
        return "chinese"
    text = "".join(corpora.prompts[parcel.rows][:PROMPTS_READ])
    return "accented" if sum(ord(sign) > 127 for sign in text) > _OTHER_SCRIPT * max(1, len(text)) else "plain"


def _category_scorer(codes: Codes) -> Scorer:
    size = int(codes.max()) + 1

    def score(learn: NDArray[np.bool_], hostile: NDArray[np.bool_]) -> NDArray[np.float64]:
        ours = np.bincount(codes[learn & hostile], minlength=size) + 1.0
        theirs = np.bincount(codes[learn & ~hostile], minlength=size) + 1.0
        return np.log(ours / ours.sum() / (theirs / theirs.sum()))[codes]

    return score


def _word_scorer(texts: list[list[str]]) -> Scorer:
    """Multinomial words of as many prompts of each account, so that how much an account sends tells nothing."""
    words = [(hash_words("\n".join(text[:PROMPTS_READ])) % np.uint64(WORDS)).astype(np.int64) for text in texts]

    def score(learn: NDArray[np.bool_], hostile: NDArray[np.bool_]) -> NDArray[np.float64]:
        counts = np.ones((2, WORDS))
        for flag in (0, 1):
            of = [words[place] for place in np.flatnonzero(learn & (hostile == bool(flag))).tolist()]
            counts[flag] += np.bincount(np.concatenate(of), minlength=WORDS)
        ratio = np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum())
        return np.array([ratio[own].mean() if len(own) else 0.0 for own in words])

    return score
