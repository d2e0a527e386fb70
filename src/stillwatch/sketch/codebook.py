"""A subject space fitted on a sample of the provider's own traffic; nothing is fetched from anywhere.

Words are hashed, weighted by rarity, projected onto the leading singular vectors (latent semantic analysis, Deerwester et al. 1990,
by randomised projection, Halko et al. 2011, algorithm 4.4) and quantised to cells by k-means. Words that stand in more than a tenth of
the sample say nothing of a subject and are left out, which drops grammar and any template that a large share of traffic uses.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.cluster.vq import kmeans2

from stillwatch.sketch.tokens import hash_texts

VOCABULARY = 1 << 15
DIMENSIONS = 24
COMMON_SHARE = 0.1
LABEL_OWNERS = 3
LABELLED = 4_000
HEAD_BYTES = 400
"""How much of a response is read for its subject."""

_WORD = re.compile(r"[^\W\d_]{4,24}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codebook:
    """What a kernel needs to place a text.

    Attributes:
        rarity: [VOCABULARY] inverse document frequency of each hashed word among prompts, 0 for common words.
        projection: [VOCABULARY, DIMENSIONS] float32, rarity of the word among subjects' texts included.
        centres: [cells, DIMENSIONS] float32, of unit length.
        labels: a few words per cell, each used by at least LABEL_OWNERS accounts of the sample.
        texts: how many texts it was fitted on.
    """

    rarity: npt.NDArray[np.float32]
    projection: npt.NDArray[np.float32]
    centres: npt.NDArray[np.float32]
    labels: tuple[str, ...]
    texts: int


def subject_text(prompt: str | None, response: str | None) -> str:
    """The text that a subject is read from: the head of the response, or the prompt where the response is short.

    The response follows the payload and not the instruction, so a template does not hide the subject.
    """
    head = (response or "").encode()[:HEAD_BYTES].decode(errors="ignore")
    return head if len(head.encode()) >= 80 else f"{prompt or ''} {head}"


def fit_codebook(
    texts: list[str], owners: list[str], generator: np.random.Generator, *, prompts: list[str] | None = None, cells: int = 128
) -> Codebook:
    """Fit the subject space. With fewer than 50 texts per cell the number of cells shrinks; an empty sample gives one cell.

    Near-duplicates are told by the words that are rare among `prompts` (None: among the texts): a template's words stand in many
    prompts and in no response, so counted among responses they would pass for rare and hide the payloads behind them.
    """
    counts = _count_words(texts)
    rarity = _rarity(counts, len(texts))
    weighted = _unit_rows(counts @ sparse.diags_array(rarity))
    projection = _leading_directions(weighted, generator)
    placed = _unit(weighted @ projection)
    centres, assigned = _cells(placed, max(1, min(cells, len(texts) // 50)), generator)
    labels = _labels(texts, owners, assigned, len(centres))
    return Codebook(
        rarity=rarity if prompts is None else _rarity(_count_words(prompts), len(prompts)),
        projection=(projection * rarity[:, None]).astype(np.float32),
        centres=centres.astype(np.float32),
        labels=labels,
        texts=len(texts),
    )


def _count_words(texts: list[str]) -> sparse.csr_array:
    words, lengths = hash_texts(texts)
    indices = (words % np.uint64(VOCABULARY)).astype(np.int32)
    pointers = np.concatenate([[0], np.cumsum(lengths)])
    matrix = sparse.csr_array((np.ones(len(indices), np.float32), indices, pointers), shape=(len(texts), VOCABULARY))
    matrix.sum_duplicates()
    return matrix


def _rarity(counts: sparse.csr_array, texts: int) -> npt.NDArray[np.float32]:
    """[VOCABULARY] inverse document frequency; 0 for words of more than COMMON_SHARE of the texts."""
    size = max(1, texts)
    frequency = np.bincount(counts.indices, minlength=VOCABULARY)
    rarity = np.log((size + 1) / (frequency + 1)).astype(np.float32)
    rarity[frequency > max(COMMON_SHARE * size, 2)] = 0.0
    return rarity


def _unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _unit_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.csr_array(sparse.diags_array(1 / np.maximum(norms, 1e-12)) @ matrix)


def _leading_directions(matrix: Any, generator: np.random.Generator) -> npt.NDArray[np.floating]:
    """[VOCABULARY, DIMENSIONS]: the right singular vectors, by one power iteration over a random start."""
    start = generator.standard_normal((VOCABULARY, DIMENSIONS + 8))
    if matrix.shape[0] < DIMENSIONS + 8:
        return start[:, :DIMENSIONS] / np.sqrt(VOCABULARY)
    basis = _orthonormal(matrix @ start)
    basis = _orthonormal(matrix @ (matrix.T @ basis))
    projected = (matrix.T @ basis).T
    squares, left = np.linalg.eigh(projected @ projected.T)
    # the right singular vectors, the longest first
    longest = np.argsort(-squares)[:DIMENSIONS]
    return projected.T @ (left[:, longest] / _lengths(squares)[longest])


def _orthonormal(tall: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Orthonormal columns that span those of a matrix far taller than wide, from its Gram matrix (SVQB, Stathopoulos and Wu 2002).

    Twice, because once loses half of the digits; still a tenth of the time of Householder's way.
    """
    for _ in range(2):
        squares, turn = np.linalg.eigh(tall.T @ tall)
        tall = tall @ (turn / _lengths(squares))
    return tall


def _lengths(squares: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Square roots that can be divided by: what rounding leaves of a direction that is not there counts for nothing."""
    return np.sqrt(np.maximum(squares, max(float(squares.max()) * 1e-14, 1e-30)))


def _cells(
    placed: npt.NDArray[np.floating], cells: int, generator: np.random.Generator
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.integer]]:
    if cells == 1:
        return np.ones((1, DIMENSIONS)) / np.sqrt(DIMENSIONS), np.zeros(len(placed), np.int64)
    start = placed[generator.choice(len(placed), cells, replace=False)]
    with warnings.catch_warnings():
        # equal texts leave a cell empty; it keeps its centre and does no harm
        warnings.filterwarnings("ignore", message="One of the clusters is empty", category=UserWarning)
        centres, assigned = kmeans2(placed, start, iter=12, minit="matrix", missing="warn", rng=generator)
    return _unit(centres), assigned


def _labels(texts: list[str], owners: list[str], assigned: npt.NDArray[np.integer], cells: int) -> tuple[str, ...]:
    """Telling words per cell; a word that fewer than LABEL_OWNERS accounts use could identify someone and is never shown."""
    inside: list[Counter[str]] = [Counter() for _ in range(cells)]
    overall: Counter[str] = Counter()
    used: dict[str, set[str]] = {}
    for text, owner, cell in zip(texts[:LABELLED], owners, assigned.tolist(), strict=False):
        words = set(_WORD.findall(text[:600].lower()))
        inside[cell].update(words)
        overall.update(words)
        used.setdefault(owner, set()).update(words)
    users: Counter[str] = Counter()
    for words in used.values():
        users.update(words)
    labels: list[str] = []
    for cell, words in enumerate(inside):
        shown = {word: count * count / overall[word] for word, count in words.items() if users[word] >= LABEL_OWNERS}
        best = sorted(shown, key=lambda word: (-shown[word], word))[:3]
        labels.append(", ".join(best) or f"subject {cell}")
    return tuple(labels)
