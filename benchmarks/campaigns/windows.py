"""Windows of queries: is a share of this window's queries an attacker's? The setting of Liu, Guo, Dong 2026, arXiv 2606.05725.

Their fourteen pairs are made of BoolQ, MNLI, SQuAD, SST-2, AG News, IMDB, hate speech and a medical set, against random words, WikiText or
queries that an attack chose. Of these the corpora here have BoolQ, AG News and IMDB; passages of adversarial QA and Quoref stand for SQuAD,
DBpedia's and WikiHop's for WikiText, Rotten Tomatoes for SST-2 and ChatDoctor for the medical set. MNLI, hate speech and the chosen queries
(MeaeQ, model leeching) are missing; tasks that were really distilled stand for the latter.

Three tests of one window, each at a nominal 5%:

- `MMD, own calibration`: as in the paper, the mean over 20 references against the 95th percentile of single benign pairs;
- `MMD, matched`: the same statistic in a permutation test: null windows of the same size are drawn from the calibration queries and the
  window's own together, which are exchangeable where the window is benign, so that the level is exact however few queries there are;
- `tail and mean`: besides, how far into the benign tail single queries lie (distance to benign neighbours, -log of its benign survival,
  summed where that is below a tenth), in the same permutations; each at half the level. A few strangers move a mean little, a tail much.

Benign queries are parted anew several times; windows of one parting share queries.

`varied` takes each benign window from ten workloads of its own in shares of its own, as a provider's traffic is. Windows that calibrate and
windows that are tested have no workload in common: this is honest traffic under domain shift, where no test is exact. The null is then
such windows of the calibration's workloads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaigns.baselines.traffic import TextSpace, fitted_space, hashed_space
from campaigns.corpora import Corpora, IntRows
from campaigns.metrics import separation
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.stats.mmd import FeatureMap, feature_map, median_bandwidth
from stillwatch.stats.seeds import generator

SIZES = (100, 500, 1_500)
SHARES = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
LEVEL = 0.05
REFERENCES, NULL_PAIRS, NULL_WINDOWS = 20, 1_000, 199
PARTINGS, WINDOWS = 8, 25
FEATURES = 256
NEIGHBOURS = 5
MOST_BENIGN, MOST_SEARCHED = 6_000, 1_500
TAIL = 0.1
WORKLOADS_OF_A_WINDOW = 10
SPACES: dict[str, Callable[[list[str]], TextSpace]] = {"hashed words": hashed_space, "fitted low rank": fitted_space}
METHODS = ("MMD, own calibration", "MMD, matched", "tail and mean")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Benign traffic and an attacker's.

    Attributes:
        benign: corpora, or beginnings of template names with a `*`.
        attacker: the same; empty: random words of the benign texts.
        varied: whether each benign window has workloads of its own.
    """

    name: str
    benign: tuple[str, ...]
    attacker: tuple[str, ...]
    varied: bool = False


