"""Co-activity in time buckets: Cao et al. 2014, "Uncovering large groups of active malicious accounts" (SynchroTrap), CCS; CooRTweet 2.1.

Two accounts are alike by the Jaccard index of the (object, bucket) pairs that they acted on; single linkage joins those above a
threshold. Adapted: the object is a fixed-wording fingerprint of the prompt, besides one object that every request has; the bucket is ten
minutes (CooRTweet's ten seconds find nothing at 26 requests a day). The score is the largest Jaccard index with any other account: single
linkage at a threshold accuses exactly the accounts whose score reaches it. Pairs held by more accounts than a bound are left out, as
SynchroTrap does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from campaigns.baselines.traffic import Traffic

BUCKET_SECONDS = 600
LEAST_SHARED = 3
MOST_HOLDERS = 200


def coactivity(traffic: Traffic) -> NDArray[np.float64]:
    """Largest Jaccard index of each account with another; 0 where they share fewer than three pairs."""
    size = len(traffic.accounts)
    held = _held(traffic)
    own = np.asarray(held.sum(axis=1)).ravel()
    popular = np.asarray(held.sum(axis=0)).ravel()
    kept = held[:, np.flatnonzero((popular >= 2) & (popular <= MOST_HOLDERS))]
    shared = sparse.coo_array(kept @ kept.T)
    left, right, count = shared.coords[0], shared.coords[1], shared.data
    apart = (left != right) & (count >= LEAST_SHARED)
    left, right, count = left[apart], right[apart], count[apart]
    best = np.zeros(size)
    np.maximum.at(best, left, count / (own[left] + own[right] - count))
    return best


def _held(traffic: Traffic) -> sparse.csr_array:
    """Accounts by (object, bucket) pairs, 1 where the account acted."""
    buckets = (traffic.seconds // BUCKET_SECONDS).astype(np.int64)
    sizes = np.array([len(own) for own in traffic.fingerprints])
    objects = np.concatenate([np.zeros(len(buckets), np.int64), *traffic.fingerprints])
    rows = np.concatenate([traffic.owners, np.repeat(traffic.owners, sizes)])
    when = np.concatenate([buckets, np.repeat(buckets, sizes)])
    pairs = np.unique(np.stack([objects, when], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, pairs)), shape=(len(traffic.accounts), int(pairs.max()) + 1))
    matrix.data[:] = 1.0
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix
