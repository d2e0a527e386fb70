"""A threshold on how much an account sends: what most rate limits and open-source rules amount to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campaigns.baselines.traffic import Traffic


def volume(traffic: Traffic) -> NDArray[np.float64]:
    """Requests of each account."""
    return np.bincount(traffic.owners, minlength=len(traffic.accounts)).astype(np.float64)