PAIRS: dict[str, tuple[Pair, ...]] = {
    "tune": (
        Pair(name="BoolQ, random words", benign=("eval_boolq",), attacker=()),
        Pair(name="BoolQ, encyclopaedia", benign=("eval_boolq",), attacker=("t0:dbpedia_14*",)),
        Pair(name="AG News, tasks", benign=("t0:ag_news*",), attacker=("alpaca",)),
        Pair(name="IMDB, tasks", benign=("t0:imdb*",), attacker=("alpaca",)),
        Pair(name="SQuAD-like, encyclopaedia", benign=("t0:adversarial_qa*",), attacker=("t0:dbpedia_14*",)),
        Pair(name="GSM8K, tasks", benign=("gsm8k_train",), attacker=("alpaca",)),
        Pair(name="many products, tasks", benign=("t0:*",), attacker=("alpaca",), varied=True),
    ),
    "report": (
        Pair(name="Rotten Tomatoes, random words", benign=("t0:rotten_tomatoes*",), attacker=()),
        Pair(name="Rotten Tomatoes, encyclopaedia", benign=("t0:rotten_tomatoes*",), attacker=("t0:wiki_*",)),
        Pair(name="medical, law", benign=("chatdoctor",), attacker=("code_alpaca",)),
        Pair(name="SQuAD-like, encyclopaedia", benign=("t0:quoref*",), attacker=("t0:wiki_*",)),
        Pair(name="many products, tasks", benign=("t0:*",), attacker=("code_alpaca",), varied=True),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Queries of one pool as the tests see them.

    Attributes:
        columns: [n, FEATURES + 2] kernel features, their squared norm, and how far into the benign tail the query lies.
        groups: [n] the workload of each; None: all one.
    """

    columns: Floats
    groups: IntRows | None

    def __len__(self) -> int:
        return len(self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """One way to part a pair's queries: references and neighbours, the null, benign windows, an attacker's queries."""

    fitting: Seen
    calibrating: Seen
    tested: Seen
    attacking: Seen


def windows_of_queries(corpora: Corpora, seed: int) -> list[dict[str, Any]]:
    """Rejection rates of every pair, space, size, share and method; share 0 is honest windows."""
    told: list[dict[str, Any]] = []
    for pair in PAIRS[corpora.split.name]:
        for name, space in SPACES.items():
            draw = generator(seed, f"windows/{pair.name}/{name}")
            partings = [part_queries(corpora, pair, space, draw) for _ in range(PARTINGS)]
            for size in SIZES:
                told.extend({"pair": pair.name, "space": name, "size": size, **row} for row in rates(partings, size, draw))
    return told


def rates(partings: list[Parting], size: int, draw: np.random.Generator) -> list[dict[str, Any]]:
    """What each test rejects at each share, over all partings; one row that says why, where a window does not fit."""
    least = min(len(part) for parting in partings for part in (parting.tested, parting.calibrating, parting.fitting))
    if size > least:
        return [{"share": None, "missing": f"{least:,} benign queries of a part are too few for windows of {size:,}"}]
    seen = {share: np.concatenate([_evidence(parting, size, share, draw) for parting in partings]) for share in SHARES}
    told: list[dict[str, Any]] = []
    for share, values in seen.items():
        for place, method in enumerate(METHODS):
            rejected = values[:, place] >= 1 - LEVEL
            low, high = clopper_pearson(int(rejected.sum()), len(rejected))
            both = np.concatenate([values[:, place], seen[0.0][:, place]])
            area = separation(both, np.arange(len(both)) < len(values))
            told.append({"share": share, "method": method, "rate": float(rejected.mean()), "low": low, "high": high, "area": area})
    return told


def _evidence(parting: Parting, size: int, share: float, draw: np.random.Generator) -> Floats:
    """[WINDOWS, methods] 1 - p of each window; for the paper's calibration, its place among single pairs."""
    references = _means(parting.fitting, _drawn(parting.fitting, REFERENCES, size, draw))
    pairs = discrepancy(_means(parting.calibrating, _drawn(parting.calibrating, NULL_PAIRS // REFERENCES, size, draw)), references, size)
    picked = _picks(parting.calibrating, size, draw)
    base = picked[:, : len(parting.calibrating)] @ parting.calibrating.columns
    values: list[tuple[float, float, float]] = []
    for _ in range(WINDOWS):
        window = _window(parting, size, share, draw)
        own = window.mean(axis=0)[None, :]
        null = (base + picked[:, len(parting.calibrating) :] @ window) / size
        statistic = float(discrepancy(own, references, size).mean())
        p_mean = _p_value(statistic, discrepancy(null, references, size).mean(axis=1))
        p_tail = _p_value(float(own[0, -1]), null[:, -1])
        values.append((float((pairs.ravel() < statistic).mean()), 1 - p_mean, 1 - min(1.0, 2 * min(p_mean, p_tail))))
    return np.array(values)


def discrepancy(left: Floats, right: Floats, size: int) -> Floats:
    """[L, R] unbiased squared MMD of windows of `size` queries, from the means of their columns (Gretton et al. 2012, equation 3)."""

    def within(means: Floats) -> Floats:
        features = means[:, :FEATURES]
        return (size * np.einsum("ij,ij->i", features, features) - means[:, FEATURES]) / (size - 1)

    return within(left)[:, None] + within(right)[None, :] - 2 * left[:, :FEATURES] @ right[:, :FEATURES].T


def _picks(calibrating: Seen, size: int, draw: np.random.Generator) -> Floats:
    """[NULL_WINDOWS, calibration + window] 1 where a null window takes the query; of varied traffic it takes none of the window's."""
    picked = np.zeros((NULL_WINDOWS, len(calibrating) + size))
    for place in range(NULL_WINDOWS):
        alone = calibrating.groups is not None
        rows = _varied(calibrating.groups, size, draw) if alone else draw.choice(picked.shape[1], size, replace=False)
        picked[place, rows] = 1.0
    return picked


def _p_value(statistic: float, null: Floats) -> float:
    return float((1 + (null >= statistic).sum()) / (len(null) + 1))


def _window(parting: Parting, size: int, share: float, draw: np.random.Generator) -> Floats:
    """[size, columns] queries of one tested window, of which `share` are the attacker's."""
    hostile = min(round(share * size), size)
    benign = _drawn(parting.tested, 1, size, draw)[0][: size - hostile]
    taken = draw.choice(len(parting.attacking), hostile, replace=hostile > len(parting.attacking))
    return np.concatenate([parting.tested.columns[benign], parting.attacking.columns[taken]])


def _means(seen: Seen, rows: IntRows) -> Floats:
    return np.stack([seen.columns[window].mean(axis=0) for window in rows])


def _drawn(seen: Seen, windows: int, size: int, draw: np.random.Generator) -> IntRows:
    """[windows, size] queries in random order; none twice in a window."""
    if seen.groups is None:
        return np.stack([draw.choice(len(seen), size, replace=False) for _ in range(windows)])
    return np.stack([draw.permutation(_varied(seen.groups, size, draw)) for _ in range(windows)])


def _varied(groups: IntRows, size: int, draw: np.random.Generator) -> IntRows:
    """Queries of a few workloads, in shares that are drawn for this window; of more workloads where those have too few."""
    order = draw.permutation(np.unique(groups))
    weights = draw.dirichlet(np.ones(WORKLOADS_OF_A_WINDOW))
    chosen: list[IntRows] = []
    missing = size
    for place, group in enumerate(order.tolist()):
        rows = draw.permutation(np.flatnonzero(groups == group))
        wanted = round(weights[place] * size) if place < WORKLOADS_OF_A_WINDOW else missing
        chosen.append(rows[: min(wanted, missing)])
        missing -= len(chosen[-1])
    return np.concatenate(chosen)


def part_queries(corpora: Corpora, pair: Pair, space: Callable[[list[str]], TextSpace], draw: np.random.Generator) -> Parting:
    """A pair's queries, parted at random: three tenths to fit, three tenths to calibrate, the rest to test; by workload if varied."""
    rows = draw.permutation(rows_of(corpora, pair.benign))
    if pair.varied:
        side = draw.integers(3, size=len(np.unique(corpora.corpus)))[np.unique(corpora.corpus, return_inverse=True)[1].reshape(-1)]
        parts = [rows[side[rows] == number] for number in range(3)]
    else:
        rows = rows[:MOST_BENIGN]
        parts = np.split(rows, [3 * len(rows) // 10, 6 * len(rows) // 10])
    texts = [corpora.prompts[part].tolist() for part in parts]
    texts.append(corpora.prompts[rows_of(corpora, pair.attacker)][:MOST_BENIGN].tolist() if pair.attacker else random_texts(texts[0], draw))
    placed = space(texts[0]).place
    vectors = [placed(text) for text in texts]
    kernel = feature_map(draw, vectors[0].shape[1], FEATURES, median_bandwidth(vectors[0]))
    near = vectors[0][draw.permutation(len(vectors[0]))[:MOST_SEARCHED]]
    survival = np.sort(novelty(vectors[0], near))
    groups = [np.unique(corpora.corpus[part], return_inverse=True)[1].reshape(-1) if pair.varied else None for part in parts]
    seen = [Seen(columns=_columns(own, kernel, near, survival), groups=group) for own, group in zip(vectors, [*groups, None], strict=True)]
    return Parting(fitting=seen[0], calibrating=seen[1], tested=seen[2], attacking=seen[3])


def _columns(vectors: Floats, kernel: FeatureMap, near: Floats, survival: Floats) -> Floats:
    features = kernel.apply(vectors)
    beyond = (1 + len(survival) - np.searchsorted(survival, novelty(vectors, near), side="left")) / (len(survival) + 1)
    tail = -np.log(np.minimum(1.0, beyond / TAIL))
    return np.column_stack([features, np.einsum("ij,ij->i", features, features), tail])


def rows_of(corpora: Corpora, names: tuple[str, ...]) -> IntRows:
    """Positions of the rows of corpora, or of all whose name begins as a name with a `*` does."""
    known = np.unique(corpora.corpus).tolist()
    wanted = [name for name in known if any(name == given or (given[-1] == "*" and name.startswith(given[:-1])) for given in names)]
    return np.flatnonzero(np.isin(corpora.corpus, wanted))


def random_texts(texts: list[str], draw: np.random.Generator) -> list[str]:
    """As many texts of as many words, drawn at random from all words of `texts`."""
    words = np.array([word for text in texts for word in text.split()])
    return [" ".join(draw.choice(words, max(1, len(text.split())))) for text in texts]


def novelty(vectors: Floats, benign: Floats) -> Floats:
    """[n] distance of each query to its NEIGHBOURS-th nearest benign query; the very same query does not count."""
    closeness = vectors @ benign.T
    closeness[closeness > 1 - 1e-9] = -1.0
    return 1.0 - np.partition(closeness, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS]
