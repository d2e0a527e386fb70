"""Detectors of others, written from their papers, that see the same log.

Each gives every account a score: higher is more suspect, minus infinity says that it does not speak. A threshold turns scores into
accusations; the benchmark sets it so that as many honest accounts are accused as Stillwatch accused in the same log, and never fewer than
one in a thousand. That is a threshold which only the truth can give: it favours the baselines.
"""

from __future__ import annotations

from collections.abc import Callable

from numpy import float64
from numpy.typing import NDArray

from campaigns.baselines.coactivity import coactivity
from campaigns.baselines.components import components
from campaigns.baselines.discrepancy import mmd_account_matched, mmd_account_own, mmd_window
from campaigns.baselines.fraudar import fraudar
from campaigns.baselines.prada import prada
from campaigns.baselines.seat import seat
from campaigns.baselines.traffic import Traffic
from campaigns.baselines.volume import volume

BASELINES: dict[str, Callable[[Traffic], NDArray[float64]]] = {
    "volume": volume,
    "PRADA": prada,
    "SEAT": seat,
    "MMD, account, own calibration": mmd_account_own,
    "MMD, account, matched": mmd_account_matched,
    "MMD, window of 1,500": mmd_window,
    "shared attributes": components,
    "co-activity": coactivity,
    "FRAUDAR": fraudar,
}
