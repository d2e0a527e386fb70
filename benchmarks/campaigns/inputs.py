"""Templates of one data set carry the same inputs: which product each input belongs to, so that no two products send the same passage.

Two rows have one input where they share a run of fourteen words that is neither wording of a template (it would stand in many rows) nor
one row's alone. All rows of an input go to one of the templates that carry it, the one that has fewest so far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from stillwatch.sketch.tokens import hash_words

RUN = 14
# a run that more rows than this carry is a template's wording, whatever the inputs
MOST_ROWS_OF_A_RUN = 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def kept_rows(texts: list[str], templates: NDArray[np.str_]) -> NDArray[np.bool_]:
    """[n] whether each row stays, when every input belongs to one template."""
    owners = inputs_of(texts)
    names, template = np.unique(templates, return_inverse=True)
    template = template.reshape(-1)
    order = np.argsort(owners, kind="stable")
    held = np.zeros(len(names), np.int64)
    kept = np.zeros(len(texts), bool)
    for rows in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
        carriers, counts = np.unique(template[rows], return_counts=True)
        chosen = int(np.argmin(held[carriers]))
        held[carriers[chosen]] += counts[chosen]
        kept[rows[template[rows] == carriers[chosen]]] = True
    return kept


def inputs_of(texts: list[str]) -> NDArray[np.int64]:
    """[n] number of each row's input."""
    runs = [_runs(text) for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(own) for own in runs])
    column, counts = np.unique(np.concatenate([*runs, np.zeros(0, np.uint64)]), return_inverse=True, return_counts=True)[1:]
    column = column.reshape(-1)
    telling = (counts[column] >= 2) & (counts[column] <= MOST_ROWS_OF_A_RUN)
    rows, column = rows[telling], column[telling] + len(texts)
    size = len(texts) + len(counts)
    graph = sparse.csr_array((np.ones(len(rows), np.int8), (rows, column)), shape=(size, size))
    return connected_components(graph, directed=False)[1][: len(texts)].astype(np.int64)


def _runs(text: str) -> NDArray[np.uint64]:
    """Hashes of the runs of RUN words of a text, each once; of all its words where it has fewer."""
    words = hash_words(text)
    length = min(RUN, len(words))
    if length == 0:
        return np.zeros(0, np.uint64)
    total = np.zeros(len(words) - length + 1, np.uint64)
    for place in range(length):
        total = total * _FACTOR + words[place : place + len(total)]
    return np.unique(total)
