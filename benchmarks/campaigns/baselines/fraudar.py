"""FRAUDAR: Hooi et al. 2016, "FRAUDAR: bounding graph fraud in the face of camouflage", KDD.

Greedy peeling of the account x fingerprint graph: the block that is left where the mean weight per node is highest. A column weighs 1 /
log(degree + 5), so that camouflage on popular columns is worth little. Adapted: columns are fixed-wording fingerprints of prompts; an
edge says that the account sent the fingerprint in at least two prompts; after a block is found its edges are taken out and the next is
looked for. The score of an account is the density of the first block that it is in.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from campaigns.baselines.traffic import Traffic

BLOCKS = 15
LEAST_PROMPTS = 2
LEAST_HOLDERS = 2

Edges = NDArray[np.int64]


def fraudar(traffic: Traffic) -> NDArray[np.float64]:
    """Density of each account's densest block; 0 outside all blocks."""
    edges = account_fingerprints(traffic)
    scores = np.zeros(len(traffic.accounts))
    for _ in range(BLOCKS):
        if not len(edges):
            break
        accounts, columns, density = densest_block(edges)
        if not len(accounts):
            break
        fresh = accounts[scores[accounts] == 0]
        scores[fresh] = density
        edges = edges[~(np.isin(edges[:, 0], accounts) & np.isin(edges[:, 1], columns))]
    return scores


def account_fingerprints(traffic: Traffic) -> Edges:
    """[E, 2] account and fingerprint, numbered from 0, of fingerprints that several accounts sent more than once."""
    sizes = np.array([len(own) for own in traffic.fingerprints])
    pairs = np.stack([np.repeat(traffic.owners, sizes), np.concatenate([*traffic.fingerprints, np.zeros(0, np.int64)])], axis=1)
    edges, counts = np.unique(pairs, axis=0, return_counts=True)
    edges = edges[counts >= LEAST_PROMPTS]
    _, column, holders = np.unique(edges[:, 1], return_inverse=True, return_counts=True)
    column = column.reshape(-1)
    shared = holders[column] >= LEAST_HOLDERS
    return np.stack([edges[shared, 0], np.unique(column[shared], return_inverse=True)[1].reshape(-1)], axis=1)


def densest_block(edges: Edges) -> tuple[Edges, Edges, float]:
    """Accounts and columns of the block that greedy peeling finds, and its weight per node."""
    accounts, rows = np.unique(edges[:, 0], return_inverse=True)
    columns, places = np.unique(edges[:, 1], return_inverse=True)
    rows, places = rows.reshape(-1), places.reshape(-1) + len(accounts)
    weights = 1.0 / np.log(np.bincount(places)[places] + 5.0)
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(len(accounts) + len(columns))]
    for row, place, weight in zip(rows.tolist(), places.tolist(), weights.tolist(), strict=True):
        neighbours[row].append((place, weight))
        neighbours[place].append((row, weight))
    removed, densities = _peeled(neighbours)
    best = int(np.argmax(densities))
    gone = np.zeros(len(neighbours), bool)
    gone[removed[:best]] = True
    return accounts[~gone[: len(accounts)]], columns[~gone[len(accounts) :]], float(densities[best])


def _peeled(neighbours: list[list[tuple[int, float]]]) -> tuple[list[int], list[float]]:
    """Nodes in the order in which the least connected is taken off, and the density before each step."""
    pull = [sum(weight for _, weight in own) for own in neighbours]
    total, left = sum(pull) / 2.0, len(neighbours)
    heap = [(value, node) for node, value in enumerate(pull)]
    heapq.heapify(heap)
    gone = [False] * len(neighbours)
    removed: list[int] = []
    densities = [total / left]
    while left > 1:
        value, node = heapq.heappop(heap)
        if gone[node] or value > pull[node]:
            continue
        gone[node] = True
        removed.append(node)
        total, left = total - pull[node], left - 1
        for other, weight in neighbours[node]:
            if not gone[other]:
                pull[other] -= weight
                heapq.heappush(heap, (pull[other], other))
        densities.append(total / left)
    return removed, densities
