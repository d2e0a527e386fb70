"""Connected components over shared attributes: accounts that share any one of address block, organisation, payment, TLS print or domain.

The rule of open-source detectors of account farms, and of EvilCohort (Stringhini et al. 2015, USENIX Security) without its weights.
Adapted: a value that more than a bound of accounts hold is left out, and the bound is the baseline's best case, not the papers': with
none, one mail service joins all customers. The score is the size of the account's component.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from campaigns.baselines.traffic import Traffic

MOST_HOLDERS_SHARE = 0.15


def components(traffic: Traffic) -> NDArray[np.float64]:
    """Size of each account's component."""
    size = len(traffic.accounts)
    rows: list[int] = []
    columns: list[int] = []
    for values in traffic.attributes.values():
        holders: dict[str, list[int]] = {}
        for place, value in enumerate(values):
            if value is not None:
                holders.setdefault(str(value), []).append(place)
        for places in holders.values():
            if 2 <= len(places) <= max(2, MOST_HOLDERS_SHARE * size):
                rows.extend(places[:1] * (len(places) - 1))
                columns.extend(places[1:])
    graph = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    return np.bincount(labels)[labels].astype(np.float64)
