"""How far an entity's subjects lie from the provider's other traffic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def subject_shift(entities: npt.NDArray[np.integer], everyone: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Unbiased squared MMD between each entity's subjects and everyone else's, with a kernel that is 1 within a cell.

    Args:
        entities: [E, cells] exchanges per subject cell.
        everyone: [cells] exchanges of the whole log, the entities' own included; they are taken out.

    Returns:
        [E]; NaN for an entity, or a rest, with fewer than two exchanges. The estimate is unbiased in the number of exchanges, so a
        value of a large entity may be compared with those of smaller ones; its null is the same statistic of other entities.

    Source: Gretton et al. 2012, "A kernel two-sample test", equation (3).
    """
    own = entities.astype(np.float64)
    rest = np.maximum(everyone.astype(np.float64)[None, :] - own, 0)
    own_size, rest_size = own.sum(axis=1), rest.sum(axis=1)
    able = (own_size >= 2) & (rest_size >= 2)
    within = _collision(own, own_size) + _collision(rest, rest_size)
    between = (own * rest).sum(axis=1) / np.maximum(own_size * rest_size, 1)
    return np.where(able, within - 2 * between, np.nan)


def _collision(counts: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (counts * (counts - 1)).sum(axis=1) / np.maximum(sizes * (sizes - 1), 1)
