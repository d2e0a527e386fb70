"""What every baseline sees of a log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from stillwatch.sketch.tokens import hash_words
from stillwatch.stats.seeds import generator

WORDS, DIMENSIONS = 1 << 13, 48
COMMON_SHARE = 0.1
MOST_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A log as arrays, in order of time.

    Attributes:
        accounts: [A] names.
        owners: [n] position of each exchange's account.
        seconds: [n].
        vectors: [n, d] unit vectors of the prompts: hashed words weighted by rarity, in the log's own low-rank space.
        fingerprints: for each exchange, its fixed-wording fingerprints, as the scan's sketch has them.
        attributes: by name, [A] the value that an account has; None where it has none.
    """

    accounts: list[str]
    owners: NDArray[np.int64]
    seconds: NDArray[np.float64]
    vectors: NDArray[np.float64]
    fingerprints: list[NDArray[np.int64]]
    attributes: dict[str, list[Any]]

    def of_account(self) -> list[NDArray[np.int64]]:
        """Positions of each account's exchanges, in order of time."""
        order = np.argsort(self.owners, kind="stable")
        ends = np.cumsum(np.bincount(self.owners, minlength=len(self.accounts)))[:-1]
        return np.split(order, ends)


def read_traffic(log: Path, accounts: Path, sketched: Path) -> Traffic:
    """The log, its accounts table, and the fingerprints of its scan."""
    table = pq.read_table(
        log, columns=["exchange_id", "account_id", "started_at", "client_ip", "user_agent", "tls_fingerprint", "org_id", "prompt_text"]
    )
    encoded = table["account_id"].combine_chunks().dictionary_encode()
    names: list[str] = encoded.dictionary.to_pylist()
    owners = encoded.indices.to_numpy().astype(np.int64)
    first = np.unique(owners, return_index=True)[1]
    network = [address.rsplit(".", 1)[0] for address in table["client_ip"].take(pa.array(first)).to_pylist()]
    side = {row["account_id"]: row for row in pq.read_table(accounts).to_pylist()}
    attributes: dict[str, list[Any]] = {
        "network": network,
        "organisation": table["org_id"].take(pa.array(first)).to_pylist(),
        "payment": [side[name]["payment_fingerprint"] for name in names],
        "TLS": table["tls_fingerprint"].take(pa.array(first)).to_pylist(),
        "e-mail domain": [side[name]["email_domain"] for name in names],
    }
    return Traffic(
        accounts=names,
        owners=owners,
        seconds=table["started_at"].cast(pa.int64()).to_numpy() / 1e6,
        vectors=prompt_vectors(table["prompt_text"].to_pylist()),
        fingerprints=_fingerprints(table["exchange_id"].to_pylist(), sketched),
        attributes=attributes,
    )


def _fingerprints(order: list[str], sketched: Path) -> list[NDArray[np.int64]]:
    table = pq.read_table(sketched, columns=["exchange_id", "wording"])
    known = {
        name: np.array(own or [], np.int64)
        for name, own in zip(table["exchange_id"].to_pylist(), table["wording"].to_pylist(), strict=True)
    }
    return [known.get(name, np.zeros(0, np.int64)) for name in order]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpace:
    """A space that texts are placed in; needs no model.

    Attributes:
        rarity: [WORDS] weight of each hashed word.
        directions: [d, WORDS].
    """

    rarity: NDArray[np.float64]
    directions: NDArray[np.float64]

    def place(self, texts: list[str]) -> NDArray[np.float64]:
        """[n, d] unit vectors."""
        placed = np.asarray(_counted(texts) @ sparse.diags_array(self.rarity) @ self.directions.T)
        return placed / np.maximum(np.linalg.norm(placed, axis=1, keepdims=True), 1e-9)


def fitted_space(texts: list[str]) -> TextSpace:
    """Latent semantic analysis of these texts by randomised projection (Halko et al. 2011, algorithm 4.4)."""
    counts = _counted(texts)
    rarity = _rarity(counts)
    weighted = counts @ sparse.diags_array(rarity)
    start = generator(1, "baselines/vectors").standard_normal((WORDS, min(DIMENSIONS + 8, len(texts))))
    basis = np.linalg.qr(weighted @ start)[0]
    basis = np.linalg.qr(weighted @ (weighted.T @ basis))[0]
    return TextSpace(rarity=rarity, directions=np.linalg.svd((weighted.T @ basis).T, full_matrices=False)[2][:DIMENSIONS])


def hashed_space(texts: list[str]) -> TextSpace:
    """Hashed words, weighted by rarity among these texts, in random directions: nothing of their subjects is learnt."""
    directions = generator(1, "baselines/hashed").standard_normal((4 * DIMENSIONS, WORDS)) / np.sqrt(WORDS)
    return TextSpace(rarity=_rarity(_counted(texts)), directions=directions)


def prompt_vectors(prompts: list[str]) -> NDArray[np.float64]:
    """[n, d] unit vectors of prompts in their own fitted space."""
    return fitted_space(prompts).place(prompts)


def _counted(texts: list[str]) -> sparse.csr_array:
    words = [(hash_words(text[:MOST_CHARACTERS]) % np.uint64(WORDS)).astype(np.int32) for text in texts]
    pointers = np.concatenate([[0], np.cumsum([len(own) for own in words])])
    indices = np.concatenate(words) if words else np.zeros(0, np.int32)
    counts = sparse.csr_array((np.ones(len(indices)), indices, pointers), shape=(len(texts), WORDS))
    counts.sum_duplicates()
    counts.data = np.log1p(counts.data)
    return counts


def _rarity(counts: sparse.csr_array) -> NDArray[np.float64]:
    size = counts.shape[0]
    frequency = np.bincount(counts.indices, minlength=WORDS)
    rarity = np.log((size + 1) / (frequency + 1))
    rarity[frequency > max(2, COMMON_SHARE * size)] = 0.0
    return rarity
